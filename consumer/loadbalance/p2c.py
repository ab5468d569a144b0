"""The better one of two that are drawn."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial

from ..call.attempt import Attempt
from ..call.invocation import Invocation, Outcome
from ..call.provider import Provider
from .api import LoadBalanceParts
from .draw import Urn
from .records import Records, seconds_of
from .weights import PerList

DECAY_S = 10.0
"""In which time what was measured loses all but a share of 1/e of its say, in seconds. Source: Finagle."""

_UNKNOWN_S = 1e6


class PeakEwma:
    """A mean of a provider's times that follows a worse one at once, and a better one slowly; what was long ago fades.

    Source: Finagle ``PeakEwma``.
    """

    __slots__ = ("_at", "_mean", "running")

    def __init__(self) -> None:
        self.running = 0
        self._mean = self._at = 0.0

    def note(self, seconds: float, now: float) -> None:
        """Note an attempt that took so long."""
        share = self._share(now)
        mean = self._mean * share
        self._mean = seconds if seconds > mean else mean + seconds * (1 - share)
        self._at = now

    def load(self, now: float) -> float:
        """Weigh what runs there; before a first answer anything that runs weighs more than any known time."""
        if not self._mean:
            return self.running * _UNKNOWN_S
        return self._mean * self._share(now) * (self.running + 1)

    def _share(self, now: float) -> float:
        return math.exp(min(0.0, self._at - now) / DECAY_S)


class P2cLoadBalance:
    """Draw two by weight, and choose the one with the lower load: its mean time, times what runs there.

    Cost O(log n). Source: Finagle's ``p2cPeakEwma``; differs: the two are drawn by weight, and a failed attempt counts
    as its timeout, so that one which fails quickly draws no calls.
    """

    def __init__(self, parts: LoadBalanceParts) -> None:
        self._random = parts.random
        self._clock = parts.clock
        self._urns = PerList(parts.weights, Urn)
        self.records = Records(PeakEwma)

    def select(self, providers: Sequence[Provider], invocation: Invocation) -> Provider:  # noqa: ARG002
        """Choose; see `LoadBalance.select`."""
        one, other = self._urns.of(providers).draw_two(self._random)
        now, get = self._clock(), self.records.get
        known, known_other = get(one), get(other)
        if known is None:
            return one
        return other if known_other is None or known_other.load(now) < known.load(now) else one

    def attempt_began(self, attempt: Attempt) -> None:
        """Count it; see `AttemptWatcher`."""
        self.records.begin(attempt.provider)

    def attempt_ended(self, attempt: Attempt, outcome: Outcome) -> None:
        """Count it no more, and note how long it took."""
        now = self._clock()
        seconds = seconds_of(attempt, outcome, now)
        self.records.end(
            attempt.provider, None if seconds is None else partial(PeakEwma.note, seconds=seconds, now=now)
        )
