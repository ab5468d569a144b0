"""Calls drawn over time."""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree as ET

import pytest

from callahead.consumer.cli import svg
from callahead.consumer.cli.demo_picture import picture
from callahead.consumer.cli.demo_run import Run
from callahead.consumer.cli.waterfall import MOST_LANES, Panel, waterfall
from callahead.consumer.scope import Span, Timeline, Wait

SVG = "{http://www.w3.org/2000/svg}"


def call(name: str, start: float, end: float | None, **more: Any) -> Span:
    return Span(**{"name": name, "site": "", "mode": "sync", "start_ms": start, "end_ms": end, **more})


def panel(*times: tuple[float, float], wall: float = 0.0, heading: str = "all") -> Panel:
    return of(*(call(f"foo.m{number}", *bounds) for number, bounds in enumerate(times)), wall=wall, heading=heading)


def of(*spans: Span, wall: float = 0.0, heading: str = "all") -> Panel:
    return Panel(heading=heading, timeline=Timeline(spans, wall))


def drawn(*panels: Panel) -> ET.Element:
    return ET.fromstring(svg.text_of(waterfall("a picture", panels)))


def lanes(root: ET.Element) -> list[ET.Element]:
    return root.findall(f".//{SVG}g[@class='lane']")


def bars(root: ET.Element) -> list[tuple[float, float]]:
    """Where each bar begins and how long it is."""
    found = root.findall(f".//{SVG}rect[@class='call']")
    return [(float(bar.attrib["x"]), float(bar.attrib["width"])) for bar in found]


def figures(root: ET.Element) -> list[tuple[str, float, float]]:
    found = [lane.attrib for lane in lanes(root)]
    return [(bar["data-name"], float(bar["data-start-ms"]), float(bar["data-end-ms"])) for bar in found]


def texts(root: ET.Element) -> list[str]:
    return [element.text or "" for element in root.iter(f"{SVG}text")]


def test_equal_times_have_equal_lengths_in_all_panels() -> None:
    """One scale: 528 units stand for the longest time of all panels."""
    root = drawn(panel((0, 500), (500, 1000), wall=1056), panel((0, 500), (6, 506), wall=510))
    assert bars(root) == [(16, 250), (266, 250), (16, 250), (19, 250)]


def test_each_call_has_a_lane_in_the_order_of_the_beginnings() -> None:
    """The label stands above its bar."""
    root = drawn(panel((0, 100), (300, 400), wall=400))
    assert [name for name, _, _ in figures(root)] == ["foo.m0", "foo.m1"]
    tops = [float(bar.attrib["y"]) for bar in root.findall(f".//{SVG}rect[@class='call']")]
    assert tops == sorted(set(tops))
    assert texts(root)[:5] == ["all", "foo.m0", "0 – 100 ms", "foo.m1", "300 – 400 ms"]


def test_a_method_has_one_colour_in_all_panels() -> None:
    """So that a call is found again under the other configuration."""
    root = drawn(panel((0, 1), (1, 2)), panel((1, 2), (0, 1)))
    colours = {(lane.attrib["data-name"], lane.find(f"{SVG}rect").attrib["fill"]) for lane in lanes(root)}  # type: ignore[union-attr]
    assert len(colours) == 2


def test_a_call_without_length_can_be_seen() -> None:
    """A bar is at least one unit wide."""
    assert bars(drawn(panel((100, 100), wall=1000)))[0][1] == 1


@pytest.mark.parametrize("panels", [(), (panel(),), (panel((0, 0)),)], ids=["no panel", "no call", "no time"])
def test_nothing_is_no_fault(panels: tuple[Panel, ...]) -> None:
    """A program may make no call, or none that takes time."""
    assert texts(drawn(*panels))[-1] == "1 ms"


