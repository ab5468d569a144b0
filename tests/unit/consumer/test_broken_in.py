"""A signal handler that raises while a call begins: nothing of the call goes on without its caller."""

from __future__ import annotations

from typing import Any

import pytest
from support.shop import Shop


class Broken(Exception):
    """What a program's own handler raises."""


class BreaksIn:
    """Raises in the thread that makes a call, at the first of *where* that it meets."""

    def __init__(self) -> None:
        self.looks = 0

    def __lt__(self, other: Any) -> bool:
        raise Broken

    def __gt__(self, other: Any) -> bool:
        raise Broken


@pytest.mark.parametrize(
    "mode",
    [{"async": True}, {"async": True, "sent": True}, {"return": False}, {"return": False, "sent": True}],
    ids=str,
)
def test_before_the_chain_is_entered(mode: dict[str, Any], caplog: pytest.LogCaptureFixture) -> None:
    """The call raises, ends, is counted once, and is no failure that nobody looked at."""
    with Shop(methods={"findFoo": mode}) as shop:
        shop.consumer._runtime.watchdog.next_end = BreaksIn()  # type: ignore[assignment]
        with pytest.raises(Broken):
            shop.foo.findFoo(1)
        shop.consumer._runtime.watchdog.next_end = float("inf")
        counts = shop.consumer.counts()["foo"]["findFoo"]
        assert (counts.calls, counts.running, counts.failures) == (1, 0, {"Broken": 1})
        assert not shop.consumer._runtime.running
    assert "nobody looked" not in caplog.text
