"""The thread of a ZooKeeper registry, which keeps the session and what is read in it."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable
from threading import Condition, Thread, current_thread

from ..errors import RegistryError, RegistryUnavailable
from .enrolment import Enrolment
from .session import Session
from .settings import Settings
from .watched import Watched

_log = logging.getLogger("callahead.registry")

# How often it is looked whether a session came about, and whether what could not be read can be read now.
_TICK_S = 0.2
_RETRY_S = 5.0
# How long a request that runs may hold up the end, before its connection is cut.
_GOODBYE_S = 1.0


class Keeper:
    """A daemon thread, started when it is first given something to watch.

    It reads each `Watched` when that is new, after each event in it and whenever the session was interrupted, and now
    and then while it cannot be read.

    Args:
        registry: Id of the registry, for the thread and the log.
        settings: Where to, and as whom.
        enrolment: Who is to be known to the servers while there is a session.
        announce: Called when something was read, or the session came or went; must not wait for this thread.

    Attributes:
        session: With the servers.
        trouble: Why there is no session, as it was told last; "" while there is one.
    """

    def __init__(self, registry: str, settings: Settings, enrolment: Enrolment, announce: Callable[[], None]) -> None:
        self.session = Session(settings, f"callahead-registry-{registry}-kazoo", self._session_changed)
        self.trouble = ""
        self._id = registry
        self._settings = settings
        self._enrolment = enrolment
        self._announce = announce
        self._changed = Condition()
        self._watched: tuple[Watched, ...] = ()
        self._stale: set[Watched] = set()
        self._retried_at = self._began_at = 0.0
        self._closing = self._has_news = False
        self._thread: Thread | None = None

    @property
    def is_started(self) -> bool:
        """Something has been asked of it."""
        return self._thread is not None

    def begin(self) -> None:
        """Start the thread where none runs.

        Raises:
            RegistryUnavailable: The system has no thread left.
            RegistryError: It is closed.
        """
        with self._changed:
            if self._closing:
                raise RegistryError(f"registry {self._id} is closed")
            if self._thread is None:
                self._start()
                self._began_at = time.monotonic()
            self._changed.notify_all()

    def add(self, watched: Watched) -> None:
        """Watch one more, which is read soon."""
        with self._changed:
            self._watched = (*self._watched, watched)
        self.outdated(watched)

    def add_now(self, watched: Watched) -> None:
        """Watch one more and read it; to be called by what this thread reads."""
        with self._changed:
            self._watched = (*self._watched, watched)
        watched.refresh(self.session)

    def outdated(self, watched: Watched) -> None:
        """Read *watched* again."""
        with self._changed:
            self._stale.add(watched)
            self._has_news = True
            self._changed.notify_all()

    def wait_for(self, watched: Watched) -> None:
        """Wait until *watched* has been read, up to ``timeout``; that counts from `begin` while there is no session."""
        if current_thread() is self._thread:  # a listener subscribes: nobody else would read
            if self.session.is_up and not watched.is_answered:
                self._read([watched])
            return
        with self._changed:
            self._changed.wait_for(lambda: watched.is_answered or self._closing, self._patience())

    def close(self) -> None:
        """End the session and the threads. Idempotent."""
        with self._changed:
            self._closing = True
            thread = self._thread
            self._changed.notify_all()
        if thread is not None and thread is not current_thread():
            thread.join(_GOODBYE_S)
            self.session.cut()
            thread.join()

    def after_fork(self) -> None:
        """Have, in a forked child, a thread and a session of its own."""
        self._changed = Condition()
        self.session.abandon()
        self._enrolment.forget()
        self._began_at = time.monotonic()
        self._session_changed()
        self._stale.update(self._watched)
        if self._thread is not None and self._thread is not current_thread() and not self._closing:
            self._start()

    def _start(self) -> None:
        thread = Thread(target=self._keep, name=f"callahead-registry-{self._id}", daemon=True)
        try:
            thread.start()
        except RuntimeError as error:  # the system has no thread left: the next subscription tries again
            raise RegistryUnavailable(f"{self._settings.address} cannot be watched: {error}") from None
        self._thread = thread

    def _patience(self) -> float:
        since = time.monotonic() if self.session.is_up else self._began_at
        return max(0.0, since + self._settings.timeout_s - time.monotonic())

    def _keep(self) -> None:
        try:
            while not self._closing:
                self.session.revive()
                self._report()
                self._work()
                with self._changed:
                    self._has_news = False  # of what has come before, the pause knows
                    self._changed.wait_for(self._has_work, self._pause())
        finally:
            self.session.close()

    def _work(self) -> None:
        if not self.session.is_up:
            return
        with self._changed:
            due = self._due()
            self._stale -= due
        if due:
            self._read(sorted(due, key=lambda one: one.name))
        self._enrolment.catch_up(self.session)

    def _has_work(self) -> bool:
        if self._closing or self._has_news or bool(self.session.trouble) != bool(self.trouble):
            return True
        return self.session.is_up and (bool(self._due()) or self._enrolment.has_new)

    def _due(self) -> set[Watched]:
        now = time.monotonic()
        return {each for each in self._stale if each.rests_until <= now}

    def _pause(self) -> float | None:
        if not self.session.is_up:
            return _TICK_S
        now = time.monotonic()
        failed = [each for each in self._watched if each.problem]
        if failed and self._retried_at + _RETRY_S <= now:
            self._retried_at = now
            self._stale.update(failed)
        until = [each.rests_until for each in self._stale] + ([self._retried_at + _RETRY_S] if failed else [])
        return max(min(until) - now, 0.0) if until else None

    def _report(self) -> None:
        """Log and tell that the session is up or down, or down for another reason."""
        trouble = self.session.trouble
        if trouble == self.trouble:
            return
        self.trouble = trouble
        if trouble:
            _log.warning("registry %s: %s: %s; known lists stay", self._id, self._settings.address, trouble)
        else:
            _log.info("registry %s: %s: there is a session", self._id, self._settings.address)
        self._announce()

    def _read(self, watched: Iterable[Watched]) -> None:
        for each in watched:
            each.refresh(self.session)
        self._announce()
        with self._changed:
            self._changed.notify_all()

    def _session_changed(self) -> None:
        with self._changed:
            if self.session.is_up:
                self._stale.update(self._watched)
            else:
                for each in self._watched:
                    each.is_guarded = True
            self._has_news = True
            self._changed.notify_all()
