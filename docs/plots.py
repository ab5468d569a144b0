"""Bars beside the listings of figures: a page says ``.. plot:: calls per s`` above a listing and gets that column.

The listing is what ``python -m benchmarks`` printed. Each of its tables begins with ``title: key  column  column``, and
the plot shows those that have the column, at one scale.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from xml.etree.ElementTree import Element

from callahead.consumer.cli import svg

_PLOT = re.compile(r"^\.\. plot:: (.+)$", re.MULTILINE)
_LISTING = re.compile(r"^\.\. code-block:: text\n\n((?:   .*\n|\n)+)", re.MULTILINE)
_HEADING = re.compile(r"^(.+)\n-{3,}$", re.MULTILINE)
_COLUMNS = re.compile(r" {2,}")
_FIRST = re.compile(r"(.+): [a-z]+")
_HEADING_HEIGHT = 34
_ROW = 36
_BAR = 8
_GAP = 8


@dataclass(frozen=True, slots=True)
class Table:
    """One table of a listing: its title, and of each row the name and the figures by column, as they are written."""

    title: str
    rows: Sequence[tuple[str, dict[str, str]]]

    def has(self, column: str) -> bool:
        """Say whether the rows have a figure in *column*."""
        return any(column in figures for _, figures in self.rows)


def expand(page: str) -> str:
    """Replace each ``.. plot:: column`` in the text of *page* by the bars of the listing below it."""
    return _PLOT.sub(lambda match: _raw(_plot(page, match.start(), match[1])), page)


def _raw(picture: str) -> str:
    lines = [f"   {line}" for line in picture.splitlines()]
    return "\n".join([".. raw:: html", "", *lines])


def _plot(page: str, at: int, column: str) -> str:
    listing = _LISTING.search(page, at)
    headings = [match[1] for match in _HEADING.finditer(page, 0, at)]
    tables = [table for table in tables_of("" if listing is None else listing[1]) if table.has(column)]
    if not tables:
        raise ValueError(f"no listing with a column {column!r} follows, under {headings[-1:]}")
    return bars(f"{headings[-1]}: {column}", tables, column)


def tables_of(listing: str) -> list[Table]:
    """Read the tables of *listing*; what has no columns is passed over."""
    return [table for part in re.split(r"\n\s*\n", listing) for table in _table(part)]


def _table(part: str) -> Iterator[Table]:
    head, *rows = [_COLUMNS.split(line.strip()) for line in part.strip("\n").splitlines()] or [[""]]
    title = _FIRST.fullmatch(head[0])
    if title is not None and len(head) > 1:
        yield Table(title[1], [(name, dict(zip(head[1:], figures, strict=True))) for name, *figures in rows])


def value_of(figure: str) -> float:
    """Read a figure as it is written: ``45,099`` or ``-0.54``."""
    return float(figure.replace(",", ""))


def bars(title: str, tables: Sequence[Table], column: str) -> str:
    """Draw *column* of *tables* as an SVG: the first row of each, to which it is compared, stands out."""
    root = svg.picture(title, " ".join(_told(table, column) for table in tables))
    most = max(value_of(figures[column]) for table in tables for _, figures in table.rows)
    y = 0.0
    for table in tables:
        y = _panel(root, y, table, column, most)
    return svg.text_of(svg.finish(root, y))


def _panel(root: Element, y: float, table: Table, column: str, most: float) -> float:
    """Draw one table from *y* on, and give where the next begins."""
    group = svg.add(root, "g", class_="table")
    svg.heading(group, y + 24, f"{table.title}: {column}")
    y += _HEADING_HEIGHT
    for place, (name, figures) in enumerate(table.rows):
        look = {"fill": svg.PALETTE[0]} if place == 0 else {"fill_opacity": "0.45"}
        svg.label(group, y + 14, name, figures[column])
        length = max(0.0, value_of(figures[column])) / most * svg.INNER
        figure = {"data_name": name, "data_value": figures[column]}
        svg.add(group, "rect", rx=2, x=svg.MARGIN, y=y + 20, width=length, height=_BAR, **look, **figure)
        y += _ROW
    return y + _GAP


def _told(table: Table, column: str) -> str:
    figures = ", ".join(f"{name} {figures[column]}" for name, figures in table.rows)
    return f"{table.title}, {column}: {figures}."
