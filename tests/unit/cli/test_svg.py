"""What every SVG picture of ours is made with."""

from __future__ import annotations

from xml.etree import ElementTree as ET

import pytest

from callahead.consumer.cli import svg

# The pages that a picture may stand on, light and dark.
PAGES = ("#ffffff", "#131416")


def luminance(colour: str) -> float:
    """Relative luminance by WCAG 2."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("colour", svg.PALETTE)
def test_every_colour_stands_out_on_light_and_dark_pages(colour: str, page: str) -> None:
    """By the ratio that WCAG asks of graphics."""
    dark, light = sorted((luminance(colour), luminance(page)))
    assert (light + 0.05) / (dark + 0.05) >= 3


def test_a_picture_has_a_title_and_a_description() -> None:
    """A screen reader is led to both by their ids."""
    root = svg.picture("Two & three", "what it shows")
    found = {element.get("id"): element.text for element in ET.fromstring(svg.text_of(svg.finish(root, 10))).iter()}

    assert root.get("role") == "img"
    names = root.attrib["aria-labelledby"].split()
    assert [found[name] for name in names] == ["Two & three", "what it shows"]


@pytest.mark.parametrize("text", ["<&>\"'", "a\x00\x1b\nb", "\ud800", "\u2028"])
def test_any_text_makes_a_picture_that_can_be_parsed(text: str) -> None:
    """Names come from configurations and peers; XML has no place for some characters at all."""
    root = svg.picture("title", text)
    svg.add(root, "text", text, data_name=text)
    written = svg.text_of(svg.finish(root, 10)).encode()

    shown = ET.fromstring(written)[-1]
    assert shown.text == shown.get("data-name") == svg.printable(text)


@pytest.mark.parametrize(
    ("most", "expected"),
    [
        (1100, [0, 200, 400, 600, 800, 1000]),
        (1200, [0, 200, 400, 600, 800, 1000, 1200]),
        (1, [0, 0.2, 0.4, 0.6, 0.8, 1]),
        (3, [0, 0.5, 1, 1.5, 2, 2.5, 3]),
        (86_400_000, [0, 20e6, 40e6, 60e6, 80e6]),
    ],
)
def test_an_axis_has_round_numbers(most: float, expected: list[float]) -> None:
    """At most six and the zero."""
    assert svg.ticks(most) == pytest.approx(expected)


@pytest.mark.parametrize(("value", "expected"), [(2.0, "2"), (2.04, "2"), (0.15, "0.1"), (1 / 3, "0.3"), (7, "7")])
def test_a_number_has_one_decimal_place_at_most(value: float, expected: str) -> None:
    """So a picture does not differ from machine to machine."""
    assert svg.number(value) == expected
