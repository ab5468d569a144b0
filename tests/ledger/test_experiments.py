"""Each experiment, in its short form, over each transport; ``nox -s ledger`` gives each a minute."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterable, Iterator

import pytest
from ledger.carriers import Carrier
from ledger.experiments.table import RUNS, Experiment
from ledger.process import environment

pytestmark = [pytest.mark.slow, pytest.mark.long]
_MOST_S = 400


class Running:
    """Experiments over one transport, by their *numbers*, in a process that shares nothing with the tests."""

    def __init__(self, carrier: str, numbers: Iterable[int]) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "ledger.run", *map(str, numbers), "--over", carrier],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment(),
        )  # fmt: skip
        self._said = ""
        self._limit = threading.Timer(_MOST_S, self._process.kill)
        self._limit.start()

    def report_of(self, experiment: Experiment) -> str:
        """Wait for the line of one, and give it with all that was said before."""
        assert self._process.stdout is not None
        head = f"\n{experiment.number} {experiment.name} over "
        while head not in f"\n{self._said}" or self._is_explaining():
            line = self._process.stdout.readline()
            if not line:
                break
            self._said += line
        return self._said

    def _is_explaining(self) -> bool:
        """What is broken has lines of its own, the last of which names the ledger."""
        last = self._said.splitlines()[-1]
        return ": broken (" in last or (last.startswith("  ") and "the ledger is in" not in last)

    def close(self) -> None:
        """End it."""
        self._limit.cancel()
        self._process.kill()
        self._process.communicate()


@pytest.fixture(scope="module")
def running(request: pytest.FixtureRequest) -> Iterator[dict[str, Running]]:
    """Let those that are to be tested run over every transport at once, since they mostly wait."""
    numbers: dict[str, list[int]] = {}
    for item in request.session.items:
        if isinstance(item, pytest.Function) and item.path == request.path:
            asked = item.callspec.params
            numbers.setdefault(asked["carrier"].name, []).append(asked["experiment"].number)
    made = {name: Running(name, of_carrier) for name, of_carrier in numbers.items()}
    yield made
    for one in made.values():
        one.close()


@pytest.mark.parametrize(("experiment", "carrier"), RUNS, ids=lambda one: one.name.replace(" ", "-"))
def test_nothing_is_lost(experiment: Experiment, carrier: Carrier, running: dict[str, Running]) -> None:
    """The ledger of both sides keeps every rule, and what the experiment itself asks for holds."""
    said = running[carrier.name].report_of(experiment)
    assert f"\n{experiment.number} {experiment.name} over {carrier.name}: held" in f"\n{said}", said
