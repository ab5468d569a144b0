"""One reference over the `python` transport: its clients, its threads, and what can be called."""

from __future__ import annotations

from typing import Any

from callahead.config.errors import ConfigError, Problem
from callahead.config.policy import MethodPolicy, ReferencePolicy

from ...call.attempt import Attempt
from ...call.invocation import Done, Outcome
from ...interface.description import ServiceDescription
from ..api import ConnectionCounts, TransportParts
from .clients import Clients
from .face import ClientMethod, Face, callable_of
from .method import PythonMethod
from .pool import BoundedPool


class PythonReference:
    """The threads and the clients of one reference; a `ReferenceTransport`."""

    def __init__(self, policy: ReferencePolicy, parts: TransportParts) -> None:
        self._policy = policy
        self._clients = Clients(policy)
        self._face = self._look()
        problems = [problem for name, one in policy.methods.items() for problem in self._problems(name, one)]
        if problems:
            raise ConfigError(problems)
        self._pool = BoundedPool(policy, self._clients, parts)

    def _look(self) -> Face:
        """See what a client offers; where each thread has its own, one is made for a moment."""
        clients = self._clients
        client = clients.make() if clients.is_per_thread else clients.of_thread()
        close = self._policy.transport.close
        if close is not None and callable_of(client, close) is None:
            raise self._policy.error("close", f'the client has no method "{close}"')
        face = Face(client)
        if clients.is_per_thread:
            clients.close(client)
        return face

    def _problems(self, name: str, policy: MethodPolicy) -> list[Problem]:
        problems = []
        if policy.parameter_types is not None:
            problems.append(policy.problem("parameter_types", "has no meaning where the provider is in this process"))
        try:
            self._known(name)
        except LookupError as error:
            problems.append(policy.problem("method", str(error.args[0])))
        return problems

    def method(self, name: str, policy: MethodPolicy) -> PythonMethod:
        """Prepare a method of the client; see `ReferenceTransport.method`.

        Raises:
            ConfigError: It is a coroutine function, which no thread is needed for.
        """
        spelled, known = self._known(name)
        if known.is_coroutine:
            raise policy.error("method", f"{spelled} is a coroutine function, and only blocking code runs here")
        return PythonMethod(spelled, self._pool)

    def _known(self, name: str) -> tuple[str, ClientMethod]:
        """Return how the client spells *name*, and what is known of it; a name that it makes up answers for itself."""
        try:
            spelled = self._face.find(name)
            return spelled, self._face.methods[spelled]
        except LookupError:
            if name.startswith("_") or not self._face.is_open:
                raise
            function = None if self._clients.is_per_thread else callable_of(self._clients.of_thread(), name)
            if function is None and not self._clients.is_per_thread:
                raise
            return name, ClientMethod(function)

    def attribute(self, name: str) -> Any:
        """Return an attribute of the client, where there is one client; see `ReferenceTransport.attribute`."""
        if self._clients.is_per_thread:
            raise LookupError(f'"{name}" is of one client, and each thread has its own')
        if name.startswith("_"):
            raise LookupError(f'"{name}" is the client\'s own')
        try:
            return getattr(self._clients.of_thread(), name)
        except AttributeError as error:
            raise LookupError(str(error)) from error

    def methods(self) -> tuple[str, ...]:
        """List the methods of the client; see `ReferenceTransport.methods`."""
        return tuple(self._face.methods)

    def describe(self) -> ServiceDescription:
        """Describe them by their signatures; see `ReferenceTransport.describe`."""
        policy = self._policy
        source = f"target {policy.transport.target}" if policy.client is None else "the object given to wrap"
        return self._face.describe(policy.interface, source)

    def connect(self, attempt: Attempt, done: Done) -> None:
        """Have nothing to connect; see `ReferenceTransport.connect`."""
        del attempt
        done(Outcome(None))

    def counts(self) -> ConnectionCounts:
        """Tell of the threads; see `PythonTransport.connections`."""
        return self._pool.counts(f"{self._policy.protocol}://{self._policy.id}")

    def close(self) -> None:
        """End the threads; see `Transport.close`."""
        self._pool.close()

    def after_fork(self) -> None:
        """See `Transport.after_fork`."""
        self._clients.after_fork()
        self._pool.after_fork()
