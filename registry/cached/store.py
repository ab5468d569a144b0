"""The lists of one registry in memory, and the thread that writes them."""

from __future__ import annotations

import logging
import time
from random import Random
from threading import Thread, current_thread
from typing import Final

from ..attempts import Attempts
from ..forking import fork_safe_condition, free_in_child
from ..models import Endpoint, ServiceKey
from .lists import Kept, ListFile

_log = logging.getLogger("callahead.registry")

# Changes come in crowds, of which only the last matters.
_SETTLE_S: Final = 1.0
# After a failure to write.
_REST_S: Final = 30.0


class ListStore:
    """Keeps the lists, and writes them a moment after they have changed.

    A daemon thread does that; it is started when there is something to do, and ended by `close`, which writes what is
    not written yet. In a forked child nothing is written: its parent does that.

    Args:
        registry: Id of the registry, for the thread and the log.
        path: Of the file; it is read when first asked for.
        random: Spreads further attempts at what has failed.

    Attributes:
        attempts: Tries again what could not be had from the registry; closed with this.
    """

    def __init__(self, registry: str, path: str, random: Random | None = None) -> None:
        self.path = path
        self.attempts = Attempts(registry, random)
        self._id = registry
        self._file = ListFile(path)
        self._changed = fork_safe_condition()
        self._lists: dict[str, Kept] | None = None
        self._unwritten: dict[str, Kept] = {}
        self._problem = ""
        self._closing = self._is_forked = False
        self._thread: Thread | None = None
        free_in_child(self._after_fork)

    def get(self, key: ServiceKey) -> Kept | None:
        """Give the last good list of *key*, of this process or of the one before it."""
        with self._changed:
            found = self._known().get(str(key))
        return found if found is not None and found.endpoints else None

    def put(self, key: ServiceKey, endpoints: tuple[Endpoint, ...]) -> None:
        """Keep *endpoints*; an empty list is no good one, for a registry whose data are gone shows the same."""
        with self._changed:
            if not endpoints or self._is_forked:
                return
            kept = Kept(endpoints, time.time())
            self._known()[str(key)] = kept
            self._unwritten[str(key)] = kept
            self._wake()

    def close(self) -> None:
        """End the thread, and write what is left to write. Idempotent."""
        self.attempts.close()
        with self._changed:
            self._closing = True
            thread = self._thread
            self._changed.notify_all()
        if thread is not None and thread is not current_thread():
            thread.join()

    def _known(self) -> dict[str, Kept]:
        if self._lists is None:
            self._lists = self._file.read()
        return self._lists

    def _wake(self) -> None:
        if self._thread is None and not self._closing:
            self._start()
        self._changed.notify_all()

    def _start(self) -> None:
        thread = Thread(target=self._run, name=f"callahead-registry-{self._id}-cache", daemon=True)
        try:
            thread.start()
        except RuntimeError as error:  # the system has no thread left: the next change tries again
            _log.warning("registry %s: %s is not written: %s", self._id, self.path, error)
            return
        self._thread = thread

    def _run(self) -> None:
        while not self._closing:
            with self._changed:
                self._changed.wait_for(lambda: self._closing or self._unwritten)
                self._changed.wait_for(lambda: self._closing, _REST_S if self._problem else _SETTLE_S)
            self._write()
        self._write()

    def _write(self) -> None:
        with self._changed:
            lists, self._unwritten = self._unwritten, {}
        if not lists:
            return
        try:
            self._file.write(lists)
        except (OSError, ValueError) as error:
            self._complain(str(error))
            with self._changed:
                self._unwritten = {**lists, **self._unwritten}
        else:
            self._problem = ""

    def _complain(self, problem: str) -> None:
        if problem != self._problem:
            _log.warning("registry %s: %s is not written: %s", self._id, self.path, problem)
        self._problem = problem

    def _after_fork(self) -> None:
        self._is_forked = True
        self._unwritten = {}
        if self._thread is not None and self._thread is not current_thread() and not self._closing:
            self._thread = None
