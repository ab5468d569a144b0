"""What the log is told of the rules that registries keep."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from callahead.registry.forking import fork_safe_lock

_LOG = logging.getLogger("callahead.consumer.router")

# Rules of which something has been told; beyond that the oldest may be told of again.
_MOST_KNOWN = 10_000


class RuleLog:
    """Tells each thing once, however many references obey the same rule; one for each consumer. Any thread."""

    def __init__(self) -> None:
        self._lock = fork_safe_lock()
        self._known: dict[tuple[str, str], tuple[int, set[str]]] = {}

    def of(self, registries: Sequence[str]) -> RegistryLog:
        """Give what tells of the rules of *registries*, by the names that the configuration has for them."""
        return RegistryLog(self, f"registr{'y' if len(registries) == 1 else 'ies'} {', '.join(registries)}")

    def tell(self, level: int, place: tuple[str, str], text: str, message: str) -> None:
        """Log *message*, unless the rule at *place* has been told of so while it was *text*."""
        version = hash(text)
        with self._lock:
            known = self._known.pop(place, None)
            told = known[1] if known is not None and known[0] == version else set()
            self._known[place] = version, told
            if len(self._known) > _MOST_KNOWN:
                del self._known[next(iter(self._known))]
            if message in told:
                return
            told.add(message)
        _LOG.log(level, "%s: %s", place[0], message)


class RegistryLog:
    """Tells of the rules of one registry, or of several that one reference asks.

    Args:
        log: Knows what has been told.
        named: The registries.
    """

    def __init__(self, log: RuleLog, named: str) -> None:
        self._log = log
        self._named = named

    def info(self, rule: str, text: str, message: str) -> None:
        """Say what became of *rule*, which is *text* now."""
        self._log.tell(logging.INFO, (self._named, rule), text, message)

    def warning(self, rule: str, text: str, message: str) -> None:
        """Say what is wrong with it."""
        self._log.tell(logging.WARNING, (self._named, rule), text, message)
