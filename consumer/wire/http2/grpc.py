"""gRPC's messages in the data of a stream, each behind a flag and its length. Source: gRPC's ``PROTOCOL-HTTP2.md``."""

from __future__ import annotations

import struct
from typing import Final, NamedTuple

PREFIX: Final = struct.Struct(">BI")
PREFIX_BYTES: Final = 5
_SMALL_BYTES: Final = 512
"""Pieces of a message that are smaller are joined at once: as objects they would take many times their bytes."""

_unpack = PREFIX.unpack_from


class Message(NamedTuple):
    """One message as it was sent.

    Attributes:
        is_compressed: By the encoding that the headers name.
    """

    is_compressed: bool
    data: bytes


class BadMessage(Exception):
    """What the peer sends is no message."""


class MessageTooLarge(Exception):
    """A message has begun that is larger than this side reads.

    Attributes:
        size: Bytes that it announces.
    """

    def __init__(self, size: int) -> None:
        super().__init__(size)
        self.size = size


class MessageReader:
    """Cuts the data of one stream into messages, however they are split.

    Args:
        most: Largest message.

    Attributes:
        held: Bytes of a message that has begun.
    """

    __slots__ = ("_most", "_needed", "_parts", "held")

    def __init__(self, most: int) -> None:
        self._most = most
        self._parts: list[bytes] = []
        self._needed = PREFIX_BYTES
        self.held = 0

    @property
    def missing(self) -> int:
        """Bytes that have yet to come of the message that is read, or of what tells its size."""
        return self._needed - self.held

    def feed(self, data: bytes) -> list[Message]:
        """Take the next bytes, and give the messages that they complete.

        Raises:
            MessageTooLarge: As soon as its length is there.
            BadMessage: A flag is neither 0 nor 1.
        """
        parts = self._parts
        if parts and len(data) < _SMALL_BYTES and len(parts[-1]) < _SMALL_BYTES:
            parts[-1] += data
        else:
            parts.append(data)
        self.held += len(data)
        return [] if self.held < self._needed else self._cut()

    def _cut(self) -> list[Message]:
        data, at, messages = b"".join(self._parts), 0, []
        while len(data) - at >= PREFIX_BYTES:
            flag, size = _unpack(data, at)
            if flag > 1:
                raise BadMessage(f"a message begins with {flag}, where 0 and 1 mean something")
            if size > self._most:
                raise MessageTooLarge(size)
            self._needed = PREFIX_BYTES + size
            if len(data) - at < self._needed:
                break
            start = at + PREFIX_BYTES
            at = start + size
            messages.append(Message(flag == 1, data[start:at]))
            self._needed = PREFIX_BYTES
        rest = data[at:]
        self._parts, self.held = [rest] if rest else [], len(rest)
        return messages
