"""The streams of one connection: numbers, windows, and what is taken back."""

from __future__ import annotations

from concurrent.futures import CancelledError
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.http2_calls import Made

from callahead.consumer.errors import CallTimeout, ConnectionLost, LimitExceeded, RemoteProtocolError
from callahead.consumer.transport.request_limit import Room
from callahead.consumer.transport.tcp.io_thread import NEVER
from callahead.consumer.transport.tcp.outbox import Outbox
from callahead.consumer.transport.tri.http2.head import ResponseHead
from callahead.consumer.transport.tri.http2.streams import Streams
from callahead.consumer.transport.trouble import Trouble
from callahead.consumer.wire.http2 import frames
from callahead.consumer.wire.http2.body import Body
from callahead.consumer.wire.http2.violation import Violation

NOTHING = Trouble("")


def streams(requests: int = 1000, size: int = 1_000_000, *, is_open: bool = True) -> tuple[Streams, Outbox[Any]]:
    outbox: Outbox[Any] = Outbox()
    made = Streams(outbox, Room(requests, size), "peer:1")
    made.is_open = is_open
    return made, outbox


def queued(outbox: Outbox[Any]) -> list[tuple[int, int, int, int]]:
    """Type, flags, stream and size of the frames that are queued; all of them then have left."""
    found = []
    while (data := outbox.pending()) is not None:
        data = bytes(data)
        outbox.advance(len(data))
        while data:
            word, flags, stream = frames.HEAD.unpack_from(data)
            found.append((word & 0xFF, flags, stream, word >> 8))
            data = data[frames.FRAME_BYTES + (word >> 8) :]
    return found


def test_a_small_request_is_one_piece() -> None:
    """Headers and data of the next odd stream, whose number is that of its last byte."""
    made, outbox = streams()
    first, second = Made(), Made()
    assert made.put(first) is None
    assert made.put(second) is None
    assert (first.id, second.id, first.number, second.number) == (1, 3, 1, 2)
    assert queued(outbox) == [(1, 4, 1, 1), (0, 1, 1, 10), (1, 4, 3, 1), (0, 1, 3, 10)]
    assert made.is_written(first)


def test_calls_wait_until_the_peer_has_said_its_word() -> None:
    """They have no number before, and begin in order."""
    made, outbox = streams(is_open=False)
    calls = [Made() for _ in range(3)]
    for call in calls:
        made.put(call)
    assert (len(made), outbox.count, [call.id for call in calls]) == (3, 0, [0, 0, 0])
    made.is_open = True
    made.peer.streams = 2
    made.begin_waiting()
    assert [call.id for call in calls] == [1, 3, 0]
    made.end(calls[0], 0)
    made.begin_waiting()
    assert calls[2].id == 5


def test_there_is_room_for_so_many() -> None:
    """One more is refused, by count and by bytes; a single large one has room."""
    made, _ = streams(requests=2, size=100)
    assert made.put(Made(b"x" * 500)) is None
    refusal = made.put(Made(b"x"))
    assert isinstance(refusal, LimitExceeded)
    assert "max_queued_bytes" in refusal.message
    made, _ = streams(requests=1)
    made.put(Made())
    assert isinstance(made.put(Made()), LimitExceeded)


def test_streams_run_out() -> None:
    """The last number is used, and no other after it."""
    made, _ = streams()
    made.opened = frames.LARGEST_STREAM - 2
    last, late = Made(), Made()
    made.put(last)
    made.put(late)
    assert (last.id, late.id, made.opened) == (frames.LARGEST_STREAM, 0, frames.LARGEST_STREAM)
    assert made.leave(frames.LARGEST_STREAM) == [late]
    assert made.by_id == {last.id: last}


@given(st.integers(0, 200_000), st.lists(st.integers(1, 70_000), max_size=12))
def test_no_more_is_sent_than_the_windows_allow(size: int, increments: list[int]) -> None:
    """However they are opened, what has left is the least of all allowances, and in the end the whole request."""
    made, outbox = streams()
    call = Made(b"x" * size)
    made.put(call)
    sent, allowed = sum(one[3] for one in queued(outbox) if one[0] == 0), 65_535
    for increment in increments:
        assert sent == min(size + 5, allowed)
        made.allow(0, increment)
        made.allow(call.id, increment)
        allowed += increment
        sent += sum(one[3] for one in queued(outbox) if one[0] == 0)
    made.allow(0, 300_000)
    made.allow(call.id, 300_000)
    rest = queued(outbox)
    assert sent + sum(one[3] for one in rest if one[0] == 0) == size + 5
    assert made.is_written(call)


