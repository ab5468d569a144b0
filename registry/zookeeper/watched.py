"""Something in the servers that a registry reads, and reads again after each event in it."""

from __future__ import annotations

import logging
import time
from abc import ABC, abstractmethod
from collections.abc import Callable

from kazoo.exceptions import NoAuthError

from ..passed_over import PassedOver
from .session import FAILURES, Session

_log = logging.getLogger("callahead.registry")

# Reading anew takes at most a third of the time, however often something changes, and waits no longer than that.
_REST, _MOST_REST_S = 2.0, 1.0
_MOST_NODES = 100_000
_FORBIDDEN = "there is no permission to read it; set username and password"


class TooManyNodes(Exception):
    """A folder has more nodes than are read; the message says how many."""


class Watched(ABC):
    """One folder or node; what was read last stays where it cannot be read.

    Attributes:
        source: The address of the registry, for the log.
        name: Of this, for the log.
        watch: Called by kazoo at each event; always the same object, of which kazoo keeps one.
        problem: Why what is known is not what stands there now; "" where it is.
        is_answered: It has been looked for at least once, with whatever result.
        rests_until: Monotonic second before which it is not read again: a thousand instances that are started again one
            by one are read some times, not a thousand times.
        is_guarded: The session was lost after it was read, so that finding nothing is no news: servers whose data are
            gone show the same.
        passed_over: The nodes that make no sense.
    """

    def __init__(self, source: str, name: str, outdated: Callable[[Watched], None]) -> None:
        self.source = source
        self.name = name
        self.watch: Callable[[object], None] = lambda _event: outdated(self)
        self.problem = ""
        self.is_answered = False
        self.is_guarded = False
        self.rests_until = 0.0
        self.passed_over = PassedOver("a node")

    @abstractmethod
    def read(self, session: Session) -> None:
        """Take over what stands there, and ask to be told of the next change."""

    def refresh(self, session: Session) -> None:
        """Read it, or keep what was read before and say why."""
        began = time.monotonic()
        try:
            self.read(session)
        except NoAuthError:
            self.fail(_FORBIDDEN)
        except TooManyNodes as error:
            self.fail(str(error))
        except FAILURES as error:
            self.fail(f"it cannot be read: {str(error) or type(error).__name__}")
        self.is_answered = True
        now = time.monotonic()
        self.rests_until = now + min((now - began) * _REST, _MOST_REST_S)

    def names_in(self, session: Session, path: str) -> list[str]:
        """List the children of *path*, none where there is no such path, and ask to be told of the next change.

        Raises:
            TooManyNodes: Nobody has so many providers.
        """
        found = session.children(path, self.watch) or []
        if len(found) > _MOST_NODES:
            raise TooManyNodes(f"it has {len(found)} nodes, and may have {_MOST_NODES}; the last good list stays")
        return found

    def fail(self, problem: str) -> None:
        """Keep what was read before, and say why."""
        if problem != self.problem:
            _log.warning("%s: %s: %s", self.source, self.name, problem)
        self.problem = problem
