"""Weighted random choice."""

from __future__ import annotations

from collections.abc import Sequence

from ..call.invocation import Invocation
from ..call.provider import Provider
from .api import LoadBalanceParts
from .draw import Urn
from .weights import PerList


class RandomLoadBalance:
    """Choose by chance, in proportion to the weights.

    Cost O(log n), O(n) once per new list of providers. Source: Dubbo ``RandomLoadBalance``.
    """

    def __init__(self, parts: LoadBalanceParts) -> None:
        self._random = parts.random
        self._urns = PerList(parts.weights, Urn)

    def select(self, providers: Sequence[Provider], invocation: Invocation) -> Provider:  # noqa: ARG002
        """Choose by weight; see `LoadBalance.select`."""
        return self._urns.of(providers).draw(self._random)
