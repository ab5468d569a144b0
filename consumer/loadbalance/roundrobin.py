"""Smooth weighted round robin."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from ..call.invocation import Invocation
from ..call.provider import Provider
from ..runtime.forking import fork_safe_lock

_LOWEST = float("-inf")


class RoundRobinLoadBalance:
    """Take turns in proportion to the weights, spread evenly: with weights 5, 1, 1 a, a, b, a, c, a, a.

    Each choice adds every weight to its provider's score, takes the highest score and lowers it by the sum of weights.
    Cost O(n) under a lock. Source: Dubbo ``RoundRobinLoadBalance`` (after nginx); differs: a provider that left is
    forgotten with the list that it left, not after 60 s.
    """

    def __init__(self, random: Random) -> None:
        del random  # nothing here is left to chance
        self._lock = fork_safe_lock()
        self._scores: dict[Provider, int] = {}
        self._listed: Sequence[Provider] = ()
        self._weighted: list[tuple[Provider, int]] = []
        self._total = 0

    def select(self, providers: Sequence[Provider], invocation: Invocation) -> Provider:  # noqa: ARG002
        """Take the next turn; see `LoadBalance.select`."""
        with self._lock:
            if self._listed is not providers:
                self._take_over(providers)
            scores = self._scores
            chosen, highest = providers[0], _LOWEST
            for provider, weight in self._weighted:
                score = scores[provider] = scores[provider] + weight
                if score > highest:
                    chosen, highest = provider, score
            scores[chosen] -= self._total
            return chosen

    def _take_over(self, providers: Sequence[Provider]) -> None:
        # A retry asks about a part of the list: those left out keep their score until the whole list changes.
        if not set(providers) <= self._scores.keys():
            self._scores = {provider: self._scores.get(provider, 0) for provider in providers}
        weighted = [(provider, provider.weight) for provider in providers if provider.weight]
        self._weighted = weighted or [(provider, 1) for provider in providers]
        self._total = sum(weight for _, weight in self._weighted)
        self._listed = providers
