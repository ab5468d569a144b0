"""Measuring variants against each other, turn about, so that a noisy machine is noisy for all."""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from .loops import Future, Loop, by_callback, one_by_one, windowed

Row = dict[str, Any]
"""One line of a table, by the names of its columns."""


class Sample(NamedTuple):
    """One variant in one round.

    Attributes:
        cpu_us: Processor time of the client's process per call, in microseconds, all its threads together.
        wall_us: Time per call, in microseconds.
    """

    cpu_us: float
    wall_us: float


def turns(names: Sequence[str], rounds: int) -> Iterator[str]:
    """Yield the names once per round, there and back, so that none always follows the same one."""
    for number in range(rounds):
        yield from names if number % 2 == 0 else reversed(names)


def take(loop: Loop, calls: int) -> Sample:
    """Make *calls* calls in this process, and measure them."""
    gc.collect()
    cpu, wall = time.process_time(), time.perf_counter()
    loop(calls)
    return Sample((time.process_time() - cpu) / calls * 1e6, (time.perf_counter() - wall) / calls * 1e6)


def sample(loops: Mapping[str, Loop], calls: int, rounds: int) -> dict[str, list[Sample]]:
    """Run all *loops* in each round, *calls* calls each, after some that are not measured."""
    for loop in loops.values():
        loop(max(200, calls // 10))
    samples: dict[str, list[Sample]] = {name: [] for name in loops}
    for name in turns(list(loops), rounds):
        samples[name].append(take(loops[name], calls))
    return samples


def compare(loops: Mapping[str, Loop], calls: int, rounds: int) -> list[Row]:
    """Measure the first of *loops* against each of the others; see `ratios`."""
    return ratios(sample(loops, calls, rounds))


def compare_each(parts: Mapping[str, Mapping[str, Loop]], calls: int, rounds: int) -> dict[str, list[Row]]:
    """Do what `compare` does with each of *parts*, which have names, such as those that `ways` makes."""
    return {name: compare(loops, calls, rounds) for name, loops in parts.items()}


def ways(
    waits: Mapping[str, Callable[[], Any]], begins: Mapping[str, Callable[[], Future]], in_flight: int
) -> dict[str, dict[str, Loop]]:
    """Make the loops of each way of calling, by peer.

    Args:
        waits: What makes one call and waits for its answer, by peer.
        begins: What begins one call, by peer.
        in_flight: How many are in flight at once.
    """
    return {
        "one at a time": {name: one_by_one(call) for name, call in waits.items()},
        f"{in_flight} in flight": {name: windowed(begin, in_flight) for name, begin in begins.items()},
        f"{in_flight} in flight, by callback": {name: by_callback(begin, in_flight) for name, begin in begins.items()},
    }


def ratios(samples: Mapping[str, Sequence[Sample]]) -> list[Row]:
    """Set the first variant against each, round by round.

    ``rate_ratio`` is how many times the calls/s of a row the first variant makes, ``cpu_ratio`` how many times its
    processor time it takes; each is the median over the rounds, with the interquartile range. The other columns are
    medians of the row's own figures.
    """
    first = next(iter(samples.values()))
    return [_row(name, own, first) for name, own in samples.items()]


def _row(name: str, own: Sequence[Sample], first: Sequence[Sample]) -> Row:
    rates = [its.wall_us / ours.wall_us for ours, its in zip(first, own, strict=True)]
    cpus = [ours.cpu_us / its.cpu_us for ours, its in zip(first, own, strict=True)]
    wall_us = statistics.median(one.wall_us for one in own)
    return {
        "variant": name,
        "rate_ratio": round(statistics.median(rates), 2),
        "rate_iqr": round(spread(rates), 2),
        "cpu_ratio": round(statistics.median(cpus), 2),
        "cpu_iqr": round(spread(cpus), 2),
        "calls_per_s": round(1e6 / wall_us),
        "us_per_call": round(wall_us, 2),
        "cpu_us_per_call": round(statistics.median(one.cpu_us for one in own), 2),
    }


def spread(values: Sequence[float]) -> float:
    """Return the interquartile range; 0 of a single value."""
    if len(values) == 1:
        return 0.0
    low, _, high = statistics.quantiles(values, n=4)
    return high - low
