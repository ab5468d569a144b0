"""Locks that a forked child can take, whoever held them in the parent."""

from __future__ import annotations

import os
import threading
import weakref

_LOCKS: weakref.WeakSet[threading.Lock | threading.Condition] = weakref.WeakSet()


def fork_safe_lock() -> threading.Lock:
    """Make a lock that is free in a forked child, even where a thread that the child does not have held it.

    For locks that live as long as a reference or a method, and that are held for single changes of counts and lists, so
    that what they guard is sound at any moment. Source: `logging` and `concurrent.futures` do this with their locks.
    """
    lock = threading.Lock()
    _LOCKS.add(lock)
    return lock


def fork_safe_condition() -> threading.Condition:
    """Make a condition that nobody holds or waits for in a forked child; see `fork_safe_lock`."""
    condition = threading.Condition()
    _LOCKS.add(condition)
    return condition


def _free_in_child() -> None:
    for lock in list(_LOCKS):
        lock._at_fork_reinit()  # type: ignore[union-attr]  # the standard library's own way, missing in its type stubs


os.register_at_fork(after_in_child=_free_in_child)