def test_nothing_reaches_beyond_the_picture() -> None:
    """Not a call that ended after the block did, nor a name of any length."""
    late = call("x" * 500, 5, 2000, waits=(Wait("late", 5, 3000),))
    root = drawn(of(late, wall=10))
    assert all(x + width <= 544 for x, width in bars(root))
    assert max(len(text) for text in texts(root)) < 50
    assert figures(root)[0][0] == late.name


def test_the_figures_in_a_picture_make_the_same_picture() -> None:
    """To a tenth of a millisecond; so a committed picture can be held to its code."""
    first = panel((0.26, 502.46), (503.4501, 1107.349), wall=1107.46)
    root = drawn(first)
    spans = [call(name, start, end) for name, start, end in figures(root)]
    assert ET.tostring(drawn(of(*spans, wall=1107.5))) == ET.tostring(root)


def test_the_description_tells_what_the_bars_show() -> None:
    """For who cannot see them."""
    root = drawn(panel((0, 500), (2, 1602.4), heading="both"), panel(heading="none"))
    assert root.findtext(f"{SVG}desc") == "both: foo.m0 0 – 500 ms, foo.m1 2 – 1,602 ms. none: no calls."


def test_long_times_have_an_axis_in_seconds() -> None:
    """From ten seconds on."""
    assert texts(drawn(panel((0, 60_000))))[-2:] == ["50 s", "60 s"]


def test_the_demo_says_in_the_picture_what_it_saved() -> None:
    """The two configurations, their wall times, and the percentage that the text has, too."""
    spans = (call("fooService.findFoo", 0, 500, site="/home/me/callsite.py:1 in find"),)
    walls = {"sync": 1100, "async": 602}
    runs = [Run(mode=mode, timeline=Timeline(spans, wall), found=()) for mode, wall in walls.items()]
    headings = [text for text in texts(ET.fromstring(picture(runs))) if ".yml" in text]
    assert headings == ["demo-sync.yml: 1.100 s", "demo-async.yml: 0.602 s, 45 % saved"]
    assert "/home" not in picture(runs)


def test_a_wait_is_hatched_over_the_bar_of_its_call() -> None:
    """Between its own bounds, and with its line."""
    [lane] = lanes(
        drawn(of(call("foo.find", 0, 1000, site="a.py:1 in page", waits=(Wait("a.py:2 in page", 500, 900),))))
    )
    [wait] = lane.findall(f"{SVG}rect[@class='wait']")
    assert (wait.attrib["x"], wait.attrib["width"], wait.attrib["fill"]) == ("280", "211.2", "url(#callahead-waits)")
    assert (wait.attrib["data-start-ms"], wait.attrib["data-site"]) == ("500", "a.py:2 in page")
    assert lane.findtext(f"{SVG}title", "").splitlines() == [
        "foo.find, 0 – 1,000 ms", "sync, called at a.py:1 in page", "waited for at a.py:2 in page",
    ]  # fmt: skip


def test_an_error_has_a_name_and_a_mark() -> None:
    """At the end of the bar."""
    root = drawn(of(call("foo.find", 0, 1000, error="CallTimeout")))
    assert "0 – 1,000 ms CallTimeout" in texts(root)
    assert len(root.findall(f".//{SVG}rect[@class='failed']")) == 1
    assert lanes(root)[0].get("data-error") == "CallTimeout"


def test_what_runs_reaches_to_the_end_and_has_none() -> None:
    """Nobody knows when it ends."""
    root = drawn(of(call("foo.find", 500, None), wall=1000))
    assert bars(root) == [(280, 264)]
    assert "500 ms – running" in texts(root)
    assert "data-end-ms" not in lanes(root)[0].attrib


def test_of_ten_thousand_calls_the_first_are_drawn() -> None:
    """The others are counted, in the picture and in its description."""
    root = drawn(panel(*[(at, at + 1) for at in range(10_000)], wall=10_001))
    assert len(lanes(root)) == MOST_LANES
    assert f"and {10_000 - MOST_LANES:,} calls that began later" in texts(root)
    assert root.findtext(f"{SVG}desc", "").endswith("and 9,980 more.")
