"""What a ZooKeeper registry watches, read and read again on one thread."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence

from ..forking import free_in_child
from ..keeping import KeeperThread
from .enrolment import Enrolment
from .session import Session
from .settings import Settings
from .watched import Watched

# How often it is looked whether a session came about, and whether what could not be read can be read now.
_TICK_S = 0.2
_RETRY_S = 5.0


class Keeper:
    """Reads each `Watched` when that is new, after each event in it and whenever the session was interrupted.

    All of that is done by one daemon thread, and now and then again while something cannot be read.

    Args:
        registry: Id of the registry, for the thread and the log.
        settings: Where to, and as whom.
        enrolment: Who is to be known to the servers while there is a session.
        announce: Called with what was read; must not wait for this thread.
        announce_all: Called when the session came or went, likewise.

    Attributes:
        session: With the servers.
        thread: Keeps it.
    """

    def __init__(
        self,
        registry: str,
        settings: Settings,
        enrolment: Enrolment,
        announce: Callable[[Sequence[Watched]], None],
        announce_all: Callable[[], None],
    ) -> None:
        self.session = Session(settings, f"callahead-registry-{registry}-kazoo", self._session_changed)
        self.thread = KeeperThread(registry, settings.address, settings.timeout_s, self.session, self, announce_all)
        self._enrolment = enrolment
        self._announce = announce
        self._watched: tuple[Watched, ...] = ()
        self._stale: set[Watched] = set()
        self._failed: set[Watched] = set()
        self._fresh: list[Watched] = []
        self._retried_at = 0.0
        self._has_news = False
        free_in_child(self._after_fork)

    def add(self, watched: Watched) -> None:
        """Watch one more, which is read soon."""
        with self.thread.changed:
            self._watched = (*self._watched, watched)
        self.outdated(watched)

    def add_now(self, watched: Watched) -> None:
        """Watch one more and read it; to be called by what this thread reads."""
        with self.thread.changed:
            self._watched = (*self._watched, watched)
        self._refresh(watched)

    def outdated(self, watched: Watched) -> None:
        """Read *watched* again."""
        with self.thread.changed:
            self._stale.add(watched)
            self._has_news = True
            self.thread.changed.notify_all()

    def wait_for(self, watched: Iterable[Watched]) -> None:
        """Wait until all have been read, up to ``timeout``; that counts from the start while there is no session."""
        wanted = tuple(watched)
        if not self.thread.is_current:
            self.thread.wait_until(lambda: all(each.is_answered for each in wanted))
        elif self.session.is_up:  # a listener subscribes: nobody else would read
            self._read([each for each in wanted if not each.is_answered])

    def _after_fork(self) -> None:
        """Have, in a forked child, a session of its own."""
        self.session.abandon()
        self._enrolment.forget()
        self._session_changed()
        self._stale.update(self._watched)

    def work(self) -> None:
        """Read what is due, and enrol; see `Work.work`."""
        with self.thread.changed:
            due = self._due()
            self._stale -= due
        if due:
            self._read(sorted(due, key=lambda one: one.name))
        self._enrolment.catch_up(self.session)

    def has_work(self) -> bool:
        """Tell whether something is due, or the session came or went; see `Work.has_work`."""
        if self._has_news or bool(self.session.trouble) != bool(self.thread.trouble):
            return True
        return self.session.is_up and (bool(self._due()) or self._enrolment.has_new)

    def pause(self) -> float | None:
        """Give the seconds until something is due, if no news comes before; see `Work.pause`."""
        self._has_news = False  # of what has come before, the pause knows
        if not self.session.is_up:
            return _TICK_S
        now = time.monotonic()
        if self._failed and self._retried_at + _RETRY_S <= now:
            self._retried_at = now
            self._stale.update(self._failed)
        retries = [self._retried_at + _RETRY_S] if self._failed else []
        until = [*(each.rests_until for each in self._stale), *retries]
        return max(min(until) - now, 0.0) if until else None

    def _due(self) -> set[Watched]:
        now = time.monotonic()
        return {each for each in self._stale if each.rests_until <= now}

    def _read(self, watched: Iterable[Watched]) -> None:
        for each in watched:
            self._refresh(each)
        fresh, self._fresh = self._fresh, []
        self._announce(fresh)
        self.thread.wake()

    def _refresh(self, watched: Watched) -> None:
        watched.refresh(self.session)
        self._fresh.append(watched)
        if watched.problem:
            self._failed.add(watched)
        else:
            self._failed.discard(watched)

    def _session_changed(self) -> None:
        with self.thread.changed:
            if self.session.is_up:
                self._stale.update(self._watched)
            else:
                for each in self._watched:
                    each.is_guarded = True
            self._has_news = True
            self.thread.changed.notify_all()
