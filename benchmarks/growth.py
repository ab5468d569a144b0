"""How a transport on our own sockets grows: memory over many calls, and of calls in flight; throughput by these."""

from __future__ import annotations

import gc
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

from .held import echoing, resident_bytes
from .loops import Future, windowed
from .measure import Row, compare
from .report import RATIOS, Report

_CURVE = (1_000, 10_000, 100_000, 1_000_000)
_HELD = (1_000, 10_000, 100_000)
_IN_FLIGHT = (10_000, 1_000, 100, 10)


def run(most: int, calls: int, rounds: int, over: str) -> Report:
    """Measure *over* a protocol; *most* bounds the calls of the growth curve and those held.

    *calls* are those of each throughput.
    """
    with echoing(over) as (_, echo, argument):
        begin: Callable[[], Any] = lambda: echo.future(argument)  # noqa: E731 - measured, so nothing more than this
        windowed(begin, 100)(2000)
        # The curve first: what many calls in flight leave behind would hide its own growth.
        curve = [_growth(begin, count) for count in _CURVE if count <= most]
        throughput = compare({f"{limit:,} in flight": windowed(begin, limit) for limit in _IN_FLIGHT}, calls, rounds)
    notes = (RATIOS, "the curve is measured once, each point after the one before, with 100 calls in flight")
    parts = {
        "growth": curve,
        "held": [_held(count, rounds, over) for count in _HELD if count <= most],
        "throughput": throughput,
    }
    return Report(parts, rounds, notes)


def _growth(begin: Callable[[], Future], count: int) -> Row:
    start = time.perf_counter()
    windowed(begin, 100)(count)
    wall = time.perf_counter() - start
    gc.collect()
    return {
        "calls": f"{count:,}",
        "resident_mib": round(resident_bytes() / 2**20, 2),
        "calls_per_s": round(count / wall),
    }


def _held(count: int, rounds: int, over: str) -> Row:
    found = [_held_once(count, over) for _ in range(rounds)]
    return {
        "calls": f"{count:,}",
        "bytes_per_call": round(statistics.median(one["bytes_per_call"] for one in found)),
        "least_answered": min(one["answered"] for one in found),
        "more_threads": max(one["more_threads"] for one in found),
    }


def _held_once(count: int, over: str) -> dict[str, int]:
    command = [sys.executable, "-m", "benchmarks.held", str(count), over]
    found: dict[str, int] = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
    return found
