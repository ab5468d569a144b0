"""The I/O thread by itself."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from support.shop import Background, Spy
from support.shortage import Shortage, no_descriptors, no_threads, no_threads_called

from callahead.consumer.errors import ConnectFailed
from callahead.consumer.transport.tcp.io_thread import NEVER, IoThread
from callahead.consumer.transport.tcp.poller import READ, Poller


class Quiet:
    """Is served, and notes what it hears."""

    def __init__(self, tick: Callable[[float], float] = lambda _: NEVER) -> None:
        self.heard = Spy()
        self.flushed = Spy()
        self.ticked = Spy(tick)
        self._next = tick

    def on_ready(self, events: int) -> None:
        self.heard(events)

    def flush(self) -> None:
        self.flushed()

    def tick(self, now: float) -> float:
        self.ticked(now)
        return self._next(now)


@pytest.fixture
def thread() -> Iterator[IoThread]:
    """One I/O thread, closed at the end."""
    made = IoThread(time.monotonic, "dubbo")
    yield made
    made.close()


def on_thread(thread: IoThread, function: Callable[[], Any]) -> Any:
    """Call *function* on the thread and return what it returns."""
    results: list[Any] = []
    done = threading.Event()

    def run(argument: Any) -> None:
        results.append(function())
        done.set()

    thread.post(run, None)
    assert done.wait(5)
    return results[0]


def test_tasks_run_in_order_on_one_thread(thread: IoThread) -> None:
    """All tasks run, in order, on the one thread, which starts with the first of them."""
    assert not [one for one in threading.enumerate() if one.name == "callahead-dubbo-io"]
    spy = Spy()
    for number in range(1000):
        thread.post(spy, number)
    assert [number for (number,) in spy.wait(1000)] == list(range(1000))
    assert set(spy.threads) == {"callahead-dubbo-io"}


def test_many_posters_lose_no_task(thread: IoThread) -> None:
    """Tasks posted by several threads at the moments when the thread falls asleep all run."""
    spy = Spy()

    def post(first: int) -> None:
        for number in range(300):
            thread.post(spy, first + number)
            if number % 7 == 0:
                time.sleep(0.0005)

    threads = [Background(post, first) for first in (0, 1000, 2000)]
    for one in threads:
        one.join()
    assert len({number for (number,) in spy.wait(900)}) == 900


@pytest.mark.parametrize(
    ("shortage", "why"), [(no_threads, "can't start new thread"), (no_descriptors, "Too many open files")]
)
def test_a_thread_that_could_not_start_is_started_by_the_next_task(
    thread: IoThread, shortage: Shortage, why: str
) -> None:
    """Whoever posts hears that it cannot start, his task is forgotten, and the next one starts it."""
    spy = Spy()
    with shortage():
        for _ in range(3):
            with pytest.raises(ConnectFailed, match=why) as caught:
                thread.post(spy, 1)
        assert caught.value.not_sent
        assert thread.poller is None
    thread.post(spy, 2)
    assert spy.wait(1) == [(2,)]


def test_all_who_post_hear_that_the_thread_cannot_start(thread: IoThread) -> None:
    """Nobody takes a thread that is being started for one that runs."""
    failures: list[BaseException] = []

    def post() -> None:
        try:
            thread.post(lambda _: None, None)
        except ConnectFailed as error:
            failures.append(error)

    posting = [threading.Thread(target=post) for _ in range(8)]
    with no_threads_called("callahead-dubbo-io", after=0.02):
        for one in posting:
            one.start()
        for one in posting:
            one.join()
    assert len(failures) == len(posting)


def test_what_ends_something_needs_no_thread(thread: IoThread) -> None:
    """It runs here and now where the thread does not run, and on the thread where it does."""
    spy = Spy()
    with no_threads():
        thread.end(spy, 1)
    on_thread(thread, lambda: None)
    thread.end(spy, 2)
    assert spy.wait(2) == [(1,), (2,)]
    assert spy.threads == [threading.current_thread().name, "callahead-dubbo-io"]


class Interrupted:
    """A poller whose next wake-up is broken into."""

    def __init__(self, poller: Poller) -> None:
        self.wake = self._raise
        self._poller = poller

    def _raise(self) -> None:
        self.wake = self._poller.wake
        raise KeyboardInterrupt

    def __getattr__(self, name: str) -> Any:
        return getattr(self._poller, name)


def test_a_signal_handler_that_raises_at_a_wake_up_lets_nobody_sleep_on(thread: IoThread) -> None:
    """The next task wakes the thread, and what was posted before runs too."""
    spy = Spy()
    on_thread(thread, lambda: None)
    time.sleep(0.05)  # until it sleeps
    assert thread.poller is not None
    thread.poller = Interrupted(thread.poller)
    with pytest.raises(KeyboardInterrupt):
        thread.post(spy, 1)
    thread.post(spy, 2)
    assert spy.wait(2) == [(1,), (2,)]


def test_an_error_in_a_task_does_not_end_the_thread(thread: IoThread, caplog: pytest.LogCaptureFixture) -> None:
    """The thread logs what a task raises, and goes on."""

    def fail(_: Any) -> None:
        raise RuntimeError("broken")

    thread.post(fail, None)
    assert on_thread(thread, lambda: 5) == 5
    assert "the I/O thread goes on after an error that it should not have seen" in caplog.text


def test_events_reach_who_is_served(thread: IoThread) -> None:
    """Readiness is passed on until the descriptor is forgotten."""
    near, far = socket.socketpair()
    quiet = Quiet()

    def serve() -> None:
        assert thread.poller is not None
        thread.serve(near.fileno(), quiet)
        thread.poller.watch(near.fileno(), READ)

    on_thread(thread, serve)
    far.send(b"x")
    assert quiet.heard.wait(1)[0] == (READ,)
    on_thread(thread, lambda: thread.forget(near.fileno()))
    count = len(quiet.heard.calls)
    far.send(b"x")
    on_thread(thread, lambda: None)
    assert len(quiet.heard.calls) == count
    near.close()
    far.close()


def test_a_flush_comes_at_the_end_of_the_round(thread: IoThread) -> None:
    """What asks for a flush is flushed after all tasks of the round, once for each time it asked."""
    quiet = Quiet()
    order: list[str] = []
    quiet.flushed = Spy(lambda: order.append("flush"))

    def work() -> None:
        thread.flush_later(quiet)
        thread.post(lambda _: order.append("task"), None)

    on_thread(thread, work)
    quiet.flushed.wait(1)
    assert order == ["task", "flush"]


def test_ticks_come_when_asked_for(thread: IoThread) -> None:
    """A tick comes at its time, then when the tick itself asked for the next; the earliest request counts."""
    times: list[float] = []

    def tick(now: float) -> float:
        times.append(now)
        return now + 0.02 if len(times) < 6 else NEVER

    quiet = Quiet(tick)
    began = time.monotonic()

    def ask() -> None:
        thread.tick_at(quiet, began + 30)
        thread.tick_at(quiet, began + 0.02)
        thread.tick_at(quiet, began + 60)

    on_thread(thread, ask)
    quiet.ticked.wait(3)
    assert times[0] >= began + 0.02
    assert times[-1] < began + 10


def test_nothing_left_to_tick_is_silence(thread: IoThread, caplog: pytest.LogCaptureFixture) -> None:
    """After a tick that asks for no other the thread sleeps without an error, and forgets what it served."""
    quiet = Quiet()
    on_thread(thread, lambda: thread.tick_at(quiet, 0.0))
    quiet.ticked.wait(1)
    rounds = [on_thread(thread, lambda: len(thread._timed)) for _ in range(3)]
    assert (rounds, caplog.records) == ([0, 0, 0], [])


def test_an_idle_thread_burns_no_time(thread: IoThread) -> None:
    """A thread with nothing to do waits in the kernel."""
    on_thread(thread, lambda: None)
    clock = on_thread(thread, lambda: time.thread_time())
    time.sleep(0.2)
    assert on_thread(thread, lambda: time.thread_time()) - clock < 0.05


def test_close_runs_what_was_posted_before() -> None:
    """Tasks posted before close run; close is idempotent, and works on a thread that never began."""
    thread = IoThread(time.monotonic, "dubbo")
    spy = Spy()
    for number in range(100):
        thread.post(spy, number)
    thread.close()
    thread.close()
    assert len(spy.calls) == 100
    IoThread(time.monotonic, "dubbo").close()


def test_close_waits_for_what_is_still_served() -> None:
    """The thread ends only when nothing is served any more, so that whoever holds a connection can hand it over."""
    thread = IoThread(time.monotonic, "dubbo")
    quiet = Quiet()
    near, far = socket.socketpair()
    on_thread(thread, lambda: thread.serve(near.fileno(), quiet))
    closing = Background(thread.close)
    time.sleep(0.05)
    assert closing.is_running
    thread.post(lambda _: thread.forget(near.fileno()), None)
    closing.join()
    near.close()
    far.close()


def test_a_year_is_slept_in_portions(thread: IoThread, caplog: pytest.LogCaptureFixture) -> None:
    """What stands for no bound is longer than any system's poll takes; the thread goes on serving."""
    far = Quiet(lambda _: time.monotonic() + 365 * 86_400)
    on_thread(thread, lambda: thread.tick_at(far, time.monotonic()))
    assert on_thread(thread, lambda: "alive") == "alive"
    on_thread(thread, lambda: thread.tick_never(far))
    assert caplog.records == []
