"""Large answers are read by whoever has the time, and hold up nobody."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from support.attempts import attempt_of

from callahead.config.policy import MethodPolicy
from callahead.consumer.runtime.callbacks import CallbackExecutor
from callahead.consumer.transport.large_answers import read_elsewhere

METHOD = MethodPolicy(reference="g", method="hello", timeout_ms=300, total_timeout_ms=900)


@pytest.fixture
def callbacks() -> CallbackExecutor:
    """They run when the test says so."""
    made = CallbackExecutor(1)
    made.leave_to(lambda: None)
    return made


class Waiting:
    """Waits for a call; it takes what is handed over, or not."""

    def __init__(self, *, takes: bool) -> None:
        self.takes = takes
        self.handed: list[Any] = []

    def hand_over(self, work: Callable[[], object]) -> bool:
        """See `Waiter.hand_over`."""
        if self.takes:
            self.handed.append(work)
        return self.takes


def test_the_thread_that_waits_reads(callbacks: CallbackExecutor) -> None:
    """It has nothing else to do."""
    attempt, read = attempt_of(METHOD), list
    attempt.record.waiter = waiting = Waiting(takes=True)
    read_elsewhere(read, attempt, callbacks)
    assert (waiting.handed, callbacks.has_due()) == ([read], False)


@pytest.mark.parametrize("waiter", [None, Waiting(takes=False)], ids=["none", "no more"])
def test_else_a_callback_reads(callbacks: CallbackExecutor, waiter: Waiting | None) -> None:
    """Nobody waits, or not any more."""
    attempt, done = attempt_of(METHOD), list[str]()
    attempt.record.waiter = waiter
    read_elsewhere(lambda: done.append("read"), attempt, callbacks)
    assert done == []
    callbacks.run_due()
    assert done == ["read"]


def test_who_waits_for_the_writing_goes_on_before_the_reading(callbacks: CallbackExecutor) -> None:
    """An answer tells that the request was written, where nobody has told before: grpcio may end a call first."""
    done: list[str] = []
    attempt = attempt_of(METHOD, on_sent=lambda: done.append("sent"))
    read_elsewhere(lambda: done.append("read"), attempt, callbacks)
    assert done == ["sent"]
    callbacks.run_due()
    assert done == ["sent", "read"]


def test_the_writing_is_told_once(callbacks: CallbackExecutor) -> None:
    """The carrier has told of it in time."""
    told: list[str] = []
    attempt = attempt_of(METHOD, on_sent=lambda: told.append("sent"))
    attempt.sent()
    read_elsewhere(list, attempt, callbacks)
    assert told == ["sent"]
