"""Calls drawn over time."""

from __future__ import annotations

from xml.etree import ElementTree as ET

import pytest

from callahead.consumer.cli.demo_picture import picture
from callahead.consumer.cli.demo_run import Run
from callahead.consumer.cli.timeline import Span, Timeline
from callahead.consumer.cli.waterfall import Panel, waterfall

SVG = "{http://www.w3.org/2000/svg}"


def panel(*times: tuple[float, float], wall: float = 0.0, heading: str = "all") -> Panel:
    spans = [Span(name=f"foo.m{number}", start_ms=start, end_ms=end) for number, (start, end) in enumerate(times)]
    return Panel(heading=heading, spans=spans, wall_ms=wall)


def drawn(*panels: Panel) -> ET.Element:
    return ET.fromstring(waterfall("a picture", panels))


def bars(root: ET.Element) -> list[tuple[float, float]]:
    """Where each bar begins and how long it is."""
    found = root.findall(f".//{SVG}rect[@class='call']")
    return [(float(bar.attrib["x"]), float(bar.attrib["width"])) for bar in found]


def figures(root: ET.Element) -> list[tuple[str, float, float]]:
    found = [bar.attrib for bar in root.findall(f".//{SVG}rect[@class='call']")]
    return [(bar["data-name"], float(bar["data-start-ms"]), float(bar["data-end-ms"])) for bar in found]


def texts(root: ET.Element) -> list[str]:
    return [element.text or "" for element in root.iter(f"{SVG}text")]


def test_equal_times_have_equal_lengths_in_all_panels() -> None:
    """One scale: 528 units stand for the longest time of all panels."""
    root = drawn(panel((0, 500), (500, 1000), wall=1056), panel((0, 500), (6, 506), wall=510))
    assert bars(root) == [(16, 250), (266, 250), (16, 250), (19, 250)]


def test_each_call_has_a_lane_in_the_order_of_the_beginnings() -> None:
    """However the calls come; the label stands above its bar."""
    root = drawn(panel((300, 400), (0, 100), wall=400))
    assert [name for name, _, _ in figures(root)] == ["foo.m1", "foo.m0"]
    tops = [float(bar.attrib["y"]) for bar in root.iter(f"{SVG}rect")]
    assert tops == sorted(set(tops))
    assert texts(root)[:5] == ["all", "foo.m1", "0 – 100 ms", "foo.m0", "300 – 400 ms"]


def test_a_method_has_one_colour_in_all_panels() -> None:
    """So that a call is found again under the other configuration."""
    root = drawn(panel((0, 1), (1, 2)), panel((1, 2), (0, 1)))
    colours = [(bar.attrib["data-name"], bar.attrib["fill"]) for bar in root.iter(f"{SVG}rect")]
    assert len(set(colours)) == 2


def test_a_call_without_length_can_be_seen() -> None:
    """A bar is at least one unit wide."""
    assert bars(drawn(panel((100, 100), wall=1000)))[0][1] == 1


@pytest.mark.parametrize("panels", [(), (panel(),), (panel((0, 0)),)], ids=["no panel", "no call", "no time"])
def test_nothing_is_no_fault(panels: tuple[Panel, ...]) -> None:
    """A program may make no call, or none that takes time."""
    assert texts(drawn(*panels))[-1] == "1 ms"


def test_nothing_reaches_beyond_the_picture() -> None:
    """Not a call that ended after the block did, nor a name of any length."""
    late = Span(name="x" * 500, start_ms=5, end_ms=2000)
    root = drawn(Panel(heading="all", spans=[late], wall_ms=10))
    assert all(x + width <= 544 for x, width in bars(root))
    assert max(len(text) for text in texts(root)) < 50
    assert figures(root)[0][0] == late.name


def test_the_figures_in_a_picture_make_the_same_picture() -> None:
    """To a tenth of a millisecond; so a committed picture can be held to its code."""
    first = panel((0.26, 502.46), (503.4501, 1107.349), wall=1107.46)
    text = waterfall("a picture", [first])
    spans = [Span(name=name, start_ms=start, end_ms=end) for name, start, end in figures(ET.fromstring(text))]
    assert waterfall("a picture", [Panel(heading="all", spans=spans, wall_ms=1107.5)]) == text


def test_the_description_tells_what_the_bars_show() -> None:
    """For who cannot see them."""
    root = drawn(panel((0, 500), (2, 1602.4), heading="both"), panel(heading="none"))
    assert root.findtext(f"{SVG}desc") == "both: foo.m0 0 – 500 ms, foo.m1 2 – 1,602 ms. none: no calls."


def test_long_times_have_an_axis_in_seconds() -> None:
    """From ten seconds on."""
    assert texts(drawn(panel((0, 60_000))))[-2:] == ["50 s", "60 s"]


def test_the_demo_says_in_the_picture_what_it_saved() -> None:
    """The two configurations, their wall times, and the percentage that the text has, too."""
    spans = [Span(name="fooService.findFoo", start_ms=0, end_ms=500)]
    walls = {"sync": 1100, "async": 602}
    runs = [Run(mode=mode, timeline=Timeline(spans=spans, wall_ms=wall), found=()) for mode, wall in walls.items()]
    headings = [text for text in texts(ET.fromstring(picture(runs))) if ".yml" in text]
    assert headings == ["demo-sync.yml: 1.100 s", "demo-async.yml: 0.602 s, 45 % saved"]
