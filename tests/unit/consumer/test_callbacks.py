"""Where callbacks run: each once, on few threads, whoever submits them and whatever the others do."""

from __future__ import annotations

import contextvars
import logging
import threading
import time
from collections.abc import Iterator

import pytest
from support.shortage import no_threads

from callahead.consumer.runtime.callbacks import CallbackExecutor

CONTEXT = contextvars.copy_context()


@pytest.fixture
def callbacks() -> Iterator[CallbackExecutor]:
    """An executor of three threads."""
    made = CallbackExecutor(3)
    yield made
    made.close(wait=True)


def test_each_callback_runs_once(callbacks: CallbackExecutor) -> None:
    """None is lost where one is submitted just as a thread finds nothing more to do, and none runs twice."""
    ran: list[int] = []

    def submit(first: int) -> None:
        for number in range(first, first + 5000):
            callbacks.submit(CONTEXT, "the test", ran.append, number)

    threads = [threading.Thread(target=submit, args=(first,)) for first in range(0, 20_000, 5000)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    callbacks.close(wait=True)
    assert sorted(ran) == list(range(20_000))


def test_callbacks_that_block_hold_up_no_more_than_their_threads(callbacks: CallbackExecutor) -> None:
    """As many as there are threads run at the same time; the next runs once one of them has ended."""
    together = threading.Barrier(4)
    for _ in range(3):
        callbacks.submit(CONTEXT, "the test", together.wait, 5)
    last = threading.Event()
    callbacks.submit(CONTEXT, "the test", last.set)
    assert not last.is_set()
    together.wait(5)
    assert last.wait(5)


def test_a_callback_that_raises_is_logged_and_the_next_one_runs(
    callbacks: CallbackExecutor, caplog: pytest.LogCaptureFixture
) -> None:
    """The log names the callback and its call; the thread goes on."""

    def fail() -> None:
        raise ValueError("no")

    with caplog.at_level(logging.ERROR):
        after = threading.Event()
        callbacks.submit(CONTEXT, "done callback of foo.findFoo", fail)
        callbacks.submit(CONTEXT, "the test", after.set)
        assert after.wait(5)
        callbacks.close(wait=True)
    assert [record.getMessage() for record in caplog.records] == ["done callback of foo.findFoo raised"]


def test_each_callback_has_a_context_of_its_own(callbacks: CallbackExecutor) -> None:
    """What one callback sets is seen neither by the next of the same call nor by the call itself."""
    variable: contextvars.ContextVar[int] = contextvars.ContextVar("variable", default=0)
    seen: list[int] = []

    def note() -> None:
        seen.append(variable.get())
        variable.set(variable.get() + 1)

    context = contextvars.copy_context()
    for _ in range(10):
        callbacks.submit(context, "the test", note)
    callbacks.close(wait=True)
    assert seen == [0] * 10
    assert context.run(variable.get) == 0


def test_callbacks_run_while_threads_rest_and_after(callbacks: CallbackExecutor) -> None:
    """Each runs, whether a thread still rests when it is submitted, is about to stop, or has stopped."""
    ran = threading.Semaphore(0)
    for pause in (0, 0.001, 0.019, 0.02, 0.0205, 0.021, 0.06) * 2:
        time.sleep(pause)
        callbacks.submit(CONTEXT, "the test", ran.release)
        assert ran.acquire(timeout=5)


def test_close_waits_for_no_thread_that_rests(callbacks: CallbackExecutor) -> None:
    """They end, and none of them is left."""
    together = threading.Barrier(4)
    for _ in range(3):
        callbacks.submit(CONTEXT, "the test", together.wait, 5)
    together.wait(5)
    before = set(threading.enumerate())
    callbacks.close(wait=True)
    assert callbacks.is_idle
    assert not [one for one in before if one.name.startswith("callahead-callback") and one.is_alive()]


def test_after_close_callbacks_run_at_once(callbacks: CallbackExecutor) -> None:
    """Nothing is lost, and no thread is started again."""
    callbacks.close(wait=True)
    ran: list[str] = []
    callbacks.submit(CONTEXT, "the test", lambda: ran.append(threading.current_thread().name))
    assert ran == [threading.current_thread().name]


def test_no_thread_is_left_for_the_first_callback(callbacks: CallbackExecutor) -> None:
    """It runs on the thread that submits it, and the next one on a thread of its own, once there is room."""
    ran: list[str] = []
    done = threading.Event()

    def note() -> None:
        ran.append(threading.current_thread().name)
        if len(ran) > 5:
            done.set()

    with no_threads():
        for _ in range(5):
            callbacks.submit(CONTEXT, "the test", note)
    assert set(ran) == {threading.current_thread().name}
    callbacks.submit(CONTEXT, "the test", note)
    assert done.wait(5)
    assert ran[-1].startswith("callahead-callback")


def test_no_thread_is_left_for_a_further_callback(callbacks: CallbackExecutor) -> None:
    """It waits for the threads that there are, and as many callbacks as ever run at once later on."""
    begun, go_on = threading.Event(), threading.Event()

    def hold() -> None:
        begun.set()
        go_on.wait(5)

    callbacks.submit(CONTEXT, "the test", hold)
    assert begun.wait(5)
    names: list[str] = []
    with no_threads():
        for _ in range(5):
            callbacks.submit(CONTEXT, "the test", lambda: names.append(threading.current_thread().name))
    assert names == []
    go_on.set()
    together = threading.Barrier(4)
    for _ in range(3):
        callbacks.submit(CONTEXT, "the test", together.wait, 5)
    together.wait(5)
    assert {name[:-2] for name in names} == {"callahead-callback"}
