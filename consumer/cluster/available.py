"""The first provider that can be had."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ..call.invocation import Invocation
from ..call.provider import Provider
from .api import ClusterParts
from .failfast import FailfastCluster


class AvailableCluster(FailfastCluster):
    """Asks the first provider of the list that can be reached, once; for one that others stand by for.

    The order is that of ``url``, or of the registry. Source: Dubbo ``AvailableCluster``.
    """

    def __init__(self, parts: ClusterParts) -> None:
        super().__init__(replace(parts, loadbalance=_First()))


class _First:
    """Chooses the first."""

    def __init__(self, random: object = None) -> None:
        del random

    def select(self, providers: Sequence[Provider], invocation: Invocation) -> Provider:  # noqa: ARG002
        return providers[0]
