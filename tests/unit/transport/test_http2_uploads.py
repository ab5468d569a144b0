"""Streams of requests that a leaving connection has not looked at: what is kept of them, and who hears of that."""

from __future__ import annotations

import itertools
import threading
import zlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.dubbo_peer import wait_until
from support.http2_calls import Fed
from support.http2_desk import Desk
from support.http2_frames import HEAD, headers

from callahead.consumer.errors import TransportError
from callahead.consumer.transport.request_limit import Room
from callahead.consumer.transport.tcp.outbox import Outbox
from callahead.consumer.transport.tri.http2.call import KEPT_BYTES
from callahead.consumer.transport.tri.http2.streams import Streams
from callahead.consumer.wire.http2 import frames


class Lane:
    """The streams of one connection, whose provider reads when a test lets it.

    Attributes:
        streams: As given to calls.
    """

    def __init__(self, room: int = 1 << 30) -> None:
        self._outbox: Outbox[Any] = Outbox()
        self.streams = Streams(self._outbox, Room(1000, room), "peer:1")
        self.streams.is_open = True

    def begin(self, call: Fed) -> Fed:
        """Let *call* run here."""
        assert self.streams.put(call) is None
        return call

    def feed(self, call: Fed, *messages: bytes | None) -> None:
        """Let *call* send more."""
        for message in messages:
            call.feed(message)
            self.streams.send(call)

    def read(self) -> tuple[bytes, bool]:
        """Let all that is queued leave; returns the data among it, and whether they have an end."""
        data, ended = b"", False
        while (batch := self._outbox.pending()) is not None:
            left = bytes(batch)
            for told in self._outbox.advance(len(left)):
                told.written()
            while left:
                word, flags, _ = frames.HEAD.unpack_from(left)
                end = frames.FRAME_BYTES + (word >> 8)
                if word & 0xFF == frames.DATA:
                    data += left[frames.FRAME_BYTES : end]
                    ended = ended or bool(flags & frames.END_STREAM)
                left = left[end:]
        return data, ended

    def give_back(self, call: Fed) -> bool:
        """Take *call*, which the provider has not looked at, out; True where it can be sent again."""
        assert self.streams.leave(0) == [call]
        assert call.begin_anew()
        return call.can_be_moved


def prefixed(*messages: bytes) -> bytes:
    return b"".join(b"\0" + len(one).to_bytes(4) + one for one in messages)


@given(
    messages=st.lists(st.binary(max_size=40), max_size=6),
    read=st.integers(0, 6),
    fed=st.integers(0, 6),
    is_whole=st.booleans(),
)
def test_a_stream_of_requests_is_sent_again_as_it_was_and_goes_on(
    *, messages: list[bytes], read: int, fed: int, is_whole: bool
) -> None:
    """Wherever it is taken out: read or still queued, whole or fed further on its way and over there."""
    old, new = Lane(), Lane()
    call = old.begin(Fed())
    old.feed(call, *messages[:read])
    old.read()
    old.feed(call, *messages[read : read + fed])
    rest = messages[read + fed :]
    if is_whole:
        old.feed(call, *rest, None)
    assert old.give_back(call)
    if not is_whole:
        for message in rest:
            call.feed(message)
    new.begin(call)
    if not is_whole:
        new.feed(call, None)
    assert new.read() == (prefixed(*messages), True)
    assert (old.streams.size, old.read()) == (0, (b"", False))


def test_a_stream_of_requests_is_sent_a_third_time() -> None:
    """What was fed on the second connection follows what was on the first."""
    lanes = [Lane(), Lane(), Lane()]
    call = Fed()
    for lane, message in zip(lanes, (b"first", b"second", None), strict=True):
        lane.begin(call)
        lane.feed(call, message)
        said = lane.read()
        if message is not None:
            assert lane.give_back(call)
    assert said == (prefixed(b"first", b"second"), True)


def test_compressed_requests_are_sent_again_as_they_are() -> None:
    """They are compressed once."""
    old, new = Lane(), Lane()
    call = old.begin(Fed(packs="gzip"))
    old.feed(call, b"x" * 1000)
    first, _ = old.read()
    assert old.give_back(call)
    new.begin(call)
    assert new.read() == (first, False)
    assert zlib.decompress(first[5:], 31) == b"x" * 1000


def test_a_request_of_any_size_is_sent_again_where_the_provider_has_let_little_of_it_leave() -> None:
    """By HTTP/2's first window, that is a byte less than what is kept."""
    old, new = Lane(), Lane()
    call = old.begin(Fed())
    old.feed(call, b"x" * 1_000_000)
    assert len(old.read()[0]) == frames.DEFAULT_WINDOW == KEPT_BYTES - 1
    assert old.give_back(call)
    new.streams.allow(0, 2_000_000)
    new.streams.set([(frames.INITIAL_WINDOW_SIZE, 2_000_000)])
    new.begin(call)
    new.feed(call, None)
    assert new.read() == (prefixed(b"x" * 1_000_000), True)


