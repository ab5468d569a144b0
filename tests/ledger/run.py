"""Runs experiments: ``python -m ledger.run [NUMBER ...] [--over CARRIER ...] [--long] [--seed N]``.

Each line of the report is one experiment over one transport; the exit status is 1 where a rule is broken. The ledgers
of those stay, and their folder is named.
"""

from __future__ import annotations

import argparse
import logging
import shutil
import sys
import tempfile
import time
import warnings
from collections.abc import Sequence
from pathlib import Path

from ledger import network
from ledger.carriers import CARRIERS, Carrier
from ledger.client import Ask
from ledger.experiments.table import EXPERIMENTS, LONG_S, Experiment
from ledger.load import MODES, ask_as_told
from ledger.round import Round, Verdict
from ledger.system import give_back_freed_memory

_SHOWN = 5


def run_one(experiment: Experiment, carrier: Carrier, seed: int, *, is_long: bool = False) -> Verdict:
    """Run one, print what came of it, and return that."""
    folder = Path(tempfile.mkdtemp(prefix=f"ledger-{experiment.number}-{carrier.name}-"))
    began = time.monotonic()
    seconds, calls = (LONG_S, experiment.long_calls) if is_long else (experiment.short_s, 0)
    with Round(carrier, seconds, seed, folder, calls) as opened:
        experiment.run(opened)
    verdict = opened.verdict
    word = "broken" if verdict.breaches else "held"
    print(f"{experiment.number} {experiment.name} over {carrier.name}: {word} "
          f"({time.monotonic() - began:.0f} s, seed {seed}): {verdict}", flush=True)  # fmt: skip
    _tell_breaches(verdict, folder)
    if not verdict.breaches:
        shutil.rmtree(folder)
    return verdict


def _tell_breaches(verdict: Verdict, folder: Path) -> None:
    for breach in verdict.breaches[:_SHOWN]:
        print(f"  {breach.rule} {breach.id}: {breach.why}")
    if verdict.breaches:
        print(f"  {len(verdict.breaches)} in all; the ledger is in {folder}", flush=True)


def warm_up(carrier: Carrier) -> None:
    """Let everything be loaded that is loaded once, so that levels compare."""
    with tempfile.TemporaryDirectory() as folder:
        with Round(carrier, 0.0, 0, Path(folder)) as opened:
            client = opened.client(opened.place().url)
            for mode, _ in MODES:
                ask_as_told(client, Ask(mode=mode))


def main(arguments: Sequence[str]) -> int:
    """Run what is asked for; 0 where all rules held."""
    parser = argparse.ArgumentParser(prog="ledger.run", description="Experiments with faults, judged by a ledger.")
    parser.add_argument("numbers", nargs="*", type=int, metavar="NUMBER", help="which; all by default")
    parser.add_argument("--over", nargs="+", choices=[*CARRIERS], default=[*CARRIERS], help="which transports")
    parser.add_argument("--long", action="store_true", help="a minute each, not some seconds")
    parser.add_argument("--seed", type=int, default=7, help="of all chance")
    given = parser.parse_args(arguments)
    network.enter("ledger.run", arguments)
    be_quiet()
    give_back_freed_memory()
    broken = 0
    chosen = [one for one in EXPERIMENTS if not given.numbers or one.number in given.numbers]
    for name in given.over:
        warm_up(CARRIERS[name])
        for experiment in chosen:
            if not experiment.applies_to(CARRIERS[name]):
                print(f"{experiment.number} {experiment.name} over {name}: does not apply: needs {experiment.needs}")
            else:
                broken += bool(run_one(experiment, CARRIERS[name], given.seed, is_long=given.long).breaches)
    return int(broken > 0)


def be_quiet() -> None:
    """Say nothing of each failed call: they are meant to fail, and the ledger has them."""
    logging.getLogger("callahead").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", ".*fork.*", DeprecationWarning)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
