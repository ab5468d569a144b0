"""What a proxy does to the bytes of a connection: cuts, slow motion, and damage to the frames of answers."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Final

from support.proxy import DOWN, UP, Cut

Damage = Callable[[bytes, Random], bytes]
"""Returns what goes on in place of a frame."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Framing:
    """How a protocol cuts what a server says into frames.

    Attributes:
        header: Bytes before the body of each.
        length: Where its length stands in the header.
        damages: What can be done to a frame so that the client can tell that it is damaged.
        doubles: A frame may come twice, or frames in another order, and each still be what it was.
    """

    header: int
    length: slice
    damages: Mapping[str, Damage] = field(default_factory=dict)
    doubles: bool = False

    def size(self, data: bytes) -> int:
        """The bytes of the first frame, more than there are where it is not whole."""
        if len(data) < self.header:
            return self.header
        return self.header + int.from_bytes(data[self.length], "big")


def _put(at: slice, value: bytes) -> Damage:
    return lambda frame, _: frame[: at.start] + value + frame[at.stop :]


def _half(frame: bytes, random: Random) -> bytes:
    return frame[: random.randrange(1, len(frame))]


def flip(frame: bytes, random: Random) -> bytes:
    """Turn one bit over, anywhere: what says so is only the answer itself."""
    at = random.randrange(len(frame))
    return frame[:at] + bytes([frame[at] ^ 1 << random.randrange(8)]) + frame[at + 1 :]


def _stray(frame: bytes, random: Random) -> bytes:
    return bytes(random.randrange(256) for _ in range(20)) + frame


def _twice(frame: bytes, _: Random) -> bytes:
    return frame + frame


_ID: Final = slice(4, 8)  # the upper half of it: no call is given so high a number
DUBBO: Final = Framing(
    header=16,
    length=slice(12, 16),
    doubles=True,
    damages={
        "magic": _put(slice(0, 2), b"\x2a\x2a"),
        "serialization": _put(slice(2, 3), b"\x1f"),
        "endless": _put(slice(12, 16), b"\x7f\xff\xff\xff"),
        "too long": _put(slice(12, 16), b"\x00\x00\x10\x00"),
        "truncated": _half,
        "stray bytes": _stray,
        "unknown id": _put(_ID, b"\x7f\xff\xff\x01"),
        "twice": _twice,
    },
)
HTTP2: Final = Framing(
    header=9,
    length=slice(0, 3),
    damages={
        "endless": _put(slice(0, 3), b"\xff\xff\xff"),
        "too long": _put(slice(0, 3), b"\x00\x30\x00"),
        "truncated": _half,
        "unknown stream": _put(slice(5, 9), b"\x7f\xff\xff\x01"),
    },
)


class CutAt:
    """Ends the connection behind so many bytes of a direction."""

    def __init__(self, direction: str, offset: int) -> None:
        self._direction = direction
        self._left = offset

    def carry(self, direction: str, data: bytes) -> bytes:
        """Hand on what comes before."""
        if direction != self._direction:
            return data
        if len(data) > self._left:
            raise Cut(data[: self._left])
        self._left -= len(data)
        return data


class Counting:
    """Counts what passes."""

    def __init__(self) -> None:
        self.bytes: Counter[str] = Counter({UP: 0, DOWN: 0})

    def carry(self, direction: str, data: bytes) -> bytes:
        """Change nothing."""
        self.bytes[direction] += len(data)
        return data


class Slow:
    """Carries so many bytes a second in each direction."""

    def __init__(self, bytes_per_s: float) -> None:
        self._pace = bytes_per_s

    def carry(self, direction: str, data: bytes) -> bytes:
        """Take the time that it takes."""
        del direction
        time.sleep(len(data) / self._pace)
        return data


class _Frames:
    """Cuts one direction into frames."""

    def __init__(self, framing: Framing) -> None:
        self._framing = framing
        self._data = b""

    def feed(self, data: bytes) -> list[bytes]:
        """Return those that are whole."""
        self._data += data
        frames = []
        while len(self._data) >= (size := self._framing.size(self._data)):
            frames.append(self._data[:size])
            self._data = self._data[size:]
        return frames


class Damaging:
    """Damages some frames of the answers.

    Args:
        framing: Of the protocol.
        share: Of the frames that are damaged.
        damages: By name, one of which is chosen each time.
        random: The choice.
        done: Counts them by name, over all connections.
    """

    def __init__(
        self, framing: Framing, share: float, damages: Mapping[str, Damage], random: Random, done: Counter[str]
    ) -> None:
        self._frames = _Frames(framing)
        self._share = share
        self._damages = damages
        self._random = random
        self._done = done
        self._ends = False

    def carry(self, direction: str, data: bytes) -> bytes:
        """Hand on the requests as they are."""
        if direction == UP:
            return data
        data = b"".join(self._carry(frame) for frame in self._frames.feed(data))
        if self._ends:
            raise Cut(data)
        return data

    def _carry(self, frame: bytes) -> bytes:
        if self._ends:
            return b""
        self._done["frames"] += 1
        if self._random.random() >= self._share:
            return frame
        name = self._random.choice(sorted(self._damages))
        self._done[name] += 1
        self._ends = name == "truncated"
        return self._damages[name](frame, self._random)


class Shuffling:
    """Hands on the frames of answers in groups, in another order, and some of them twice.

    Args:
        framing: Of the protocol.
        share: Of the frames that come twice.
        random: Order and choice.
        done: Counts frames and doubles.
    """

    def __init__(self, framing: Framing, share: float, random: Random, done: Counter[str]) -> None:
        self._frames = _Frames(framing)
        self._share = share
        self._random = random
        self._done = done

    def carry(self, direction: str, data: bytes) -> bytes:
        """Hand on the requests as they are."""
        if direction == UP:
            return data
        frames = self._frames.feed(data)
        self._done["frames"] += len(frames)
        doubles = [frame for frame in frames if self._random.random() < self._share]
        self._done["twice"] += len(doubles)
        group = frames + doubles
        self._random.shuffle(group)
        time.sleep(self._random.random() / 200)  # so that the next group is more than one frame
        return b"".join(group)
