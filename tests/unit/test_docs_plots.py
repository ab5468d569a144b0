"""The bars of the manual show the figures of the listings below them."""

from __future__ import annotations

import re
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from support.manual import DOCS, module_of_docs

pytestmark = pytest.mark.source

PAGE = """
What it takes
-------------

.. plot:: us

.. code-block:: text

   2026-11-21, 2 cores

   encode: variant     us  bytes
   ours             20.00      5
   theirs, fast     -0.50      7

   decode: variant     us
   ours          1,000.00

   size: codec  bytes
   ours             5
"""


def plots() -> Any:
    return module_of_docs("plots")


@pytest.fixture(params=["http2", "loadbalance", "speed"])
def plotted(request: pytest.FixtureRequest) -> str:
    """The text of a page that has plots."""
    return (DOCS / f"{request.param}.rst").read_text("utf-8")


def pictures(page: str) -> list[ET.Element]:
    """What stands in the place of each plot of *page*."""
    found = re.findall(r"^   <svg.*?^   </svg>", plots().expand(page), re.MULTILINE | re.DOTALL)
    return [ET.fromstring(text) for text in found]


def bars(picture: ET.Element) -> list[tuple[str, str, float]]:
    """Of each bar the name, the figure and the length."""
    found = [bar.attrib for bar in picture.findall(".//{*}rect")]
    return [(bar["data-name"], bar["data-value"], float(bar["width"])) for bar in found]


def test_a_column_is_drawn_of_all_tables_that_have_it() -> None:
    """Lengths are in proportion over all of them; what is below zero has none."""
    (picture,) = pictures(PAGE)
    assert bars(picture) == [("ours", "20.00", 10.6), ("theirs, fast", "-0.50", 0), ("ours", "1,000.00", 528)]
    assert picture.findtext("{*}title") == "What it takes: us"
    assert picture.findtext("{*}desc") == "encode, us: ours 20.00, theirs, fast -0.50. decode, us: ours 1,000.00."


def test_the_first_row_stands_out() -> None:
    """The others are compared to it."""
    (picture,) = pictures(PAGE)
    assert ["fill" in bar.attrib for bar in picture.findall(".//{*}rect")] == [True, False, True]


def test_a_column_that_the_listing_lacks_ends_the_build() -> None:
    """With what was asked for, and where."""
    with pytest.raises(ValueError, match=r"'calls per s' follows, under \['What it takes'\]"):
        plots().expand(PAGE.replace("plot:: us", "plot:: calls per s"))


def test_every_bar_of_the_page_has_its_figure_from_a_listing(plotted: str) -> None:
    """A row of the page begins with its name and has its figure, digit for digit; the longest bar is the largest."""
    lines = [re.split(" {2,}", line.strip()) for line in plotted.splitlines()]
    drawn = [bars(picture) for picture in pictures(plotted)]
    assert drawn
    for picture in drawn:
        assert [one for one in picture if not any(line[0] == one[0] and one[1] in line for line in lines)] == []
        by_length, by_value = (sorted(picture, key=key) for key in (lambda b: b[2], lambda b: plots().value_of(b[1])))
        assert by_length[-1][1] == by_value[-1][1]


def test_every_listing_of_the_page_has_a_plot_above_it(plotted: str) -> None:
    """So that nobody has to read columns to see who is faster."""
    parts = plotted.split(".. code-block:: text")
    assert len(parts) > 2
    assert [part[-200:] for part in parts[:-1] if ".. plot::" not in part.splitlines()[-2]] == []


def test_pictures_of_one_page_share_no_id(plotted: str) -> None:
    """Each is described by its own title."""
    ids = [element.get("id") for picture in pictures(plotted) for element in picture.iter() if element.get("id")]
    assert len(ids) == len(set(ids)) == 2 * len(pictures(plotted))
