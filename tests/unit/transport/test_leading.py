"""A call on the thread that waits for it: when it is led, how it comes back, and who reads afterwards."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress

import pytest
from support.clock import FakeClock
from support.held_thread import HeldThread
from support.shop import Background

from callahead.consumer.transport.tcp.io_thread import NEVER
from callahead.consumer.transport.tcp.leading import Leading
from callahead.consumer.transport.tcp.outbox import Outbox
from callahead.consumer.transport.tcp.ownership import Ownership
from callahead.consumer.transport.tcp.poller import CLOSING, READ, WRITE
from callahead.consumer.transport.tcp.stream import Stream


class Question:
    """Is led, and ends with the first bytes that come."""

    def __init__(self, expires: float) -> None:
        self.expires = expires
        self.number = 0
        self.ended = False
        self.is_held = False
        self.answer: bytes | BaseException | None = None
        self.told: list[str] = []

    def end(self, answer: bytes | BaseException) -> None:
        self.ended = True
        self.answer = answer

    def hand_out(self) -> None:
        self.is_held = False
        self.told.append("handed out")

    def be_stoppable(self) -> None:
        self.told.append("stoppable")


class Line:
    """The least of a connection whose calls can be led, over a pair of sockets."""

    def __init__(self) -> None:
        self.near, self.far = socket.socketpair()
        self.near.setblocking(False)
        self.clock = FakeClock()
        self.thread = HeldThread(self.clock)
        self.owner = Ownership(self.thread)
        self.running: list[Question] = []
        self.adopted: list[Question] = []
        self.problems: list[str] = []
        self.outbox: Outbox[Question] = Outbox()
        self.stream = Stream(
            self.outbox, self.thread, self.clock, self.receive, lambda _: None, self.lose,
            turned_away=lambda trouble: self.lose(trouble.text), speaks="nothing",
        )  # fmt: skip
        self.leading = self.leading_that_rests()

    def leading_that_rests(
        self, rest: Callable[[], None] = lambda: None, is_late: Callable[[float], bool] = lambda _: False
    ) -> Leading[Question]:
        return Leading(
            self.owner, self.stream, self.outbox, self.running, self.thread, self.clock,
            self.send, self.give_up, self.adopted.append, rest, is_late,
        )  # fmt: skip

    def open(self) -> None:
        self.stream.open(self.near, self)
        self.owner.watch(self.near.fileno())

    def question(self, seconds: float = 30.0) -> Question:
        return Question(self.clock.now + seconds)

    def on_ready(self, events: int) -> None:
        """Be never called: the thread stands still."""

    def send(self, question: Question) -> None:
        question.number = self.stream.send(b"question")
        self.running.append(question)

    def give_up(self, question: Question, error: BaseException) -> None:
        question.end(error)
        self.running.clear()

    def receive(self, data: bytes) -> None:
        self.running.pop(0).end(data)

    def lose(self, problem: str) -> None:
        self.problems.append(problem)
        self.owner.forget()
        self.stream.drop()
        for question in self.running:
            question.end(ConnectionError(problem))
        self.running.clear()

    @property
    def watched(self) -> int | None:
        return self.thread.watched.get(self.near.fileno())

    def close(self) -> None:
        self.owner.close()
        self.near.close()
        self.far.close()


@pytest.fixture
def line() -> Iterator[Line]:
    """An open line."""
    made = Line()
    made.open()
    yield made
    made.close()


def test_the_answer_comes_on_the_thread_that_asked(line: Line) -> None:
    """A led call is sent, answered and handed out before `lead` returns, and nothing is left for the I/O thread."""
    question = line.question()
    line.far.send(b"answer")

    assert line.leading.lead(question)
    assert (line.far.recv(100), question.answer, question.told) == (b"question", b"answer", ["handed out"])
    assert line.adopted == []


def test_the_outcome_is_handed_out_once_the_connection_is_free(line: Line) -> None:
    """What follows the end of a call may take long, or call again over this very connection."""
    question, again = line.question(), line.question()

    class Asking(Question):
        def hand_out(self) -> None:
            line.far.send(b"another")
            assert line.leading.lead(again)

    asking = Asking(question.expires)
    line.far.send(b"answer")

    assert line.leading.lead(asking)
    assert (asking.answer, again.answer) == (b"answer", b"another")


def test_nobody_leads_where_others_are_at_work(line: Line) -> None:
    """Not beside a running call, a frame that waits, another holder, or somebody who waits for the connection."""
    line.running.append(line.question())
    assert not line.leading.lead(line.question())
    line.running.clear()

    number = line.outbox.put(b"frame")
    assert not line.leading.lead(line.question())
    line.outbox.drop(number)

    assert line.owner.take()
    assert not line.leading.lead(line.question())
    line.owner.leave()

    line.owner.deferred.append((lambda _: None, None))
    assert not line.leading.lead(line.question())


def test_nobody_leads_where_nothing_is_open() -> None:
    """Before the first connection, and after it was lost."""
    line = Line()
    assert not line.leading.lead(line.question())
    line.open()
    line.lose("gone")
    assert not line.leading.lead(line.question())
    line.close()


def test_a_call_whose_time_is_over_goes_to_the_io_thread(line: Line) -> None:
    """It comes back unfinished, can be stopped from then on, and the I/O thread waits for its answer."""
    question = line.question(0.01)

    assert line.leading.lead(question)
    assert (question.ended, question.is_held, question.told) == (False, False, ["handed out", "stoppable"])
    assert line.watched == READ
    line.thread.run()
    assert line.adopted == [question]


def test_a_leader_hands_over_to_who_needs_the_connection(line: Line) -> None:
    """Whoever does not get the connection is called once the leader has let go of it, soon."""
    question = line.question()
    leader = Background(line.leading.lead, question)
    line.far.recv(100)
    heard = threading.Event()

    assert not line.owner.enter(lambda _: heard.set(), None)
    assert leader.join()
    line.thread.run()
    assert heard.is_set()
    assert (question.ended, line.adopted) == (False, [question])


def test_what_is_raised_meanwhile_ends_the_call(line: Line) -> None:
    """A signal's exception ends the call with all its stages, and the connection is free again."""
    interrupt = KeyboardInterrupt()

    class Interrupted(Question):
        @property
        def ended(self) -> bool:
            if self.answer is None:
                raise interrupt
            return True

        @ended.setter
        def ended(self, value: bool) -> None:
            del value

    question = Interrupted(line.clock.now + 30)

    assert line.leading.lead(question)
    assert (question.answer, question.told) == (interrupt, ["handed out"])
    assert line.owner.take()


