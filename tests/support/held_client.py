"""A blocking client whose methods return when the test says so."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from callahead.consumer import Consumer
from callahead.consumer.reference.reference import Reference

SOON = 10.0


class HeldClient:
    """Each call of `wait` holds its thread until `release`."""

    size = 3

    def __init__(self) -> None:
        self.begun: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self.ran: list[Any] = []
        self._gate = threading.Event()

    def wait(self, name: Any = "") -> Any:
        """Wait for the test, and answer the name."""
        self.ran.append(name)
        self.begun.put(name)
        assert self._gate.wait(60)
        return name

    def echo(self, *args: Any, **kwargs: Any) -> Any:
        """Answer what was given."""
        return args, kwargs

    def fail(self, error: BaseException) -> Any:
        """Raise."""
        raise error

    def next(self) -> Any:
        """Return the name of the call that has begun first and was not asked for."""
        return self.begun.get(timeout=SOON)

    def release(self) -> None:
        """Let every call go, and those to come."""
        self._gate.set()


@contextmanager
def held(client: Any = None, methods: Mapping[str, Any] | None = None, **settings: Any) -> Iterator[Reference]:
    """Give the reference ``held`` to *client*, a `HeldClient` by default, which is released before all is closed."""
    client = HeldClient() if client is None else client
    reference = {"protocol": "python", "timeout": "30s", "retries": 0, **settings, "methods": methods or {}}
    with Consumer({"references": {"held": reference}}) as consumer:
        try:
            yield consumer.wrap("held", client)
        finally:
            getattr(client, "release", int)()
