"""A text that a node holds, such as a rule."""

from __future__ import annotations

from collections.abc import Callable

from .session import Session
from .watched import Watched

MAX_BYTES = 1024 * 1024
"""More than that no text has; ZooKeeper itself takes no more, unless its ``jute.maxbuffer`` is raised."""


class Text(Watched):
    """What one node holds, as it was read last.

    Attributes:
        text: None where there is no such node.
        is_known: It was read once, and made sense.
    """

    def __init__(self, source: str, path: str, outdated: Callable[[Watched], None]) -> None:
        super().__init__(source, path, outdated)
        self.text: str | None = None
        self.is_known = False

    def read(self, session: Session) -> None:
        """Take over what the node holds, if that is a text of bearable size."""
        found = session.data(self.name, self.watch)
        if found is not None and len(found) > MAX_BYTES:
            self.fail(f"it holds {len(found)} bytes, and a text may have {MAX_BYTES}; the last one stays")
            return
        try:
            self.text, self.problem, self.is_known = None if found is None else found.decode(), "", True
        except UnicodeDecodeError as error:
            self.fail(f"what it holds is not UTF-8 ({error.reason} at byte {error.start}); the last text stays")
