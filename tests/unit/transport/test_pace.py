"""Reading by the clock: when it begins, how often, when it ends, and that nothing that came is forgotten."""

from __future__ import annotations

import select
import socket
import ssl
from collections import deque
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from support.certificates import make_certificates
from support.clock import FakeClock
from support.held_thread import HeldThread
from support.shop import Background

from callahead.consumer.transport.tcp.io_thread import NEVER
from callahead.consumer.transport.tcp.outbox import Outbox
from callahead.consumer.transport.tcp.ownership import Ownership
from callahead.consumer.transport.tcp.pace import Pace
from callahead.consumer.transport.tcp.poller import CLOSING, READ, WRITE
from callahead.consumer.transport.tcp.stream import Stream

MS = 0.001
LONG = 0.1
"""Seconds that a call takes which may wait for 4 ms."""

_MOST = 16_384


class Waiting:
    """Nobody, who waits for nothing to be written."""

    number = 0
    ended = True


class Line:
    """A connection of which each byte that comes is an answer, and the calls are no more than their age.

    Attributes:
        youngest: See `Answered`.
        came: How many answers were read.
        reads: How many times anything was read.
        settled: How often that was followed up.
        problems: How the connection was lost.
    """

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.thread = HeldThread(self.clock)
        self.owner = Ownership(self.thread)
        self.outbox: Outbox[Waiting] = Outbox()
        self.youngest = 0.0
        self.came = self.reads = self.settled = 0
        self.problems: list[str] = []
        self._began: deque[float] = deque()
        self.stream = Stream(
            self.outbox, self.thread, self.clock, self._receive, lambda _: None, self._lose,
            turned_away=lambda trouble: self._lose(trouble.text), speaks="nothing",
        )  # fmt: skip
        self.pace = Pace(self.owner, self.stream, self, self.thread, self._settle, _MOST)
        self.open(*socket.socketpair())

    def open(self, near: socket.socket, far: socket.socket) -> None:
        """Use this pair of sockets from now on."""
        near.setblocking(False)
        far.settimeout(5)
        far.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)  # each answer takes some kilobytes of it
        self.near, self.far = near, far
        self.stream.open(near, self)

    def close(self) -> None:
        """Close both ends."""
        self.stream.drop()
        self.far.close()

    def on_ready(self, events: int) -> None:
        """Read or write, as a connection does."""
        assert self.owner.take()
        if events & WRITE:
            self.stream.write()
        if events & READ:
            self.pace.read()
        self.owner.leave()

    def _receive(self, data: bytes) -> None:
        self.reads += 1
        for _ in data:
            self.came += 1
            self.youngest = max(self.youngest, self._began.popleft() if self._began else 0.0)

    def _lose(self, problem: str) -> None:
        self.problems.append(problem)
        self.stream.drop()

    def _settle(self) -> None:
        self.settled += 1

    @property
    def watched(self) -> int | None:
        """What the I/O thread waits for."""
        return self.thread.watched.get(self.near.fileno())

    @property
    def due(self) -> float | None:
        """In how many seconds the next look is due."""
        when = self.thread.due.get(self.pace)
        return None if when is None else when - self.clock.now

    def say(self, *ages: float) -> None:
        """Let the provider answer calls that took so many seconds; who waits for bytes reads them."""
        self._began.extend(self.clock.now - age for age in ages)
        self.far.sendall(b"a" * len(ages))
        if (self.watched or 0) & READ:
            self.on_ready(READ)

    def wait(self, seconds: float) -> None:
        """Let time pass, and what is due happen; who waits for bytes reads what a look has left."""
        self.clock.advance(seconds)
        self.thread.tick(self.clock.now)
        while (self.watched or 0) & READ and select.select([self.near], (), (), 0)[0]:
            self.on_ready(READ)

    def serve(self, age: float, answers: int, every: float = 0.2 * MS) -> None:
        """Let the provider give so many answers, one by one, to calls that took *age* seconds."""
        for _ in range(answers):
            self.wait(every)
            self.say(age)


@pytest.fixture
def line() -> Iterator[Line]:
    """An open line that has been quiet for a while."""
    made = Line()
    made.say(LONG)
    yield made
    made.close()


@pytest.fixture
def paced(line: Line) -> Line:
    """A line that is read by the clock."""
    line.serve(LONG, 21)
    assert line.watched == CLOSING
    return line


