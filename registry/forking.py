"""What a forked child makes of its copies of things: one place hears of the fork, and tells, in two steps.

First all is freed: locks that a thread of the parent may hold, and what was noted of such threads and of their work.
Only then does anything go on that may start a thread, end a call or wait for a lock. So whatever goes on first finds
all the rest usable, in whichever order modules were imported and objects made. It stands here since this is the lowest
floor that has locks.
"""

from __future__ import annotations

import concurrent.futures.thread  # noqa: F401 - for its own hook, which must come first: what goes on may use a pool
import logging
import os
import threading
import weakref
from collections.abc import Callable, Iterator
from functools import partial
from types import MethodType
from typing import Any, Final

_log = logging.getLogger("callahead.registry")

_LOCKS: weakref.WeakSet[threading.Lock | threading.Condition] = weakref.WeakSet()


def fork_safe_lock() -> threading.Lock:
    """Make a lock that is free in a forked child, even where a thread that the child does not have held it.

    For locks that live longer than a call, and that are held for single changes of counts and lists, so that what they
    guard is sound at any moment. Source: `logging` and `concurrent.futures` do this with their locks.
    """
    lock = threading.Lock()
    _LOCKS.add(lock)
    return lock


def fork_safe_condition() -> threading.Condition:
    """Make a condition that nobody holds or waits for in a forked child; see `fork_safe_lock`."""
    condition = threading.Condition()
    _LOCKS.add(condition)
    return condition


def free_in_child(free: Callable[[], object]) -> None:
    """Call *free* in each forked child, where it forgets the parent's threads and what they were at.

    It starts no thread, calls nothing of users' and takes no lock that is not fork-safe: others may not be free yet. If
    it is a method, its object is not kept by this.
    """
    _FREEING.add(free)


def go_on_in_child(go_on: Callable[[], object]) -> None:
    """Call *go_on* in each forked child, once all is free; otherwise like `free_in_child`. It may start threads."""
    _GOING_ON.add(go_on)


class _Step:
    """What is called in one of the two steps; what one of them raises is logged, and keeps nobody from being called."""

    def __init__(self) -> None:
        self._functions: list[Callable[[], object]] = []
        self._methods: weakref.WeakKeyDictionary[object, Callable[[Any], object]] = weakref.WeakKeyDictionary()

    def add(self, function: Callable[[], object]) -> None:
        if isinstance(function, MethodType):
            self._methods[function.__self__] = function.__func__
        else:
            self._functions.append(function)

    def run(self) -> None:
        for function in list(self._all()):
            try:
                function()
            except Exception:
                _log.exception("%s failed in a forked process", function)

    def _all(self) -> Iterator[Callable[[], object]]:
        yield from self._functions
        for owner, method in list(self._methods.items()):
            yield partial(method, owner)


_FREEING: Final = _Step()
_GOING_ON: Final = _Step()


def _in_child() -> None:
    for lock in list(_LOCKS):
        lock._at_fork_reinit()  # type: ignore[union-attr]  # the standard library's own way, missing in its type stubs
    _FREEING.run()
    _GOING_ON.run()


os.register_at_fork(after_in_child=_in_child)
