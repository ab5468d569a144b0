"""What finalizers leave to threads, and those who are told without being kept."""

from __future__ import annotations

import gc
import logging
import threading
from collections.abc import Callable

import pytest

from callahead.consumer.runtime.dropped import close_soon, finish_closing
from callahead.consumer.runtime.weakly import weakly

SOON = 10.0


def closed_on(begin: Callable[[Callable[[], None]], None]) -> str:
    """The name of the thread that closes."""
    names: list[str] = []
    is_closed = threading.Event()

    def close() -> None:
        names.append(threading.current_thread().name)
        is_closed.set()

    begin(close)
    assert is_closed.wait(SOON)
    return names[0]


def test_it_is_closed_on_a_thread_of_its_own() -> None:
    """Closing waits for others, and who is collected has no time."""
    assert closed_on(close_soon) == "callahead-closing"


def test_a_finalizer_may_ask_for_it_under_the_locks_of_threading() -> None:
    """The collector may come while a thread is being started, when no other can be."""

    def begin(close: Callable[[], None]) -> None:
        with threading._active_limbo_lock:  # type: ignore[attr-defined]  # what `Thread.start` takes
            close_soon(close)

    assert closed_on(begin) == "callahead-closing"


def test_one_that_takes_long_holds_up_no_other() -> None:
    """Each has a thread."""
    go_on = threading.Event()
    close_soon(lambda: go_on.wait(SOON))

    assert closed_on(close_soon)
    go_on.set()
    finish_closing()


def test_an_error_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    """Nobody else would hear of it."""

    def fail() -> None:
        raise OSError("no such socket")

    with caplog.at_level(logging.ERROR, "callahead.consumer"):
        close_soon(fail)
        finish_closing()

    [record] = caplog.records
    assert record.message == "what nobody holds any more could not be closed"
    assert record.exc_info is not None
    assert str(record.exc_info[1]) == "no such socket"


def test_the_exit_waits_for_what_is_being_closed() -> None:
    """Nothing is being closed when the interpreter takes itself to pieces."""
    begun, go_on = threading.Event(), threading.Event()
    done: list[bool] = []

    def close() -> None:
        begun.set()
        done.append(go_on.wait(SOON))

    close_soon(close)
    assert begun.wait(SOON)
    threading.Timer(0.05, go_on.set).start()
    finish_closing()

    assert done == [True]


class Listener:
    """Notes what it is told."""

    def __init__(self, heard: list[int]) -> None:
        self.heard = heard

    def hear(self, number: int) -> None:
        """Note *number*."""
        self.heard.append(number)


def test_who_is_told_weakly_hears_as_long_as_he_is_there() -> None:
    """Whoever tells keeps nobody, and goes on telling nobody."""
    heard: list[int] = []
    listener = Listener(heard)
    tell = weakly(listener.hear)
    tell(1)

    del listener
    gc.collect()
    tell(2)

    assert heard == [1]
