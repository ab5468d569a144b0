"""The nodes by which the servers know who calls what, while a session lasts."""

from __future__ import annotations

import itertools
import logging
import os
import time
from typing import Final

from ..models import ServiceKey
from .nodes import consumer_node, folder_of
from .session import FAILURES, Session

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
        self._asked: set[ServiceKey] = set()
        self._enrolled: dict[ServiceKey, int | None] = {}

    def add(self, key: ServiceKey) -> None:
        """Enrol for *key*, soon."""
        self._asked.add(key)

    @property
    def has_new(self) -> bool:
        """`catch_up` has something to do, though the session is the same."""
        return bool(self._asked - self._enrolled.keys())

    def catch_up(self, session: Session) -> None:
        """Make the nodes that *session* does not have yet."""
        for key in [key for key in tuple(self._asked) if self._enrolled.get(key) != session.id]:
            number = session.id
            try:
                session.enrol(self._node(key, session.host))
            except (*FAILURES, OSError) as error:
                why = str(error) or type(error).__name__
                _log.warning("registry %s: the consumer of %s is not registered: %s", self._id, key, why)
            self._enrolled[key] = number

    def forget(self) -> None:
        """Begin anew, in a forked child."""
        self._enrolled = {}

    def _node(self, key: ServiceKey, host: str) -> str:
        folder = folder_of(self._root, key.interface, "consumers")
        return f"{folder}/{consumer_node(key, host, {**self._told, 'pid': str(os.getpid())})}"
