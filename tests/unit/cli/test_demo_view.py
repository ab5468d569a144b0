"""What ``callahead demo`` prints of given runs."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from callahead.consumer.cli.bars import bar
from callahead.consumer.cli.demo_run import Run, document
from callahead.consumer.cli.demo_view import DemoView, difference
from callahead.consumer.scope import Span, Timeline


def run(mode: str, bar_start: float, wall: float, *found: str) -> Run:
    spans = (
        Span(name="fooService.findFoo", site="", mode=mode, start_ms=0.04, end_ms=500),
        Span(name="barService.findBar", site="", mode=mode, start_ms=bar_start, end_ms=bar_start + 600),
    )
    return Run(mode=mode, timeline=Timeline(spans, wall), found=found or ("foo", "bar"))


RUNS = [run("sync", 500, 1100), run("async", 2, 602)]
LAZY_RUN = run("lazy", 3, 603)


def printed(width: int, encoding: str = "utf-8", runs: list[Run] = RUNS) -> list[str]:
    data = io.BytesIO()
    file = io.TextIOWrapper(data, encoding=encoding)
    view = DemoView(Console(file=file, width=width, markup=False, highlight=False))
    view.introduce()
    for one in runs:
        view.show_run(one, runs[0].timeline.wall_ms)
    view.compare(runs)
    file.flush()
    return data.getvalue().decode(encoding).splitlines()


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        (0, 100, "##########"),
        (50, 100, "     #####"),
        (0, 50, "#####"),
        (0, 0.1, "#"),
        (99.9, 100, "         #"),
        (90, 300, "         #"),
    ],
)
def test_a_bar_spans_its_share_of_the_width_and_is_never_empty(start: float, end: float, expected: str) -> None:
    """Ten characters stand for 100 ms."""
    assert bar(start / 100, end / 100, 10, "#") == expected


def test_the_difference_names_both_files_and_the_lines() -> None:
    """Two lines of each file differ."""
    assert list(difference()) == [
        "demo-sync.yml:15  - findFoo: {async: false}",
        "demo-async.yml:15  + findFoo: {async: true}",
        "demo-sync.yml:21  - findBar: {async: false}",
        "demo-async.yml:21  + findBar: {async: true}",
    ]


def test_the_lazy_run_shows_its_own_call_site_and_lines() -> None:
    """The function that was never changed, and what the YAML says of it."""
    lines = printed(80, runs=[*RUNS, LAZY_RUN])
    start = lines.index("def find_unchanged(foo: Any, bar: Any) -> tuple[Any, Any]:")
    assert lines[start + 2 : start + 7] == [
        "    return foo.find_foo(foo_id=1), bar.find_bar(bar_id=2)",
        "demo-sync.yml:15  - findFoo: {async: false}",
        "demo-lazy.yml:15  + findFoo: {async: lazy}",
        "demo-sync.yml:21  - findBar: {async: false}",
        "demo-lazy.yml:21  + findBar: {async: lazy}",
    ]
    assert lines.index("demo-lazy.yml: 0.603 s") > start
    assert " ".join(lines[-2].split()) == "lazy 1.100 s 0.603 s"


def test_the_call_site_is_shown_as_it_runs() -> None:
    """Seven lines of code, in full."""
    lines = printed(80)
    start = lines.index("def find_both(foo: Any, bar: Any) -> tuple[Any, Any]:")
    shown = lines[start + 2 : start + 9]
    assert shown[0].startswith("    foo_now = foo.find_foo(foo_id=1)")
    assert shown[-1] == "    return found_foo, found_bar"


def test_calls_are_drawn_over_time_at_one_scale() -> None:
    """Both modes are drawn so that equal lengths are equal times; calls come in the order of their beginnings."""
    lines = printed(80)
    block = "\N{FULL BLOCK}"
    rows = [line for line in lines if block in line]
    assert [line.split()[0] for line in rows] == ["findFoo", "findBar", "findFoo", "findBar"]
    assert [line.index(block) for line in rows] == [9, 33, 9, 9]
    assert [line.count(block) for line in rows] == [24, 29, 24, 29]
    assert [" ".join(line.split()[2:]) for line in rows] == ["0 - 500 ms", "500 - 1100 ms", "0 - 500 ms", "2 - 602 ms"]
    assert "demo-async.yml: 0.602 s" in lines


def test_sum_wall_and_what_was_saved_are_told() -> None:
    """The numbers in seconds, and the percentage of the synchronous wall time."""
    lines = [" ".join(line.split()) for line in printed(80)]
    assert lines[-4:] == [
        "sum of calls wall",
        "sync 1.100 s 1.100 s",
        "async 1.100 s 0.602 s",
        "saved 0.498 s (45 %), the same answers",
    ]


def test_other_answers_are_not_hidden() -> None:
    """The demo compares what the two runs returned."""
    lines = printed(80, runs=[RUNS[0], run("async", 2, 602, "foo", "other")])
    assert lines[-1] == "saved 0.498 s (45 %), OTHER ANSWERS"


@pytest.mark.parametrize("width", [1, 10, 40])
def test_a_narrow_terminal_gets_each_bar_on_a_line_of_its_own(width: int) -> None:
    """No bar is wider than the terminal, and the times are still there."""
    lines = printed(width)
    bars = [line for line in lines if "\N{FULL BLOCK}" in line]
    assert len(bars) == 4
    assert all(len(line) <= width for line in bars)
    assert "findBar 500 - 1100 ms" in lines


def test_an_ascii_terminal_gets_ascii() -> None:
    """Nothing is printed that the encoding cannot carry."""
    lines = printed(80, "ascii")
    assert sum("#####" in line for line in lines) == 4


def test_no_line_of_a_common_terminal_is_folded() -> None:
    """What the demo draws itself fits; code is left as it is."""
    assert all(len(line) < 80 for line in printed(80) if "_later = " not in line)


def test_the_document_is_in_milliseconds_and_in_the_order_of_time() -> None:
    """What scripts read."""
    found = document(RUNS)
    assert found["async"] == {
        "sum_ms": 1100.0,
        "wall_ms": 602,
        "calls": [
            {"name": "fooService.findFoo", "start_ms": 0.0, "end_ms": 500},
            {"name": "barService.findBar", "start_ms": 2, "end_ms": 602},
        ],
    }
    assert (found["saved_ms"], found["saved_percent"]) == (498, 45.3)
    assert sorted(found) == ["async", "saved_ms", "saved_percent", "sync"]
