"""Waiting for the calls that an end expects."""

from __future__ import annotations

import threading
import time

from callahead.consumer.runtime.drain import Drain


def test_it_ends_with_the_last_call() -> None:
    """Each call leaves the set that expects it."""
    drain = Drain()
    left = drain.expect(["a", "b"])
    for call in ("a", "b", "c"):
        threading.Timer(0.01, drain.ended, [call]).start()
    assert drain.wait(lambda: not left, time.monotonic() + 10)
    assert left == set()


def test_what_is_left_is_known_when_time_is_up() -> None:
    """Those that did not end stay in the set."""
    drain = Drain()
    left = drain.expect(["a", "b"])
    drain.ended("a")
    assert not drain.wait(lambda: not left, time.monotonic())
    assert left == {"b"}


def test_something_else_that_is_due_ends_the_wait() -> None:
    """Whoever makes it due lets the waiter look again."""
    drain, due = Drain(), threading.Event()
    left = drain.expect(["a"])
    threading.Timer(0.01, lambda: (due.set(), drain.look_again())).start()
    assert drain.wait(lambda: not left or due.is_set(), time.monotonic() + 10)
    assert left == {"a"}


def test_two_may_wait_for_one_call() -> None:
    """`close` and the exit may overlap."""
    drain = Drain()
    both = drain.expect(["a"]), drain.expect(["a", "b"])
    drain.ended("a")
    assert both == (set(), {"b"})
