"""Registries of addresses, closed at the end of the test, and what hears of them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, Protocol

from callahead.config.policy import RegistryPolicy, SslPolicy
from callahead.registry import RecordingListener, Registry, ServiceKey, open_registry

KEY = ServiceKey("a.B")


class Open(Protocol):
    """Opens the registry at an address, of the kind that its test is about."""

    def __call__(self, address: str, /, ssl: SslPolicy | None = None, **settings: str) -> Any:
        """Make it; *settings* go before those of all."""


@contextmanager
def opening(scheme: str, **defaults: str) -> Iterator[Open]:
    """Open registries of *scheme* with *defaults* as settings, and close them in the end."""
    with ExitStack() as ends:

        def make(address: str, /, ssl: SslPolicy | None = None, **settings: str) -> Registry:
            policy = RegistryPolicy(
                id="main",
                address=f"{scheme}://{address}",
                ssl=ssl,
                parameters={**defaults, **settings},
                application="shop",
                origins={"address": "conf/x.yml:3"},
            )
            registry = open_registry(policy)
            ends.callback(registry.close)
            return registry

        yield make


def heard_from(registry: Registry, key: ServiceKey = KEY) -> RecordingListener:
    """Subscribe, and record what is told."""
    heard = RecordingListener()
    registry.subscribe(key, heard)
    return heard
