"""The runs of the demo as a picture, for whoever was not there."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from ..scope.timeline import Span, Timeline
from . import svg
from .demo_run import MODES, Run, saved
from .waterfall import Panel, waterfall


def picture(runs: list[Run]) -> str:
    """Draw *runs* as one SVG, the last with what it saved against the first."""
    _, percent = saved(runs)
    panels = [_panel(run) for run in runs[:-1]] + [_panel(runs[-1], f", {percent:.0f} % saved")]
    return svg.text_of(waterfall("callahead demo: the same calls under three configurations", panels))


def _panel(run: Run, more: str = "") -> Panel:
    timeline = run.timeline
    heading = f"{MODES[run.mode]}: {timeline.wall_ms / 1000:.3f} s{more}"
    return Panel(heading=heading, timeline=Timeline(tuple(map(_without_folders, timeline.spans)), timeline.wall_ms))


def _without_folders(span: Span) -> Span:
    """Leave out where callahead is installed, which a picture that is shown to others need not tell."""
    waits = tuple(replace(wait, site=Path(wait.site).name) for wait in span.waits)
    return replace(span, site=Path(span.site).name, waits=waits)
