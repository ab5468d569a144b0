"""What stands between a socket of HTTP/2 and the calls over it, where a test is the socket."""

from __future__ import annotations

from typing import Any

from callahead.consumer.transport.request_limit import Room
from callahead.consumer.transport.tcp.counters import Counters
from callahead.consumer.transport.tcp.outbox import Outbox
from callahead.consumer.transport.tri.http2.inbox import Inbox
from callahead.consumer.transport.tri.http2.replies import Replies
from callahead.consumer.transport.tri.http2.streams import Streams
from callahead.consumer.wire.http2.events import Broken
from callahead.consumer.wire.http2.settings import Limits

from .http2_calls import Made
from .http2_frames import GREETING

NOBODY: Any = None
MOST = 4000


class Desk:
    """An inbox with its streams.

    Args:
        reads: The provider reads at once what is queued.
        greeting: The provider's first words.

    Attributes:
        rare: What concerns the connection as a whole.
    """

    def __init__(self, *, reads: bool = True, greeting: bytes = GREETING) -> None:
        self.outbox: Outbox[Any] = Outbox()
        self.counters = Counters()
        self.streams = Streams(self.outbox, Room(300_000, 1 << 40), "peer:1")
        self.streams.is_open = True
        self.rare: list[Any] = []
        self._reads = reads
        replies = Replies(self.outbox, lambda: False)
        self._inbox = Inbox(
            self.streams, Limits(MOST), self.counters, NOBODY, self.outbox.put, replies.put, self.rare.append
        )
        self.hear(greeting)

    def hear(self, *said: bytes) -> None:
        """Take what the provider says, in one portion, and let what is queued leave where it reads."""
        self._inbox.take(b"".join(said))
        if self._reads:
            self.leave()

    def leave(self) -> bytes:
        """Let what is queued leave."""
        left = []
        while (batch := self.outbox.pending()) is not None:
            left.append(bytes(batch))
            self.outbox.advance(len(batch))
        return b"".join(left)

    def call(self, text: bytes = b"hello") -> Made:
        """Begin one more call, which leaves as far as it may."""
        made = Made(text)
        assert self.streams.put(made) is None
        self.leave()
        return made

    @property
    def end(self) -> str:
        """Why the connection has to end; "" as long as it has not."""
        ends = [one.error.message for one in self.rare if isinstance(one, Broken)]
        assert len(ends) <= 1
        return ends[0] if ends else ""


def fates_of(said: bytes, size: int) -> list[str]:
    """How five calls end, of which one was cancelled, and why the connection has to, where a provider says *said*.

    It comes in pieces of *size* bytes, its greeting included.

    Raises:
        AssertionError: A call has ended twice, or the connection has.
    """
    desk = Desk(greeting=b"")
    calls = [desk.call(b"x" * count) for count in (5, 100_000, 5, 5, 5)]
    desk.streams.cancel(calls[3])
    for at in range(0, len(said), size):
        desk.hear(said[at : at + size])
    if any(len(one.outcomes) > 1 for one in calls):
        raise AssertionError(f"a call has ended twice: {[one.outcomes for one in calls]}")
    return [desk.end, *(repr(one.outcomes) for one in calls)]
