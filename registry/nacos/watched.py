"""Something in the servers that a registry knows of, and of whose changes the servers tell it."""

from __future__ import annotations

import logging
import math
from abc import ABC, abstractmethod

from .errors import Lost, Refused
from .payload import Body
from .session import Session

_log = logging.getLogger("callahead.registry")

_RETRY_S = 5.0


class Watched(ABC):
    """What was said last stays where the servers cannot be asked, or say something that may not be so.

    Attributes:
        source: The address of the registry, for the log.
        name: Of this, for the log.
        problem: Why what is known is not what the servers say now; "" where it is.
        is_answered: The servers were asked at least once, with whatever result.
        is_known: What they said was taken at least once.
        is_guarded: The connection was lost after they were, so that finding nothing is no news: servers that have just
            started, or lost their data, say the same.
        pushed: What the servers have told since it was read, and nobody has looked at.
        due_at: When they are to be asked again, on the monotonic clock; infinite where a change will be told.
    """

    def __init__(self, source: str, name: str) -> None:
        self.source = source
        self.name = name
        self.problem = ""
        self.is_answered = False
        self.is_known = False
        self.is_guarded = False
        self.pushed: Body | None = None
        self.due_at = -math.inf

    @abstractmethod
    def read(self, session: Session, now: float) -> None:
        """Ask, and have the servers tell of the next change; or look at what they have told."""

    def hear(self, push: Body) -> None:
        """Be read soon, for the servers tell of a change."""
        self.pushed = push
        self.due_at = -math.inf

    def refresh(self, session: Session, now: float) -> None:
        """Read it, or keep what was read before and say why.

        Raises:
            Lost: There is no connection any more.
        """
        self.due_at = math.inf
        try:
            self.read(session, now)
        except Lost:
            self.due_at = -math.inf
            raise
        except Refused as error:
            self.fail(f"the server refuses {error}", now)
        self.is_answered = True

    def renew(self) -> None:
        """Be read again, on another connection."""
        self.is_guarded = True
        self.pushed = None
        self.due_at = -math.inf

    def fail(self, problem: str, now: float) -> None:
        """Keep what was read before, say why, and look again later."""
        if problem != self.problem:
            _log.warning("%s: %s: %s", self.source, self.name, problem)
        self.problem = problem
        self.due_at = now + _RETRY_S
