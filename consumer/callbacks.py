"""Where users' callbacks run: on a small pool of threads, in a copy of the caller's context, never on an I/O thread.

A grpcio callback runs on the channel's thread in the context of whichever call started that thread, so one call's
context variables leak into another (measured; rule R4 of the reference). Here each callback gets its own copy.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import Context
from typing import Any

_LOG = logging.getLogger("callahead.consumer.callbacks")


class CallbackExecutor:
    """Runs callbacks on at most *threads* threads, which start when first needed.

    What a callback raises is logged with the call that it belongs to, and goes no further.
    """

    def __init__(self, threads: int, name: str = "callahead-callback") -> None:
        self._threads = threads
        self._name = name
        self._lock = threading.Lock()
        self._pool: ThreadPoolExecutor | None = None
        self._members: set[int] = set()
        self._closed = False

    def submit(self, context: Context, what: str, function: Callable[..., Any], *args: Any) -> None:
        """Run ``function(*args)`` in a copy of *context*, soon; after `close` at once, on the calling thread.

        *what* names the callback and its call in the log, such as ``"done callback of foo.findFoo"``. Never blocks and
        never raises what *function* raises.
        """
        pool = self._start()
        if pool is not None:
            try:
                pool.submit(_run, context, what, function, args)
            except RuntimeError:  # the pool or the interpreter is shutting down: late is worse than here
                pass
            else:
                return
        _run(context, what, function, args)

    def _start(self) -> ThreadPoolExecutor | None:
        if self._pool is None:
            with self._lock:
                if self._pool is None and not self._closed:
                    self._pool = ThreadPoolExecutor(self._threads, self._name, initializer=self._join)
        return self._pool

    def _join(self) -> None:
        self._members.add(threading.get_ident())

    def close(self, *, wait: bool) -> None:
        """Accept no more, run what was accepted; with *wait* return when that is done. Idempotent."""
        with self._lock:
            self._closed, pool = True, self._pool
        if pool is not None:
            # A callback that closes its own consumer must not wait for itself.
            own = threading.get_ident() in self._members
            pool.shutdown(wait=wait and not own)
            self._pool = None

    def after_fork(self) -> None:
        """Forget the parent's threads, which a forked child does not have."""
        self._lock = threading.Lock()
        self._pool = None
        self._members = set()


def _run(context: Context, what: str, function: Callable[..., Any], args: tuple[Any, ...]) -> None:
    try:
        context.copy().run(function, *args)
    except BaseException:  # a callback must neither vanish silently nor take the thread along
        _LOG.exception("%s raised", what)