def test_frames_are_as_large_as_the_peer_takes() -> None:
    """And only the last has the end."""
    made, outbox = streams()
    made.peer.frame = 20_000
    made.put(Made(b"x" * 50_000))
    assert queued(outbox) == [(1, 4, 1, 1), (0, 0, 1, 20_000), (0, 0, 1, 20_000), (0, 1, 1, 10_005)]


def test_where_the_peer_takes_nothing_most_calls_wait_for_a_stream() -> None:
    """What is kept for each that has one is bounded, and the others are known not to be sent."""
    made, outbox = streams(requests=9000)
    calls = [Made(b"x" * 100) for _ in range(3000)]
    for call in calls:
        assert made.put(call) is None
    opened = sum(call.id > 0 for call in calls)
    assert 1000 < opened < 2000
    assert made.is_stuck
    queued(outbox)

    made.allow(0, 10**6)
    made.begin_waiting()
    assert all(call.number for call in calls)
    assert [call.id for call in calls] == [*range(1, 6000, 2)]


def test_a_window_that_is_given_back_is_used() -> None:
    """By a call that waits for it, once another has been taken back."""
    made, _ = streams()
    first, second = Made(b"x" * 10_000), Made(b"x" * 60_000)
    made.put(first)
    made.put(second)
    assert second.number == 0
    assert made.cancel(first)
    made.begin_waiting()
    assert second.number > 0


def test_a_large_request_waits_until_others_have_left() -> None:
    """Its headers do not go ahead of data that have no place yet, so that it is known not to be sent."""
    made, outbox = streams(size=1 << 30)
    made.set([(frames.INITIAL_WINDOW_SIZE, frames.LARGEST_WINDOW)])
    made.allow(0, 1 << 30)
    first, late, small = Made(b"x" * 1_500_000), Made(b"x" * 100_000), Made()
    for call in (first, late, small):
        made.put(call)
    assert (first.id, late.id, small.id) == (1, 0, 0)
    queued(outbox)
    made.begin_waiting()
    assert (late.id, small.id) == (3, 5)
    assert len(queued(outbox)) > 7


def test_large_requests_have_their_turns() -> None:
    """One that waits for the connection's window does not keep the next ones from theirs."""
    made, outbox = streams()
    calls = [Made(b"x" * 60_000) for _ in range(3)]
    for call in calls:
        made.put(call)
    queued(outbox)
    for _ in range(9):
        made.allow(0, 20_000)
    assert {one[2] for one in queued(outbox)} == {3, 5}
    assert all(made.is_written(call) for call in calls)


@pytest.mark.parametrize("size", [5, 40_000, 100_000])
def test_what_has_not_left_is_taken_back(size: int) -> None:
    """The peer hears nothing of it, and the window is what it was."""
    made, outbox = streams()
    call = Made(b"x" * size)
    made.put(call)
    assert made.cancel(call)
    assert isinstance(call.error, CancelledError)
    assert (outbox.count, len(made), made.size) == (0, 0, 0)
    after = Made(b"x" * 60_000)
    made.put(after)
    assert sum(one[3] for one in queued(outbox) if one[0] == 0) == 60_005
    assert after.id == 3


def test_what_has_begun_to_leave_is_reset() -> None:
    """The rest is not sent, and the peer hears that nobody waits."""
    made, outbox = streams()
    call = Made(b"x" * 100_000)
    made.put(call)
    outbox.pending()
    outbox.advance(5)
    assert made.cancel(call)
    left = outbox.pending()
    assert left is not None
    outbox.advance(len(left))
    assert queued(outbox) == [(frames.RST_STREAM, 0, 1, 4)]
    assert not made.cancel(call)


def test_time_that_is_over() -> None:
    """Not sent where it waited or was still queued, in doubt where it had begun to leave."""
    made, outbox = streams()
    made.peer.streams = 2
    left, kept, waiting, later = Made(expires=5.0), Made(expires=5.0), Made(expires=5.0), Made(expires=9.0)
    made.put(left)
    queued(outbox)
    for call in (kept, waiting, later):
        made.put(call)
    made.expiry.expect(5.0)
    assert made.expire(4.0, NOTHING) == 5.0
    assert made.expire(5.0, NOTHING) == 9.0
    errors = [call.error for call in (left, kept, waiting)]
    assert [type(error) for error in errors] == [CallTimeout] * 3
    assert [error.not_sent for error in errors if isinstance(error, CallTimeout)] == [False, True, True]
    assert later.outcomes == []
    made.give_up(later, CancelledError())
    assert made.expire(20.0, NOTHING) == NEVER


