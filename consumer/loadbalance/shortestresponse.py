"""The provider whose answer is expected soonest."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from ..call.attempt import Attempt
from ..call.invocation import Invocation, Outcome
from ..call.provider import Provider
from .api import LoadBalanceParts
from .draw import Urn
from .records import Records, seconds_of
from .weights import PerList

WINDOW_S = 30.0
"""How long attempts are remembered, in seconds. Source: Dubbo ``slidePeriod``."""

_NEVER_S = 1e9


class Window:
    """The attempts that ended at one provider within a window of time."""

    __slots__ = ("count", "number", "running", "total")

    def __init__(self) -> None:
        self.running = 0
        self.number = self.count = 0
        self.total = 0.0

    def note(self, number: int, seconds: float) -> None:
        """Note one that took so long, in window *number*."""
        if self.number != number:
            self.number, self.count, self.total = number, 0, 0.0
        self.count += 1
        self.total += seconds

    def estimate(self, number: int) -> float:
        """Expect so many seconds of one more, in window *number*."""
        if self.number != number or not self.count:
            return self.running * _NEVER_S
        return self.total / self.count * (self.running + 1)


class ShortestResponseLoadBalance:
    """Choose by the mean time of a provider's last answers, times what runs there; among equals by chance and weight.

    Times are those since the window of 30 s began in which the choice falls. Cost O(n). Source: Dubbo
    ``ShortestResponseLoadBalance``; differs: a failed attempt counts as its timeout, and a provider of which nothing
    is known yet is asked once and not again before it has answered. In Dubbo either would draw all calls.
    """

    def __init__(self, parts: LoadBalanceParts) -> None:
        self._random = parts.random
        self._clock = parts.clock
        self._urns = PerList(parts.weights, Urn)
        self.records = Records(Window)

    def select(self, providers: Sequence[Provider], invocation: Invocation) -> Provider:  # noqa: ARG002
        """Choose; see `LoadBalance.select`."""
        urn, number = self._urns.of(providers), self._window()
        known = map(self.records.get, urn.providers)
        return urn.draw_least(self._random, [0.0 if one is None else one.estimate(number) for one in known])

    def _window(self) -> int:
        return int(self._clock() / WINDOW_S) + 1

    def attempt_began(self, attempt: Attempt) -> None:
        """Count it; see `AttemptWatcher`."""
        self.records.begin(attempt.provider)

    def attempt_ended(self, attempt: Attempt, outcome: Outcome) -> None:
        """Count it no more, and note how long it took."""
        seconds = seconds_of(attempt, outcome, self._clock())
        note = None if seconds is None else partial(Window.note, number=self._window(), seconds=seconds)
        self.records.end(attempt.provider, note)
