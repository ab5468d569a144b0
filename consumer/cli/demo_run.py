"""What one run of the demo is, and what several of them say together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..scope.timeline import Span, Timeline

# Mode and its configuration, a file of callahead.conf.
MODES = {"sync": "demo-sync.yml", "async": "demo-async.yml", "lazy": "demo-lazy.yml"}
FOO_DELAY, BAR_DELAY = "500ms", "600ms"


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """The call site under one configuration.

    Attributes:
        mode: Key of `MODES`.
        timeline: Of its calls.
        found: What it returned.
    """

    mode: str
    timeline: Timeline
    found: tuple[Any, ...]


def saved(runs: list[Run]) -> tuple[float, float]:
    """Say how much less wall time the last run took than the first: in milliseconds, and in percent of the first."""
    first, last = runs[0].timeline.wall_ms, runs[-1].timeline.wall_ms
    return first - last, (first - last) / first * 100


def document(runs: list[Run]) -> dict[str, Any]:
    """Make what ``--json`` prints."""
    saved_ms, saved_percent = saved(runs)
    numbers = {"saved_ms": round(saved_ms, 1), "saved_percent": round(saved_percent, 1)}
    return {**numbers, **{run.mode: _run_document(run.timeline) for run in runs}}


def _run_document(timeline: Timeline) -> dict[str, Any]:
    return {
        "sum_ms": round(timeline.sum_ms, 1),
        "wall_ms": round(timeline.wall_ms, 1),
        "calls": [_call_document(span, timeline.end_of(span)) for span in timeline.spans],
    }


def _call_document(span: Span, end_ms: float) -> dict[str, Any]:
    return {"name": span.name, "start_ms": round(span.start_ms, 1), "end_ms": round(end_ms, 1)}
