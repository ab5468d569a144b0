"""The threads of an embedded provider: order, due times, bounds and the end."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from callahead.consumer.testing.workers import Workers


@pytest.fixture
def workers() -> Iterator[Workers]:
    made = Workers(4, "test")
    yield made
    assert made.stop(5)


def test_work_runs_and_gives_its_value(workers: Workers) -> None:
    """A future carries the value."""
    assert workers.submit(lambda a, b: a + b, 1, b=2).result(5) == 3


def test_an_error_goes_into_the_future(workers: Workers) -> None:
    """What the work raises does not end the thread."""
    with pytest.raises(ZeroDivisionError):
        workers.submit(lambda: 1 / 0).result(5)
    assert workers.submit(lambda: 1).result(5) == 1


def test_work_waits_for_its_time_and_goes_by_it(workers: Workers) -> None:
    """The earlier due goes first, whichever was asked for first, and none goes too early."""
    began = time.monotonic()
    done: list[tuple[str, float]] = []
    late = workers.later(0.06, lambda: done.append(("late", time.monotonic() - began)))
    early = workers.later(0.03, lambda: done.append(("early", time.monotonic() - began)))
    workers.later(0.0, lambda: done.append(("now", 0.0))).result(5)
    late.result(5)
    early.result(5)
    assert [name for name, _ in done] == ["now", "early", "late"]
    assert done[1][1] >= 0.03
    assert done[2][1] >= 0.06


def test_a_thousand_waits_need_few_threads(workers: Workers) -> None:
    """Work that waits holds no thread."""
    futures = [workers.later(0.05, lambda i=i: i) for i in range(1000)]  # type: ignore[misc]
    threads = [thread for thread in threading.enumerate() if thread.name.startswith("test-")]
    assert len(threads) <= 5  # the clock is one more
    assert [future.result(5) for future in futures] == list(range(1000))


def test_a_cancelled_work_does_not_run(workers: Workers) -> None:
    """Cancelling before the time is enough."""
    ran: list[int] = []
    future = workers.later(0.02, lambda: ran.append(1))
    assert future.cancel()
    workers.later(0.04, lambda: None).result(5)
    assert ran == []


def test_more_work_than_threads_waits_its_turn() -> None:
    """No more than the most threads run at once, and all the work is done."""
    pool = Workers(2, "bounded")
    lock, now, most = threading.Lock(), 0, 0

    def work() -> None:
        nonlocal now, most
        with lock:
            now += 1
            most = max(most, now)
        threading.Event().wait(0.005)
        with lock:
            now -= 1

    for future in [pool.submit(work) for _ in range(20)]:
        future.result(5)
    assert pool.stop(5)
    assert most == 2


def test_stop_drops_what_has_not_begun() -> None:
    """Nothing waits for work that will not run, and no thread is left."""
    pool = Workers(2, "dropped")
    future = pool.later(60, lambda: None)
    assert pool.stop(5)
    assert future.cancelled()
    assert pool.submit(lambda: None).cancelled()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("dropped-")]


def test_stop_does_not_wait_for_ever() -> None:
    """Work that blocks is told, not waited for."""
    pool, began, release = Workers(1, "stuck"), threading.Event(), threading.Event()

    def block() -> None:
        began.set()
        release.wait()

    future = pool.submit(block)
    assert began.wait(5)
    assert not pool.stop(0.05)
    release.set()
    future.result(5)
    assert pool.stop(5)


def test_a_due_time_is_kept_while_the_waiting_thread_is_given_an_earlier_one(workers: Workers) -> None:
    """A nearer due time wakes the thread that waits for a farther one."""
    far = workers.later(60.0, lambda: None)
    workers.later(0.01, lambda: None).result(30)
    assert not far.done()
    far.cancel()
