"""A consumer whose providers and rules are in a memory registry, without a network."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any

from callahead.consumer.testing.scripted_transport import ScriptedTransport
from callahead.registry import MemoryRegistry

from .shop import NAMES, Shop

INTERFACE = "com.alibaba.foo.FooService"
CONDITIONS = f"{INTERFACE}::.condition-router"
CONFIGURATORS = f"{INTERFACE}::.configurators"

_names = map("ruled-{}".format, itertools.count())


class Ruled(Shop):
    """A `Shop` that asks a memory registry for its providers, each of which answers with its name.

    Args:
        urls: Of the providers.
        answers: They answer; else the test does.
        settings: Of `Shop`.
    """

    def __init__(
        self, *urls: str, answers: bool = True, reference: Mapping[str, Any] | None = None, **settings: Any
    ) -> None:
        self.space = MemoryRegistry.named(next(_names))
        self.publish(*urls)
        transport = ScriptedTransport((lambda attempt: attempt.provider.name) if answers else None, NAMES)
        super().__init__(transport=transport, reference={"url": None, **(reference or {})}, **settings)

    def configuration(self, config: dict[str, Any]) -> dict[str, Any]:
        """Add the registry."""
        registry = {"registries": {"main": {"address": f"memory://{self.space.name}"}}}
        return {"application": {"name": "shop-web"}, **registry, **config}

    def publish(self, *urls: str) -> None:
        """Make these all the providers that there are."""
        self.space.publish(INTERFACE, urls)

    def asked(self, calls: int = 20, method: str = "findFoo", **attachments: str) -> set[str]:
        """Call, and give the ``host:port`` of all who were asked."""
        function = getattr(self.foo, method).with_options(
            attachments={k.replace("_", "."): v for k, v in attachments.items()}
        )
        return {function().removeprefix("tri://") for _ in range(calls)}

    def policy(self, method: str = "findFoo") -> Any:
        """Give what the next call of a method obeys."""
        return getattr(self.foo, method).policy
