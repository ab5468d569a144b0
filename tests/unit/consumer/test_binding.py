"""What all who call one method of a reference share, and how it is swapped."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from support.balance import parts
from support.shop import Shop

from callahead.consumer import CallNext, Invocation, InvocationFuture
from callahead.consumer.call.attempt import Attempt
from callahead.consumer.call.provider import Provider
from callahead.consumer.loadbalance.api import AttemptWatcher, LoadBalanceParts


class Twice:
    """Makes every attempt two requests, and passes on what became of the second."""

    scope = "attempt"
    inline = True

    def intercept(self, invocation: Invocation, call_next: CallNext) -> InvocationFuture:
        return call_next(invocation).then(lambda _: call_next(invocation))


class Tagged:
    """Adds to what travels, as a tracer does, without being more than an observer."""

    scope = "attempt"
    inline = True

    def on_start(self, invocation: Any) -> None:
        invocation.attachments = {**invocation.attachments, "trace": str(invocation.number)}

    def on_end(self, token: Any, outcome: Any) -> None:
        return None


def pipeline_of(shop: Shop) -> Any:
    shop.consumer.reference("foo")
    return shop.consumer._pipeline("foo")


def test_every_spelling_of_a_method_has_one_binding() -> None:
    """So limits and counts are one as well."""
    with Shop(lambda _: 1) as shop:
        pipeline = pipeline_of(shop)
        assert pipeline.method("find_foo")._caller.binding is pipeline.bind("findFoo")
        assert pipeline.method("findFoo") is pipeline.method("FindFoo")


def test_an_interceptor_of_attempts_may_ask_twice() -> None:
    """Each request has a trace of its own, one try is counted, and the record tells of the second."""
    with Shop(methods={"findFoo": {"interceptors": [f"{__name__}:Twice"]}}) as shop:
        future = shop.foo.findFoo.future(1)
        first = shop.next_call()
        first.reply("one", {"from": "one"})
        second = shop.next_call()
        assert second.attempt is not first.attempt
        second.reply("two", {"from": "two"})
        assert future.result(5) == "two"
        assert (future.attempts, dict(future.response_attachments)) == (1, {"from": "two"})


def test_an_observer_of_attempts_may_add_attachments() -> None:
    """They travel with that attempt only; the call's own stay as they were."""
    methods = {"findFoo": {"interceptors": [f"{__name__}:Tagged"], "parameters": {"shop": "north"}}}
    with Shop(methods=methods) as shop:
        future = shop.foo.findFoo.future(1)
        call = shop.next_call()
        assert dict(call.attempt.attachments) == {"shop": "north", "trace": "1"}
        assert dict(future.invocation.attachments) == {"shop": "north"}
        call.reply(1)
        assert future.result(5) == 1


class LeastActive:
    """A load balancer that hears of attempts, as one of another distribution would be."""

    def __init__(self, parts: LoadBalanceParts) -> None:
        del parts
        self.running: dict[Provider, int] = {}

    def select(self, providers: Sequence[Provider], invocation: Invocation) -> Provider:
        del invocation
        return min(providers, key=lambda provider: self.running.get(provider, 0))

    def attempt_began(self, attempt: Attempt) -> None:
        self.running[attempt.provider] = self.running.get(attempt.provider, 0) + 1

    def attempt_ended(self, attempt: Attempt, outcome: Any) -> None:
        self.running[attempt.provider] -= 1


def test_a_load_balancer_that_watches_is_told_of_every_attempt() -> None:
    """Whatever its end: a look at what runs chooses the idle one, and all is zero in the end."""
    balance = LeastActive(parts())
    assert isinstance(balance, AttemptWatcher)
    with Shop(providers=3) as shop:
        pipeline = pipeline_of(shop)
        chain = pipeline._chains.folding.fold_with(pipeline.policy_of("findFoo"), balance)
        pipeline.bind("findFoo").chain = chain
        futures = [shop.foo.findFoo.future(1) for _ in range(3)]
        calls = [shop.next_call() for _ in futures]
        assert len({call.provider for call in calls}) == 3
        calls[0].reply(1)
        calls[1].fail(ValueError("a foreign error"))  # type: ignore[arg-type]
        futures[2].cancel()
        assert set(balance.running.values()) == {0}
