"""What a call costs whose method uses nothing of what there is: calls of Python, which can be counted exactly."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from support.shop import Shop

from callahead import consumer

OURS = str(Path(consumer.__file__).parent)
TESTING = str(Path(OURS, "testing"))
ROUNDS = 200
# Whoever needs more for a feature lets those pay who use it.
MOST = {"future": 28, "sync": 27}


def counted(function: Callable[[], Any]) -> Counter[str]:
    """Count the functions of the consumer that one call of *function* runs on this thread, by name."""
    counts: Counter[str] = Counter()

    def note(frame: FrameType, event: str, _: object) -> None:
        code = frame.f_code
        if event == "call" and code.co_filename.startswith(OURS) and not code.co_filename.startswith(TESTING):
            counts[code.co_qualname] += 1

    before = sys.getprofile()
    sys.setprofile(note)
    try:
        for _ in range(ROUNDS):
            function()
    finally:
        sys.setprofile(before)
    return Counter({name: count // ROUNDS for name, count in counts.items() if count >= ROUNDS})


@pytest.mark.parametrize("way", MOST)
def test_what_nobody_uses_costs_no_call(way: str) -> None:
    """The parts of a plain call, from the reference to the transport and back."""
    with Shop(lambda _: "answer") as shop:
        method = shop.foo.findFoo
        call = {"future": lambda: method.future(1).result(), "sync": lambda: method.sync(1)}[way]
        call()  # whatever is made once
        counts = counted(call)
    assert counts.total() <= MOST[way], counts
