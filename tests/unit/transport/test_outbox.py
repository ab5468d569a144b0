"""The queue of frames against a naive model of it."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from callahead.consumer.transport.tcp.outbox import Outbox

JOIN_BYTES = 256 * 1024
RECORD_BYTES = 16 * 1024


class Waiting:
    """Somebody who waits for the frame of a number."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.ended = False


def drain(outbox: Outbox) -> bytes:
    """Send all that waits in one go per batch."""
    sent = b""
    while (data := outbox.pending()) is not None:
        sent += bytes(data)
        outbox.advance(len(data))
    return sent


class OutboxMachine(RuleBasedStateMachine):
    """Puts, drops and sends in any order; the model is a list of frames, and the bytes that were taken of it."""

    @initialize()
    def begin(self) -> None:
        self.outbox: Outbox[Waiting] = Outbox()
        self.waiting: list[tuple[int, bytes]] = []
        self.taken = 0  # of the first frame that waits
        self.sent = b""
        self.expected = b""
        self.watched: list[int] = []
        self.last = 0
        self.written = 0
        self.begun = 0

    @rule(size=st.one_of(st.integers(1, 50), st.sampled_from([JOIN_BYTES - 1, JOIN_BYTES, JOIN_BYTES + 1])))
    def put(self, size: int) -> None:
        self.last += 1
        frame = (bytes([self.last % 251]) * size)[:size]
        assert self.outbox.put(frame) == self.last
        self.waiting.append((self.last, frame))

    @rule(size=st.integers(1, 50))
    def put_watched(self, size: int) -> None:
        self.put(size)
        self.outbox.watch(Waiting(self.last))
        self.watched.append(self.last)

    @precondition(lambda self: not self.waiting)
    @rule()
    def pass_by(self) -> None:
        self.last += 1
        assert self.outbox.pass_by() == self.last
        self.begun = self.written = self.last

    @rule(part=st.floats(0, 1))
    def send(self, part: float) -> None:
        data = self.outbox.pending()
        if data is None:
            assert not self.waiting
            return
        assert data
        taken = round(len(data) * part)
        self.sent += bytes(data[:taken])
        told = [call.number for call in self.outbox.advance(taken) if not call.ended]
        self.take(taken)
        expected = [number for number in self.watched if number <= self.written]
        assert told == expected
        self.watched = self.watched[len(expected) :]

    def take(self, taken: int) -> None:
        while taken:
            number, frame = self.waiting[0]
            self.begun = max(self.begun, number)
            part = min(taken, len(frame) - self.taken)
            self.expected += frame[self.taken : self.taken + part]
            self.taken += part
            taken -= part
            if self.taken == len(frame):
                del self.waiting[0]
                self.taken, self.written = 0, number

    @precondition(lambda self: self.last)
    @rule(data=st.data())
    def drop(self, data: st.DataObject) -> None:
        number = data.draw(st.integers(0, self.last + 1))
        known = [frame for frame in self.waiting if frame[0] == number and number > self.begun]
        assert self.outbox.drop(number) == bool(known)
        if known:
            self.waiting.remove(known[0])
        if number in self.watched and known:
            self.watched.remove(number)
            for call in list(self.outbox._watched):
                if call.number == number:
                    call.ended = True  # a dropped frame's call is ended by whoever drops it

    @invariant()
    def counts(self) -> None:
        if not hasattr(self, "outbox"):
            return
        outbox = self.outbox
        assert outbox.count == len(self.waiting)
        assert outbox.size == sum(len(frame) for _, frame in self.waiting) - self.taken
        assert (outbox.begun, outbox.written, outbox.last) == (self.begun, self.written, self.last)
        assert self.sent == self.expected

    def teardown(self) -> None:
        if hasattr(self, "outbox"):
            rest = b"".join(frame for _, frame in self.waiting)[self.taken :]
            assert drain(self.outbox) == rest
            assert (self.outbox.count, self.outbox.size) == (0, 0)


OutboxMachine.TestCase.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)
TestOutbox = OutboxMachine.TestCase


