"""The pauses between the attempts of a call."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest
from support.cluster import Bench
from support.shop import Background, Shop

from callahead.config.attempts import Backoff
from callahead.consumer import ConnectFailed, ConnectionLost, RpcContext
from callahead.consumer.call.invocation import Outcome
from callahead.consumer.cluster.failover import FailoverCluster
from callahead.consumer.cluster.pause import length_of

CONTEXT = RpcContext.get_context()
SLOW = Backoff(base_ms=100, max_ms=1000)


def lost() -> ConnectionLost:
    return ConnectionLost("reset by peer", in_doubt=True)


def test_pauses_double_up_to_the_most_by_chance() -> None:
    """Full jitter: anything from nothing to the longest."""
    for failures, longest in ((1, 0.1), (2, 0.2), (4, 0.8), (5, 1.0), (900, 1.0)):
        drawn = [length_of(SLOW, failures, Random(seed)) for seed in range(200)]
        assert all(0 <= one <= longest for one in drawn)
        assert max(drawn) > 0.9 * longest


def test_the_next_attempt_comes_after_the_pause() -> None:
    """By the timer; no thread waits for it."""
    bench = Bench(FailoverCluster)
    outcomes = bench.call(idempotent=True, retry_backoff=SLOW)
    bench.end(lost())
    assert bench.attempts == []
    assert bench.timer.next_in is not None
    assert 0 < bench.timer.next_in <= 0.1
    bench.timer.advance(0.1)
    bench.end(value="answer")
    assert outcomes[0].value == "answer"


def test_what_was_not_sent_goes_to_the_next_provider_at_once() -> None:
    """Only where all have been asked there is a pause."""
    bench = Bench(FailoverCluster, 2, lambda _, done: done(Outcome(error=ConnectFailed("refused", not_sent=True))))
    outcomes = bench.call(retries=2, retry_backoff=SLOW)
    assert len(bench.asked) == 2
    bench.timer.advance(0.2)
    assert len(bench.asked) == 3
    assert len(outcomes) == 1


def test_a_pause_past_the_deadline_ends_the_call_now() -> None:
    """Nobody waits for an attempt that cannot come; the error says why."""
    bench = Bench(FailoverCluster)
    outcomes = bench.call(idempotent=True, total_timeout_ms=1, retry_backoff=Backoff(base_ms=60_000, max_ms=60_000))
    bench.end(lost())
    [note] = outcomes[0].error.__notes__  # type: ignore[union-attr]
    assert note.startswith("not tried again: the deadline would pass in the pause of ")


def test_a_call_that_is_given_up_ends_its_pause() -> None:
    """At once, and exactly once."""
    bench = Bench(FailoverCluster)
    invocation = bench.invocation(idempotent=True, retry_backoff=SLOW)
    outcomes = bench.call(invocation)
    bench.end(lost())
    invocation.record.cancel()
    assert len(outcomes) == 1
    bench.timer.advance(1)
    assert (len(outcomes), bench.attempts) == (1, [])


@pytest.mark.parametrize("mode", [{}, {"async": True}])
def test_every_mode_pauses(mode: dict[str, Any]) -> None:
    """The thread of a synchronous call waits for its end as ever."""
    methods = {"findFoo": {"idempotent": True, "retry_backoff": {"base": 20, "max": 20}, **mode}}
    with Shop(methods=methods, providers=2) as shop:
        call = Background(shop.foo.findFoo, 1)
        shop.next_call().fail(lost())
        shop.next_call().reply("answer")
        assert call.join() == (None if mode else "answer")


def test_closing_ends_a_pause() -> None:
    """The call's limits are given back, as by any end."""
    methods = {"findFoo": {"idempotent": True, "actives": 1, "retry_backoff": {"base": "60s", "max": "60s"}}}
    shop = Shop(methods=methods, consumer={"total_timeout": "1h"})
    future = shop.foo.findFoo.future(1)
    shop.next_call().fail(lost())
    shop.consumer.close(0)
    assert future.exception(5) is not None
    assert shop.consumer.counts()["foo"]["findFoo"].running == 0
