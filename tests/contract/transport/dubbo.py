"""The `dubbo` transport in the contract suite."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from support.dubbo_peer import DubboPeer, Link, deaf, mute

from callahead.consumer.transport.api import Transport, TransportParts
from callahead.consumer.transport.dubbo import DubboTransport
from callahead.consumer.wire.header import response_frame

from .embedded import SOME, EmbeddedKind

INTERFACE = "com.alibaba.foo.FooService"


class DubboKind(EmbeddedKind):
    """`DubboTransport` over sockets of this machine."""

    name = protocol = "dubbo"
    can = frozenset(
        {
            *EmbeddedKind.can,
            "ends while it writes",
            "limits requests",
            "limits answers",
            "limits its queue",
            "tells every refusal",
            "tells sent later",
        }
    )
    reference: ClassVar[Mapping[str, Any]] = {
        "interface": INTERFACE,
        "methods": {"echo": {"parameter_types": ["java.lang.String"]}},
    }
    method = "echo"
    serving: ClassVar[Mapping[str, Any]] = {"interface": INTERFACE}

    def transport(self, parts: TransportParts) -> Transport:
        """Make one."""
        return DubboTransport(parts)

    def arguments(self, text: str) -> tuple[Any, ...]:
        """Make the one string."""
        return (text,)

    def asked_text(self, request: Any) -> str:
        """Read the one string."""
        text: str = request
        return text

    def text_of(self, value: Any) -> str:
        """Read the string."""
        text: str = value
        return text

    def hangs_up_at_once(self) -> str:
        """Close what is accepted."""
        return self.opened(DubboPeer(Link.hang_up)).url

    def answers_rubbish(self) -> str:
        """Answer each request with what is no frame."""
        return self.opened(DubboPeer(_rubbish)).url

    def ends_without_an_answer(self) -> str:
        """Answer each request with an empty body."""
        return self.opened(DubboPeer(_nothing)).url

    def goes_in_the_midst(self) -> str:
        """Read some of a frame."""
        return self.opened(DubboPeer(_some)).url

    def says_nothing(self) -> str:
        """Read on and on."""
        return self.opened(DubboPeer(mute)).url

    def reads_nothing(self) -> str:
        """Accept, with room for little."""
        return self.opened(DubboPeer(deaf, receive_buffer=4096)).url


def _nothing(link: Link) -> None:
    for request in link.requests():
        link.send(response_frame(request.id, b""))


def _some(link: Link) -> None:
    while len(link.received) < SOME:
        link.read(SOME)
    link.reset()


def _rubbish(link: Link) -> None:
    link.next_request()
    link.send(bytes(range(256)) * 64)
    link.wait_closed()
