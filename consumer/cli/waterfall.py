"""Calls drawn over time: each a bar in a lane of its own, so that what ran at once stands one above the other."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from xml.etree.ElementTree import Element

from ..scope.timeline import Span, Timeline, Wait
from . import svg

MOST_LANES = 300
"""Calls of a panel that are drawn: a browser shows many more, but nobody looks at them."""

_MOST_TOLD = 20
_HEADING = 34
_LANE = 42
_BAR = 14
_GAP = 14
_SECONDS_FROM_MS = 10_000
_FAILED = "#cf222e"


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """Calls that belong together.

    Attributes:
        heading: What stands above them.
        timeline: The calls.
    """

    heading: str
    timeline: Timeline


def waterfall(title: str, panels: Sequence[Panel]) -> Element:
    """Draw *panels* one below the other, at one scale, as an SVG.

    Where code stood still for an answer, the bar is hatched. A call that failed has a red end and the name of its
    error; one that runs has no round end. Of a panel with many calls the first ones are drawn, and the others counted.
    The figures, in milliseconds, are in the attributes ``data-...`` of the bars, and the same figures give the same
    picture.
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
        self._hatching = svg.hatching(self._root, "callahead-waits")
        self._grid = svg.add(self._root, "g", class_="grid", stroke="currentColor", stroke_opacity="0.15")
        self._longest_ms = max([1.0, *(_end_of(panel.timeline) for panel in panels)])
        self._colours = _colours(panels)
        self._y = 0.0

    def show(self, panel: Panel) -> None:
        """Draw a heading and the lanes below it."""
        timeline = panel.timeline
        group = svg.add(self._root, "g", class_="panel", data_wall_ms=timeline.wall_ms)
        svg.heading(group, self._y + 24, panel.heading)
        self._y += _HEADING
        for span in timeline.spans[:MOST_LANES]:
            self._lane(group, span, timeline.end_of(span))
        left_out = len(timeline.spans) - MOST_LANES
        if left_out > 0:
            svg.label(group, self._y + 15, f"and {left_out:,} calls that began later", "")
            self._y += _LANE / 2
        self._y += _GAP

    def finish(self) -> Element:
        """Draw the axis, and the lines that lead down to it."""
        axis = svg.add(self._root, "g", class_="axis", fill_opacity="0.75", font_size=svg.FONT_SIZE - 2)
        for tick in svg.ticks(self._longest_ms):
            x = self._x(tick)
            svg.add(self._grid, "line", x1=x, x2=x, y1=_HEADING, y2=self._y)
            anchor = "start" if tick == 0 else "end" if x > svg.WIDTH - 2 * svg.MARGIN else "middle"
            svg.add(axis, "text", _time(tick), x=x, y=self._y + 14, text_anchor=anchor)
        return svg.finish(self._root, self._y + 24)

    def _lane(self, parent: Element, span: Span, end_ms: float) -> None:
        lane = svg.add(parent, "g", "", **_figures(span))
        svg.add(lane, "title").text = "\n".join(map(svg.printable, _lines(span)))
        svg.label(lane, self._y + 15, span.name, _times(span))
        look = {"class_": "call", "fill": self._colours[span.name], "rx": 3 if span.end_ms is not None else 0}
        self._bar(lane, span.start_ms, end_ms, **look)
        for wait in span.waits:
            self._bar(
                lane, wait.start_ms, wait.end_ms, class_="wait", fill=self._hatching, rx=look["rx"],
                data_site=wait.site, data_start_ms=wait.start_ms, data_end_ms=wait.end_ms,
            )  # fmt: skip
        if span.error:
            svg.add(
                lane, "rect", class_="failed", fill=_FAILED,
                x=self._x(end_ms) - 2, y=self._y + 18, width=3, height=_BAR + 6,
            )  # fmt: skip
        self._y += _LANE

    def _bar(self, lane: Element, start_ms: float, end_ms: float, **look: object) -> None:
        start, end = self._x(start_ms), self._x(end_ms)
        svg.add(lane, "rect", "", x=start, y=self._y + 21, width=max(1.0, end - start), height=_BAR, **look)

    def _x(self, at_ms: float) -> float:
        return svg.MARGIN + min(1.0, max(0.0, at_ms / self._longest_ms)) * svg.INNER


def _figures(span: Span) -> dict[str, object]:
    """Name all that a lane is drawn of; what runs has no end."""
    end = {} if span.end_ms is None else {"data_end_ms": span.end_ms}
    error = {"data_error": span.error} if span.error else {}
    return {
        "class_": "lane", "data_name": span.name, "data_site": span.site, "data_mode": span.mode,
        "data_start_ms": span.start_ms, **end, **error,
    }  # fmt: skip


def _rounded(panel: Panel) -> Panel:
    """Leave out of the figures what the attributes leave out, so that those give this very picture again."""
    timeline = panel.timeline
    spans = tuple(_rounded_span(span) for span in timeline.spans)
    return replace(panel, timeline=Timeline(spans, round(timeline.wall_ms, 1)))


def _rounded_span(span: Span) -> Span:
    end = None if span.end_ms is None else round(span.end_ms, 1)
    waits = tuple(Wait(wait.site, round(wait.start_ms, 1), round(wait.end_ms, 1)) for wait in span.waits)
    return replace(span, start_ms=round(span.start_ms, 1), end_ms=end, waits=waits)


def _end_of(timeline: Timeline) -> float:
    return max([timeline.wall_ms, *map(timeline.end_of, timeline.spans)])


def _colours(panels: Iterable[Panel]) -> dict[str, str]:
    """Give every name a colour, the same in all panels."""
    names = dict.fromkeys(span.name for panel in panels for span in panel.timeline.spans)
    return {name: svg.PALETTE[place % len(svg.PALETTE)] for place, name in enumerate(names)}


def _told(panel: Panel) -> str:
    spans = panel.timeline.spans
    calls = ", ".join(f"{span.name} {_times(span)}" for span in spans[:_MOST_TOLD])
    more = f" and {len(spans) - _MOST_TOLD:,} more" if len(spans) > _MOST_TOLD else ""
    return f"{panel.heading}: {calls or 'no calls'}{more}."


def _lines(span: Span) -> Iterator[str]:
    yield f"{span.name}, {_times(span)}"
    if span.site:
        yield f"{span.mode}, called at {span.site}"
    for site in dict.fromkeys(wait.site for wait in span.waits):
        if site != span.site:
            yield f"waited for at {site}"


def _times(span: Span) -> str:
    if span.end_ms is None:
        return f"{span.start_ms:,.0f} ms \N{EN DASH} running"
    times = f"{span.start_ms:,.0f} \N{EN DASH} {span.end_ms:,.0f} ms"
    return f"{times} {span.error}" if span.error else times


def _time(at_ms: float) -> str:
    return f"{at_ms / 1000:g} s" if at_ms >= _SECONDS_FROM_MS else f"{at_ms:,g} ms"
