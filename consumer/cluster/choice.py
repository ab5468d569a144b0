"""Which cluster a method has, and whether that can serve it."""

from __future__ import annotations

from typing import Any

from callahead.config.extension import CLUSTER, load
from callahead.config.policy import MethodPolicy, ReferencePolicy

from .api import Cluster, ClusterParts


def make_cluster(policy: MethodPolicy, parts: ClusterParts) -> Cluster:
    """Make what turns the calls of *policy* into attempts.

    Raises:
        ConfigError: It may run a method twice that is not ``idempotent``.
    """
    kind: Any = load(CLUSTER, policy.cluster)
    if getattr(kind, "asks_several", False) and not policy.idempotent:
        text = f"{policy.cluster} runs a method at several providers, which must be idempotent"
        raise policy.error("cluster", text, f"write idempotent: true for {policy.method}, if it is")
    if policy.hedge.most and policy.idempotent and policy.cluster == "failover":
        from .hedged import HedgedCluster  # which few methods need

        return HedgedCluster(parts, policy.hedge)
    cluster: Cluster = kind(parts)
    return cluster


def refuses_streams(policy: ReferencePolicy) -> bool:
    """Tell whether a method of *policy* may have a cluster that no stream can have."""
    return any(map(_refuses, {one.cluster for one in (policy.default, *policy.methods.values())}))


def check_stream(policy: MethodPolicy, method: str) -> None:
    """Make sure that the streaming *method* can have its cluster.

    Raises:
        ConfigError: It cannot.
    """
    if _refuses(policy.cluster):
        text = f"{policy.cluster} cannot serve {method}, which streams"
        raise policy.error("cluster", text, f"write cluster: failover for {method}")


def _refuses(cluster: str) -> bool:
    return bool(getattr(load(CLUSTER, cluster), "refuses_streams", False))
