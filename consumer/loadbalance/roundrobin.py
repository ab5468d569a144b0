"""Smooth weighted round robin."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from ..forking import fork_safe_lock
from ..invocation import Invocation
from ..provider import Provider


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

    def select(self, providers: Sequence[Provider], invocation: Invocation) -> Provider:  # noqa: ARG002
        """Take the next turn; see `LoadBalance.select`."""
        equal = all(provider.weight == 0 for provider in providers)
        with self._lock:
            scores = self._scores_of(providers)
            for provider in providers:
                scores[provider] += 1 if equal else provider.weight
            chosen = max(
                (provider for provider in providers if equal or provider.weight), key=lambda provider: scores[provider]
            )
            scores[chosen] -= len(providers) if equal else sum(provider.weight for provider in providers)
            return chosen

    def _scores_of(self, providers: Sequence[Provider]) -> dict[Provider, int]:
        if self._listed is not providers:
            # A retry asks about a part of the list: those left out keep their score until the whole list changes.
            if not set(providers) <= self._scores.keys():
                self._scores = {provider: self._scores.get(provider, 0) for provider in providers}
            self._listed = providers
        return self._scores
