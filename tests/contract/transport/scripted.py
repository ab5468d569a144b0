"""The scripted transport in the contract suite: its peers are the test itself."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Mapping
from typing import Any, ClassVar

from callahead.consumer.errors import RemoteError
from callahead.consumer.testing.scripted_transport import ScriptedCall, ScriptedTransport
from callahead.consumer.transport.api import Transport, TransportParts

from .harness import SOON


class ScriptedAsked:
    """A scripted attempt; an `Asked`."""

    def __init__(self, call: ScriptedCall) -> None:
        self._call = call
        call.sent()

    @property
    def text(self) -> str:
        """The one argument."""
        text: str = self._call.invocation.args[0]
        return text

    @property
    def attachments(self) -> Mapping[str, str]:
        """What came beside it."""
        return self._call.attempt.attachments

    def answer(self, text: str, attachments: Mapping[str, str] | None = None) -> None:
        """Reply, on the test's thread."""
        self._call.reply(text, attachments)

    def refuse(self) -> None:
        """Fail likewise."""
        self._call.fail(RemoteError("because", status="NOT_FOUND"))

    def wait_given_up(self, within: float = SOON) -> None:
        """Look; cancelling is done by the thread that cancels."""
        assert self._call.is_cancelled, within


class ScriptedPeer:
    """One provider of a `ScriptedKind`; a `Peer`."""

    def __init__(self, kind: ScriptedKind, url: str) -> None:
        self._kind = kind
        self.url = url

    def next(self, within: float = SOON) -> ScriptedAsked:
        """Return the attempt at this provider that has waited longest."""
        return ScriptedAsked(self._kind.next_call(self.url, within))

    def crash(self) -> None:
        """Be never asked: it has no wire."""
        raise NotImplementedError

    def come_back(self) -> None:
        """Be never asked likewise."""
        raise NotImplementedError


class ScriptedKind:
    """`ScriptedTransport`."""

    name = "scripted"
    protocol = "tri"
    can: frozenset[str] = frozenset(
        {"addresses", "attachments", "remote errors", "own process", "tells of cancel", "tells sent later"}
    )
    reference: ClassVar[Mapping[str, Any]] = {"interface": "com.alibaba.foo.FooService"}
    method = "echo"

    def __init__(self) -> None:
        self._made: list[ScriptedTransport] = []
        self._waiting: defaultdict[str, deque[ScriptedCall]] = defaultdict(deque)
        self._peers = 0

    def transport(self, parts: TransportParts) -> Transport:
        """Make the one whose attempts the peers answer from now on."""
        del parts  # it has a timer of its own, since users make it without any
        self._transport = ScriptedTransport()
        self._made.append(self._transport)
        return self._transport

    def arguments(self, text: str) -> tuple[Any, ...]:
        """Make the one argument."""
        return (text,)

    def text_of(self, value: Any) -> str:
        """Take the value as it is."""
        text: str = value
        return text

    def peer(self) -> ScriptedPeer:
        """Make one more."""
        self._peers += 1
        return ScriptedPeer(self, f"tri://h{self._peers}:1")

    def next_call(self, url: str, within: float) -> ScriptedCall:
        """Return the attempt at *url* that has waited longest; others wait on."""
        while not self._waiting[url]:
            call = self._transport.next_call(within)
            self._waiting[call.provider.name].append(call)
        return self._waiting[url].popleft()

    def hangs_up_at_once(self) -> str:
        """Be never asked, nor those after it: it has no wire."""
        raise NotImplementedError

    ends_without_an_answer = goes_in_the_midst = hangs_up_at_once
    answers_rubbish = says_nothing = reads_nothing = hangs_up_at_once

    def close(self) -> None:
        """End every transport, whoever used it."""
        for transport in self._made:
            transport.close()
