"""Measuring variants against each other in one process, turn about, so that a noisy machine is noisy for all."""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass


@dataclass(frozen=True, slots=True)
class Result:
    """Medians over the rounds of one variant.

    Attributes:
        variant: Its name.
        cpu_us: Processor time of this process per call, in microseconds, all threads together.
        wall_us: Time per call, in microseconds.
        ratio: The median over the rounds of this variant's processor time by the peer's of the same round.
        wall_ratio: Likewise for the time.
        spread: Interquartile range of *ratio*.
    """

    variant: str
    cpu_us: float
    wall_us: float
    ratio: float
    wall_ratio: float
    spread: float

    def as_dict(self) -> dict[str, float | str]:
        return asdict(self)


def compare(variants: Mapping[str, Callable[[int], None]], calls: int, rounds: int) -> list[Result]:
    """Run *variants*, of which the first is the peer, *rounds* times in turn, *calls* calls each time."""
    for run in variants.values():
        run(max(200, calls // 10))
    samples: dict[str, list[tuple[float, float]]] = {name: [] for name in variants}
    for number in range(rounds):
        names = list(variants)
        for name in names if number % 2 == 0 else reversed(names):
            samples[name].append(_measure(variants[name], calls))
    peer = samples[next(iter(variants))]
    return [_summary(name, own, peer) for name, own in samples.items()]


def _measure(run: Callable[[int], None], calls: int) -> tuple[float, float]:
    gc.collect()
    cpu, wall = time.process_time(), time.perf_counter()
    run(calls)
    return (time.process_time() - cpu) / calls * 1e6, (time.perf_counter() - wall) / calls * 1e6


def _summary(name: str, own: list[tuple[float, float]], peer: list[tuple[float, float]]) -> Result:
    ratios = [mine[0] / its[0] for mine, its in zip(own, peer, strict=True)]
    walls = [mine[1] / its[1] for mine, its in zip(own, peer, strict=True)]
    quartiles = statistics.quantiles(ratios, n=4) if len(ratios) > 1 else [0.0, 0.0, 0.0]
    return Result(
        variant=name,
        cpu_us=statistics.median(cpu for cpu, _ in own),
        wall_us=statistics.median(wall for _, wall in own),
        ratio=statistics.median(ratios),
        wall_ratio=statistics.median(walls),
        spread=quartiles[2] - quartiles[0],
    )
