"""Which methods let their requests wait for each other."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ..check.models import BatchModel
from ..policy import BatchPolicy, MethodPolicy
from ..read.report import Report
from .levels import Chosen, Level, setter


def add_batch(chosen: Chosen, levels: Sequence[Level], report: Report) -> None:
    """Set ``batch`` where the calls of the method wait neither for an answer nor to be written.

    A level above the method's own is a default, which methods that wait pass over; one that asks for both is refused.
    """
    level = setter(levels, "batch")
    policy = None if level is None else _policy(level.value("batch"))
    if level is None or policy is None:
        return
    if chosen.values.get("returns", True):
        _refuse(levels, level, "returns", "for its answer", "write return: false", report)
    elif chosen.values.get("sent", False):
        _refuse(levels, level, "sent", "until it is written", "write sent: false", report)
    else:
        chosen.set("batch", policy, report.origin(level.place("batch")))


def _policy(model: BatchModel) -> BatchPolicy | None:
    if model.enabled is False:
        return None
    policy: BatchPolicy = model.policy()
    return policy


def _refuse(levels: Sequence[Level], level: Level, attribute: str, what: str, hint: str, report: Report) -> None:
    if level.section == "method":
        other = setter(levels, attribute)
        origin = "" if other is None else f"; the other value is set at {report.origin(other.place(attribute))}"
        report.at(level.place("batch"), f"a call that waits {what} cannot wait in a batch", f"{hint}{origin}")


def check_use(own: Level, methods: Iterable[MethodPolicy], report: Report) -> None:
    """Refuse a batch of *own*, a reference, that none of its *methods* has."""
    written = own.value("batch")
    if written is not None and _policy(written) is not None and not any(method.batch for method in methods):
        report.at(own.place("batch"), "no method of the reference is one-way", "write return: false where one is")
