"""Calls drawn over time: each a bar in a lane of its own, so that what ran at once stands one above the other."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from xml.etree.ElementTree import Element

from . import svg
from .timeline import Span, in_order

_HEADING = 34
_LANE = 42
_BAR = 14
_GAP = 14
_SECONDS_FROM_MS = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """Calls that belong together.

    Attributes:
        heading: What stands above them.
        spans: The calls, in any order.
        wall_ms: How long all of it took.
    """

    heading: str
    spans: Sequence[Span]
    wall_ms: float


def waterfall(title: str, panels: Sequence[Panel]) -> str:
    """Draw *panels* one below the other, at one scale, as an SVG.

    The figures, in milliseconds, are in the attributes ``data-...`` of the bars, and the same figures give the same
    text.
    """
    shown = [_rounded(panel) for panel in panels]
    drawing = _Drawing(title, shown)
    for panel in shown:
        drawing.show(panel)
    return drawing.finish()


class _Drawing:
    """Grows downwards, by a panel at a time."""

    def __init__(self, title: str, panels: Sequence[Panel]) -> None:
        description = " ".join(_told(panel) for panel in panels)
        self._root = svg.picture(title, description)
        self._grid = svg.add(self._root, "g", class_="grid", stroke="currentColor", stroke_opacity="0.15")
        self._longest_ms = max([1.0, *(_end_of(panel) for panel in panels)])
        self._colours = _colours(panels)
        self._y = 0.0

    def show(self, panel: Panel) -> None:
        """Draw a heading and the lanes below it."""
        group = svg.add(self._root, "g", class_="panel", data_wall_ms=panel.wall_ms)
        svg.heading(group, self._y + 24, panel.heading)
        self._y += _HEADING
        for span in panel.spans:
            self._lane(group, span)
        self._y += _GAP

    def finish(self) -> str:
        """Draw the axis, and the lines that lead down to it."""
        axis = svg.add(self._root, "g", class_="axis", fill_opacity="0.75", font_size=svg.FONT_SIZE - 2)
        for tick in svg.ticks(self._longest_ms):
            x = self._x(tick)
            svg.add(self._grid, "line", x1=x, x2=x, y1=_HEADING, y2=self._y)
            anchor = "start" if tick == 0 else "end" if x > svg.WIDTH - 2 * svg.MARGIN else "middle"
            svg.add(axis, "text", _time(tick), x=x, y=self._y + 14, text_anchor=anchor)
        return svg.finished(self._root, self._y + 24)

    def _lane(self, group: Element, span: Span) -> None:
        svg.label(group, self._y + 15, span.name, _times(span))
        start, end = self._x(span.start_ms), self._x(span.end_ms)
        bar = svg.add(
            group, "rect", class_="call", fill=self._colours[span.name], rx=3,
            x=start, y=self._y + 21, width=max(1.0, end - start), height=_BAR,
            data_name=span.name, data_start_ms=span.start_ms, data_end_ms=span.end_ms,
        )  # fmt: skip
        svg.add(bar, "title", f"{span.name}, {_times(span)}")
        self._y += _LANE

    def _x(self, at_ms: float) -> float:
        return svg.MARGIN + at_ms / self._longest_ms * svg.INNER


def _rounded(panel: Panel) -> Panel:
    """Leave out of the figures what the attributes leave out, so that those give this very picture again."""
    spans = [
        replace(span, start_ms=round(span.start_ms, 1), end_ms=round(span.end_ms, 1)) for span in in_order(panel.spans)
    ]
    return replace(panel, spans=spans, wall_ms=round(panel.wall_ms, 1))


def _end_of(panel: Panel) -> float:
    return max([panel.wall_ms, *(span.end_ms for span in panel.spans)])


def _colours(panels: Iterable[Panel]) -> dict[str, str]:
    """Give every name a colour, the same in all panels."""
    names = dict.fromkeys(span.name for panel in panels for span in panel.spans)
    return {name: svg.PALETTE[place % len(svg.PALETTE)] for place, name in enumerate(names)}


def _told(panel: Panel) -> str:
    calls = ", ".join(f"{span.name} {_times(span)}" for span in panel.spans)
    return f"{panel.heading}: {calls or 'no calls'}."


def _times(span: Span) -> str:
    return f"{span.start_ms:,.0f} \N{EN DASH} {span.end_ms:,.0f} ms"


def _time(at_ms: float) -> str:
    return f"{at_ms / 1000:g} s" if at_ms >= _SECONDS_FROM_MS else f"{at_ms:,g} ms"
