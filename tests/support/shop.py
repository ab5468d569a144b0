"""A consumer of one reference ``foo`` without a network, and threads to call from."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Any, Self

from callahead.consumer import Consumer, Invocation
from callahead.consumer.testing.scripted_transport import ScriptedCall, ScriptedTransport

Answer = Callable[[Invocation], Any]
NAMES = ("findFoo", "findBar", "touch")


class Shop:
    """A consumer over a `ScriptedTransport`; close it, or use it in a ``with`` block.

    Args:
        answer: See `ScriptedTransport`.
        methods: The YAML's ``methods``.
        consumer: The YAML's ``consumer``.
        reference: More of the YAML's reference ``foo``.
        providers: How many there are.
        transport: In place of one that answers with *answer*.
        options: Of `Consumer`.
    """

    def __init__(
        self,
        answer: Answer | None = None,
        *,
        methods: Mapping[str, Any] | None = None,
        consumer: Mapping[str, Any] | None = None,
        reference: Mapping[str, Any] | None = None,
        providers: int = 1,
        transport: ScriptedTransport | None = None,
        **options: Any,
    ) -> None:
        self.transport = ScriptedTransport(answer, NAMES) if transport is None else transport
        foo = {
            "interface": "com.alibaba.foo.FooService",
            "url": [f"tri://h{number}:1" for number in range(1, providers + 1)],
            "methods": dict(methods or {}),
            **(reference or {}),
        }
        # Far longer than any test, so that a busy machine times out nothing that was not meant to. No clock need move.
        config = {
            "consumer": {"timeout": 60_000, "retry_backoff": {"base": 0}, **(consumer or {})},
            "references": {"foo": foo},
        }
        self.consumer = Consumer(self.configuration(config), transports={"tri": self.transport}, **options)

    def configuration(self, config: dict[str, Any]) -> dict[str, Any]:
        """Give the whole configuration, of which *config* has the reference."""
        return config

    @property
    def foo(self) -> Any:
        """The reference."""
        return self.consumer.reference("foo")

    def next_call(self) -> ScriptedCall:
        """Return the attempt that has waited longest."""
        return self.transport.next_call()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.consumer.close(0)


class Background:
    """Runs *function* on a thread of its own; `join` gives what it returned or raises what it raised."""

    def __init__(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> None:
        self._value: Any = None
        self._error: BaseException | None = None
        self._call = (function, args, kwargs)
        self.thread = threading.Thread(target=self._run, name="background")
        self.thread.start()

    def _run(self) -> None:
        function, args, kwargs = self._call
        try:
            self._value = function(*args, **kwargs)
        except BaseException as error:  # it is the test's
            self._error = error

    @property
    def is_running(self) -> bool:
        """It has not returned yet."""
        return self.thread.is_alive()

    def join(self, timeout: float = 30.0) -> Any:
        """Wait for the end of it."""
        self.thread.join(timeout)
        assert not self.thread.is_alive(), "the background call did not end"
        if self._error is not None:
            raise self._error
        return self._value


class Spy:
    """A function that notes what it is called with, and lets a test wait for that."""

    def __init__(self, effect: Callable[..., Any] | None = None) -> None:
        self._effect = effect
        self._condition = threading.Condition()
        self.calls: list[tuple[Any, ...]] = []
        self.threads: list[str] = []

    def __call__(self, *args: Any) -> Any:
        try:
            return None if self._effect is None else self._effect(*args)
        finally:
            with self._condition:
                self.calls.append(args)
                self.threads.append(threading.current_thread().name)
                self._condition.notify_all()

    def wait(self, count: int = 1, timeout: float = 20.0) -> list[tuple[Any, ...]]:
        """Return the calls once there are *count* of them."""
        with self._condition:
            assert self._condition.wait_for(lambda: len(self.calls) >= count, timeout), f"only {self.calls}"
            return list(self.calls)
