"""Which threads run callbacks."""

from __future__ import annotations

from dataclasses import replace

from ..check.models import CallbackModel
from ..policy import CallbackPolicy
from ..read.report import Report
from .levels import Level


def callback_policy(model: CallbackModel, consumer: Level, report: Report) -> CallbackPolicy:
    """Make the policy of what *consumer* says; an ``overflow`` without a bound is noted in *report*."""
    entry = consumer.place("callback_executor")
    queue, overflow = entry.get("queue"), entry.get("overflow")
    if overflow is not None and not model.queue and (queue is None or model.queue == 0):
        text = "says nothing where any number of callbacks may wait"
        report.at(overflow, text, "set queue beside it, the most that may" if queue is None else "let queue be above 0")
    policy: CallbackPolicy = model.policy()
    return policy if queue is None else replace(policy, origin=report.origin(queue))
