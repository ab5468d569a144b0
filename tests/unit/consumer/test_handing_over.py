"""Work for the thread that waits for a call: done there, or elsewhere, but always once."""

from __future__ import annotations

import threading
import time

import pytest

from callahead.config.policy import MethodPolicy
from callahead.consumer.call.invocation import CallRecord, Outcome
from callahead.consumer.interceptor.metrics import CallMetrics
from callahead.consumer.reference.ending import Ending, Runtime
from callahead.consumer.runtime.callbacks import CallbackExecutor


@pytest.fixture
def ending() -> Ending:
    """Make that of a call that runs."""
    runtime = Runtime(time.monotonic, CallbackExecutor(1), None)
    return Ending(runtime, CallMetrics(), CallRecord(MethodPolicy(reference="foo", method="find"), "find", 0.0))


def test_work_is_done_on_the_thread_that_waits(ending: Ending) -> None:
    """Handed over before it waits or while it does; the end of the call may be part of it."""
    done: list[str] = []

    def note() -> None:
        done.append(threading.current_thread().name)

    def end() -> None:
        note()
        ending(Outcome(5))

    assert ending.hand_over(note)
    threading.Timer(0.02, ending.hand_over, [end]).start()
    ending.wait(time.monotonic() + 5, for_sent=False)

    assert done == [threading.current_thread().name] * 2
    assert ending.outcome is not None
    assert ending.outcome.value == 5


def test_work_for_a_thread_that_leaves_is_done_elsewhere(ending: Ending) -> None:
    """Ctrl-C may end the waiting with work left over, and work may come after."""
    done: list[str] = []

    def note() -> None:
        done.append(threading.current_thread().name)

    assert ending.hand_over(note)
    ending.leave()
    assert ending.hand_over(note)
    ending._runtime.callbacks.close(wait=True)

    assert done == ["callahead-callback_0"] * 2


def test_no_work_is_taken_once_the_call_has_ended(ending: Ending) -> None:
    """Who would do it has gone on."""
    ending(Outcome(5))

    assert not ending.hand_over(lambda: None)
