"""A timeline as text and as JSON."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from ..scope.timeline import EarlyTake, Span, Timeline
from .bars import bar, block_for

_MOST_ROWS = 60
_LABEL = 30
_TIMES = 18


def text_of(timeline: Timeline, width: int, *, ascii_only: bool = False) -> str:
    """Draw *timeline* in lines of at most *width* characters, but for names of files."""
    return "\n".join(_lines(timeline, width, block_for(ascii_only=ascii_only)))


def _lines(timeline: Timeline, width: int, block: str) -> Iterator[str]:
    if not timeline.spans:
        yield "no calls"
        return
    scale = max([timeline.wall_ms, *map(timeline.end_of, timeline.spans)])
    for span in timeline.spans[:_MOST_ROWS]:
        yield from _row(span, timeline, scale, width, block)
    left_out = len(timeline.spans) - _MOST_ROWS
    if left_out > 0:
        yield f"... and {left_out} more calls"
    yield ""
    yield summary(timeline)
    if timeline.early:
        yield ""
        yield "taken too early, so that calls ran one after the other, unless the later call needs the answer:"
        for take in timeline.early:
            yield from _told(take)


def summary(timeline: Timeline) -> str:
    """Say in one line how many calls there were, and what it gained that they overlapped."""
    percent = timeline.saved_ms / timeline.sum_ms * 100 if timeline.sum_ms else 0.0
    calls = f"{len(timeline.spans)} calls" if len(timeline.spans) != 1 else "1 call"
    saved = f"saved {seconds(timeline.saved_ms)} ({percent:.0f} %)"
    return f"{calls}: sum {seconds(timeline.sum_ms)}, wall {seconds(timeline.wall_ms)}, {saved}"


def _row(span: Span, timeline: Timeline, scale: float, width: int, block: str) -> Iterator[str]:
    end = "running" if span.end_ms is None else f"{span.end_ms:.0f}"
    times = f"{span.start_ms:.0f} - {end} ms{' ' + span.error if span.error else ''}"
    narrow = width < 2 * (_LABEL + _TIMES)
    room = width - 1 if narrow else width - _LABEL - _TIMES - 2
    drawn = bar(span.start_ms / scale, timeline.end_of(span) / scale, room, block)
    if narrow:
        yield f"{span.name} {times}"
        yield drawn
    else:
        yield f"{_cut(span.name):<{_LABEL}} {drawn:<{room}} {times}"


def _cut(name: str) -> str:
    return name if len(name) <= _LABEL else f"{name[: _LABEL - 3]}..."


def _told(take: EarlyTake) -> Iterator[str]:
    yield f"  {take.site}"
    yield f"    waits {seconds(take.waited_ms)} for {take.name}, before {take.before} calls;"
    yield f"    {advice(take)}: {seconds(take.gain_ms)} less"


def advice(take: EarlyTake) -> str:
    """Say what would gain what *take* costs."""
    return "were the call async or lazy" if take.mode == "sync" else "taken after that"


def seconds(milliseconds: float) -> str:
    """Write milliseconds as seconds, to the millisecond."""
    return f"{milliseconds / 1000:.3f} s"


def document_of(timeline: Timeline) -> dict[str, Any]:
    """Make the JSON object of *timeline*; all times are in milliseconds."""
    return {
        "calls": len(timeline.spans),
        "sum_ms": round(timeline.sum_ms, 1),
        "wall_ms": round(timeline.wall_ms, 1),
        "saved_ms": round(timeline.saved_ms, 1),
        "possible_ms": round(timeline.possible_ms, 1),
        "spans": [_plain({**asdict(span), "needs": sorted(span.needs)}) for span in timeline.spans],
        "early": [_plain(asdict(take)) for take in timeline.early],
    }


def _plain(values: Any) -> Any:
    """Round all milliseconds."""
    if isinstance(values, dict):
        return {key: _plain(value) for key, value in values.items()}
    if isinstance(values, list | tuple):
        return [_plain(value) for value in values]
    return round(values, 1) if isinstance(values, float) else values
