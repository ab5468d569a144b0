"""Which threads run callbacks."""

from __future__ import annotations

from ..check.models import CallbackModel
from ..policy import BUILT_IN, CallbackPolicy
from ..read.report import Report
from .levels import Level


def callback_policy(model: CallbackModel, consumer: Level, report: Report) -> CallbackPolicy:
    """Make the policy of what *consumer* says; an ``overflow`` without a bound is noted in *report*."""
    entry = consumer.place("callback_executor")
    queue, overflow = entry.get("queue"), entry.get("overflow")
    if overflow is not None and not model.queue and (queue is None or model.queue == 0):
        text = "says nothing where any number of callbacks may wait"
        report.at(overflow, text, "set queue beside it, the most that may" if queue is None else "let queue be above 0")
    values = {name: value for name, value in model if value is not None}
    return CallbackPolicy(**values, origin=BUILT_IN if queue is None else report.origin(queue))