def test_long_calls_that_are_answered_one_by_one_are_read_by_the_clock(line: Line) -> None:
    """Once it is clear that they take long, the I/O thread wakes once for what comes in 4 ms."""
    line.serve(LONG, 21)
    assert (line.watched, line.reads, line.came) == (CLOSING, 22, 22)
    assert line.due == pytest.approx(3.8 * MS)

    line.serve(LONG, 1000)
    assert line.watched == CLOSING
    assert 40 <= line.reads - 22 <= 60


@pytest.mark.parametrize(
    ("age", "period"), [(8.1, 1), (15.9, 1), (16.1, 2), (31.9, 3), (32.1, 4), (1000.0, 4), (5e5, 4)]
)
def test_nothing_waits_for_longer_than_an_eighth_of_its_time(line: Line, age: float, period: int) -> None:
    """It is read each full millisecond of that, and after four at the latest; less than one is for no poll."""
    line.serve(age * MS, 100, every=0.05 * MS)
    assert line.watched == CLOSING
    assert line.due is not None
    assert (period - 1) * MS < line.due + 0.2 * MS <= period * MS


def test_calls_of_less_than_8_ms_are_read_as_they_come(line: Line) -> None:
    """For them a millisecond is more than an eighth."""
    line.serve(7.9 * MS, 1000)
    assert (line.watched, line.reads, line.thread.due) == (READ, 1001, {})


def test_few_answers_are_read_as_they_come(line: Line) -> None:
    """Where fewer than two come in the time that they would wait nothing is spared."""
    line.serve(LONG, 100, every=2.1 * MS)
    line.serve(10 * MS, 100, every=0.6 * MS)
    assert (line.watched, line.reads) == (READ, 201)


def test_answers_that_come_together_are_read_as_they_come(line: Line) -> None:
    """Who is woken once for many has nothing to gain."""
    for _ in range(100):
        line.wait(4.1 * MS)
        line.say(*[LONG] * 50)
    assert (line.watched, line.reads, line.came) == (READ, 101, 5001)


def test_what_tells_of_no_call_is_no_reason(line: Line) -> None:
    """Answers to pings, say: nobody knows from them how long calls take."""
    for _ in range(100):
        line.wait(0.2 * MS)
        line.far.send(b"a")
        line.on_ready(READ)
    assert line.watched == READ


def test_quick_calls_are_read_as_they_come(line: Line) -> None:
    """As long as one comes in each 4 ms nothing waits, however many take long beside it."""
    for _ in range(200):
        line.serve(LONG, 15)
        line.say(2 * MS)
    assert (line.watched, line.reads) == (READ, line.came)


def test_a_burst_that_begins_with_quick_calls_is_no_exception(line: Line) -> None:
    """The first of many calls that a provider takes one after the other are always quick."""
    for age in range(1, 100):
        line.wait(0.2 * MS)
        line.say(age * 0.2 * MS)
    assert line.watched == CLOSING


def test_a_quick_call_is_late_once(paced: Line) -> None:
    """The first waits for the next look; for a tenth of a second after it nothing does."""
    paced.say(2 * MS)
    assert paced.watched == CLOSING
    paced.wait(4 * MS)
    assert paced.watched == READ

    reads, came = paced.reads, paced.came
    paced.serve(LONG, 400)
    assert (paced.reads - reads, paced.came - came) == (400, 400)
    paced.serve(LONG, 150)
    assert paced.watched == CLOSING


def test_the_shortest_time_counts_for_a_tenth_of_a_second(paced: Line) -> None:
    """Calls of 10 ms among those of 100 ms are late by more than an eighth once, and not at each turn."""
    paced.say(10 * MS)
    paced.wait(4 * MS)
    assert paced.due == pytest.approx(0.8 * MS)

    paced.serve(LONG, 400)
    assert paced.due is not None
    assert paced.due < 1 * MS
    paced.serve(LONG, 150)
    assert paced.due > 1 * MS


def test_what_goes_on_in_parts_counts_as_quick(paced: Line) -> None:
    """Somebody may wait for each of them."""
    paced.youngest = NEVER
    paced.wait(4 * MS)
    paced.serve(LONG, 400)
    assert (paced.watched, paced.reads) == (READ, paced.came)


def test_it_ends_as_soon_as_nothing_comes(paced: Line) -> None:
    """The I/O thread then sleeps until something does; where many come again it begins again."""
    paced.wait(4 * MS)
    paced.wait(4 * MS)
    assert (paced.watched, paced.thread.due) == (READ, {})

    paced.serve(LONG, 40)
    assert paced.watched == CLOSING


