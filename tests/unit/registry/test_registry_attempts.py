"""What is tried again: until it is done, and no longer than somebody wants it."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from random import Random
from threading import Event

import pytest
from support.forked import WARNING, in_child
from support.shortage import no_threads

from callahead.registry.attempts import Attempts

WAIT_S = 20.0


@pytest.fixture
def attempts() -> Iterator[Attempts]:
    one = Attempts("main", Random(1))
    one._delay_s = 0.001
    yield one
    one.close()
    assert threads() == []


def threads() -> list[threading.Thread]:
    return [each for each in threading.enumerate() if each.name == "callahead-registry-main-again"]


def test_what_fails_is_tried_until_it_is_done(attempts: Attempts) -> None:
    """Each time after twice the pause; then the thread ends, and another begins with the next failure."""
    for _ in range(2):
        asked: list[int] = []
        done = Event()

        def attempt(asked: list[int] = asked, done: Event = done) -> bool:
            asked.append(1)
            if len(asked) == 3:
                done.set()
            return done.is_set()

        attempts._delay_s = 0.001
        attempts.add(attempt)
        assert done.wait(WAIT_S)
        for thread in threads():
            thread.join(WAIT_S)
        assert (len(asked), threads()) == (3, [])


def test_close_does_not_wait_for_the_next_attempt(attempts: Attempts) -> None:
    """It may be half a minute away."""
    attempts._delay_s = 1000.0
    attempts.add(lambda: False)
    (thread,) = threads()
    attempts.close()
    assert not thread.is_alive()


def test_nothing_is_begun_once_closed(attempts: Attempts) -> None:
    """Whoever still fails then is not wanted any more."""
    attempts.close()
    attempts.add(lambda: False)
    assert threads() == []


def test_no_thread_is_left_to_try_again(attempts: Attempts, caplog: pytest.LogCaptureFixture) -> None:
    """The log says so, and the next failure begins anew."""
    done = Event()
    with no_threads():
        attempts.add(lambda: done.set() is None)
    assert "what has failed is not tried again: can't start new thread" in caplog.text
    attempts.add(lambda: True)
    assert done.wait(WAIT_S)


@pytest.mark.filterwarnings(WARNING)
def test_a_child_tries_what_its_parent_was_trying(attempts: Attempts) -> None:
    """Whoever is being asked at the fork answers the parent alone, so that the child has to ask, too."""
    inside, leave, done = Event(), Event(), Event()
    parent = os.getpid()

    def attempt() -> bool:
        if os.getpid() == parent:
            inside.set()
            return leave.wait(WAIT_S)
        done.set()
        return True

    attempts.add(attempt)
    assert inside.wait(WAIT_S)
    try:
        assert in_child(lambda: os._exit(0 if done.wait(5) else 1)) == 0
    finally:
        leave.set()
