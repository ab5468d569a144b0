"""The runs of the demo as a picture, for whoever was not there."""

from __future__ import annotations

from .demo_run import MODES, Run, saved
from .waterfall import Panel, waterfall


def picture(runs: list[Run]) -> str:
    """Draw *runs* as one SVG, the last with what it saved against the first."""
    _, percent = saved(runs)
    panels = [_panel(run) for run in runs[:-1]] + [_panel(runs[-1], f", {percent:.0f} % saved")]
    return waterfall("callahead demo: one function under two configurations", panels)


def _panel(run: Run, more: str = "") -> Panel:
    heading = f"{MODES[run.mode]}: {run.timeline.wall_ms / 1000:.3f} s{more}"
    return Panel(heading=heading, spans=run.timeline.spans, wall_ms=run.timeline.wall_ms)
