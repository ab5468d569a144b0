"""The thread that keeps a registry's session with its servers, whatever they speak."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from threading import Thread, current_thread
from typing import Protocol

from .errors import RegistryError, RegistryUnavailable
from .forking import fork_safe_condition, go_on_in_child

_log = logging.getLogger("callahead.registry")

# How long a request that runs may hold up the end, before its connection is cut.
_GOODBYE_S = 1.0

# Reasons without a session of which the log tells, until there is one again.
_MOST_TOLD = 8


class KeptSession(Protocol):
    """A session with servers, as the thread that keeps it sees it."""

    @property
    def is_up(self) -> bool:
        """There is one now."""

    @property
    def trouble(self) -> str:
        """Why there is none; "" while there is one."""

    def revive(self) -> None:
        """Do what brings it about, where there is none."""

    def cut(self) -> None:
        """Break off whatever request runs."""

    def close(self) -> None:
        """End it."""


class Work(Protocol):
    """What the thread does beside keeping the session."""

    def work(self) -> None:
        """Do what is due; called while the session is up, and must not raise."""

    def has_work(self) -> bool:
        """Tell whether something is due, or the session wants a look; asked under `KeeperThread.changed`."""

    def pause(self) -> float | None:
        """Give the seconds after which to look again, None for never; asked under it, before each sleep."""


class KeeperThread:
    """A daemon thread, started when it is first needed, and again in a forked child.

    Args:
        registry: Id of the registry, for the thread and the log.
        address: Of the servers, for errors and the log.
        timeout_s: For which `wait_until` waits at most.
        session: Is revived and reported on, and closed with the thread.
        work: Done in turn with that.
        announce: Called when the session came or went; must not wait for this thread.

    Attributes:
        changed: Guards what *work* shares with other threads, and wakes this one.
        trouble: Why there is no session, as it was told last; "" while there is one.
        is_closing: `close` was called.
    """

    def __init__(
        self,
        registry: str,
        address: str,
        timeout_s: float,
        session: KeptSession,
        work: Work,
        announce: Callable[[], None],
    ) -> None:
        self.changed = fork_safe_condition()
        self.trouble = ""
        self._told: set[str] = set()  # what the log has told since there was a session
        self.is_closing = False
        self._id = registry
        self._address = address
        self._timeout_s = timeout_s
        self._session = session
        self._work = work
        self._announce = announce
        self._began_at = 0.0
        self._thread: Thread | None = None
        go_on_in_child(self._go_on_after_fork)

    @property
    def is_started(self) -> bool:
        """Something has been asked of it."""
        return self._thread is not None

    @property
    def is_current(self) -> bool:
        """It is what runs this."""
        return current_thread() is self._thread

    def begin(self) -> None:
        """Start it where it does not run.

        Raises:
            RegistryUnavailable: The system has no thread left.
            RegistryError: It is closed.
        """
        with self.changed:
            if self.is_closing:
                raise RegistryError(f"registry {self._id} is closed")
            if self._thread is None:
                self._start()
                self._began_at = time.monotonic()
            self.changed.notify_all()

    def wake(self) -> None:
        """Let it, and whoever waits, look again."""
        with self.changed:
            self.changed.notify_all()

    def wait_until(self, is_done: Callable[[], bool]) -> None:
        """Wait for *is_done*, up to the timeout, which counts from `begin` while there is no session."""
        with self.changed:
            self.changed.wait_for(lambda: is_done() or self.is_closing, self._patience())

    def close(self) -> None:
        """End the session and the thread. Idempotent."""
        with self.changed:
            self.is_closing = True
            thread = self._thread
            self.changed.notify_all()
        if thread is not None and thread is not current_thread():
            thread.join(_GOODBYE_S)
            self._session.cut()
            thread.join()

    def _go_on_after_fork(self) -> None:
        """Run again in a forked child, where it ran in the parent."""
        self._began_at = time.monotonic()
        if self._thread is not None and not self.is_current and not self.is_closing:
            self._start()

    def _start(self) -> None:
        thread = Thread(target=self._keep, name=f"callahead-registry-{self._id}", daemon=True)
        try:
            thread.start()
        except RuntimeError as error:  # the system has no thread left: the next subscription tries again
            raise RegistryUnavailable(f"{self._address} cannot be watched: {error}") from None
        self._thread = thread

    def _patience(self) -> float:
        since = time.monotonic() if self._session.is_up else self._began_at
        return max(0.0, since + self._timeout_s - time.monotonic())

    def _keep(self) -> None:
        try:
            while not self.is_closing:
                self._session.revive()
                self._report()
                if self._session.is_up:
                    self._work.work()
                with self.changed:
                    pause = self._work.pause()
                    self.changed.wait_for(lambda: self.is_closing or self._work.has_work(), pause)
        finally:
            self._session.close()

    def _report(self) -> None:
        """Log and tell that there is a session or not, or not for another reason."""
        trouble = self._session.trouble
        if trouble == self.trouble:
            return
        self.trouble = trouble
        if trouble:
            self._warn(trouble)
        else:
            _log.info("registry %s: %s: there is a session", self._id, self._address)
            self._told.clear()
        self._announce()

    def _warn(self, trouble: str) -> None:
        """Log *trouble*, which a server that is down may have in turns: each once, and of many the first."""
        if trouble not in self._told and len(self._told) < _MOST_TOLD:
            self._told.add(trouble)
            _log.warning("registry %s: %s: %s; known lists stay", self._id, self._address, trouble)
