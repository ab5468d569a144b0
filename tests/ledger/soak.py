"""The soak: ``python -m ledger.soak [--minutes N] [--over PROTOCOL ...] [--seed N]``.

It runs experiments at random, in their short form, over transports at random, in one process for as long as it is
told. The rules hold for each, and over the whole time memory, threads and descriptors must not grow.
"""

from __future__ import annotations

import argparse
import dataclasses
import gc
import secrets
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Final

from ledger import network
from ledger.carriers import CARRIERS
from ledger.experiments.table import RUNS
from ledger.run import be_quiet, run_one, warm_up
from ledger.system import give_back_freed_memory, resident_kb, trim
from support.sockets import descriptors

_SETTLING: Final = 0.5
"""The share of the time in which what is loaded once may still be loaded: the slope is of the rest."""
_MORE_OBJECTS: Final = 500
"""A cache that is filled at last is no leak."""
_MOST_MIB_PER_HOUR: Final = 1.0
_SLOPE_S: Final = 1800.0
"""Less time says nothing of a slope of memory: an allocator fills what it keeps for half an hour."""


@dataclass(slots=True)
class Trend:
    """What the process has, after each experiment."""

    at_s: list[float] = field(default_factory=list)
    memory_mib: list[float] = field(default_factory=list)
    threads: list[int] = field(default_factory=list)
    descriptors: list[int] = field(default_factory=list)
    objects: list[int] = field(default_factory=list)

    def look(self) -> None:
        """Note it."""
        gc.collect()
        trim()
        self.at_s.append(time.monotonic())
        self.memory_mib.append(resident_kb() / 1024)
        self.threads.append(threading.active_count())
        self.descriptors.append(len(descriptors()))
        self.objects.append(len(gc.get_objects()))

    def settled(self) -> Trend:
        """The later part of it."""
        first = int(len(self.at_s) * _SETTLING)
        return Trend(*(values[first:] for values in dataclasses.astuple(self)))

    @property
    def mib_per_hour(self) -> float:
        """The slope of the line that fits the memory best."""
        count = len(self.at_s)
        if count < 2:
            return 0.0
        mean_at, mean = sum(self.at_s) / count, sum(self.memory_mib) / count
        spread = sum((at - mean_at) ** 2 for at in self.at_s)
        pairs = zip(self.at_s, self.memory_mib, strict=True)
        return 3600 * sum((at - mean_at) * (mib - mean) for at, mib in pairs) / spread

    def faults(self) -> list[str]:
        """What has grown."""
        found = []
        if self.mib_per_hour > _MOST_MIB_PER_HOUR and self.at_s[-1] - self.at_s[0] >= _SLOPE_S:
            found.append(f"memory grows by {self.mib_per_hour:.1f} MiB an hour")
        counted = {"threads": (self.threads, 0), "descriptors": (self.descriptors, 0)}
        for name, (counts, more) in {**counted, "Python objects": (self.objects, _MORE_OBJECTS)}.items():
            half = len(counts) // 2
            if half and min(counts[half:]) > max(counts[:half]) + more:
                found.append(f"{name} grow: {counts}")
        return found


def main(arguments: Sequence[str]) -> int:
    """Soak; 0 where all held."""
    parser = argparse.ArgumentParser(prog="ledger.soak", description="Experiments at random, for a long time.")
    parser.add_argument("--minutes", type=float, default=480.0, help="how long; 480 by default")
    parser.add_argument("--over", nargs="+", choices=[*CARRIERS], default=[*CARRIERS], help="which transports")
    parser.add_argument("--seed", type=int, default=secrets.randbelow(1 << 30), help="of all chance; chosen by default")
    given = parser.parse_args(arguments)
    network.enter("ledger.soak", [*arguments, "--seed", str(given.seed)])
    be_quiet()
    give_back_freed_memory()
    print(f"seed {given.seed}", flush=True)
    for name in given.over:
        warm_up(CARRIERS[name])
    return _soak(given.minutes * 60, given.over, Random(given.seed))


def _soak(seconds: float, over: Sequence[str], random: Random) -> int:
    trend, broken, calls, runs = Trend(), 0, 0, 0
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        experiment, carrier = random.choice([one for one in RUNS if one[1].name in over])
        verdict = run_one(experiment, carrier, random.randrange(1 << 30))
        broken += bool(verdict.breaches)
        calls, runs = calls + verdict.calls, runs + 1
        trend.look()
    late = trend.settled()
    faults = late.faults()
    print(f"{runs} experiments, {calls:,} calls, {broken} broken; memory {trend.memory_mib[0]:.1f} to "
          f"{trend.memory_mib[-1]:.1f} MiB, at last {late.mib_per_hour:+.1f} MiB an hour; threads {trend.threads[-1]}; "
          f"descriptors {trend.descriptors[0]} to {trend.descriptors[-1]}; Python objects "
          f"{trend.objects[0]:,} to {trend.objects[-1]:,}")  # fmt: skip
    for fault in faults:
        print(f"  {fault}")
    return int(bool(broken or faults))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
