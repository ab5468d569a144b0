"""The timer and deadlines: points in time, kept in order by one thread."""

from __future__ import annotations

import threading
import time

import pytest
from support.clock import FakeClock
from support.shop import Spy
from support.shortage import no_threads

from callahead.consumer.runtime.deadline import Deadline
from callahead.consumer.runtime.timer import Timer


def test_what_is_due_earlier_runs_earlier() -> None:
    """One that is added later but due before wakes the thread at once."""
    timer, spy = Timer(time.monotonic), Spy()
    now = time.monotonic()
    timer.call_at(now + 3600, lambda: spy("late"))
    timer.call_at(now + 0.02, lambda: spy("second"))
    timer.call_at(now, lambda: spy("first"))
    assert spy.wait(2) == [("first",), ("second",)]
    timer.close()
    assert len(spy.calls) == 2


def test_a_function_that_raises_is_logged_and_does_not_end_the_thread(caplog: pytest.LogCaptureFixture) -> None:
    """The next one runs."""

    def fail() -> None:
        raise KeyError("of the function")

    timer, spy = Timer(time.monotonic), Spy()
    now = time.monotonic()
    timer.call_at(now, fail)
    timer.call_at(now, spy)
    spy.wait()
    timer.close()
    assert [record.getMessage() for record in caplog.records] == ["a timed function raised"]


def test_a_thread_that_could_not_start_is_started_by_the_next_function() -> None:
    """Who asks hears it, his function is forgotten, and nothing stands in the way once there is room."""
    timer, spy = Timer(time.monotonic), Spy()
    with no_threads(), pytest.raises(RuntimeError, match="can't start new thread"):
        timer.call_at(0, lambda: spy("forgotten"))
    timer.call_at(0, lambda: spy("called"))
    assert spy.wait() == [("called",)]
    timer.close()


def test_close_forgets_and_can_be_repeated() -> None:
    """No thread is left, nothing runs later, and a function that closes the timer does not wait for itself."""
    timer, closed = Timer(time.monotonic), Spy()
    timer.close()
    timer.call_at(0, closed)
    assert closed.calls == []
    other = Timer(time.monotonic)
    ends = Spy(other.close)
    other.call_at(0, ends)
    ends.wait()
    other.close()
    assert "callahead-timer" not in {thread.name for thread in threading.enumerate()}


def test_a_deadline_counts_down_on_its_clock() -> None:
    """Seconds left, negative once passed."""
    clock = FakeClock()
    deadline = Deadline.after_ms(1500, clock)
    assert (deadline.remaining(), repr(deadline)) == (1.5, "<Deadline in 1500 ms>")
    clock.advance(2)
    assert deadline.remaining() == -0.5
