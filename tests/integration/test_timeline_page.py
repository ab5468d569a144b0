"""The page of ``callahead run --timeline --format html`` in a browser."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.browser import Browser, chromium, running_browser

pytestmark = [pytest.mark.slow, pytest.mark.long]

PROGRAM = """
from callahead.consumer import Consumer, RpcContext
from callahead.consumer.testing.scripted_transport import ScriptedTransport

methods = {"findFoo": {"async": True}, "findBar": {"async": "lazy"}}
config = {"references": {"foo": {"interface": "a.Foo", "url": "tri://h:1", "methods": methods}}}
with Consumer(config, transports={"tri": ScriptedTransport(lambda attempt: "there")}) as consumer:
    foo = consumer.reference("foo")
    for number in range(400):
        foo.findFoo(number)
        RpcContext.get_context().get_future().result()
        str(foo.findBar(number))
"""
# The widest there is to see, what was asked for beside the page, and the lanes of which a bar can be seen.
SEEN = """[
  document.documentElement.scrollWidth,
  performance.getEntriesByType("resource").length,
  [...document.querySelectorAll("g.lane > rect.call")].filter(bar => bar.getBoundingClientRect().width > 0).length,
  getComputedStyle(document.documentElement).backgroundColor,
  document.querySelector("g.lane title").textContent.split("\\n").length,
]"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One page of Chromium for all tests."""
    path = chromium()
    if path is None:
        pytest.skip("Chromium (apt-get install chromium) is needed")
    with running_browser(path) as running:
        yield running


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Run a program whose name is markup."""
    folder = tmp_path_factory.mktemp("page") / "of a program in a folder whose name is longer than a telephone is wide"
    folder.mkdir()
    program = folder / "<b>shop<b>.py"
    program.write_text(PROGRAM, "utf-8")
    command = [sys.executable, "-m", "callahead", "run", "--timeline", "-o", "page.html", str(program)]
    subprocess.run(command, cwd=folder, check=True, timeout=60)
    return folder / "page.html"


@pytest.mark.parametrize("width", [420, 1280])
@pytest.mark.parametrize(("scheme", "background"), [("light", "rgb(255, 255, 255)"), ("dark", "rgb(19, 20, 22)")])
def test_it_fits_the_screen_and_loads_nothing(
    browser: Browser, page: Path, width: int, scheme: str, background: str
) -> None:
    """In light and dark; tables scroll by themselves, and each lane that is drawn has a bar."""
    browser.resize(width)
    browser.prefer(scheme)
    browser.open(page.as_uri())
    assert browser.evaluate(SEEN) == [width, 0, 300, background, 2]


def test_names_of_files_are_no_markup(browser: Browser, page: Path) -> None:
    """The heading is what the program is called."""
    browser.open(page.as_uri())
    assert browser.evaluate("document.querySelectorAll('b').length") == 0
    assert browser.evaluate("document.querySelector('h1').textContent").endswith("<b>shop<b>.py")
