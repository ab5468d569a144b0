"""``sticky``: the provider of the call before, as long as it is there."""

from __future__ import annotations

from collections.abc import Sequence

from ..call.invocation import Invocation
from ..call.provider import Provider
from .api import LoadBalance


class Sticky:
    """Chooses the provider that was chosen last, where it is among those to choose from; else another one does.

    Source: Dubbo ``AbstractClusterInvoker.select``; a repetition goes elsewhere, and the calls after it stay there.
    """

    def __init__(self, other: LoadBalance) -> None:
        self._other = other
        self._last: tuple[Sequence[Provider], Provider | None] = ((), None)

    def select(self, providers: Sequence[Provider], invocation: Invocation) -> Provider:
        """Choose; see `LoadBalance.select`."""
        seen, last = self._last
        if last is None or (seen is not providers and last not in providers):
            last = self._other.select(providers, invocation)
        self._last = (providers, last)
        return last
