"""A timeline as a page of HTML."""

from __future__ import annotations

import re
from html.parser import HTMLParser

from callahead.consumer.cli.timeline_page import page_of
from callahead.consumer.scope import Span, Timeline, Wait

ODD = "<script>alert(1)</script>&\"'"


class Reader(HTMLParser):
    """Collects the elements, attributes and text of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs

    def handle_data(self, data: str) -> None:
        self.text += data


def line(count: int = 2, name: str = "foo.find") -> Timeline:
    """Calls that wait for one another, each on a line of its own."""
    spans = [
        Span(
            name=name, site=f"{name}.py:{at} in page", mode="async", start_ms=at * 100, end_ms=at * 100 + 100,
            waits=(Wait(f"{name}.py:{at} in take", at * 100, at * 100 + 100),), thread=at // 100,
        )
        for at in range(count)
    ]  # fmt: skip
    return Timeline(tuple(spans), count * 100)


def test_it_has_the_sums_the_lines_and_the_picture() -> None:
    """What each is, is said beside it."""
    page = Reader(page_of(line(), "The calls of shop.py"))
    text = re.sub(r"\s+", " ", page.text)
    assert "sum of the calls 0.200 s wall time 0.200 s saved 0.000 s" in text
    assert "foo.find.py:0 in take 0.100 s foo.find foo.find.py:1 in page 0.100 s taken after that" in text
    assert page.tags.count("svg") == 1
    assert ("data-site", "foo.find.py:1 in page") in page.attributes


def test_names_stay_text() -> None:
    """Whatever a program, a file or a method is called."""
    page = Reader(page_of(line(name=ODD), ODD))
    assert "script" not in page.tags
    assert page.text.count(ODD) > 5
    assert ("data-name", ODD) in page.attributes


def test_nothing_is_loaded_from_anywhere() -> None:
    """Neither by an element nor by a style; the page forbids it, too."""
    page = page_of(line(), "title")
    addresses = [
        value for name, value in Reader(page).attributes if name in ("src", "href", "srcset", "data", "action")
    ]
    assert addresses == []
    assert re.findall(r"@import|url\((?!#)", page) == []
    assert "default-src 'none'" in page


def test_a_program_without_calls_has_a_page() -> None:
    """It says so."""
    page = Reader(page_of(Timeline((), 0.0), "title"))
    assert "0 calls" in page.text
    assert "Taken too early" not in page.text


def test_ten_thousand_calls_make_a_page_that_can_be_sent() -> None:
    """What is left out of the picture and of the table is counted."""
    made = page_of(line(10_000), "title")
    assert len(made) < 500_000
    text = Reader(made).text
    assert "10,000 calls" in text
    assert "and 9,700 calls that began later" in text


def test_of_many_early_lines_the_worst_are_shown() -> None:
    """The others are counted."""
    text = Reader(page_of(line(90), "title")).text
    assert len(re.findall(r"taken after that", text)) == 50
    assert "and 39 lines that gain less" in text
