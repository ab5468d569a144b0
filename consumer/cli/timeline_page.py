"""A timeline as a page of HTML that needs nothing else: no script, and nothing that is loaded from anywhere."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from xml.etree.ElementTree import Element

from ..scope.timeline import EarlyTake, Timeline
from . import svg
from .timeline_report import advice, seconds
from .waterfall import Panel, waterfall

_MOST_TAKES = 50
# Elements are made one by one, so that whatever a program, a method or a file is called stays text.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'"
_STYLE = """
:root{color-scheme:light dark;color:#1f2328;background:#fff;font:16px/1.5 system-ui,sans-serif}
body{max-width:52rem;margin:0 auto;padding:1rem}
h1{font-size:1.4rem;overflow-wrap:anywhere}
h2{font-size:1.1rem;margin-top:2rem}
.scrolls{overflow-x:auto}
table{border-collapse:collapse}
th,td{text-align:left;vertical-align:top;padding:.3rem .8rem .3rem 0;border-bottom:1px solid #8884}
td.time{text-align:right;white-space:nowrap}
.early td:last-child{min-width:10rem}
td code{display:block;min-width:12rem;font-size:.85rem;overflow-wrap:anywhere}
svg.callahead-picture{width:100%;height:auto}
@media(prefers-color-scheme:dark){:root{color:#e6e8eb;background:#131416}}
"""
_LEGEND = (
    "Each call has a lane. Where its bar is hatched, code stood still for the answer; a red end is an error. "
    "Point at a call to see the lines."
)
_WHAT_IF = (
    "These lines took an answer although calls that could have run meanwhile began only after them. What is gained is "
    "worked out, and is there unless a later call needs the answer."
)


def page_of(timeline: Timeline, title: str) -> str:
    """Make the page of *timeline*, whose heading is *title*."""
    page = Element("html", {"lang": "en"})
    head = svg.add(page, "head")
    svg.add(head, "meta", charset="utf-8")
    svg.add(head, "meta", name="viewport", content="width=device-width, initial-scale=1")
    svg.add(head, "meta", http_equiv="Content-Security-Policy", content=_POLICY)
    svg.add(head, "title", title)
    svg.add(head, "style").text = _STYLE
    body = svg.add(page, "body")
    svg.add(body, "h1", title)
    _add_sums(body, timeline)
    if timeline.early:
        _add_takes(body, timeline.early)
    _add_calls(body, timeline)
    return "<!DOCTYPE html>\n" + svg.text_of(page, "html")


def _add_sums(body: Element, timeline: Timeline) -> None:
    rows = (
        ("sum of the calls", timeline.sum_ms),
        ("wall time", timeline.wall_ms),
        ("saved", timeline.saved_ms),
        ("wall time, if no answer were taken too early", timeline.possible_ms),
    )
    table = svg.add(svg.add(body, "table", class_="sums"), "tbody")
    for name, milliseconds in rows:
        row = svg.add(table, "tr")
        svg.add(row, "th", name, scope="row")
        svg.add(row, "td", seconds(milliseconds), class_="time")


def _add_takes(body: Element, takes: Sequence[EarlyTake]) -> None:
    svg.add(body, "h2", "Taken too early")
    svg.add(body, "p", _WHAT_IF)
    table = svg.add(svg.add(body, "div", class_="scrolls"), "table", class_="early")
    headings = svg.add(svg.add(table, "thead"), "tr")
    for heading in ("line", "waits", "for", "before this line calls", "gain"):
        svg.add(headings, "th", heading, scope="col")
    rows = svg.add(table, "tbody")
    for take in takes[:_MOST_TAKES]:
        _add_row(svg.add(rows, "tr"), take)
    if len(takes) > _MOST_TAKES:
        svg.add(body, "p", f"and {len(takes) - _MOST_TAKES:,} lines that gain less")


def _add_row(row: Element, take: EarlyTake) -> None:
    svg.add(svg.add(row, "td"), "code", take.site)
    svg.add(row, "td", seconds(take.waited_ms), class_="time")
    svg.add(row, "td", take.name)
    svg.add(svg.add(row, "td"), "code", take.before)
    svg.add(row, "td", f"{seconds(take.gain_ms)} {advice(take)}")


def _add_calls(body: Element, timeline: Timeline) -> None:
    svg.add(body, "h2", "Calls")
    svg.add(body, "p", _LEGEND)
    body.append(waterfall("Calls over time", [Panel(heading=" ".join(_counts(timeline)), timeline=timeline)]))


def _counts(timeline: Timeline) -> Iterator[str]:
    spans = timeline.spans
    failed, running = sum(bool(span.error) for span in spans), sum(span.end_ms is None for span in spans)
    yield f"{len(spans):,} calls" if len(spans) != 1 else "1 call"
    if failed:
        yield f"({failed:,} failed)"
    if running:
        yield f"({running:,} running)"
