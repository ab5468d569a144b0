"""What a registry lists and nobody can understand."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Final

from callahead.config.values.secret import masked

_log = logging.getLogger("callahead.registry")

# A list may have a hundred thousand entries, all of them wrong in the same way.
_MOST_TOLD: Final = 10
_SHOWN: Final = 300


class PassedOver:
    """Logs the entries of one list that make no sense, each once while it stands there, and the first few of many.

    Args:
        what: Such an entry, as the log calls it.

    Attributes:
        note: How many there are and what is wrong with one, to follow the reason of a list; "" where there is none.
    """

    def __init__(self, what: str) -> None:
        self._what = what
        self._known: frozenset[str] = frozenset()
        self.note = ""

    def tell(self, place: str, faults: Mapping[str, str]) -> None:
        """Take over the *faults* of the list as it is now: what is wrong, by what tells one entry from another."""
        new = sorted(faults.keys() - self._known)
        for name in new[:_MOST_TOLD]:
            _log.warning("%s: %s is passed over: %s", place, self._what, masked(faults[name]))
        if len(new) > _MOST_TOLD:
            _log.warning("%s: %d more are passed over", place, len(new) - _MOST_TOLD)
        self._known = frozenset(faults)
        self.note = self._noted(faults)

    def _noted(self, faults: Mapping[str, str]) -> str:
        if not faults:
            return ""
        first = masked(faults[min(faults)])
        cut = first if len(first) <= _SHOWN else f"{first[:_SHOWN]}..."
        return f"; {len(faults)} passed over, such as {cut}"
