"""The one place that hears of a fork, and in which order it tells."""

from __future__ import annotations

import gc
import logging
import threading
import weakref

import pytest
from support.forked import WARNING, in_child
from support.locks import Found, held

from callahead.registry.forking import fork_safe_condition, fork_safe_lock, free_in_child, go_on_in_child

pytestmark = pytest.mark.filterwarnings(WARNING)


class Noting:
    """Notes, among others' notes, that it was told."""

    def __init__(self, notes: list[str], name: str) -> None:
        self._notes = notes
        self._name = name
        go_on_in_child(self.go_on)  # before the other, which is to come first all the same
        free_in_child(self.free)

    def free(self) -> None:
        self._notes.append(f"{self._name} is free")

    def go_on(self) -> None:
        self._notes.append(f"{self._name} goes on")


class Failing(Noting):
    """Fails at both."""

    def free(self) -> None:
        raise ValueError("no")

    go_on = free


@pytest.mark.parametrize("make", [fork_safe_lock, fork_safe_condition])
def test_a_lock_that_another_thread_holds_is_free_in_a_child(make: type[threading.Lock]) -> None:
    """And the parent's stays as it was."""
    lock = make()
    with held([Found("lock", lock)]):
        assert in_child(lock.acquire, 5) == 0
        assert not lock.acquire(blocking=False)


def test_nothing_goes_on_before_all_is_free() -> None:
    """In whichever order objects have come, since what goes on first may use all others."""
    notes: list[str] = []
    made = [Noting(notes, name) for name in "ab"]

    def work() -> None:
        assert notes == ["a is free", "b is free", "a goes on", "b goes on"]

    assert in_child(work) == 0
    assert made
    assert not notes


def test_what_fails_keeps_nobody_from_being_told(caplog: pytest.LogCaptureFixture) -> None:
    """It is logged, with the reason."""
    notes: list[str] = []
    made = [Failing(notes, "a"), Noting(notes, "b")]

    def work() -> None:
        assert notes == ["b is free", "b goes on"]
        assert [record.levelno for record in caplog.records] == [logging.ERROR] * 2
        assert "ValueError: no" in caplog.text

    assert in_child(work) == 0
    assert made


def test_who_is_told_may_be_collected() -> None:
    """Being told of forks keeps nobody."""
    notes: list[str] = []
    gone = weakref.ref(Noting(notes, "a"))
    gc.collect()
    assert gone() is None

    def work() -> None:
        assert notes == []

    assert in_child(work) == 0
