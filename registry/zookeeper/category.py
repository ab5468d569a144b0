"""The URLs of one interface in a category such as ``configurators``."""

from __future__ import annotations

from collections.abc import Callable

from ..url import Url
from ..url_lists import MOST_URLS, UrlsKey
from .folder import KEPT
from .nodes import folder_of, url_of
from .parsed import Parsed
from .session import Session
from .settings import Settings
from .watched import TooManyNodes, Watched


class Category(Watched):
    """The URLs that the nodes of one folder are, as they were read last.

    Attributes:
        urls: What was read last and taken.
        is_known: They were read once.
    """

    def __init__(self, key: UrlsKey, settings: Settings, outdated: Callable[[Watched], None]) -> None:
        super().__init__(settings.address, f"{key.interface}/{key.category}", outdated)
        self.urls: tuple[Url, ...] = ()
        self.is_known = False
        self._path = folder_of(settings.root, *key)
        self._nodes = Parsed(lambda name, _data: url_of(name))

    def read(self, session: Session) -> None:
        """Take over the names of the nodes.

        A folder that is empty is believed even after the session was lost, since whoever takes the last rule out
        leaves it standing; one that is gone then speaks of servers whose data are gone.
        """
        found = session.children(self._path, self.watch)
        if found is None and self.is_guarded and self.urls:
            self.fail(KEPT)
            return
        names = found or []
        if len(names) > MOST_URLS:
            raise TooManyNodes(f"it has {len(names)} nodes, and may have {MOST_URLS}; the last good list stays")
        self._nodes.take(dict.fromkeys(names, b""))
        self.passed_over.tell(f"{self.source}: {self.name}", self._nodes.faults)
        self.is_guarded = False
        self.urls, self.problem, self.is_known = tuple(self._nodes.found), "", True
