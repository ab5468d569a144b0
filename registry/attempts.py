"""What has failed and is tried again, less and less often."""

from __future__ import annotations

import logging
from collections.abc import Callable
from random import Random
from threading import Thread, current_thread
from typing import Final

from .forking import fork_safe_condition, free_in_child, go_on_in_child

_log = logging.getLogger("callahead.registry")

_FIRST_DELAY_S, _MOST_DELAY_S, _JITTER = 0.5, 30.0, 0.3

Attempt = Callable[[], bool]
"""Tries something that has failed; True where it is done. It must not raise, and may block for some seconds."""


class Attempts:
    """Calls each attempt until it is done, by a daemon thread that runs while there is one; another in a forked child.

    Args:
        registry: Id of the registry, for the thread and the log.
        random: The one source of chance.
    """

    def __init__(self, registry: str, random: Random | None = None) -> None:
        self._id: Final = registry
        self._random = random or Random()  # noqa: S311 - it spreads attempts
        self._changed = fork_safe_condition()
        self._attempts: list[Attempt] = []
        self._delay_s = _FIRST_DELAY_S
        self._closing = False
        self._thread: Thread | None = None
        free_in_child(self._after_fork)
        go_on_in_child(self._go_on_after_fork)

    def add(self, attempt: Attempt) -> None:
        """Call *attempt* after half a second, and after up to half a minute later on, until it is done."""
        with self._changed:
            self._attempts.append(attempt)
            if self._thread is None and not self._closing:
                self._start()

    def close(self) -> None:
        """End the thread. Idempotent."""
        with self._changed:
            self._closing = True
            thread = self._thread
            self._changed.notify_all()
        if thread is not None and thread is not current_thread():
            thread.join()

    def _start(self) -> None:
        thread = Thread(target=self._run, name=f"callahead-registry-{self._id}-again", daemon=True)
        try:
            thread.start()
        except RuntimeError as error:  # the system has no thread left: the next failure tries again
            _log.warning("registry %s: what has failed is not tried again: %s", self._id, error)
            return
        self._thread = thread

    def _run(self) -> None:
        while self._has_more():
            with self._changed:
                self._changed.wait_for(lambda: self._closing, self._pause())
            self._try_all()

    def _has_more(self) -> bool:
        with self._changed:
            if self._attempts and not self._closing:
                return True
            self._thread = None
            self._delay_s = _FIRST_DELAY_S
            return False

    def _pause(self) -> float:
        delay = self._delay_s * self._random.uniform(1 - _JITTER, 1 + _JITTER)
        self._delay_s = min(self._delay_s * 2, _MOST_DELAY_S)
        return delay

    def _try_all(self) -> None:
        for attempt in list(self._attempts):
            if not self._closing and attempt():
                with self._changed:
                    self._attempts.remove(attempt)  # only now: a child that is forked meanwhile has to try it again

    def _after_fork(self) -> None:
        if self._thread is not current_thread():
            self._thread = None

    def _go_on_after_fork(self) -> None:
        with self._changed:
            if self._attempts and self._thread is None and not self._closing:
                self._start()
