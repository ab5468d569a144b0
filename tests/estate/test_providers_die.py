"""A provider among others dies: whoever did not wait for just that one does not notice."""

from __future__ import annotations

from typing import Any

import pytest

pytestmark = pytest.mark.slow


def test_who_is_killed_is_passed_over(estate: Any) -> None:
    """After ``kill -9`` of one of three every call is answered by the other two."""
    first, *others = estate.start(3)
    consumer = estate.consumer(timeout=5000)
    assert set(estate.who(consumer, 60)) == {first.pid, *(other.pid for other in others)}
    killed = first.pid
    first.kill()
    answered = estate.who(consumer, 60)
    assert killed not in answered
    assert set(answered) == {other.pid for other in others}
