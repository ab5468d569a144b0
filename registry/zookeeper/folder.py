"""The providers of one interface in ZooKeeper, and of all of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from ..catalogue import Catalogue
from ..models import ANY, Endpoint, ServiceKey
from .nodes import folder_of, interfaces_in, newest_first, provider_of
from .parsed import Parsed
from .session import Session
from .settings import Settings
from .watched import Watched

KEPT = "none is listed since the session was lost; the last good list stays until one is"


class Folder(Watched):
    """The providers of one interface, as they were read last.

    Attributes:
        services: What was read last and taken.
    """

    def __init__(self, interface: str, settings: Settings, outdated: Callable[[Watched], None]) -> None:
        super().__init__(settings.address, interface, outdated)
        self.services: Mapping[ServiceKey, tuple[Endpoint, ...]] = {}
        self._path = folder_of(settings.root, interface, "providers")
        self._nodes = Parsed(lambda name, _data: provider_of(interface, name))

    def read(self, session: Session) -> None:
        """Take over the names of the nodes, each of which is the URL of a provider."""
        self._nodes.take(dict.fromkeys(self.names_in(session, self._path), b""))
        self.passed_over.tell(f"{self.source}: {self.name}", self._nodes.faults)
        self.take(Catalogue.of(self.source, newest_first(self._nodes.found)))

    def take(self, catalogue: Catalogue) -> None:
        """Take over what has been read, unless it is empty for a reason that may not be the providers'."""
        if self.is_guarded and self.services and not catalogue.services:
            self.fail(KEPT)
            return
        self.is_guarded = False
        self.services, self.problem = catalogue.services, ""


class Root(Folder):
    """The folder of all interfaces, for whoever asks for any.

    Args:
        found: Told of all their names, before this is answered.
    """

    def __init__(
        self, settings: Settings, outdated: Callable[[Watched], None], found: Callable[[list[str]], None]
    ) -> None:
        super().__init__(ANY, settings, outdated)
        self._top = settings.root or "/"
        self._found = found

    def read(self, session: Session) -> None:
        """Look which interfaces there are."""
        self._found(sorted(interfaces_in(self.names_in(session, self._top))))
        self.problem = ""


def together(source: str, folders: Iterable[Folder]) -> Catalogue:
    """Join what is known of all interfaces."""
    return Catalogue(source, {key: found for folder in folders for key, found in folder.services.items()})
