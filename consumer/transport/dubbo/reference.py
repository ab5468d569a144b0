"""One reference over the `dubbo` transport: its Java interface, and its prepared methods."""

from __future__ import annotations

import itertools
from typing import Any

from callahead.config.policy import MethodPolicy, ReferencePolicy

from ...call.attempt import Attempt
from ...call.invocation import Done
from ...interface.description import ServiceDescription
from ...interface.java import JavaInterface
from ...interface.java.description import describe_interface
from ...wire.header import heartbeat_frame
from ..api import Providers
from ..tcp.call import Call
from ..tcp.greeting import NothingAsked, greet
from .connection import Connection
from .method import DubboMethod
from .pool import Pool

# No call has a negative id, and no heartbeat of a connection's own one so far below.
_GREETINGS = itertools.count(-(2**62), -1)


class DubboReference:
    """The dubbo side of one reference; a `ReferenceTransport`."""

    def __init__(
        self, policy: ReferencePolicy, interface: JavaInterface, application: str, pool: Pool, providers: Providers
    ) -> None:
        self._policy = policy
        self._providers = providers
        self._interface = interface
        self._application = application
        self._pool = pool

    def method(self, name: str, policy: MethodPolicy) -> DubboMethod:
        """Prepare a method by its types; see `ReferenceTransport.method`."""
        del policy  # what it says of types is in the interface already
        found = self._interface.find(name)
        if found is None:
            raise LookupError(f'{self._policy.interface} has no method "{name}"; {self._interface.nearest(name)}')
        return DubboMethod(found, self._policy, self._application, self._pool, self._providers)

    def connect(self, attempt: Attempt, done: Done) -> None:
        """Send a heartbeat by each connection, of which the first is made by this; see `ReferenceTransport.connect`."""

        def begin(connection: Connection, end: Done) -> None:
            number, asked = next(_GREETINGS), NothingAsked(self._policy)
            Call(number, heartbeat_frame(number), 0, False, attempt, asked, end).begin(connection)

        greet(self._pool, self._policy, self._providers, attempt, begin, done)

    def attribute(self, name: str) -> Any:
        """Have none: see `ReferenceTransport.attribute`."""
        raise LookupError(name)

    def methods(self) -> tuple[str, ...]:
        """List the methods that are known; see `ReferenceTransport.methods`."""
        return tuple(self._interface.methods)

    def describe(self) -> ServiceDescription:
        """Describe what can be called; see `ReferenceTransport.describe`."""
        return describe_interface(self._interface)
