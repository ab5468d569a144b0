"""The provider that is asked the least at the moment."""

from __future__ import annotations

from collections.abc import Sequence

from ..call.attempt import Attempt
from ..call.invocation import Invocation, Outcome
from ..call.provider import Provider
from .api import LoadBalanceParts
from .draw import Urn
from .records import Records
from .weights import PerList

_DRAWS = 4


class Active:
    """How many attempts run at one provider."""

    __slots__ = ("running",)

    def __init__(self) -> None:
        self.running = 0


class LeastActiveLoadBalance:
    """Choose the provider with the fewest running attempts, among equal ones by chance and weight.

    Cost O(log n) where one of a few that are drawn is idle, since none has fewer; else O(n). Source: Dubbo
    ``LeastActiveLoadBalance``; differs: all attempts are counted, where Dubbo counts only with ``actives`` set.
    """

    def __init__(self, parts: LoadBalanceParts) -> None:
        self._random = parts.random
        self._urns = PerList(parts.weights, Urn)
        self.records = Records(Active)

    def select(self, providers: Sequence[Provider], invocation: Invocation) -> Provider:  # noqa: ARG002
        """Choose; see `LoadBalance.select`."""
        urn, running = self._urns.of(providers), self.records.running
        for _ in range(_DRAWS):
            drawn = urn.draw(self._random)
            if not running(drawn):
                return drawn
        return urn.draw_least(self._random, list(map(running, urn.providers)))

    def attempt_began(self, attempt: Attempt) -> None:
        """Count it; see `AttemptWatcher`."""
        self.records.begin(attempt.provider)

    def attempt_ended(self, attempt: Attempt, outcome: Outcome) -> None:  # noqa: ARG002
        """Count it no more."""
        self.records.end(attempt.provider)
