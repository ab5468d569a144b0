"""One reference over the `dubbo` transport: its Java interface, and its prepared methods."""

from __future__ import annotations

import itertools
from typing import Any

from callahead.config.policy import MethodPolicy, ReferencePolicy

from ...call.attempt import Attempt
from ...call.invocation import Done, Outcome
from ...interface.description import ServiceDescription
from ...interface.java import JavaInterface
from ...interface.java.description import describe_interface
from ...wire.header import heartbeat_frame
from ..api import Providers
from ..gathered import all_of
from ..tcp.call import Call
from ..trouble import Trouble
from .method import DubboMethod, Peer
from .pool import Pool

# No call has a negative id, and no heartbeat of a connection's own one so far below.
_GREETINGS = itertools.count(-(2**62), -1)


class _Greeting:
    """What a heartbeat that comes before all calls asks for: nothing; a `CalledMethod`.

    Args:
        policy: Of the reference.
    """

    def __init__(self, policy: ReferencePolicy) -> None:
        self._policy = policy

    def decode(self, status: int, body: bytes, peer: Peer, attempt: Attempt) -> Outcome:
        """See `CalledMethod.decode`; its answer is an event, which nobody waits for."""
        del status, body, peer, attempt
        return Outcome(None)

    def worded(self, trouble: Trouble) -> str:
        """Word *trouble* with the places of the reference's settings."""
        return trouble.of(self._policy)


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
        provider = attempt.provider
        connections = self._pool.connections(provider, self._policy)
        if provider not in self._providers():  # it left meanwhile, and nobody will release it any more
            self._pool.release(provider)
        end = all_of(len(connections), done)
        for connection in connections:
            number = next(_GREETINGS)
            Call(number, heartbeat_frame(number), 0, False, attempt, _Greeting(self._policy), end).begin(connection)

    def attribute(self, name: str) -> Any:
        """Have none: see `ReferenceTransport.attribute`."""
        raise LookupError(name)

    def methods(self) -> tuple[str, ...]:
        """List the methods that are known; see `ReferenceTransport.methods`."""
        return tuple(self._interface.methods)

    def describe(self) -> ServiceDescription:
        """Describe what can be called; see `ReferenceTransport.describe`."""
        return describe_interface(self._interface)
