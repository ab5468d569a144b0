"""The first page of docs/ shows what the demo is and does."""

from __future__ import annotations

import re
from xml.etree import ElementTree as ET

import pytest
from support.manual import DOCS, ROOT

from callahead.consumer.cli.demo_view import difference
from callahead.consumer.cli.timeline import Span
from callahead.consumer.cli.waterfall import Panel, waterfall

pytestmark = pytest.mark.source


def index() -> str:
    return (DOCS / "index.rst").read_text("utf-8")


def panel_of(group: ET.Element) -> Panel:
    """Read back what a part of a picture was drawn of."""
    bars = [bar.attrib for bar in group.findall("{*}rect")]
    spans = [
        Span(name=bar["data-name"], start_ms=float(bar["data-start-ms"]), end_ms=float(bar["data-end-ms"]))
        for bar in bars
    ]
    return Panel(heading=group.findtext("{*}text", ""), spans=spans, wall_ms=float(group.attrib["data-wall-ms"]))


def test_the_picture_is_what_the_demo_draws_today() -> None:
    """Its own figures, drawn again, give the file; else run ``callahead demo --svg docs/waterfall.svg``."""
    text = (DOCS / "waterfall.svg").read_text("utf-8")
    root = ET.fromstring(text)
    panels = [panel_of(group) for group in root.findall("{*}g[@class='panel']")]

    assert waterfall(root.findtext("{*}title", ""), panels) == text


def test_the_picture_shows_one_run_after_the_other_and_one_at_once() -> None:
    """Synchronous calls begin after one another, asynchronous ones together."""
    root = ET.parse(DOCS / "waterfall.svg").getroot()
    sync, at_once = (panel_of(group).spans for group in root.findall("{*}g[@class='panel']"))

    assert sync[1].start_ms >= sync[0].end_ms
    assert at_once[1].start_ms < at_once[0].end_ms
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
