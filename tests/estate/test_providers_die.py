"""Providers die, freeze or leave: what callers see of it, and how the estate recovers."""

from __future__ import annotations

import socket
import time
from functools import partial
from typing import Any
from urllib.parse import urlsplit

import pytest
from load import Load, wait_for

pytestmark = pytest.mark.slow

# All providers fail for so long; the long form is that of the manual.
OUTAGES = [pytest.param(5.0, id="5 s"), pytest.param(30.0, id="30 s", marks=pytest.mark.minutes)]


def hard(error: Any) -> str:
    """Name what went wrong, and where."""
    return f"{type(error).__name__} at {error.endpoint}"


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


@pytest.mark.long
def test_only_calls_that_run_there_are_hurt_by_a_kill(estate: Any) -> None:
    """Each that fails was begun before, at the one that was killed, and is in doubt."""
    first, *_ = estate.start(3, delay="50ms")
    consumer = estate.consumer(timeout=5000)
    url = first.url
    with Load(partial(estate.call, consumer), 200) as load:
        time.sleep(1)
        killed_at = time.monotonic()
        first.kill()
        time.sleep(2)
    assert 0 < len(load.failed) < 40
    for call in load.failed:
        assert call.error.endpoint == url
        assert call.error.in_doubt
        assert call.began < killed_at + 0.5  # until the loss was heard of


@pytest.mark.long
def test_who_freezes_is_ejected_and_comes_back(estate: Any) -> None:
    """Callers of an idempotent method see nothing of it but some slower calls."""
    first, *_ = estate.start(3)
    outlier = {"base_ejection": "500ms", "max_ejection": "1s"}
    consumer = estate.consumer(timeout=500, retries=3, idempotent=True, outlier=outlier)
    health = lambda: consumer.health()["foo"]  # noqa: E731
    estate.who(consumer, 60)
    with Load(partial(estate.call, consumer), 100) as load:
        first.pause()
        wait_for(lambda: health().ejected == 1)
        ejected_at = time.monotonic()
        wait_for(lambda: health().probes > 0)  # one call at a time tries it
        first.resume()
        wait_for(lambda: health().ejected == 0)
    slow = [call for call in load.calls if call.began > ejected_at and call.ended - call.began > 0.45]
    assert load.failed == []
    assert len(slow) <= health().probes + 2
    assert first.pid in estate.who(consumer, 60)


@pytest.mark.long
@pytest.mark.parametrize("seconds", OUTAGES)
def test_an_outage_of_all_makes_no_storm_and_ends_at_once(estate: Any, seconds: float) -> None:
    """At most 1.2 attempts for each call; all are answered from two seconds after it is over."""
    processes = estate.start(3)
    consumer = estate.consumer(timeout=500, retries=2, idempotent=True)
    estate.who(consumer, 60)
    with Load(partial(estate.call, consumer), 300) as load:
        time.sleep(2)
        for process in processes:
            process.pause()
        time.sleep(seconds)
        over_at = time.monotonic()
        for process in processes:
            process.resume()
        time.sleep(2 + max(3.0, seconds / 2))  # the budget allows for a fifth of these calls, too
    counts = consumer.counts()["foo"]["findFoo"]
    late = [hard(call.error) for call in load.failed if call.began > over_at + 2]
    assert len(load.failed) > 50 * seconds
    assert late == []
    assert counts.attempts <= 1.2 * counts.calls
    assert consumer.health()["foo"].ejected <= 1


@pytest.mark.long
def test_a_retired_host_is_never_dialled_again(estate: Any) -> None:
    """Once it is taken out of the registry, and its calls have ended, nobody connects to its address."""
    first, *_ = estate.start(3)
    consumer = estate.consumer(timeout=5000)
    estate.who(consumer, 60)
    address = urlsplit(first.url)
    estate.listed.withdraw("com.alibaba.foo.FooService", first.url)
    assert consumer.wait_idle(10)
    first.stop()
    with socket.socket() as listener, Load(partial(estate.call, consumer), 100) as load:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((address.hostname, address.port))
        listener.listen()
        listener.settimeout(1.5)
        with pytest.raises(TimeoutError):
            listener.accept()
    assert load.failed == []