def test_a_connection_lost_under_the_leader_ends_its_call(line: Line) -> None:
    """The leader sees it, and waits for nothing more."""
    question = line.question()
    line.far.shutdown(socket.SHUT_WR)

    assert line.leading.lead(question)
    assert line.problems == ["the provider closed it"]
    assert (type(question.answer), question.told) == (ConnectionError, ["handed out"])


def test_what_the_kernel_does_not_take_is_written_by_the_io_thread(line: Line) -> None:
    """A leader does not wait until it can write: the I/O thread does, for the call and what is left of it."""
    line.near.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    with suppress(BlockingIOError):
        while line.near.send(b"x" * 4096):
            pass
    question = line.question()

    assert line.leading.lead(question)
    assert line.watched == READ | WRITE
    line.thread.run()
    assert line.adopted == [question]


def test_the_io_thread_does_not_read_while_callers_lead_one_after_the_other(line: Line) -> None:
    """It waits only for the peer to close, until nobody has led for some milliseconds."""
    for _ in range(3):
        line.far.send(b"answer")
        assert line.leading.lead(line.question())
        assert line.watched == CLOSING
    assert line.thread.run() == 1
    due = line.thread.due[line.leading]
    assert due == line.clock.now + 0.02

    line.clock.advance(0.02)
    assert line.leading.tick(line.clock.now) == NEVER
    assert line.watched == READ


def test_the_end_of_the_pause_is_told_once(line: Line) -> None:
    """Whatever a connection has put off while callers led is done then, by its holder."""
    told: list[bool] = []
    leading = line.leading_that_rests(lambda: told.append(line.owner.take()))
    line.far.send(b"answer")
    assert leading.lead(line.question())

    assert leading.tick(line.clock.now) > line.clock.now
    assert told == []
    line.clock.advance(0.1)
    assert leading.tick(line.clock.now) == NEVER
    assert told == [False]


def test_who_has_led_meanwhile_puts_the_end_of_the_pause_off(line: Line) -> None:
    """The pause lasts from the last bytes that came."""
    line.far.send(b"answer")
    assert line.leading.lead(line.question())
    line.clock.advance(0.015)
    line.far.send(b"answer")
    assert line.leading.lead(line.question())

    assert line.leading.tick(line.clock.now + 0.001) == line.clock.now + 0.02
    assert line.watched == CLOSING


def test_while_somebody_leads_the_end_of_the_pause_is_put_off_and_not_forgotten(line: Line) -> None:
    """A leader may have seen that the end is planned just before it is due: it is looked for again, soon."""
    line.far.send(b"answer")
    assert line.leading.lead(line.question())
    later = line.clock.now + 1.0
    assert line.owner.take()
    assert line.leading.tick(later) == later + 0.02
    line.owner.leave()

    assert line.leading.tick(later + 0.02) == NEVER
    assert line.watched == READ


@pytest.mark.parametrize("is_late", [True, False])
def test_what_is_late_makes_a_leader_hand_over(line: Line, is_late: bool) -> None:
    """It was to leave with the next call, which lasts; where nothing is, the call stays with its thread."""
    told: list[bool] = []
    leading = line.leading_that_rests(lambda: told.append(line.owner.take()), lambda _: is_late)
    question = line.question()

    assert line.owner.take()
    assert leading.tick(line.clock.now) == line.clock.now + 0.02
    assert bool(line.owner.deferred) is is_late
    line.owner.leave()
    line.thread.run()
    assert told == [False] * is_late
    line.far.send(b"answer")
    assert leading.lead(question)
