"""What a call costs whose method uses nothing of what there is: calls of Python, which can be counted exactly.

They are counted in a process of its own, for who has made a lazy result once lets every later call look for some.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from support.shop import Shop

from callahead import consumer

TESTS = Path(__file__).parents[2]
OURS = str(Path(consumer.__file__).parent)
TESTING = str(Path(OURS, "testing"))
ROUNDS = 200
# Whoever needs more for a feature lets those pay who use it.
MOST = {"future": 28, "sync": 27}


@pytest.fixture(scope="module")
def counts() -> dict[str, dict[str, int]]:
    done = subprocess.run(
        [sys.executable, __file__], env={**os.environ, "PYTHONPATH": str(TESTS)}, capture_output=True, check=True
    )
    counts: dict[str, dict[str, int]] = json.loads(done.stdout)
    return counts


@pytest.mark.parametrize("way", MOST)
def test_what_nobody_uses_costs_no_call(counts: dict[str, dict[str, int]], way: str) -> None:
    """The parts of a plain call, from the reference to the transport and back."""
    assert sum(counts[way].values()) <= MOST[way], counts[way]


def counted(function: Callable[[], Any]) -> dict[str, int]:
    """Count the functions of the consumer that one call of *function* runs on this thread, by name."""
    counts: Counter[str] = Counter()

    def note(frame: FrameType, event: str, _: object) -> None:
        code = frame.f_code
        if event == "call" and code.co_filename.startswith(OURS) and not code.co_filename.startswith(TESTING):
            counts[code.co_qualname] += 1

    function()  # whatever is made once
    sys.setprofile(note)
    try:
        for _ in range(ROUNDS):
            function()
    finally:
        sys.setprofile(None)
    return {name: count // ROUNDS for name, count in counts.items() if count >= ROUNDS}


def main() -> None:
    """Print the counts of each way."""
    with Shop(lambda _: "answer") as shop:
        method = shop.foo.findFoo
        ways = {"future": lambda: method.future(1).result(), "sync": lambda: method.sync(1)}
        print(json.dumps({way: counted(call) for way, call in ways.items()}))


if __name__ == "__main__":
    main()
