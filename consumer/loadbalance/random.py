"""Weighted random choice."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate
from random import Random

from ..call.invocation import Invocation
from ..call.provider import Provider


class RandomLoadBalance:
    """Choose by chance, in proportion to the weights.

    Cost O(log n), O(n) once per new list of providers. Source: Dubbo ``RandomLoadBalance``.
    """

    def __init__(self, random: Random) -> None:
        self._random = random
        self._known: tuple[Sequence[Provider], list[int]] = ((), [])

    def select(self, providers: Sequence[Provider], invocation: Invocation) -> Provider:  # noqa: ARG002
        """Choose by weight; see `LoadBalance.select`."""
        seen, sums = self._known
        if seen is not providers:
            sums = list(accumulate(provider.weight for provider in providers))
            self._known = (providers, sums)
        if sums[-1] == 0:
            return providers[int(self._random.random() * len(providers))]
        return providers[bisect_right(sums, self._random.random() * sums[-1])]
