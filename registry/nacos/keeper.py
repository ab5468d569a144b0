"""The thread of a Nacos registry, which keeps the connection and what is known by it."""

from __future__ import annotations

import contextlib
import logging
import math
import time
from collections.abc import Callable, Iterable
from threading import Condition, Thread, current_thread

from ..errors import RegistryError, RegistryUnavailable
from .errors import Lost
from .payload import Body, Message
from .session import Session
from .settings import Settings
from .watched import Watched

_log = logging.getLogger("callahead.registry")

# How long a request that runs may hold up the end, before its connection is cut.
_GOODBYE_S = 1.0


class Keeper:
    """A daemon thread, started when it is first given something to watch.

    It reads each `Watched` when that is new, when it is due, on each new connection, and when the servers tell of it.
    Of several pushes the newest waits for its turn, so that no number of them fills the memory.

    Args:
        registry: Id of the registry, for the threads and the log.
        settings: Where to, and as whom.
        find: Gives what a push is about; called on another thread and must not block.
        announce: Called when something was read, or the connection came or went; must not wait for this thread.

    Attributes:
        session: With the servers.
        trouble: Why there is no connection, as it was told last; "" while there is one.
    """

    def __init__(
        self,
        registry: str,
        settings: Settings,
        find: Callable[[Message], Watched | None],
        announce: Callable[[], None],
    ) -> None:
        self.session = Session(settings, f"callahead-registry-{registry}-nacos", self._hear, self._notify)
        self.trouble = ""
        self._id = registry
        self._settings = settings
        self._find = find
        self._announce = announce
        self._changed = Condition()
        self._watched: tuple[Watched, ...] = ()
        self._pushed: dict[Watched, tuple[int, Body]] = {}
        self._number = 0
        self._began_at = 0.0
        self._closing = False
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

    def add(self, watched: Watched) -> None:
        """Watch one more, which is read soon."""
        with self._changed:
            self._watched = (*self._watched, watched)
            self._changed.notify_all()

    def read(self, watched: Watched) -> None:
        """Read *watched* now; to be called by what this thread reads.

        Raises:
            Lost: There is no connection any more.
        """
        watched.refresh(self.session, time.monotonic())

    def wait_for(self, watched: Iterable[Watched]) -> None:
        """Wait until all have been read, up to ``timeout``; that counts from `begin` while there is no connection."""
        wanted = tuple(watched)
        if current_thread() is self._thread:  # a listener subscribes: nobody else would read
            if self.session.is_up:
                self._refresh(each for each in wanted if not each.is_answered)
            return
        with self._changed:
            self._changed.wait_for(lambda: all(each.is_answered for each in wanted) or self._closing, self._patience())

    def close(self) -> None:
        """End the connection and the threads. Idempotent."""
        with self._changed:
            self._closing = True
            thread = self._thread
            self._changed.notify_all()
        if thread is not None and thread is not current_thread():
            thread.join(_GOODBYE_S)
            self.session.cut()
            thread.join()

    def before_fork(self) -> None:
        """Leave nothing of gRPC running; see `Session.before_fork`."""
        self.session.before_fork()

    def after_fork_in_parent(self) -> None:
        """Go on."""
        self.session.after_fork_in_parent()
        self._notify()

    def after_fork_in_child(self) -> None:
        """Have a thread and a connection of its own."""
        self._changed = Condition()
        self._pushed = {}
        self.session.after_fork_in_child()
        self._began_at = time.monotonic()
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
                    self._changed.wait_for(self._has_work, self._pause())
        finally:
            self.session.close()

    def _work(self) -> None:
        if not self.session.is_up:
            return
        if self._number != self.session.number:
            self._number = self.session.number
            for each in self._watched:
                each.renew()
        self._take_pushes()
        self._refresh(each for each in self._watched if each.due_at <= time.monotonic())
        with contextlib.suppress(RegistryError):  # there is no connection any more; or only no answer to that
            self.session.beat()

    def _take_pushes(self) -> None:
        with self._changed:
            pushed, self._pushed = self._pushed, {}
        for watched, (number, body) in pushed.items():
            if number == self._number:
                watched.hear(body)

    def _refresh(self, watched: Iterable[Watched]) -> None:
        some = tuple(watched)
        try:
            for each in some:
                each.refresh(self.session, time.monotonic())
        except Lost:
            pass  # the rest is read on the next connection
        if some:
            self._announce()
            self._notify()

    def _has_work(self) -> bool:
        return self._closing or (self.session.is_up and bool(self._pushed)) or self._pause() == 0.0

    def _pause(self) -> float:
        if not self.session.is_up:
            return self.session.pause_s
        due_at = min((each.due_at for each in self._watched), default=math.inf)
        return max(0.0, min(self.session.pause_s, due_at - time.monotonic()))

    def _report(self) -> None:
        """Log and tell that the connection is there or not, or not for another reason."""
        trouble = self.session.trouble
        if trouble == self.trouble:
            return
        self.trouble = trouble
        if trouble:
            _log.warning("registry %s: %s: %s; known lists stay", self._id, self._settings.address, trouble)
        else:
            _log.info("registry %s: %s: there is a connection", self._id, self._settings.address)
        self._announce()

    def _hear(self, number: int, push: Message) -> None:
        watched = self._find(push)
        if watched is not None:
            with self._changed:
                self._pushed[watched] = (number, push.body)
                self._changed.notify_all()

    def _notify(self) -> None:
        with self._changed:
            self._changed.notify_all()
