"""``callahead run``: a program runs as it would by itself, and its calls are shown."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from callahead.consumer.cli.timeline_report import document_of, seconds, text_of
from callahead.consumer.scope import Span, Timeline, Wait

PROGRAM = """
import sys

from callahead.consumer import Consumer, RpcContext
from callahead.consumer.testing.scripted_transport import ScriptedTransport

methods = {"findFoo": {"async": True}, "findBar": {}}
config = {"references": {"foo": {"interface": "a.Foo", "url": "tri://h:1", "methods": methods}}}


def page(foo):
    foo.findFoo(1)
    RpcContext.get_context().get_future().result()
    return foo.findBar(2)


with Consumer(config, transports={"tri": ScriptedTransport(lambda attempt: "there")}) as consumer:
    print(page(consumer.reference("foo")), __name__, sys.argv[1:])
"""


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "callahead", "run", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60, check=False)


@pytest.fixture
def program(tmp_path: Path) -> Path:
    path = tmp_path / "program.py"
    path.write_text(PROGRAM, encoding="utf-8")
    return path


@pytest.mark.slow
def test_a_program_runs_as_by_itself(program: Path) -> None:
    """Its arguments, output and name are its own."""
    done = run(program.parent, program.name, "--timeline", "x")
    assert (done.returncode, done.stdout) == (0, "there __main__ ['--timeline', 'x']\n")
    assert done.stderr == ""


@pytest.mark.slow
def test_its_calls_are_shown_beside_its_output(program: Path) -> None:
    """On standard error, so that what reads the output hears nothing of it."""
    done = run(program.parent, "--timeline", program.name)
    assert (done.returncode, done.stdout) == (0, "there __main__ []\n")
    assert "2 calls: sum 0." in done.stderr
    assert "foo.findFoo" in done.stderr


@pytest.mark.slow
def test_a_module_runs_as_for_python(program: Path) -> None:
    """By -m; the timeline goes to a file whose name tells the format."""
    done = run(program.parent, "--timeline", "-o", "calls.json", "-m", "program", "x")
    assert (done.returncode, done.stdout, done.stderr) == (0, "there __main__ ['x']\n", "")
    document = json.loads((program.parent / "calls.json").read_text("utf-8"))
    assert [span["name"] for span in document["spans"]] == ["foo.findFoo", "foo.findBar"]
    assert all(span["site"].endswith("in page") for span in document["spans"])


@pytest.mark.slow
@pytest.mark.parametrize(("form", "begins"), [("svg", "<svg xmlns="), ("html", "<!DOCTYPE html>")])
def test_a_picture_and_a_page_are_what_they_are_called(program: Path, form: str, begins: str) -> None:
    """By the name of the file, as by the option."""
    done = run(program.parent, "--timeline", "-o", f"calls.{form}", program.name)
    assert (done.returncode, done.stderr) == (0, "")
    text = (program.parent / f"calls.{form}").read_text("utf-8")
    assert text.startswith(begins)
    assert "The calls of program.py" in text
    assert text.endswith(">\n")
    done = run(program.parent, "--timeline", "--format", form, program.name)
    assert done.stderr.startswith(begins)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("end", "status", "says"),
    [
        ("sys.exit(3)", 3, ""),
        ("sys.exit('no luck')", 1, "no luck"),
        ("raise KeyError('mine')", 1, "KeyError: 'mine'"),
        ("raise KeyboardInterrupt", 130, "KeyboardInterrupt"),
    ],
)
def test_however_it_ends_its_calls_are_shown(program: Path, end: str, status: int, says: str) -> None:
    """The exit status is the program's, and its traceback shows nothing of this command."""
    program.write_text(f"{PROGRAM}\n{end}\n", encoding="utf-8")
    done = run(program.parent, "--timeline", program.name)
    assert (done.returncode, "2 calls" in done.stderr, says in done.stderr) == (status, True, True)
    assert "cli/run.py" not in done.stderr


def line(**values: Any) -> Timeline:
    wait = Wait("shop.py:1 in page", 0.0, 1500.04)
    first = {"name": "foo.find", "site": "shop.py:1 in page", "mode": "sync", "start_ms": 0.0, "end_ms": 1500.04}
    second = {"name": "bar.find", "site": "shop.py:2 in page", "mode": "async", "start_ms": 1500.04, "end_ms": 2000.0}
    return Timeline((Span(**{**first, "waits": (wait,), **values}), Span(**second)), 2000.0)


def test_text_says_what_could_be_gained() -> None:
    """With the lines, and what to do."""
    text = text_of(line(), 100)
    assert "2 calls: sum 2.000 s, wall 2.000 s, saved 0.000 s (0 %)" in text
    assert text.splitlines()[-3:] == [
        "  shop.py:1 in page",
        "    waits 1.500 s for foo.find, before shop.py:2 in page calls;",
        "    were the call async or lazy: 0.500 s less",
    ]


@pytest.mark.parametrize("width", [20, 60, 100, 200])
def test_text_fits_the_terminal(width: int) -> None:
    """Bars take what room there is; only names may be longer."""
    rows = text_of(line(), width, ascii_only=True).split("\n\n")[0].splitlines()
    bars = [row for row in rows if "#" in row]
    assert len(bars) == 2
    assert max(map(len, bars)) <= max(width, 20)


def test_text_names_errors_and_what_still_runs() -> None:
    """Beside the times."""
    assert "0 - 1500 ms CallTimeout" in text_of(line(error="CallTimeout"), 100)
    assert "0 - running ms" in text_of(line(end_ms=None, waits=()), 100)


def test_text_of_a_thousand_calls_is_cut() -> None:
    """The rest is counted."""
    spans = (line().spans[1],) * 1000
    assert "... and 940 more calls" in text_of(Timeline(spans, 2000.0), 100)


def test_no_calls() -> None:
    """There is nothing to draw."""
    assert text_of(Timeline((), 0.0), 80) == "no calls"


def test_json_has_all_figures() -> None:
    """In milliseconds, to the tenth."""
    document = json.loads(json.dumps(document_of(line())))
    assert {name: document[name] for name in ("calls", "sum_ms", "wall_ms", "saved_ms", "possible_ms")} == {
        "calls": 2, "sum_ms": 2000.0, "wall_ms": 2000.0, "saved_ms": 0.0, "possible_ms": 1500.0,
    }  # fmt: skip
    assert document["spans"][0]["waits"] == [{"site": "shop.py:1 in page", "start_ms": 0.0, "end_ms": 1500.0}]
    assert document["early"][0]["gain_ms"] == 500.0


def test_seconds() -> None:
    """To the millisecond."""
    assert seconds(1234.56) == "1.235 s"
