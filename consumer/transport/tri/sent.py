"""Unary calls whose "sent" is true.

gRPC's unary call reports nothing before the answer. A client stream of one message is the same bytes on the wire, and
grpcio asks its iterator for a second message exactly when the first was written (its ``send_message`` operation has
completed), so that is the moment. grpcio reads the iterator on a thread that lives until then: one short-lived thread
for each caller that is blocked by ``sent: true``, none for a pending call.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator


class OneMessage(Iterator[bytes]):
    """Yields *message*, and calls *on_sent* when a second one is asked for."""

    __slots__ = ("_message", "_on_sent")

    def __init__(self, message: bytes, on_sent: Callable[[], None]) -> None:
        self._message: bytes | None = message
        self._on_sent = on_sent

    def __next__(self) -> bytes:
        if self._message is None:
            self._on_sent()
            raise StopIteration
        message, self._message = self._message, None
        return message
