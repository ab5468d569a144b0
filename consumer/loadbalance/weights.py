"""How much of the calls each provider is to get, as it is at the moment."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from ..call.provider import Provider
from ..runtime.deadline import Clock

STEP_S = 1.0
"""How long the weights of a list hold while a provider in it warms up, in seconds."""

_MOST_LISTS = 4

MadeT = TypeVar("MadeT")


def warmed(weight: int, uptime_ms: float, warm_ms: int) -> int:
    """Return the part of *weight* that a provider gets which has run for *uptime_ms* out of *warm_ms* > 0.

    At least 1, and that too for one whose clock is ahead. Source: Dubbo ``AbstractLoadBalance.calculateWarmupWeight``.
    """
    return max(1, min(weight, int(uptime_ms * weight / warm_ms)))


class Weights:
    """Weights of providers for the calls of one method.

    Source: Dubbo ``AbstractLoadBalance.getWeight``; differs: those of a list with providers that warm up are looked at
    once a second, and not at each call.

    Args:
        method: As the provider spells it; "" for any.
        clock: Monotonic seconds.
    """

    def __init__(self, method: str, clock: Clock) -> None:
        self._key = f"{method}.weight" if method else ""
        self._clock = clock

    def of(self, providers: Sequence[Provider]) -> tuple[list[int], float]:
        """Return the weight of each, and until which monotonic second these hold; 0 for as long as the list does."""
        key, now = self._key, self._clock()
        weights = [provider.weight_of(key) for provider in providers]
        cold = [place for place, provider in enumerate(providers) if provider.warm_at > now and weights[place]]
        for place in cold:
            provider = providers[place]
            uptime_ms = provider.warm_ms - (provider.warm_at - now) * 1000
            weights[place] = warmed(weights[place], uptime_ms, provider.warm_ms)
        return weights, now + STEP_S if cold else 0.0

    def are_over(self, until: float) -> bool:
        """Tell whether weights that hold until then are to be looked at again."""
        return self._clock() >= until


class _Entry(Generic[MadeT]):
    __slots__ = ("made", "providers", "until")

    def __init__(self, providers: Sequence[Provider], made: MadeT, until: float) -> None:
        self.providers = providers
        self.made = made
        self.until = until


class PerList(Generic[MadeT]):
    """What a load balancer makes of a list and its weights; made anew for another list, or for other weights.

    The work for the lists of the last calls is kept: a call that is repeated asks about a part of the list, and one
    that a rule or a zone narrows about another part. Any thread; two that need the same at the same moment may both
    make it.

    Args:
        weights: Of the method.
        make: Makes it.
    """

    def __init__(self, weights: Weights, make: Callable[[Sequence[Provider], list[int]], MadeT]) -> None:
        self._weights = weights
        self._make = make
        self._recent: _Entry[MadeT] | None = None
        self._known: list[_Entry[MadeT]] = []

    def of(self, providers: Sequence[Provider]) -> MadeT:
        """Return what was made of *providers*."""
        recent = self._recent
        if recent is None or recent.providers is not providers or self._is_over(recent):
            recent = self._recent = self._find(providers)
        return recent.made

    def _is_over(self, entry: _Entry[MadeT]) -> bool:
        return entry.until > 0 and self._weights.are_over(entry.until)

    def _find(self, providers: Sequence[Provider]) -> _Entry[MadeT]:
        known = self._known
        found = next((one for one in known if one.providers is providers and not self._is_over(one)), None)
        if found is None:
            weights, until = self._weights.of(providers)
            found = _Entry(providers, self._make(providers, weights), until)
        self._known = [*(one for one in known if one.providers is not providers), found][-_MOST_LISTS:]
        return found
