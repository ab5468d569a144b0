"""What a Nacos registry watches, read and read again on one thread."""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Callable, Iterable, Sequence

from ..errors import RegistryError
from ..forking import free_in_child
from ..keeping import KeeperThread
from .errors import Lost
from .payload import Body, Message
from .session import Session
from .settings import Settings
from .watched import Watched


class Keeper:
    """Reads each `Watched` when that is new, when it is due, on each new connection, and when the servers tell of it.

    All of that is done by one daemon thread. Of several pushes the newest waits for its turn, so that no number of them
    fills the memory.

    Args:
        registry: Id of the registry, for the threads and the log.
        settings: Where to, and as whom.
        find: Gives what a push is about; called on another thread and must not block.
        announce: Called with what was read; must not wait for this thread.
        announce_all: Called when the connection came or went, likewise.

    Attributes:
        session: With the servers.
        thread: Keeps it.
    """

    def __init__(
        self,
        registry: str,
        settings: Settings,
        find: Callable[[Message], Watched | None],
        announce: Callable[[Sequence[Watched]], None],
        announce_all: Callable[[], None],
    ) -> None:
        self.session = Session(settings, f"callahead-registry-{registry}-nacos", self._hear, self._notify)
        self.thread = KeeperThread(registry, settings.address, settings.timeout_s, self.session, self, announce_all)
        self._find = find
        self._announce = announce
        self._watched: tuple[Watched, ...] = ()
        self._waiting: set[Watched] = set()
        self._fresh: list[Watched] = []
        self._pushed: dict[Watched, tuple[int, Body]] = {}
        self._number = 0
        free_in_child(self._after_fork)

    def add(self, watched: Watched) -> None:
        """Watch one more, which is read soon."""
        with self.thread.changed:
            self._watched = (*self._watched, watched)
            self._waiting.add(watched)
            self.thread.changed.notify_all()

    def read(self, watched: Watched) -> None:
        """Read *watched* now; to be called by what this thread reads.

        Raises:
            Lost: There is no connection any more.
        """
        with self.thread.changed:
            self._waiting.discard(watched)
        try:
            watched.refresh(self.session, time.monotonic())
        finally:
            self._fresh.append(watched)
            if watched.due_at < math.inf:
                with self.thread.changed:
                    self._waiting.add(watched)

    def wait_for(self, watched: Iterable[Watched]) -> None:
        """Wait until all have been read, up to ``timeout``; that counts from the start while there is no connection."""
        wanted = tuple(watched)
        if not self.thread.is_current:
            self.thread.wait_until(lambda: all(each.is_answered for each in wanted))
        elif self.session.is_up:  # a listener subscribes: nobody else would read
            self._read(each for each in wanted if not each.is_answered)

    def before_fork(self) -> None:
        """Leave nothing of gRPC running; see `Session.before_fork`."""
        self.session.before_fork()

    def after_fork_in_parent(self) -> None:
        """Go on."""
        self.session.after_fork_in_parent()
        self._notify()

    def _after_fork(self) -> None:
        """Have, in a forked child, a connection of its own."""
        self._pushed = {}
        self.session.after_fork_in_child()

    def work(self) -> None:
        """Read what is due, and tell the servers that we are there; see `Work.work`."""
        if self._number != self.session.number:
            self._number = self.session.number
            with self.thread.changed:
                watched = self._watched
                self._waiting = set(watched)
            for each in watched:
                each.renew()
        self._take_pushes()
        self._read(self._due())
        with contextlib.suppress(RegistryError):  # there is no connection any more; or only no answer to that
            self.session.beat()

    def has_work(self) -> bool:
        """Tell whether something was pushed or is due; see `Work.has_work`."""
        return (self.session.is_up and bool(self._pushed)) or self.pause() == 0.0

    def pause(self) -> float:
        """Give the seconds until something is due; see `Work.pause`."""
        if not self.session.is_up:
            return self.session.pause_s
        due_at = min((each.due_at for each in self._waiting), default=math.inf)
        return max(0.0, min(self.session.pause_s, due_at - time.monotonic()))

    def _take_pushes(self) -> None:
        with self.thread.changed:
            pushed, self._pushed = self._pushed, {}
        for watched, (number, body) in pushed.items():
            if number == self._number:
                watched.hear(body)
                with self.thread.changed:
                    self._waiting.add(watched)

    def _due(self) -> list[Watched]:
        now = time.monotonic()
        with self.thread.changed:
            return sorted((each for each in self._waiting if each.due_at <= now), key=lambda one: one.name)

    def _read(self, watched: Iterable[Watched]) -> None:
        with contextlib.suppress(Lost):  # the rest is read on the next connection
            for each in watched:
                self.read(each)
        fresh, self._fresh = self._fresh, []
        if fresh:
            self._announce(fresh)
            self._notify()

    def _hear(self, number: int, push: Message) -> None:
        watched = self._find(push)
        if watched is not None:
            with self.thread.changed:
                self._pushed[watched] = (number, push.body)
                self.thread.changed.notify_all()

    def _notify(self) -> None:
        self.thread.wake()
