"""The end of what nobody can reach any more, and nobody has ended."""

from __future__ import annotations

import _thread
import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress

from callahead.registry.forking import free_in_child

_LOG = logging.getLogger("callahead.consumer")

# How long the exit waits for what is being closed; it holds nothing that anybody could still want.
_PATIENCE_S = 5.0

_due: deque[Callable[[], object]] = deque()
_threads: set[threading.Thread] = set()


def close_soon(close: Callable[[], object]) -> None:
    """Call *close*, which may block, soon on a daemon thread; for ``__del__``.

    The collector comes to any thread at any moment: to one that serves sockets, or that holds a lock. So this takes no
    lock and waits for nothing. `threading.Thread` does both as it starts, so what starts it here is a bare thread. One
    that takes long holds up none of the others.
    """
    _due.append(close)
    with suppress(RuntimeError):  # the system has no thread left: the next one that starts does it, or the exit
        _thread.start_new_thread(_start, ())


def _start() -> None:
    # A daemon because it says so: to ask which kind the calling thread is would note that one for ever, in Python 3.11.
    thread = threading.Thread(target=_close_all, name="callahead-closing", daemon=True)
    with suppress(RuntimeError):
        thread.start()


def _close_all() -> None:
    thread = threading.current_thread()
    _threads.add(thread)
    try:
        _close_due()
    finally:
        _threads.discard(thread)


def _close_due() -> None:
    while _due:
        try:
            close = _due.popleft()
        except IndexError:  # another thread was quicker
            return
        try:
            close()
        except Exception:
            _LOG.exception("what nobody holds any more could not be closed")
        del close  # the next one may take long


def finish_closing() -> None:
    """Call now what `close_soon` has not yet, and wait some seconds for what it has; at the interpreter's exit."""
    ends = time.monotonic() + _PATIENCE_S
    _close_due()
    for thread in list(_threads):
        thread.join(max(0.0, ends - time.monotonic()))


def _leave_to_parent() -> None:
    _due.clear()
    _threads.clear()


free_in_child(_leave_to_parent)
