"""The better one of two, by what providers say of their own load."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from typing import Any

from ..call.attempt import Attempt
from ..call.invocation import Invocation, Outcome
from ..call.provider import Provider
from .api import LoadBalanceParts
from .draw import Urn
from .records import Records, seconds_of
from .weights import PerList

ATTACHMENT = "lb_adaptive"
"""The attachment by which a provider is asked for its load, and answers. Source: Dubbo ``Constants``."""

_ASKED = "mem,load"
_BUSY = 100.0
_MOST_TEXT = 200


class Reported:
    """What is known of one provider's load.

    Source: Dubbo ``AdaptiveMetrics``.
    """

    __slots__ = ("_asked", "_at", "_cpu", "_ended", "_mean_ms", "_said_ms", "picked", "running")

    def __init__(self) -> None:
        self.running = self._asked = self._ended = 0
        self.picked = self._at = self._mean_ms = self._said_ms = 0.0
        self._cpu = _BUSY

    def begin(self, now: float) -> None:
        """Note that an attempt begins."""
        self._asked += 1
        self.picked = now

    def note(self, seconds: float, is_answer: bool, said: tuple[float, float] | None, now: float) -> None:
        """Note the end of an attempt.

        Args:
            seconds: It took so long.
            is_answer: The provider answered.
            said: When it said so by its own clock, in milliseconds, and its load in percent; None for nothing.
            now: Monotonic seconds.
        """
        self._ended += is_answer
        self._mean_ms = (self._mean_ms + seconds * 1000) / 2
        self._at = now
        if said is not None and said[0] >= self._said_ms:
            self._said_ms, self._cpu = said

    def load(self, now: float, timeout: float) -> float:
        """Weigh it; 0 where it was not picked for two *timeout* seconds, so that it is looked at again."""
        if now - self.picked > 2 * timeout:
            return 0.0
        answered = self._ended / (self._asked + 1)
        return self._cpu * (math.sqrt(self._faded_ms(now, timeout)) + 1) * (self.running + 1) / (answered + 1)

    def _faded_ms(self, now: float, timeout: float) -> float:
        if not self._at:  # before the first has ended it may take its whole timeout
            return timeout * 1000 if self.running else 0.0
        return self._mean_ms * math.exp2((self._at - now) / timeout)


class AdaptiveLoadBalance:
    """Draw two by weight, and choose the one with the lower load: what it says of its processors, its times, what runs.

    Providers of Dubbo 3 in Java answer the attachment ``lb_adaptive`` with their load; that of others counts
    as 100, so that of these the times and what runs there decide. Cost O(log n). Source: Dubbo ``AdaptiveLoadBalance``;
    differs: the two are drawn by weight, which is no part of the load then; times fade steadily; a failed attempt
    counts as its timeout, and so does the first one as long as it runs.
    """

    def __init__(self, parts: LoadBalanceParts) -> None:
        self._random = parts.random
        self._clock = parts.clock
        self._timeout = parts.policy.timeout_ms / 1000
        self._urns = PerList(parts.weights, Urn)
        self.records = Records(Reported)

    def select(self, providers: Sequence[Provider], invocation: Invocation) -> Provider:  # noqa: ARG002
        """Choose; see `LoadBalance.select`."""
        one, other = self._urns.of(providers).draw_two(self._random)
        return other if self._load(other) < self._load(one) else one

    def _load(self, provider: Provider) -> float:
        record = self.records.get(provider)
        return 0.0 if record is None else record.load(self._clock(), self._timeout)

    def attempt_began(self, attempt: Attempt) -> None:
        """Count it, and let it ask for the provider's load; see `AttemptWatcher`."""
        attempt.attachments = {**attempt.attachments, ATTACHMENT: _ASKED}
        self.records.begin(attempt.provider).begin(self._clock())

    def attempt_ended(self, attempt: Attempt, outcome: Outcome) -> None:
        """Count it no more, and note how long it took and what came with the answer."""
        now = self._clock()
        seconds = seconds_of(attempt, outcome, now)
        if seconds is None:
            self.records.end(attempt.provider)
            return
        said = load_in(attempt.response_attachments.get(ATTACHMENT))
        noted = partial(Reported.note, seconds=seconds, is_answer=outcome.error is None, said=said, now=now)
        self.records.end(attempt.provider, noted)


def load_in(text: Any) -> tuple[float, float] | None:
    """Read ``curTime:1795634098890,load:12.5``; None where that is not what stands there.

    A load below 0, by which Java says that its system does not tell, is none.
    """
    if not isinstance(text, str) or len(text) > _MOST_TEXT:
        return None
    said = dict(part.split(":", 1) for part in text.split(",") if ":" in part)
    try:
        at_ms, load = float(said["curTime"]), float(said["load"])
    except (KeyError, ValueError):
        return None
    return (at_ms, load) if math.isfinite(at_ms) and 0 <= load < math.inf else None
