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
        self._inbox = Inbox(self.streams, MOST, self.counters, NOBODY, self.outbox.put, replies.put, self.rare.append)
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