def test_what_was_read_is_followed_up_by_its_holder(paced: Line) -> None:
    """At each look, as after what is read as it comes."""
    before = paced.settled
    paced.serve(LONG, 100)
    assert paced.settled - before == len(range(20, 100, 20)) + 1


def test_more_than_can_wait_is_read_as_it_comes(paced: Line) -> None:
    """The system takes so much from a peer and then lets it wait: who sends large answers is not slowed down."""
    paced.say(*[LONG] * _MOST * 2)
    paced.wait(4 * MS)
    assert paced.watched == READ
    paced.on_ready(READ)
    assert paced.came == 22 + _MOST * 2

    paced.serve(LONG, 400)
    assert paced.watched == READ


def test_before_calls_are_judged_by_the_clock_what_came_is_read(paced: Line) -> None:
    """An answer that is in time is no timeout, though it would be read too late."""
    came = paced.came
    paced.say(LONG)
    paced.pace.catch_up()
    assert paced.came == came + 1


def test_nothing_is_read_twice_for_calls_that_are_judged_by_the_clock(line: Line) -> None:
    """Where answers are read as they come there is nothing to catch up with."""
    line.near.close()  # so that reading would fail
    line.pace.catch_up()
    assert line.problems == []


def test_a_connection_that_closes_meanwhile_leaves_nothing_behind(paced: Line) -> None:
    """The look that is due finds nothing, and is the last."""
    paced.stream.drop()
    paced.wait(4 * MS)
    assert (paced.thread.due, paced.problems, paced.stream.resting) == ({}, [], READ)


def test_a_look_that_is_due_of_an_old_socket_leaves_the_next_one_alone(paced: Line) -> None:
    """The next connection is read as it comes, until its own calls say otherwise."""
    reads = paced.reads
    paced.close()
    paced.open(*socket.socketpair())
    paced.wait(4 * MS)
    assert (paced.watched, paced.thread.due, paced.reads) == (READ, {}, reads)
    paced.serve(LONG, 40)
    assert paced.watched == CLOSING


def test_a_peer_that_closes_meanwhile_is_read_to_its_end(paced: Line) -> None:
    """The I/O thread hears of that at once: what it has said before counts, and then it is lost."""
    came = paced.came
    paced.say(LONG, LONG)
    paced.far.shutdown(socket.SHUT_WR)
    while paced.stream.is_open:
        paced.on_ready(READ)
    assert (paced.came, paced.problems) == (came + 2, ["the provider closed it"])
    paced.wait(4 * MS)
    assert paced.thread.due == {}


def test_a_system_that_does_not_tell_of_the_end_finds_it_at_the_next_look(paced: Line) -> None:
    """Some tell nothing of a socket that nobody waits to read."""
    paced.far.close()
    paced.wait(4 * MS)
    assert paced.problems == ["the provider closed it"]
    paced.wait(4 * MS)
    assert paced.thread.due == {}


def test_what_the_kernel_does_not_take_is_written_while_answers_wait(paced: Line) -> None:
    """The I/O thread waits for room in between, and for bytes no more than before."""
    while not paced.outbox.count:
        paced.outbox.put(b"x" * 100_000)
        paced.stream.write()
    assert paced.watched == CLOSING | WRITE

    while paced.outbox.count:
        paced.far.recv(1_000_000)
        paced.on_ready(WRITE)
    assert paced.watched == CLOSING


def test_a_blocked_request_is_not_forgotten_as_it_ends(paced: Line) -> None:
    """The I/O thread then waits for bytes, and for room all the same."""
    while not paced.outbox.count:
        paced.outbox.put(b"x" * 100_000)
        paced.stream.write()
    paced.wait(4 * MS)
    paced.wait(4 * MS)
    assert paced.watched == READ | WRITE


def test_who_leads_is_left_alone(paced: Line) -> None:
    """The look finds the connection taken: it asks nobody to hand over, and is repeated ever more rarely."""
    assert paced.owner.take()
    paced.stream.is_led = True
    paced.wait(4 * MS)
    assert paced.due == pytest.approx(1 * MS)
    paced.wait(1 * MS)
    assert paced.due == pytest.approx(20 * MS)
    assert (list(paced.owner.deferred), paced.watched) == ([], CLOSING)

    paced.stream.is_led = False
    paced.owner.leave()
    paced.wait(20 * MS)
    assert (paced.watched, paced.thread.due) == (READ, {})


