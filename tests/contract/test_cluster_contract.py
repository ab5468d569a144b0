"""What every cluster promises, whoever wrote it: tried on all that are installed."""

from __future__ import annotations

from concurrent.futures import CancelledError
from functools import partial
from typing import Any

import pytest
from support.cluster import EMPTY, Bench

from callahead.config.attempts import Hedge
from callahead.config.extension import CLUSTER, available, load
from callahead.consumer.call.invocation import Outcome
from callahead.consumer.cluster.hedged import HedgedCluster
from callahead.consumer.errors import ConnectFailed, NoProviderAvailable, RemoteError, RpcError

OURS = ("available", "broadcast", "failback", "failfast", "failover", "failsafe", "forking", "mergeable", "zone-aware")
# Not found by its name, but by the setting hedge.
UNNAMED = ("hedged",)
# They answer in the place of failures.
FORGIVING = ("failback", "failsafe")
# They ask more than one provider at once.
SEVERAL = ("broadcast", "forking")


@pytest.fixture(params=sorted({*available(CLUSTER), *OURS, *UNNAMED}))
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def kind(name: str) -> Any:
    return partial(HedgedCluster, hedge=Hedge(after_ms=50)) if name == "hedged" else load(CLUSTER, name)


@pytest.fixture
def providers(name: str) -> int:
    """So many that just one of them is asked at first."""
    return 1 if name in SEVERAL else 3


def refuse(_: Any, done: Any) -> None:
    done(Outcome(error=ConnectFailed("refused", not_sent=True)))


def test_an_answer_is_handed_up_as_it_is(kind: Any, providers: int) -> None:
    """The value of an attempt that succeeded is that of the call."""
    bench = Bench(kind, providers)
    outcomes = bench.call()
    assert outcomes == []
    bench.end(value="answer")
    assert [(outcome.value, outcome.error) for outcome in outcomes] == [("answer", None)]
    assert bench.attempts == []


def test_it_begins_at_once_and_never_waits(kind: Any, providers: int) -> None:
    """The call returns while its attempt is pending."""
    bench = Bench(kind, providers)
    assert bench.call() == []
    assert len(bench.attempts) == 1


def test_each_attempt_is_noted(kind: Any) -> None:
    """Provider and number of the attempt are known before it begins."""
    bench = Bench(kind, 1)
    invocation = bench.invocation()
    bench.call(invocation)
    [(attempt, _)] = bench.attempts
    assert (attempt.provider, attempt.number) == (bench.directory.providers[0], 1)
    assert (invocation.record.attempts, invocation.record.endpoint) == (1, "tri://h1:1")


def test_without_a_provider_the_error_says_where_it_looked(kind: Any, name: str) -> None:
    """No provider is an outcome, never an exception, and for those who forgive a failure like any other."""
    bench = Bench(kind, 0)
    [outcome] = bench.call(retries=0)
    if name in FORGIVING:
        assert (outcome.error, outcome.value) == (None, EMPTY)
        return
    assert isinstance(outcome.error, NoProviderAvailable)
    assert outcome.error.message == "no provider: none is known: the test"
    assert (outcome.error.reference, outcome.error.method, outcome.error.not_sent) == ("foo", "find", True)
    assert (outcome.error.attempt, outcome.error.endpoint) == (0, None)


def test_a_business_error_is_never_repeated(kind: Any, providers: int) -> None:
    """The provider has answered."""
    bench = Bench(kind, providers)
    outcomes = bench.call(retries=5, idempotent=True)
    made = RemoteError("no")
    bench.end(made)
    assert outcomes[0].error is made
    assert bench.attempts == []
    assert bench.afterwards.running == set()


def test_it_ends_exactly_once(kind: Any, name: str) -> None:
    """However many attempts fail, one outcome comes."""
    bench = Bench(kind, 3, refuse)
    outcomes = bench.call(retries=2)
    bench.timer.advance(3600)
    assert len(outcomes) == 1
    assert (outcomes[0].error is None) == (name in FORGIVING)


def test_one_attempt_is_the_rule_without_retries(kind: Any, providers: int) -> None:
    """retries: 0 means one."""
    bench = Bench(kind, providers, refuse)
    bench.call(retries=0)
    bench.timer.advance(3600)
    assert len(bench.asked) == 1


def test_calls_of_one_instance_do_not_mix(kind: Any, providers: int) -> None:
    """Many calls run through one cluster at once, and each gets its own answer."""
    bench = Bench(kind, providers)
    calls = [bench.call() for _ in range(10)]
    waiting = list(enumerate(bench.attempts))
    for number, (_, done) in reversed(waiting):
        done(Outcome(number))
    assert [outcomes[0].value for outcomes in calls] == list(range(10))


def test_a_load_balancer_that_raises_is_an_outcome(kind: Any, name: str) -> None:
    """What an extension raises never leaves the cluster as an exception."""

    class Picky:
        def select(self, providers: Any, invocation: Any) -> Any:
            raise IndexError("oops")

    bench = Bench(kind, 3, loadbalance=Picky())
    outcomes = bench.call(retries=0)
    if name in ("available", "broadcast"):  # nobody asks it
        assert outcomes == []
    elif name not in FORGIVING:
        cause: BaseException | None = outcomes[0].error
        while isinstance(cause, RpcError):
            cause = cause.__cause__
        assert isinstance(cause, IndexError)


def test_a_call_that_is_given_up_ends_as_cancelled(kind: Any) -> None:
    """Every attempt is stopped, none follows, and nothing is left."""
    bench = Bench(kind, 3)
    invocation = bench.invocation(idempotent=True)
    outcomes = bench.call(invocation)
    invocation.record.cancel()
    assert all(attempt.is_cancelled for attempt, _ in bench.attempts)
    while bench.attempts:
        bench.end(CancelledError())
    bench.timer.advance(3600)
    assert [type(outcome.error) for outcome in outcomes] == [CancelledError]
    assert bench.attempts == []
    assert bench.afterwards.running == set()


def test_the_record_tells_of_the_attempt_that_decided(kind: Any, name: str) -> None:
    """Whoever answers is the provider of the call, though another was asked after it."""
    bench = Bench(kind, 3)
    invocation = bench.invocation(idempotent=True)
    bench.call(invocation)
    bench.timer.advance(0.06)  # a hedge
    attempts = list(bench.attempts)
    while bench.attempts:
        bench.end(value="answer")
    decisive = attempts[-1] if name == "broadcast" else attempts[0]
    assert invocation.record.endpoint == decisive[0].provider.name


def test_failfast_makes_one_attempt_whatever_retries_say() -> None:
    """The name says it."""
    bench = Bench(load(CLUSTER, "failfast"), 3, refuse)
    [outcome] = bench.call(retries=5, idempotent=True)
    assert isinstance(outcome.error, ConnectFailed)
    assert len(bench.asked) == 1
