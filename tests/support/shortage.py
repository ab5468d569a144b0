"""A process in which nothing more of one kind is to be had, as its system sees to now and then."""

from __future__ import annotations

import os
import resource
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress

import pytest

Shortage = Callable[[], AbstractContextManager[None]]


@contextmanager
def no_descriptors() -> Iterator[None]:
    """Let no file and no socket be opened."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    highest = max(int(number) for number in os.listdir("/proc/self/fd"))
    taken = []
    resource.setrlimit(resource.RLIMIT_NOFILE, (highest + 2, hard))
    try:
        with suppress(OSError):
            while True:
                taken.append(os.open("/dev/null", os.O_RDONLY))
        yield
    finally:
        for number in taken:
            os.close(number)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@contextmanager
def no_threads() -> Iterator[None]:
    """Let no thread of Python be started, since none could have so large a stack.

    The superuser, whom tests often run as, has no limit of threads.
    """
    before = threading.stack_size(1 << 46)
    try:
        yield
    finally:
        threading.stack_size(before)


@contextmanager
def no_threads_called(name: str, *, after: float = 0) -> Iterator[None]:
    """Let no thread be started in whose name *name* stands; the failure comes *after* some seconds."""
    start = threading.Thread.start

    def fail(thread: threading.Thread) -> None:
        if name not in thread.name:
            start(thread)
            return
        time.sleep(after)
        raise RuntimeError("can't start new thread")

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(threading.Thread, "start", fail)
        yield
