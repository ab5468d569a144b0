"""The cells of the matrix in terms that a Java interface and a protobuf service have in common."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Protocol

from callahead.consumer import Consumer
from tests.interop.provider import JavaProvider
from tests.interop.wires import Wire


class Peer(Protocol):
    """What every cell needs of a provider. Calls obey the configuration; ``count`` and ``warm`` always wait."""

    def references(self) -> dict[str, Any]:
        """The references, for the configuration."""

    def warm(self, consumer: Consumer) -> None:
        """Connect, so that a measured time is that of the call alone."""

    def echo_after(self, consumer: Consumer, text: str, delay_ms: int) -> Any:
        """Call what answers *text* after a delay."""

    def text_of(self, answer: Any) -> str:
        """Take the text out of that answer."""

    def touch(self, consumer: Consumer, key: str) -> Any:
        """Call what counts."""

    def count(self, consumer: Consumer, key: str) -> int:
        """How often it was counted."""

    def fail(self, consumer: Consumer, message: str) -> Any:
        """Call what throws a business exception."""

    def seen(self, consumer: Consumer) -> Any:
        """Call what answers the attachments that it saw."""

    def seen_in(self, answer: Any) -> dict[str, str]:
        """Take them out of that answer."""


class JavaPeer:
    """A `Peer` by the Java interfaces."""

    def __init__(self, wire: Wire, provider: JavaProvider) -> None:
        services = ("EchoService", "CounterService", "ExceptionService", "AttachmentService")
        self._references = {name: wire.java(provider, name) for name in services}

    def references(self) -> dict[str, Any]:
        """One for each interface."""
        return self._references

    def warm(self, consumer: Consumer) -> None:
        """Echo."""
        assert consumer.reference("EchoService").echo.with_options(timeout=10_000).sync("warm") == "warm"

    def echo_after(self, consumer: Consumer, text: str, delay_ms: int) -> Any:
        """EchoService.echoAfter."""
        return consumer.reference("EchoService").echo_after(text, delay_ms)

    def text_of(self, answer: Any) -> str:
        """The answer is the text."""
        assert isinstance(answer, str)
        return answer

    def touch(self, consumer: Consumer, key: str) -> Any:
        """CounterService.touchKey."""
        return consumer.reference("CounterService").touch_key(key)

    def count(self, consumer: Consumer, key: str) -> int:
        """CounterService.countOf."""
        count: int = consumer.reference("CounterService").count_of.sync(key)
        return count

    def fail(self, consumer: Consumer, message: str) -> Any:
        """ExceptionService.declared."""
        return consumer.reference("ExceptionService").declared(42, message)

    def seen(self, consumer: Consumer) -> Any:
        """AttachmentService.seen."""
        return consumer.reference("AttachmentService").seen()

    def seen_in(self, answer: Any) -> dict[str, str]:
        """The answer is the map."""
        return dict(answer)


class ProtobufPeer:
    """A `Peer` by the protobuf service."""

    def __init__(self, wire: Wire, provider: JavaProvider) -> None:
        self._reference = wire.greeter(provider)

    def references(self) -> dict[str, Any]:
        """The one."""
        return {"greeter": self._reference}

    def warm(self, consumer: Consumer) -> None:
        """Say hello."""
        consumer.reference("greeter").say_hello.with_options(timeout=10_000).sync(name="warm")

    def echo_after(self, consumer: Consumer, text: str, delay_ms: int) -> Any:
        """Greeter.SayHello."""
        return consumer.reference("greeter").say_hello(name=text, delay_ms=delay_ms)

    def text_of(self, answer: Any) -> str:
        """The greeting without its first word."""
        text: str = answer.message
        return text.removeprefix("Hello, ")

    def touch(self, consumer: Consumer, key: str) -> Any:
        """Greeter.SayHello, which counts all calls."""
        return consumer.reference("greeter").say_hello(name=key)

    def count(self, consumer: Consumer, key: str) -> int:
        """As that call sees it, which it counts too: so one more each time."""
        calls: int = consumer.reference("greeter").say_hello.sync(name=key).calls
        return calls

    def fail(self, consumer: Consumer, message: str) -> Any:
        """Greeter.Fail with a Java exception."""
        return consumer.reference("greeter").fail(kind="RUNTIME", message=message)

    def seen(self, consumer: Consumer) -> Any:
        """Greeter.Attachments."""
        return consumer.reference("greeter").attachments(name="")

    def seen_in(self, answer: Any) -> dict[str, str]:
        """A field of the answer."""
        return dict(answer.seen)


def peer_of(wire: Wire, provider: JavaProvider) -> Peer:
    """The peer of a wire."""
    return ProtobufPeer(wire, provider) if wire.is_protobuf else JavaPeer(wire, provider)


def until(holds: Callable[[], Any], seconds: float = 5.0) -> bool:
    """Wait for something that another process or thread will bring about; False where it does not."""
    end = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > end:
            return False
        time.sleep(0.01)
    return True
