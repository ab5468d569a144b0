"""How much of the calls each provider is to get, as it is at the moment."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Generic, NamedTuple, TypeVar

from ..call.provider import Provider
from ..runtime.deadline import Clock

STEP_S = 1.0
"""How long the weights of a list hold while a provider in it warms up, in seconds."""

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
        self._key = f"{method}.weight" if method else "weight"
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
        return until > 0 and self._clock() >= until


class _Entry(NamedTuple, Generic[MadeT]):
    providers: Sequence[Provider]
    made: MadeT
    until: float


class PerList(Generic[MadeT]):
    """What a load balancer makes of a list and its weights; made anew for another list, or for other weights.

    The work for two lists is kept, so that a call which is repeated at a part of the list does not displace that for
    the whole of it. Any thread; two that need the same at the same moment may both make it.

    Args:
        weights: Of the method.
        make: Makes it.
    """

    def __init__(self, weights: Weights, make: Callable[[Sequence[Provider], list[int]], MadeT]) -> None:
        self._weights = weights
        self._make = make
        self._recent: _Entry[MadeT] | None = None
        self._before: _Entry[MadeT] | None = None

    def of(self, providers: Sequence[Provider]) -> MadeT:
        """Return what was made of *providers*."""
        recent = self._recent
        if (
            recent is None
            or recent.providers is not providers
            or (recent.until and self._weights.are_over(recent.until))
        ):
            recent = self._find(providers)
        return recent.made

    def _find(self, providers: Sequence[Provider]) -> _Entry[MadeT]:
        recent, before = self._recent, self._before
        if before is not None and before.providers is providers and not self._weights.are_over(before.until):
            found = before
        else:
            weights, until = self._weights.of(providers)
            found = _Entry(providers, self._make(providers, weights), until)
        if recent is not None and recent.providers is not providers:
            self._before = recent
        self._recent = found
        return found
