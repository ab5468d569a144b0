"""The benchmarks measure what they say: the ways of calling, the ratios, the tables."""

from __future__ import annotations

import configparser
import json
import random
import re
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import click
import pytest

from benchmarks import costs, features, ice_peer, link
from benchmarks.__main__ import main
from benchmarks.loops import by_callback, one_by_one, windowed
from benchmarks.measure import Sample, ratios, turns
from benchmarks.report import Report

ROOT = Path(__file__).parents[2]


class Peer:
    """Begins calls whose answers are there when they are read, and counts those begun and not yet read."""

    def __init__(self) -> None:
        self.read: list[int] = []
        self.begun = 0
        self.most = 0

    def begin(self) -> Answer:
        """Begin a call."""
        self.begun += 1
        self.most = max(self.most, self.begun - len(self.read))
        return Answer(self, self.begun)


class Answer:
    """The future of one call."""

    def __init__(self, peer: Peer, number: int) -> None:
        self._peer = peer
        self._number = number

    def result(self) -> None:
        """Read the answer."""
        self._peer.read.append(self._number)

    def add_done_callback(self, fn: object) -> None:
        """Refuse: a window reads its answers."""
        raise AssertionError(fn)


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    """Threads that answer calls."""
    with ThreadPoolExecutor(2) as pool:
        yield pool


def commands() -> list[tuple[str, click.Command]]:
    """The sub-commands by name."""
    return sorted(main.commands.items())


def test_a_window_fills_and_its_oldest_answer_is_read_first() -> None:
    """Of ten calls in a window of three, three are in flight at most, and all answers are read in order."""
    peer = Peer()
    windowed(peer.begin, 3)(10)

    assert peer.most == 3
    assert peer.read == list(range(1, 11))


def test_calls_one_by_one_are_as_many_as_asked() -> None:
    """Each call is made once, one after the other."""
    made: list[int] = []
    one_by_one(lambda: made.append(len(made)))(4)

    assert made == [0, 1, 2, 3]


def test_callbacks_are_awaited(pool: ThreadPoolExecutor) -> None:
    """The loop returns when the last of the answers was read, on whichever thread."""
    made: list[Future[int]] = []

    def begin() -> Future[int]:
        made.append(pool.submit(int, 1))
        return made[-1]

    by_callback(begin, 4)(50)

    assert len(made) == 50
    assert all(one.done() for one in made)


def test_a_failed_call_ends_the_measurement(pool: ThreadPoolExecutor) -> None:
    """An error that a callback would have lost on the peer's thread is raised."""
    with pytest.raises(ValueError, match=r"^invalid literal for int\(\) with base 10: 'lost'$"):
        by_callback(lambda: pool.submit(int, "lost"), 4)(10)
    with pytest.raises(ValueError, match=r"^invalid literal for int\(\) with base 10: 'lost'$"):
        windowed(lambda: pool.submit(int, "lost"), 4)(10)


def test_turns_go_there_and_back() -> None:
    """No variant always follows the same other one."""
    assert list(turns(["a", "b", "c"], 2)) == ["a", "b", "c", "c", "b", "a"]


def test_a_ratio_is_the_first_variant_by_the_row() -> None:
    """A third of the time is three times the rate; a quarter of the processor time is 0.25."""
    rows = ratios({"ours": [Sample(cpu_us=10, wall_us=20)], "peer": [Sample(cpu_us=40, wall_us=60)]})

    assert rows[0] == {
        "variant": "ours", "rate_ratio": 1.0, "rate_iqr": 0.0, "cpu_ratio": 1.0, "cpu_iqr": 0.0,
        "calls_per_s": 50_000, "us_per_call": 20, "cpu_us_per_call": 10,
    }  # fmt: skip
    assert (rows[1]["rate_ratio"], rows[1]["cpu_ratio"], rows[1]["calls_per_s"]) == (3.0, 0.25, 16_667)


def test_ratios_are_paired_by_round() -> None:
    """The median is that of the rounds' ratios (1, 4, 1), not the ratio of medians, which here would be 4."""
    ours = [Sample(1, wall_us) for wall_us in (10, 10, 100)]
    peer = [Sample(1, wall_us) for wall_us in (10, 40, 100)]

    assert ratios({"ours": ours, "peer": peer})[1]["rate_ratio"] == 1.0


