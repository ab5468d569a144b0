"""``callahead demo`` as a user runs it: in a process of its own, in any folder."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

# A shell that starts CI in the background has its children ignore Ctrl-C, which Python takes over.
MAIN = (
    "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
    "from callahead.consumer.cli.main import main; main({!r})"
)
MADE = [sys.executable, "-c"]
DEMO = [*MADE, MAIN.format(["demo"])]
JSON = [*MADE, MAIN.format(["demo", "--json"])]


def start(tmp_path: Path, command: list[str] = DEMO, **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        command,
        cwd=tmp_path,
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def assert_nothing_runs(group: int) -> None:
    """What the end of the demo ends as well may take a moment to be gone."""
    ends = time.monotonic() + 10
    while time.monotonic() < ends and _runs(group):
        time.sleep(0.05)
    assert not _runs(group)


def _runs(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


@dataclass(frozen=True, slots=True)
class Ran:
    """What came of ``demo --json --svg demo.svg``."""

    group: int
    status: int
    printed: str
    errors: str
    picture: Path


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    """Run it once for all who only look."""
    folder = tmp_path_factory.mktemp("demo")
    with start(folder, [*MADE, MAIN.format(["demo", "--json", "--svg", "demo.svg"])]) as process:
        printed, errors = process.communicate(timeout=60)
    return Ran(process.pid, process.returncode, printed, errors, folder / "demo.svg")


def test_the_asynchronous_runs_overlap_and_leave_no_process(ran: Ran) -> None:
    """The same calls take their sum in one mode and about the longer in the others."""
    assert (ran.status, ran.errors) == (0, "")
    found = json.loads(ran.printed)
    assert ran.printed == json.dumps(found, indent=2, sort_keys=True) + "\n"
    first, second, third = found["sync"], found["async"], found["lazy"]
    assert first["wall_ms"] >= first["sum_ms"] >= 1100
    for overlapping in (second, third):
        assert overlapping["sum_ms"] >= 1100
        assert 600 <= overlapping["wall_ms"] < overlapping["sum_ms"]
        assert overlapping["calls"][1]["start_ms"] < overlapping["calls"][0]["end_ms"]
    assert first["calls"][1]["start_ms"] >= first["calls"][0]["end_ms"]
    assert found["saved_ms"] == pytest.approx(first["wall_ms"] - third["wall_ms"], abs=0.11)
    assert_nothing_runs(ran.group)


def test_it_prints_each_timeline_without_colour_and_past_a_proxy(tmp_path: Path) -> None:
    """Neither the environment's proxy nor a plain, narrow terminal is in the way."""
    proxy = dict.fromkeys(("http_proxy", "https_proxy", "grpc_proxy"), "http://127.0.0.1:9")
    with start(tmp_path, COLUMNS="40", TERM="dumb", NO_COLOR="1", PYTHONIOENCODING="ascii", **proxy) as process:
        printed, errors = process.communicate(timeout=60)

    assert (process.returncode, errors) == (0, "")
    assert "\x1b" not in printed
    assert sum(set(line.strip()) == {"#"} for line in printed.splitlines()) == 6
    assert printed.splitlines()[-1].endswith("the same answers")


def overlaps(bars: list[tuple[float, float]]) -> int:
    """How many pairs of bars have more than a unit in common, which is beyond what rounding does."""
    return sum(min(one[1], other[1]) - max(one[0], other[0]) > 1 for one, other in combinations(bars, 2))


def test_the_picture_shows_the_figures_of_its_run(ran: Ran) -> None:
    """The bars are those of the JSON; they lie one above the other in all runs but the synchronous one."""
    found = json.loads(ran.printed)
    groups = ET.parse(ran.picture).getroot().findall("{*}g[@class='panel']")
    for group, mode in zip(groups, ("sync", "async", "lazy"), strict=True):
        lanes = [lane.attrib for lane in group.findall("{*}g[@class='lane']")]
        assert [
            {"name": one["data-name"], "start_ms": float(one["data-start-ms"]), "end_ms": float(one["data-end-ms"])}
            for one in lanes
        ] == found[mode]["calls"]
        bars = [bar.attrib for bar in group.findall("{*}g/{*}rect[@class='call']")]
        drawn = [(float(bar["x"]), float(bar["x"]) + float(bar["width"])) for bar in bars]
        assert overlaps(drawn) == (mode != "sync")


