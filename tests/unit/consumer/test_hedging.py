"""A further attempt beside one that takes long."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
from support.cluster import Bench, Rich
from support.shop import Background, Shop

from callahead.config import ConfigError, load_text
from callahead.config.attempts import Hedge
from callahead.consumer import AllAttemptsFailed, ConnectionLost, RemoteError, RpcContext
from callahead.consumer.call.invocation import Outcome
from callahead.consumer.cluster.hedged import HedgedCluster
from callahead.consumer.cluster.latency import LEAST, Latencies

CONTEXT = RpcContext.get_context()


def hedged(providers: int = 3, most: int = 1, after: int | str = 50, **options: Any) -> Bench:
    return Bench(partial(HedgedCluster, hedge=Hedge(after_ms=after, most=most)), providers, **options)


def lost() -> ConnectionLost:
    return ConnectionLost("reset by peer", in_doubt=True)


def test_another_provider_is_asked_after_a_while() -> None:
    """The first answer counts, the other attempt is cancelled; what comes late is counted and dropped."""
    bench = hedged()
    outcomes = bench.call(idempotent=True)
    bench.timer.advance(0.049)
    assert len(bench.attempts) == 1
    bench.timer.advance(0.001)
    first, second = bench.attempts
    assert first[0].provider is not second[0].provider
    assert (first[0].number, second[0].number) == (1, 2)
    second[1](Outcome("quick"))
    assert outcomes[0].value == "quick"
    assert first[0].is_cancelled
    first[1](Outcome("slow"))
    assert len(outcomes) == 1
    assert bench.cluster.counts() == {"hedges": 1, "hedges_won": 1, "cancelled": 1, "late": 1}


def test_an_answer_in_time_needs_no_other() -> None:
    """Nothing begins after the end."""
    bench = hedged()
    bench.call(idempotent=True)
    bench.end(value="answer")
    bench.timer.advance(1)
    assert bench.attempts == []
    assert bench.cluster.counts() == {}


@pytest.mark.parametrize("most", [1, 2])
def test_max_is_the_most(most: int) -> None:
    """Each comes as long after the one before."""
    bench = hedged(5, most)
    bench.call(idempotent=True)
    bench.timer.advance(0.5)
    assert len(bench.attempts) == 1 + most


def test_no_provider_is_asked_twice_at_a_time() -> None:
    """Where no other is known no further attempt begins."""
    bench = hedged(1)
    bench.call(idempotent=True)
    bench.timer.advance(0.5)
    assert len(bench.attempts) == 1


def test_the_budget_pays_for_it() -> None:
    """Where that is spent the first attempt goes on alone."""

    class Poor(Rich):
        def withdraw(self) -> bool:
            return False

    bench = hedged(budget=Poor())
    bench.call(idempotent=True)
    bench.timer.advance(0.5)
    assert len(bench.attempts) == 1
    assert bench.cluster.counts() == {"hedges_refused": 1}


def test_a_failure_waits_for_the_other_attempt() -> None:
    """It is repeated where none is left."""
    bench = hedged()
    outcomes = bench.call(idempotent=True, retries=2)
    bench.timer.advance(0.05)
    bench.end(lost())
    assert (len(bench.attempts), outcomes) == (1, [])
    bench.end(lost())
    bench.timer.advance(0)
    assert (len(bench.attempts), outcomes) == (1, [])
    bench.end(lost())
    error = outcomes[0].error
    assert isinstance(error, AllAttemptsFailed)
    assert len(error.failures) == 3


def test_many_attempts_that_fail_at_once_nest_no_deeper() -> None:
    """A thousand retries end like any other number."""
    bench = hedged(attempt=lambda _, done: done(Outcome(error=lost())))
    outcomes = bench.call(idempotent=True, retries=1000)
    bench.timer.advance(1)
    assert isinstance(outcomes[0].error, AllAttemptsFailed)
    assert len(outcomes[0].error.failures) == 1001


def test_an_error_of_the_method_ends_the_call() -> None:
    """It is an answer."""
    bench = hedged()
    outcomes = bench.call(idempotent=True)
    bench.timer.advance(0.05)
    bench.end(RemoteError("no"))
    assert isinstance(outcomes[0].error, RemoteError)
    assert bench.attempts[0][0].is_cancelled


def test_a_percentile_is_learned_from_the_attempts() -> None:
    """No hedge before enough of them are known; then after as long as most take."""
    bench = hedged(after="p90")
    for number in range(24):
        bench.call(idempotent=True)
        bench.clock.advance(0.010 if number % 8 else 0.200)
        bench.end(value="answer")
    assert bench.timer.next_in is None
    bench.call(idempotent=True)
    bench.timer.advance(0.199)
    assert len(bench.attempts) == 1
    bench.timer.advance(0.002)
    assert len(bench.attempts) == 2


def test_the_estimate_is_of_the_last_attempts_only() -> None:
    """Memory is bounded, and what was slow once is forgotten."""
    latencies = Latencies(95)
    for _ in range(LEAST - 1):
        latencies.add(9.0)
    assert latencies.estimate is None
    for _ in range(1000):
        latencies.add(0.001)
    assert latencies.estimate == 0.001
    assert len(latencies._seconds) == 128


@pytest.mark.parametrize("mode", [{}, {"async": True}, {"async": "lazy"}])
def test_every_mode_is_hedged(mode: dict[str, Any]) -> None:
    """The record counts the attempts."""
    methods = {"findFoo": {"idempotent": True, "hedge": {"after": "10ms"}, **mode}}
    with Shop(methods=methods, providers=2) as shop:

        def find() -> tuple[Any, int]:
            value = shop.foo.findFoo(1)
            value = CONTEXT.get_future().result(20) if mode else value
            assert CONTEXT.last_call is not None
            return value, CONTEXT.last_call.attempts

        call = Background(find)
        first, second = shop.next_call(), shop.next_call()
        second.reply("quick")
        assert call.join() == ("quick", 2)
        assert first.is_cancelled
        assert shop.consumer.counts()["foo"]["findFoo"].attempts == 2


FOO = "references: {{foo: {{interface: a.Foo, url: 'tri://h:1', {reference}methods: {{find: {{{method}}}}}}}}}"


@pytest.mark.parametrize(
    ("reference", "method", "said"),
    [
        ("", "hedge: {after: 50}", "hedge: runs a method twice, which must be idempotent"),
        ("", "hedge: {}, idempotent: true, cluster: failfast", "hedge: cannot stand beside cluster: failfast"),
        ("", "hedge: {after: 0}, idempotent: true", "hedge.after: must be from 1"),
        ("", "hedge: {max: 11}, idempotent: true", "hedge.max: must be from 0 to 10"),
    ],
)
def test_what_cannot_be_hedged_is_refused_at_load(reference: str, method: str, said: str) -> None:
    """With file, line and key."""
    with pytest.raises(ConfigError, match=f"x.yml:1: references.foo.methods.find.{said}"):
        load_text(FOO.format(reference=reference, method=method), "x.yml")


def test_a_client_of_this_process_cannot_be_hedged() -> None:
    """It has no other provider."""
    text = "references: {s: {protocol: python, methods: {get: {idempotent: true, hedge: {}}}}}"
    with pytest.raises(ConfigError, match='x.yml:1: .*hedge: a reference of protocol "python" has one provider'):
        load_text(text, "x.yml")


def test_a_hedge_of_a_level_above_is_for_idempotent_methods() -> None:
    """The others do without, and nothing is wrong with that."""
    load_text(FOO.format(reference="hedge: {after: 10}, ", method=""), "x.yml")
    with Shop(methods={"findFoo": {}}, reference={"hedge": {"after": 1}}, providers=2) as shop:
        future = shop.foo.findFoo.future(1)
        shop.next_call().reply("answer")
        assert future.result(5) == "answer"
        assert shop.consumer.counts()["foo"]["findFoo"].attempts == 1


def test_who_left_before_the_request_was_sent_counts_as_no_attempt() -> None:
    """Another one is asked at once, though there are no retries; a failure after that ends the call."""
    bench = hedged(2)
    outcomes = bench.call(idempotent=True, retries=0)
    chosen = bench.attempts[0][0].provider
    bench.publish(*(one.endpoint for one in bench.directory.providers if one is not chosen))
    bench.end(ConnectionLost("the provider has left the registry before the request was sent", not_sent=True))
    bench.timer.advance(0)
    assert [attempt.provider for attempt, _ in bench.attempts] == list(bench.directory.providers)
    bench.end(lost())
    bench.timer.advance(1)
    assert isinstance(outcomes[0].error, AllAttemptsFailed)
    assert bench.attempts == []