def test_small_frames_are_joined_up_to_the_limit() -> None:
    """Frames leave in one send as long as they fit 256 KiB together."""
    outbox = Outbox()
    for size in (JOIN_BYTES - 10, 10, 1):
        outbox.put(b"x" * size)
    data = outbox.pending()
    assert data is not None
    assert len(data) == JOIN_BYTES
    outbox.advance(len(data))
    assert drain(outbox) == b"x"


def test_a_large_frame_is_not_copied() -> None:
    """A frame larger than the limit is sent by itself, as the object that was put."""
    outbox = Outbox()
    frame = b"x" * (JOIN_BYTES + 1)
    outbox.put(frame)
    outbox.put(b"y")
    data = outbox.pending()
    assert data is not None
    assert data is frame


def test_a_frame_of_a_joined_batch_is_dropped_before_its_first_byte() -> None:
    """What was joined with a frame that got stuck halfway still stays off the wire when it is dropped."""
    outbox = Outbox()
    for letter in (b"a", b"b", b"c", b"d"):
        outbox.put(letter * 4)
    assert outbox.pending() is not None
    outbox.advance(2)
    assert [outbox.drop(number) for number in (1, 3, 3)] == [False, True, False]
    assert drain(outbox) == b"aabbbbdddd"


def test_what_tls_has_taken_is_not_dropped() -> None:
    """The frames of a TLS record that the kernel has not taken count as begun, and the same bytes are offered again."""
    outbox = Outbox()
    for _ in range(3):
        outbox.put(b"x" * 10_000)
    first = outbox.pending()
    assert first is not None
    outbox.attempt()
    assert outbox.begun == 2  # 16 KiB reach into the second
    assert [outbox.drop(number) for number in (1, 2, 3)] == [False, False, True]
    again = outbox.pending()
    assert again is not None
    assert bytes(again) == bytes(first[:20_000])


def test_dropping_a_full_queue_backwards_is_quick() -> None:
    """Each of many thousand waiting frames can be dropped, last first, without a look at all the others."""
    outbox = Outbox()
    for _ in range(50_000):
        outbox.put(b"xyz")
    assert all(outbox.drop(number) for number in range(50_000, 0, -1))
    assert (outbox.count, outbox.size, outbox.pending()) == (0, 0, None)


def test_dropped_frames_leave_no_memory() -> None:
    """A peer that never reads and calls that time out do not make the queue grow."""
    outbox = Outbox()
    outbox.put(b"stuck")
    outbox.pending()
    for number in range(2, 5000):
        outbox.put(b"late")
        assert outbox.drop(number)
    assert not outbox._frames


def test_a_dropped_frame_at_the_end_is_not_written() -> None:
    """What was taken out of the queue is never counted among what has left."""
    outbox = Outbox()
    outbox.put(b"kept")
    outbox.put(b"dropped")
    assert outbox.drop(2)
    assert drain(outbox) == b"kept"
    assert (outbox.last, outbox.begun, outbox.written, outbox.count) == (2, 1, 1, 0)
    assert outbox.put(b"next") == 3
    assert drain(outbox) == b"next"
    assert outbox.written == 3


def test_a_dropped_frame_behind_a_large_one_is_nothing_to_send() -> None:
    """What is left behind a batch may be dropped frames only."""
    outbox = Outbox()
    outbox.put(b"x" * (JOIN_BYTES + 1))
    outbox.put(b"dropped")
    assert outbox.drop(2)
    assert len(drain(outbox)) == JOIN_BYTES + 1
    assert outbox.put(b"next") == 3
    assert drain(outbox) == b"next"


def test_those_who_wait_no_more_do_not_pile_up() -> None:
    """Where a peer never reads, each frame that is watched lets go of those before it whose time was over."""
    outbox: Outbox[Waiting] = Outbox()
    for _ in range(10):
        outbox.put(b"frame")
        waiting = Waiting(outbox.last)
        outbox.watch(waiting)
        waiting.ended = True
    assert len(outbox._watched) == 1


def test_who_is_ignored_is_told_of_nothing() -> None:
    """The others are told as before."""
    outbox: Outbox[Waiting] = Outbox()
    both = [Waiting(outbox.put(b"frame")) for _ in range(2)]
    for one in both:
        outbox.watch(one)
    outbox.ignore({both[0]})
    assert outbox.pending() == b"frameframe"
    assert list(outbox.advance(10)) == [both[1]]