def test_with_a_registry_providers_and_rules_come_and_go_and_no_call_fails(tmp_path: Path) -> None:
    """After each change the next calls go where they should; the running ones are answered."""
    with start(tmp_path, [*MADE, MAIN.format(["demo", "--registry", "--json"])]) as process:
        printed, errors = process.communicate(timeout=60)

    assert (process.returncode, errors) == (0, "")
    steps = json.loads(printed)["steps"]
    assert [(step["what"], sorted(step["asked"]), step["failed"]) for step in steps] == [
        ("b and c join a", ["a", "b", "c"], 0),
        ("a rule sends find* to c", ["c"], 0),
        ("the rule is deleted", ["a", "b", "c"], 0),
        ("a leaves", ["b", "c"], 0),
        ("b's weight becomes three times c's", ["b", "c"], 0),
    ]
    assert steps[-1]["asked"]["b"] > 2 * steps[-1]["asked"]["c"]
    assert_nothing_runs(process.pid)


def test_with_a_registry_it_prints_what_became_of_each_change(tmp_path: Path) -> None:
    """As bars, on a narrow terminal too."""
    with start(
        tmp_path,
        [*MADE, MAIN.format(["demo", "--registry"])],
        COLUMNS="40",
        TERM="dumb",
        NO_COLOR="1",
        PYTHONIOENCODING="ascii",
    ) as process:
        printed, errors = process.communicate(timeout=60)

    assert (process.returncode, errors) == (0, "")
    lines = printed.splitlines()
    at = lines.index("a rule sends find* to c")
    assert lines[at + 1].endswith("calls were running, 0 failed; the next ones went to")
    assert lines[at + 2] == f"  c  30 {'#' * 28}"


def test_a_picture_that_could_not_be_written_is_refused_before_anything_runs(tmp_path: Path) -> None:
    """Its folder is not there."""
    with start(tmp_path, [*MADE, MAIN.format(["demo", "--svg", "no/such/demo.svg"])]) as process:
        printed, errors = process.communicate(timeout=60)

    assert (process.returncode, printed) == (2, "")
    assert "there is no folder 'no/such'" in errors


@pytest.mark.parametrize("seen", ["What differs is the YAML", "demo-sync.yml: "])
def test_ctrl_c_ends_it_and_its_providers(tmp_path: Path, seen: str) -> None:
    """While the providers start, and while a call runs."""
    with start(tmp_path) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith(seen):
                break
        os.killpg(process.pid, signal.SIGINT)
        _, errors = process.communicate(timeout=30)

    assert (process.returncode, errors.strip()) == (1, "Aborted!")
    assert_nothing_runs(process.pid)


@pytest.mark.parametrize(
    ("interpreter", "why"),
    [
        (
            "/bin/false",
            "callahead.consumer.cli.demo_providers:build did not start:",
        ),
        ("/no/such/python", "[Errno 2] No such file or directory: '/no/such/python'"),
    ],
)
def test_providers_that_cannot_start_are_a_clear_error(tmp_path: Path, interpreter: str, why: str) -> None:
    """One line on stderr, and a status that is not zero."""
    code = f"import sys; sys.executable = {interpreter!r}; {JSON[2]}"
    with start(tmp_path, [sys.executable, "-c", code]) as process:
        printed, errors = process.communicate(timeout=30)

    assert (process.returncode, printed) == (1, "")
    assert errors.rstrip() == f"Error: the demo's providers cannot be started: {why}"
    assert_nothing_runs(process.pid)
