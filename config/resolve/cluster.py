"""What a method must be for the way in which its calls are attempted."""

from __future__ import annotations

from collections.abc import Sequence

from ..check.listing import is_local
from ..extension import CLUSTER, available, load
from ..policy import MethodPolicy
from ..read.report import Report
from .levels import Level, setter


def asks_several(cluster: str) -> bool:
    """Tell whether *cluster* lets a call run at several providers though none has failed; imports its class."""
    try:
        return cluster in available(CLUSTER) and bool(getattr(load(CLUSTER, cluster), "asks_several", False))
    except Exception:  # the module of another distribution runs; whoever makes the cluster hears of it
        return False


def check_cluster(policy: MethodPolicy, levels: Sequence[Level], protocol: str, report: Report) -> None:
    """Note where *policy*, of a method or of all of a reference, runs a method twice that must not be.

    A ``hedge`` of a level above is for those methods that are idempotent; one of the method's own must be obeyed.

    Args:
        policy: What the levels add up to.
        levels: The most specific one first.
        protocol: Of the reference.
        report: Takes what is wrong.
    """
    if not policy.idempotent:
        _check_repeated(policy, levels, report)
    if policy.hedge.most and levels[0].value("hedge") is not None:
        place = levels[0].place("hedge")
        if not policy.idempotent:
            report.at(place, "runs a method twice, which must be idempotent", "write idempotent: true, if it is")
        elif policy.cluster != "failover":
            report.at(place, f"cannot stand beside cluster: {policy.cluster}", "write cluster: failover, or remove it")
        elif is_local(protocol):
            text = f'a reference of protocol "{protocol}" has one provider, so there is no other to ask'
            report.at(place, text, "remove it")


def _check_repeated(policy: MethodPolicy, levels: Sequence[Level], report: Report) -> None:
    level = setter(levels, "cluster")
    if level is not None and asks_several(policy.cluster):
        text = f"{policy.cluster} runs a method at several providers, which must be idempotent"
        report.at(level.place("cluster"), text, f"write idempotent: true for {policy.method}, if it is")
