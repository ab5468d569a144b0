"""The nodes by which the servers know who calls what, while a session lasts."""

from __future__ import annotations

import itertools
import logging
import os
import time
from collections import deque
from typing import Final

from ..models import ServiceKey
from .nodes import consumer_node, folder_of
from .session import FAILURES, INTERRUPTIONS, Session

_log = logging.getLogger("callahead.registry")

# Two registries of one process may not share a node, which would end with the first of them.
_STARTS: Final = itertools.count(time.time_ns() // 1_000_000)


class Enrolment:
    """Keeps one node under ``consumers`` for each service that was asked for.

    Args:
        registry: Id of the registry, for the log.
        root: Path under which the interfaces stand.
        application: Name of this program, "" where it has none.
    """

    def __init__(self, registry: str, root: str, application: str) -> None:
        self._id = registry
        self._root = root
        self._told = {"application": application, "timestamp": str(next(_STARTS))}
        self._asked: dict[ServiceKey, None] = {}
        self._due: deque[ServiceKey] = deque()
        self._session: int | None = None

    def add(self, key: ServiceKey) -> None:
        """Enrol for *key*, soon."""
        if key not in self._asked:
            self._asked[key] = None
            self._due.append(key)

    @property
    def has_new(self) -> bool:
        """`catch_up` has something to do, though the session is the same."""
        return bool(self._due)

    def catch_up(self, session: Session) -> None:
        """Make the nodes that *session* does not have yet."""
        if session.id != self._session:
            self._session = session.id
            self._due = deque(tuple(self._asked))
        while self._due and self._is_done(self._due[0], session):
            self._due.popleft()

    def forget(self) -> None:
        """Begin anew, in a forked child."""
        self._session = None

    def _is_done(self, key: ServiceKey, session: Session) -> bool:
        """Enrol for *key*; False where that is to be tried again, for the connection was lost meanwhile."""
        try:
            session.enrol(self._node(key, session.host))
        except INTERRUPTIONS:
            return False
        except FAILURES as error:
            why = str(error) or type(error).__name__
            _log.warning("registry %s: the consumer of %s is not registered: %s", self._id, key, why)
        return True

    def _node(self, key: ServiceKey, host: str) -> str:
        folder = folder_of(self._root, key.interface, "consumers")
        return f"{folder}/{consumer_node(key, host, {**self._told, 'pid': str(os.getpid())})}"
