"""When a connection that is gone is dialled again without a call."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

import pytest
from support.clock import FakeClock
from support.held_thread import HeldThread

from callahead.consumer.call.provider import Provider
from callahead.consumer.transport.tcp.io_thread import NEVER
from callahead.consumer.transport.tcp.redial import Redial
from callahead.registry.models import Endpoint


class Line:
    """A `Redial` with one provider, on a thread that stands still."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.thread = HeldThread(self.clock)
        self.provider = Provider(Endpoint(protocol="dubbo", host="10.0.0.1", port=20880), lambda _: None)
        self.providers = {self.provider}
        self.dials = 0
        self.redial = Redial(self.providers, self._dial, self.thread, self.clock, Random(1))

    def _dial(self) -> None:
        self.dials += 1

    def wait(self) -> float:
        """Let the planned wait pass, and return how long it was."""
        due = self.thread.due.pop(self.redial)
        waited = due - self.clock.now
        self.clock.advance(waited)
        assert self.redial.tick(self.clock.now) == NEVER
        return waited

    def fail(self) -> float:
        """Let one dial fail after its wait, and return how long that was."""
        self.redial.begin()
        return self.wait()


@pytest.fixture
def line() -> Line:
    """One that has had its connection, for which nothing is planned."""
    return Line()


def test_a_loss_is_followed_by_one_dial(line: Line) -> None:
    """After a short wait, so that many consumers do not come at once."""
    assert 0.05 <= line.fail() <= 0.1
    assert (line.dials, line.thread.due) == (1, {})


def test_nothing_is_dialled_before_its_time(line: Line) -> None:
    """A tick that comes early asks for another."""
    line.redial.begin()
    due = line.thread.due[line.redial]
    assert line.redial.tick(due - 0.01) == due
    assert line.dials == 0


def test_waits_grow_to_a_bound(line: Line) -> None:
    """Twice as long each time, five seconds at most."""
    waits = [line.fail() for _ in range(12)]
    assert waits[0] < waits[2] < waits[4]
    assert all(2.5 <= wait <= 5.0 for wait in waits[6:])
    assert line.dials == 12


def test_a_peer_that_drops_what_it_takes_is_asked_ever_more_rarely(line: Line) -> None:
    """A connection that did not last does not shorten the waits."""
    for _ in range(8):
        wait = line.fail()
        line.redial.opened()
        line.clock.advance(1.0)
    assert wait >= 2.5


def test_a_connection_that_lasted_makes_the_waits_short_again(line: Line) -> None:
    """Its loss is the first."""
    for _ in range(8):
        line.fail()
    line.redial.opened()
    line.clock.advance(5.0)
    assert line.fail() <= 0.1


def test_whoever_has_left_is_not_dialled(line: Line) -> None:
    """Though it left while a wait went on."""
    line.redial.begin()
    line.providers.clear()
    line.wait()
    assert (line.dials, line.thread.due) == (0, {})


def test_a_peer_that_was_about_to_stop_has_its_time(line: Line) -> None:
    """The dial comes no earlier than asked for."""
    line.redial.begin(line.clock.now + 2.0)
    assert line.wait() == pytest.approx(2.0)


@pytest.mark.parametrize("ends", [Redial.stop, Redial.opened])
def test_what_is_planned_ends(line: Line, ends: Callable[[Redial], None]) -> None:
    """Where a call has connected meanwhile, or all is closed."""
    line.redial.begin()
    ends(line.redial)
    assert line.thread.due == {}
    assert line.redial.tick(line.clock.now + 9.0) == NEVER
    assert line.dials == 0


def test_a_connection_ends_that_its_provider_counts_as_unreachable(line: Line) -> None:
    """Calls may have it again at once."""
    line.provider.miss(line.clock.now + 1.0)
    line.redial.opened()
    assert (line.provider.unhealthy_until, line.provider.is_watched) == (0.0, False)


def test_a_connection_ends_nothing_else(line: Line) -> None:
    """Who is passed over for its answers stays so, even where it was unreachable before."""
    until = line.clock.now + 30.0
    line.provider.miss(line.clock.now + 1.0)
    line.provider.pass_over(until)
    line.redial.opened()
    assert line.provider.unhealthy_until == until