REPORT = Report({"a part": [{"variant": "ours", "rate_ratio": 1.0, "calls_per_s": 12_345}]}, 5, ("a note",))


def test_a_report_is_a_table_for_people() -> None:
    """Below when and where stand the notes and the tables, figures to the right."""
    head, *lines = REPORT.as_text().splitlines()

    assert re.match(r"\d{4}-\d\d-\d\d, commit \S+, \d+ cores, \S+ \S+, \w+ [\d.]+\S*, median of 5 rounds$", head)
    assert lines == [
        "a note",
        "",
        "a part: variant  rate ratio  calls per s",
        "ours                   1.00       12,345",
    ]


def test_a_report_is_json_for_programs() -> None:
    """The same, with where and when by name."""
    found = json.loads(REPORT.as_json())

    assert set(found) == {"date", "commit", "machine", "rounds", "notes", "parts"}
    assert found["rounds"] == 5
    assert found["parts"] == {"a part": [{"variant": "ours", "rate_ratio": 1.0, "calls_per_s": 12_345}]}


@pytest.mark.parametrize("name", [name for name, _ in commands()])
def test_every_command_takes_five_rounds_and_prints_json(name: str) -> None:
    """Medians of five are the rule, and --json is everywhere."""
    options = {option.name: option for option in main.commands[name].params}

    assert options["rounds"].default == 5
    assert options["as_json"].opts == ["--json"]


@pytest.mark.slow
@pytest.mark.long
def test_each_interceptor_is_measured_against_a_plain_reference() -> None:
    """There is a line for each thing that is added, and the plain reference adds nothing to itself."""
    rows = costs.interceptors(calls=20, rounds=1, in_flight=5)

    assert [row["variant"] for row in rows[1:-1]] == list(costs.ADDED)
    assert (rows[0]["sync_added_us"], rows[0]["future_added_us"]) == (0.0, 0.0)
    assert all(row["sync_us"] > 0 and row["future_us"] > 0 for row in rows)


def test_each_feature_is_used_by_as_many_calls_as_are_asked_for() -> None:
    """The plain loop and that of the feature make every call, whichever way they count."""
    with ExitStack() as stack:
        for name, (_, plain, used) in features.features(stack, in_flight=3):
            plain(7)
            used(7)
            assert name


def test_a_link_takes_and_hands_on_at_its_speed() -> None:
    """All bytes arrive, in order, no sooner than the link allows: so long for each, and the way."""
    near, source = socket.socketpair()
    target, far = socket.socketpair()
    data = random.Random(7).randbytes(100_000)
    threading.Thread(target=link.carry, args=(source, target, 1_000_000, 0.02), daemon=True).start()
    began = time.monotonic()
    threading.Thread(target=lambda: (near.sendall(data), near.shutdown(socket.SHUT_WR)), daemon=True).start()
    arrived = b"".join(iter(lambda: far.recv(65536), b""))
    assert arrived == data
    assert time.monotonic() - began >= 0.1
    for one in (near, source, target, far):
        one.close()


@pytest.mark.source
def test_the_manual_names_every_command() -> None:
    """docs/speed.rst shows how each is run."""
    page = (ROOT / "docs" / "speed.rst").read_text("utf-8")

    assert [name for name, _ in commands() if f"python -m benchmarks {name}" not in page] == []


def test_the_message_about_ice_names_the_version_of_the_extra() -> None:
    """Who follows the message installs what the extra ``bench`` names."""
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")

    assert setup["options.extras_require"]["bench"] == ice_peer.REQUIREMENT


@pytest.mark.source
def test_the_goals_in_the_manual_are_judged_by_the_figures_below_them() -> None:
    """Each measured figure stands in one of the listings, and is kept or missed as the numbers say."""
    page = (ROOT / "docs" / "speed.rst").read_text("utf-8")
    goals = re.findall(r"^(\S.+?)  +at (least|most) (\S+) +(\S+) +(kept|missed)$", page, re.MULTILINE)
    listed = set(re.findall(r"[\d,.]+", "".join(re.findall(r"^   .*$", page, re.MULTILINE))))

    assert len(goals) == 7
    for goal, bound, asked, measured, verdict in goals:
        limit, figure = (float(text.replace(",", "")) for text in (asked, measured))
        assert measured in listed, goal
        assert verdict == ("kept" if (figure >= limit if bound == "least" else figure <= limit) else "missed"), goal
