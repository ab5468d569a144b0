"""What is known of one interface in ZooKeeper, and of all of them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping

from callahead.config.values.secret import masked

from ..catalogue import Catalogue
from ..models import Endpoint, ServiceKey

_log = logging.getLogger("callahead.registry")

_KEPT = "none is listed since the session was lost; the last good list stays until one is"


class Folder:
    """The providers of one interface, as they were read last.

    Attributes:
        interface: Its name; ``*`` stands for the root, whose children are interfaces.
        watch: Called by kazoo at each event; always the same object, of which kazoo keeps one.
        services: What was read last and taken.
        problem: Why *services* is not what stands there now; "" where it is.
        is_answered: It has been looked for at least once, with whatever result.
        is_guarded: The session was lost after *services* was read, so that an empty list is no news of providers: a
            server whose data are gone shows the same.
    """

    def __init__(self, interface: str, outdated: Callable[[str], None]) -> None:
        self.interface = interface
        self.watch: Callable[[object], None] = lambda _event: outdated(interface)
        self.services: Mapping[ServiceKey, tuple[Endpoint, ...]] = {}
        self.problem = ""
        self.is_answered = False
        self.is_guarded = False
        self._faults: frozenset[str] = frozenset()

    def take(self, catalogue: Catalogue) -> None:
        """Take over what has been read, unless it is empty for a reason that may not be the providers'."""
        if self.is_guarded and self.services and not catalogue.services:
            self.fail(_KEPT)
            return
        self.is_guarded = False
        self.services, self.problem = catalogue.services, ""

    def fail(self, problem: str) -> None:
        """Keep what was read before, and say why."""
        if problem != self.problem:
            _log.warning("%s: %s", self.interface, problem)
        self.problem = problem

    def complain(self, source: str, faults: Mapping[str, str]) -> None:
        """Log the nodes that cannot be understood, each once while it stands there."""
        for name in sorted(faults.keys() - self._faults):
            _log.warning("%s: %s: a node is passed over: %s", source, self.interface, masked(faults[name]))
        self._faults = frozenset(faults)


def together(source: str, folders: Iterable[Folder]) -> Catalogue:
    """Join what is known of all interfaces."""
    return Catalogue(source, {key: found for folder in folders for key, found in folder.services.items()})
