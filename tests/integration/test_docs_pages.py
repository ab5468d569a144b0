"""The built manual in a browser, on a telephone's width."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.browser import Browser, chromium, running_browser
from support.manual import DOCS

pytestmark = [pytest.mark.slow, pytest.mark.long, pytest.mark.source]

WIDTH = 420
# The most that there is to see in the page or in anything around the text, which themes let scroll; and what sticks out
# of the text where nothing within it scrolls, which may be cut off and count for nothing.
WIDER = """(() => {
  const article = document.querySelector("article");
  const around = (element) => element ? [element, ...around(element.parentElement)] : [];
  const scrolls = (element) => element !== article
    && (/auto|scroll/.test(getComputedStyle(element).overflowX) || scrolls(element.parentElement));
  const sticksOut = (element) => element.getBoundingClientRect().width > 0
    && element.getBoundingClientRect().right > document.documentElement.clientWidth + 1 && !scrolls(element);
  const names = [...article.querySelectorAll("*")].filter(sticksOut)
    .map((element) => `${element.tagName}: ${element.textContent.trim().slice(0, 60)}`);
  return [Math.max(...around(article.parentElement).map((element) => element.scrollWidth)), names.slice(0, 5)];
})()"""


@pytest.fixture(scope="module")
def path() -> str:
    """Find the browser and what builds the manual; in CI both must be there."""
    found = chromium()
    if found is not None and all(map(importlib.util.find_spec, ("sphinx", "furo", "sphinx_copybutton"))):
        return found
    why = "Chromium (apt-get install chromium) and the extra docs (pip install -e '.[docs]') are needed"
    if os.environ.get("CALLAHEAD_CI"):
        pytest.fail(f"CALLAHEAD_CI is set, so nothing may be skipped, but {why}")
    pytest.skip(why)


@pytest.fixture(scope="module")
def pages(path: str, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Build the manual, with warnings as errors."""
    del path
    built = tmp_path_factory.mktemp("html")
    command = [sys.executable, "-m", "sphinx", "-q", "-W", "-b", "html", str(DOCS), str(built)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return sorted(built.glob("*.html"))


@pytest.fixture(scope="module")
def browser(path: str) -> Iterator[Browser]:
    """One page of Chromium for all tests."""
    with running_browser(path) as running:
        yield running


def wider(browser: Browser, page: Path) -> tuple[int, list[str]]:
    browser.open(page.as_uri())
    width, names = browser.evaluate(WIDER)
    return width, names


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_page_is_wider_than_a_telephone(browser: Browser, pages: list[Path], scheme: str) -> None:
    """Tables and code scroll by themselves, long names break, pictures shrink."""
    browser.resize(WIDTH)
    browser.prefer(scheme)
    seen = {page.stem: wider(browser, page) for page in pages}

    assert len(seen) > 15
    assert {name: found for name, found in seen.items() if found[0] > WIDTH or found[1]} == {}


def test_what_is_too_wide_is_found(browser: Browser, tmp_path: Path) -> None:
    """The test above can fail: on what makes a page or its text scroll, and on what is cut off."""
    page = tmp_path / "wide.html"
    wide = "<p style='width:600px'>wide</p>"
    browser.resize(WIDTH)
    page.write_text(f"<!doctype html><article>{wide}</article>")
    assert wider(browser, page)[0] > WIDTH
    page.write_text(f"<!doctype html><body style='overflow:auto'><article>{wide}</article>")
    assert wider(browser, page)[0] > WIDTH
    page.write_text(f"<!doctype html><article style='overflow:hidden'>{wide}</article>")
    assert wider(browser, page) == (WIDTH, ["P: wide"])
    page.write_text(f"<!doctype html><article><div style='overflow:auto'>{wide}</div></article>")
    assert wider(browser, page) == (WIDTH, [])


def test_pictures_take_the_colours_of_the_page(browser: Browser, pages: list[Path]) -> None:
    """Light text on the dark page, dark text on the light one."""
    (index,) = [page for page in pages if page.stem == "index"]
    colour = "getComputedStyle(document.querySelector('.callahead-picture text')).fill"
    seen = []
    for scheme in ("light", "dark"):
        browser.prefer(scheme)
        browser.open(index.as_uri())
        seen.append(sum(map(int, str(browser.evaluate(colour)).strip("rgb()").split(","))))

    assert seen[0] < 3 * 128 < seen[1]