def test_what_has_left_beyond_the_bound_is_not_sent_again() -> None:
    """Nothing of it is kept, nor counted."""
    old = Lane()
    old.streams.set([(frames.INITIAL_WINDOW_SIZE, 1 << 20)])
    old.streams.allow(0, 1 << 20)
    call = old.begin(Fed())
    old.feed(call, b"x" * (KEPT_BYTES - 5))
    assert (call.size, old.streams.size) == (KEPT_BYTES, KEPT_BYTES)
    old.feed(call, b"")
    assert (call.size, old.streams.size) == (0, 0)
    assert not old.give_back(call)
    assert call.body is None


def test_what_is_kept_has_half_of_the_room() -> None:
    """One more keeps nothing, and goes on; a request that needs the other half has it."""
    lane = Lane(room=2000)
    calls = [lane.begin(Fed()) for _ in range(3)]
    for call in calls:
        lane.feed(call, b"x" * 395)
    assert ([call.size for call in calls], lane.streams.size) == ([400, 400, 0], 800)
    assert len(lane.read()[0]) == 1200


def test_what_is_kept_is_let_go_of_once_the_call_has_ended() -> None:
    """It counts no more."""
    lane = Lane()
    call = lane.begin(Fed())
    lane.feed(call, b"x" * 395)
    assert lane.streams.size == 400
    lane.streams.cancel(call)
    assert lane.streams.size == 0


def test_nothing_is_kept_of_a_stream_that_the_provider_has_begun_to_answer() -> None:
    """It has looked at it."""
    desk = Desk()
    call = Fed()
    assert desk.streams.put(call) is None
    for size in (400, 0):
        call.feed(b"x" * 395)
        desk.streams.send(call)
        if size:
            assert desk.streams.size == size
            desk.hear(headers(call.id, *HEAD))
        assert (call.size, desk.streams.size) == (0, 0)


def test_a_stream_that_is_sent_again_counts_on_its_new_connection_alone() -> None:
    """As much as is kept there, and nothing while it waits for that."""
    old, new = Lane(), Lane()
    call = old.begin(Fed())
    old.feed(call, b"x" * 395)
    assert old.give_back(call)
    assert (call.size, old.streams.size) == (0, 0)
    new.begin(call)
    assert (call.size, new.streams.size) == (400, 400)


def test_who_waits_for_the_writing_hears_of_the_new_connection_alone() -> None:
    """What the old one goes on to write is nothing of this call."""
    told: list[int] = []
    old, new = Lane(), Lane()
    other, call = old.begin(Fed()), old.begin(Fed(on_sent=lambda: told.append(1)))
    old.feed(call, b"hello", None)
    assert old.streams.leave(other.id) == [call]
    assert call.begin_anew()
    old.feed(other, b"more")
    old.read()
    assert told == []
    new.begin(call)
    new.read()
    assert told == [1]


class Feeding:
    """As much of a `Connection` as an uploader takes, which a test hands on.

    Attributes:
        fed: All that was read, in order.
    """

    def __init__(self) -> None:
        self.fed: list[bytes | None] = []

    def feed(self, call: Fed, message: bytes | None) -> None:
        """Note *message*."""
        del call
        self.fed.append(message)


SIZE = 10_000
AHEAD = 7
"""So many requests of that size are more than may be ahead, and one less is not."""


@pytest.mark.parametrize("written", [0, 6], ids=["queued", "written"])
def test_as_much_is_read_ahead_as_if_nothing_was_sent_again(written: int) -> None:
    """What was taken out counts until the new connection has written it, whatever the old one goes on to write."""
    connection: Any = Feeding()
    fed, call = connection.fed, Fed(itertools.repeat(bytes(SIZE)))
    old, new = Lane(), Lane()
    for lane in (old, new):
        lane.streams.allow(0, 1 << 20)
        lane.streams.set([(frames.INITIAL_WINDOW_SIZE, 1 << 20)])
    other = old.begin(Fed())
    old.begin(call)
    call.uploader.start(call, connection)
    wait_until(lambda: len(fed) == AHEAD)
    old.feed(call, *fed[:written])
    old.read()
    old.feed(call, *fed[written:4])
    begun = wait_until(lambda: len(fed) == written + AHEAD and len(fed))

    assert old.streams.leave(other.id) == [call]
    assert call.begin_anew()
    assert call.can_be_moved
    old.feed(other, b"more")
    old.read()
    for message in fed[max(written, 4) :]:
        call.feed(message)
    new.begin(call)
    new.read()
    wait_until(lambda: len(fed) == begun + AHEAD)
    call.fail(TransportError("over"))
    wait_until(lambda: not any(thread.name == "callahead-tri-requests" for thread in threading.enumerate()))
    assert len(fed) == begun + AHEAD
