"""The `dubbo` transport: Apache Dubbo's classic protocol over TCP, with hessian2."""

from __future__ import annotations

import time

from callahead.config.policy import MethodPolicy, ReferencePolicy

from ...interface.java import JavaInterface, load_interface
from ...provider import Provider
from ..api import ConnectionCounts, Providers
from ..open_references import OpenReferences
from .method import DubboMethod
from .pool import Pool


class DubboTransport:
    """Carries calls by the dubbo protocol; a `Transport`."""

    def __init__(self) -> None:
        self._pool = Pool(time.monotonic)
        self._references = OpenReferences()

    def open(self, policy: ReferencePolicy, application: str, providers: Providers) -> DubboReference:
        """Prepare a reference; see `Transport.open`."""
        self._pool.prepare(policy)
        reference = DubboReference(policy, load_interface(policy), application, self._pool, providers)
        self._references.add(reference)
        return reference

    def connections(self) -> tuple[ConnectionCounts, ...]:
        """Say what happened on each connection; see `CountsConnections.connections`."""
        return self._pool.counts()

    def release(self, provider: Provider) -> None:
        """Drain the connections that only *provider* used; see `Transport.release`."""
        self._references.forget(provider)
        self._pool.release(provider)

    def close(self) -> None:
        """Close every connection; see `Transport.close`."""
        self._pool.close()

    def after_fork(self) -> None:
        """Close this process' copies of the parent's sockets; see `Transport.after_fork`."""
        self._references.forget(None)
        self._pool.after_fork()


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
        self._methods: list[DubboMethod] = []

    def method(self, name: str, policy: MethodPolicy) -> DubboMethod:
        """Prepare a method by its types; see `ReferenceTransport.method`."""
        del policy  # what it says of types is in the interface already
        found = self._interface.find(name)
        if found is None:
            raise LookupError(f'{self._policy.interface} has no method "{name}"; {self._interface.nearest(name)}')
        method = DubboMethod(found, self._policy, self._application, self._pool, self._providers)
        self._methods.append(method)
        return method

    def methods(self) -> tuple[str, ...]:
        """List the methods that are known; see `ReferenceTransport.methods`."""
        return tuple(self._interface.methods)

    def forget(self, provider: Provider | None) -> None:
        """Drop what was prepared for *provider*, or for all."""
        for method in self._methods:
            method.forget(provider)
