"""The first page of docs/ shows what the demo is and does."""

from __future__ import annotations

import re
from xml.etree import ElementTree as ET

import pytest
from support.manual import DOCS, ROOT

from callahead.consumer.cli import svg
from callahead.consumer.cli.demo_view import difference
from callahead.consumer.cli.waterfall import Panel, waterfall
from callahead.consumer.scope import Span, Timeline, Wait

pytestmark = pytest.mark.source


def index() -> str:
    return (DOCS / "index.rst").read_text("utf-8")


def panel_of(group: ET.Element) -> Panel:
    """Read back what a part of a picture was drawn of."""
    spans = tuple(span_of(lane) for lane in group.findall("{*}g[@class='lane']"))
    return Panel(heading=group.findtext("{*}text", ""), timeline=Timeline(spans, float(group.attrib["data-wall-ms"])))


def span_of(lane: ET.Element) -> Span:
    waits = tuple(
        Wait(one.attrib["data-site"], float(one.attrib["data-start-ms"]), float(one.attrib["data-end-ms"]))
        for one in lane.findall("{*}rect[@class='wait']")
    )
    figures = {name: lane.attrib[f"data-{name}"] for name in ("name", "site", "mode")}
    start, end = float(lane.attrib["data-start-ms"]), float(lane.attrib["data-end-ms"])
    return Span(**figures, start_ms=start, end_ms=end, waits=waits)


def test_the_picture_is_what_the_demo_draws_today() -> None:
    """Its own figures, drawn again, give the file; else run ``callahead demo --svg docs/waterfall.svg``."""
    text = (DOCS / "waterfall.svg").read_text("utf-8")
    root = ET.fromstring(text)
    panels = [panel_of(group) for group in root.findall("{*}g[@class='panel']")]

    assert svg.text_of(waterfall(root.findtext("{*}title", ""), panels)) == text


def test_the_picture_shows_one_run_after_the_other_and_one_at_once() -> None:
    """Synchronous calls begin after one another, asynchronous ones together."""
    root = ET.parse(DOCS / "waterfall.svg").getroot()
    sync, *at_once = (panel_of(group).timeline for group in root.findall("{*}g[@class='panel']"))

    assert sync.spans[1].start_ms >= sync.end_of(sync.spans[0])
    assert len(at_once) == 2
    assert all(line.spans[1].start_ms < line.end_of(line.spans[0]) for line in at_once)
    assert ".. raw:: html\n   :file: waterfall.svg\n" in index()


def test_the_install_line_is_that_of_the_readme() -> None:
    """The command that CI runs."""
    readme = (ROOT / "README.rst").read_text("utf-8")
    command = re.search(r"^ +(python3 -m venv .* demo)$", readme, re.MULTILINE)
    assert command is not None
    assert f"\n   {command[1]}\n" in index()


def test_what_changes_in_the_yaml_is_what_differs_between_the_files_of_the_demo() -> None:
    """The signs and the lines are those that the demo itself prints."""
    shown = re.findall(r"^   ([-+]) +(find.*)$", index(), re.MULTILINE)
    assert shown == [re.search(r" ([-+]) (.*)", line).groups() for line in difference()]  # type: ignore[union-attr]


def test_every_page_is_in_a_group() -> None:
    """Of a tutorial, how-tos, reference and explanation."""
    groups = re.findall(r":caption: (.*)\n\n((?:   \S+\n)+)", index())
    assert [name for name, _ in groups] == ["Tutorial", "How to", "Reference", "Explanation"]
    listed = [page for _, pages in groups for page in pages.split()]
    assert sorted(listed) == sorted({path.stem for path in DOCS.glob("*.rst")} - {"index"})