def test_what_comes_after_somebody_has_led_is_read_as_it_comes(paced: Line) -> None:
    """A leader that hands over lets the I/O thread wait for bytes at once, and not at the next look."""
    assert paced.owner.take()
    paced.stream.is_led = True
    paced.wait(4 * MS)
    paced.stream.is_led = False
    paced.stream.watch_all()
    paced.owner.leave()
    assert paced.watched == READ


def test_while_somebody_leads_nothing_is_waited_for(line: Line) -> None:
    """What the I/O thread is to wait for afterwards is only noted."""
    line.stream.watch(CLOSING)
    line.stream.is_led = True
    line.stream.rest(READ)
    assert line.watched == CLOSING
    line.stream.is_led = False
    line.stream.watch_all()
    assert line.watched == READ


@pytest.mark.parametrize("records", [1, 60])
def test_tls_gives_out_all_that_came_at_once(tmp_path: Path, records: int) -> None:
    """It reads one record at a time, and the poller sees none of them."""
    folder = make_certificates(tmp_path)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(folder / "server.pem", folder / "server.key")
    client = ssl.create_default_context(cafile=folder / "ca.pem")
    near, far = socket.socketpair()
    shaking = Background(server.wrap_socket, far, server_side=True)
    near = client.wrap_socket(near, server_hostname="127.0.0.1")
    line = Line()
    line.close()
    line.open(near, shaking.join())
    line.say(LONG)
    line.serve(LONG, 21)
    assert line.watched == CLOSING

    came = line.came
    for _ in range(records):
        line.say(LONG)
    line.wait(4 * MS)
    assert (line.came - came, line.watched) == (records, CLOSING)
    line.close()


class Connections(RuleBasedStateMachine):
    """Whatever happens in whatever order: what came is read, in a few milliseconds, and no look is left behind."""

    def __init__(self) -> None:
        super().__init__()
        self.line = Line()
        self.said = 0
        self.is_led = False

    @rule(age=st.sampled_from([1, 7, 8, 12, 40, 1000]), answers=st.integers(1, 60), gap=st.sampled_from([0.05, 0.2, 3]))
    def answer(self, age: int, answers: int, gap: float) -> None:
        self.said += answers
        if self.is_led:  # a leader that reads nothing: the system has room for few answers that come one by one
            self.line.say(*[age * MS] * answers)
        else:
            self.line.serve(age * MS, answers, every=gap * MS)

    @rule(milliseconds=st.sampled_from([0.1, 1, 5, 1100]))
    def wait(self, milliseconds: float) -> None:
        self.line.wait(milliseconds * MS)

    @rule()
    def send_a_part(self) -> None:
        self.line.youngest = NEVER

    @rule()
    @precondition(lambda self: not self.is_led)
    def judge_calls(self) -> None:
        self.line.pace.catch_up()

    @rule()
    @precondition(lambda self: not self.is_led)
    def write(self) -> None:
        self.line.outbox.put(b"request")
        self.line.stream.write()

    @rule()
    @precondition(lambda self: not self.is_led)
    def lead(self) -> None:
        assert self.line.owner.take()
        self.line.stream.is_led = self.is_led = True
        self.line.stream.watch(CLOSING)

    @rule()
    @precondition(lambda self: self.is_led)
    def hand_over(self) -> None:
        self.line.stream.is_led = self.is_led = False
        self.line.stream.watch_all()
        self.line.owner.leave()
        if (self.line.watched or 0) & READ:
            self.line.on_ready(READ)

    @rule()
    @precondition(lambda self: not self.is_led)
    def connect_anew(self) -> None:
        self.line.close()
        self.line.open(*socket.socketpair())
        self.said = self.line.came

    @invariant()
    def somebody_reads(self) -> None:
        line = self.line
        if not self.is_led and not (line.watched or 0) & READ:
            assert line.due is not None
            assert line.due <= 4 * MS

    @invariant()
    def everything_is_read_soon(self) -> None:
        if not (self.line.thread.due or self.is_led):
            assert self.line.came == self.said

    def teardown(self) -> None:
        if self.is_led:
            self.hand_over()
        self.line.wait(4 * MS)
        assert self.line.came == self.said
        self.line.wait(21 * MS)
        self.line.wait(21 * MS)
        assert self.line.thread.due == {}
        self.line.close()


TestConnections = Connections.TestCase