def test_a_goodbye_gives_out_what_was_not_looked_at() -> None:
    """Those above its last stream, and those that wait; nothing of them is still sent."""
    made, outbox = streams()
    calls = [Made() for _ in range(4)]
    for call in calls:
        made.put(call)
    assert made.leave(3) == calls[2:]
    assert made.by_id == {1: calls[0], 3: calls[1]}
    assert {one[2] for one in queued(outbox)} == {1, 3}
    assert made.leave(1) == [calls[1]]
    assert bool(made)


def test_a_lost_connection_tells_each_call_whether_it_had_begun_to_leave() -> None:
    """By the place of its first frame."""
    made, outbox = streams()
    left, kept = Made(), Made()
    made.put(left)
    queued(outbox)
    made.put(kept)
    made.fail_all(lambda _, begun: ConnectionLost("lost", not_sent=not begun, in_doubt=begun))
    errors = [call.error for call in (left, kept)]
    assert [error.not_sent for error in errors if isinstance(error, ConnectionLost)] == [False, True]
    assert (len(made), made.size, outbox.count) == (0, 0, 0)


def test_windows_have_an_end() -> None:
    """More than 2 GiB ends the connection, or the stream alone."""
    made, _ = streams()
    call = Made(b"x" * 100_000)
    made.put(call)
    assert made.allow(call.id, frames.LARGEST_WINDOW) is None
    assert made.allow(call.id, 1) is call
    with pytest.raises(Violation, match="at most"):
        streams()[0].allow(0, frames.LARGEST_WINDOW)


def test_windows_that_settings_open_have_an_end_too() -> None:
    """The peer must know how much it has allowed a stream; the connection ends."""
    made, _ = streams()
    call = Made(b"x" * 100_000)
    made.put(call)
    made.allow(call.id, frames.LARGEST_WINDOW - 65_535)
    with pytest.raises(Violation, match="its settings allow a stream") as caught:
        made.set([(frames.INITIAL_WINDOW_SIZE, frames.LARGEST_WINDOW)])
    assert caught.value.code == frames.FLOW_CONTROL_ERROR


def test_the_end_of_a_request_needs_no_window() -> None:
    """What says that no more comes goes out under a window that settings have made negative."""
    made, outbox = streams()
    call = Made()
    call.frame = call.frame._replace(prefix=b"", message=b"")
    call.body = Body()
    made.put(call)
    call.feed(b"x" * 60_000)
    made.send(call)
    queued(outbox)
    made.set([(frames.INITIAL_WINDOW_SIZE, 10)])
    call.feed(None)
    made.send(call)
    assert queued(outbox) == [(frames.DATA, frames.END_STREAM, 1, 0)]


def test_a_window_that_was_made_negative_is_filled_first() -> None:
    """What is allowed again goes towards what was sent already, and only what is beyond is sent."""
    made, outbox = streams()
    call = Made(b"x" * 100_000)
    made.put(call)
    made.allow(0, 1_000_000)
    queued(outbox)
    made.set([(frames.INITIAL_WINDOW_SIZE, 0)])
    made.allow(call.id, 65_535)
    assert queued(outbox) == []
    made.allow(call.id, 7)
    assert queued(outbox) == [(frames.DATA, 0, 1, 7)]
    made.set([(frames.INITIAL_WINDOW_SIZE, 3)])
    assert queued(outbox) == [(frames.DATA, 0, 1, 3)]


def test_a_peer_that_takes_no_stream_gets_none() -> None:
    """Nobody leads a call there, and what waits begins once it takes one."""
    made, outbox = streams()
    made.peer.streams = 0
    assert bool(made)
    call = Made()
    made.put(call)
    made.begin_waiting()
    assert (call.id, outbox.count) == (0, 0)
    made.set([(frames.MAX_CONCURRENT_STREAMS, 1)])
    made.begin_waiting()
    assert call.id == 1


def test_a_call_that_was_answered_in_part_is_not_sent_again() -> None:
    """A goodbye that denies it is no proof that the method has not run."""
    made, _ = streams()
    call = Made()
    made.put(call)
    call.on_head(ResponseHead(((b":status", b"200"), (b"content-type", b"application/grpc"))))
    assert made.leave(0) == [call]
    assert not call.begin_anew()
    assert isinstance(call.error, RemoteProtocolError)
    assert (call.error.not_sent, call.error.in_doubt) == (False, True)


def test_headers_that_the_peer_does_not_take() -> None:
    """The call fails before it has a stream."""
    made, outbox = streams()
    made.peer.headers = 100
    call = Made(headers=101)
    made.put(call)
    assert isinstance(call.error, LimitExceeded)
    assert (call.id, made.size, outbox.count, made.opened) == (0, 0, 0, -1)
