"""What every cluster promises, whoever wrote it: tried on all that are installed."""

from __future__ import annotations

from typing import Any

import pytest
from support.cluster import Bench

from callahead.config.extension import CLUSTER, available, load
from callahead.consumer.call.invocation import Outcome
from callahead.consumer.errors import ConnectFailed, NoProviderAvailable, RemoteError

OURS = ("failfast", "failover")


@pytest.fixture(params=sorted({*available(CLUSTER), *OURS}))
def kind(request: pytest.FixtureRequest) -> Any:
    return load(CLUSTER, request.param)


def test_an_answer_is_handed_up_as_it_is(kind: Any) -> None:
    """The outcome of an attempt that succeeded is the outcome of the call."""
    bench = Bench(kind)
    outcomes = bench.call()
    assert outcomes == []
    answered = Outcome("answer")
    bench.attempts.pop()[1](answered)
    assert outcomes == [answered]
    assert bench.attempts == []


def test_it_begins_at_once_and_never_waits(kind: Any) -> None:
    """The call returns while its attempt is pending."""
    bench = Bench(kind)
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


def test_without_a_provider_the_error_says_where_it_looked(kind: Any) -> None:
    """No provider is an outcome, never an exception."""
    bench = Bench(kind, 0)
    [outcome] = bench.call()
    assert isinstance(outcome.error, NoProviderAvailable)
    assert outcome.error.message == "no provider: none is known: the test"
    assert (outcome.error.reference, outcome.error.method, outcome.error.not_sent) == ("foo", "find", True)
    assert (outcome.error.attempt, outcome.error.endpoint) == (0, None)


def test_a_business_error_is_never_repeated(kind: Any) -> None:
    """The provider has answered."""
    bench = Bench(kind)
    outcomes = bench.call(retries=5, idempotent=True)
    made = RemoteError("no")
    bench.end(made)
    assert outcomes[0].error is made
    assert bench.attempts == []


def test_it_ends_exactly_once(kind: Any) -> None:
    """However many attempts fail, one outcome comes, and it is an error."""
    bench = Bench(kind, 3, lambda _, done: done(Outcome(error=ConnectFailed("refused", not_sent=True))))
    outcomes = bench.call(retries=2)
    assert len(outcomes) == 1
    assert outcomes[0].error is not None


def test_one_attempt_is_the_rule_without_retries(kind: Any) -> None:
    """retries: 0 means one."""
    bench = Bench(kind, 3, lambda _, done: done(Outcome(error=ConnectFailed("refused", not_sent=True))))
    bench.call(retries=0)
    assert len(bench.asked) == 1


def test_calls_of_one_instance_do_not_mix(kind: Any) -> None:
    """Many calls run through one cluster at once, and each gets its own answer."""
    bench = Bench(kind)
    calls = [bench.call() for _ in range(10)]
    waiting = list(enumerate(bench.attempts))
    for number, (_, done) in reversed(waiting):
        done(Outcome(number))
    assert [outcomes[0].value for outcomes in calls] == list(range(10))


def test_a_load_balancer_that_raises_is_an_outcome(kind: Any) -> None:
    """What an extension raises never leaves the cluster as an exception."""

    class Picky:
        def select(self, providers: Any, invocation: Any) -> Any:
            raise IndexError("oops")

    [outcome] = Bench(kind, 3, loadbalance=Picky()).call()
    assert outcome.error is not None
    assert isinstance(outcome.error.__cause__, IndexError)


def test_failfast_makes_one_attempt_whatever_retries_say() -> None:
    """The name says it."""
    bench = Bench(load(CLUSTER, "failfast"), 3, lambda _, done: done(Outcome(error=ConnectFailed("r", not_sent=True))))
    [outcome] = bench.call(retries=5, idempotent=True)
    assert isinstance(outcome.error, ConnectFailed)
    assert len(bench.asked) == 1
