"""Load balancers that count what runs, through the whole chain: every mode of a call counts, and none for ever."""

from __future__ import annotations

import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.balance import parts
from support.shop import Shop

from callahead.config.extension import LOADBALANCE, load
from callahead.consumer.call.attempt import Attempt
from callahead.consumer.errors import CallTimeout, ConnectFailed, ConnectionLost, RemoteError, RpcError

MODES: dict[str, dict[str, Any]] = {
    "async": {"async": True},
    "lazy": {"async": "lazy"},
    "one-way": {"return": False},
    "future": {},
}
ENDS = (
    None,
    RemoteError("no"),
    ConnectFailed("refused", not_sent=True),
    ConnectionLost("reset", in_doubt=True),
    CallTimeout("late", in_doubt=True),
)
WATCHING = ("adaptive", "leastactive", "p2c", "shortestresponse")


class Balanced:
    """A shop whose attempts wait for their ends, and the counts of its load balancer."""

    def __init__(self, name: str, **method: Any) -> None:
        self.shop = Shop(providers=3, methods={"findFoo": {"retries": 2, "idempotent": True, **method}})
        self.call = self.shop.foo.findFoo
        self.pipeline: Any = self.shop.consumer._pipeline("foo")
        self.balance: Any = load(LOADBALANCE, name)(parts(7, time.monotonic))
        self.pipeline.bind("findFoo").chain = self.pipeline._chains.folding.fold_with(self.call.policy, self.balance)

    def running(self) -> int:
        return sum(self.balance.records.running(one) for one in self.pipeline.directory.providers)


@settings(deadline=None, max_examples=15)
@given(
    name=st.sampled_from(WATCHING),
    mode=st.sampled_from(sorted(MODES)),
    ends=st.lists(st.sampled_from(ENDS), min_size=1, max_size=4),
)
def test_counts_return_to_zero_after_any_outcome(name: str, mode: str, ends: list[RpcError | None]) -> None:
    """Whatever the mode, however attempts end, however often they are repeated; and where the consumer is closed."""
    here = Balanced(name, **MODES[mode])
    with here.shop:
        kept = here.call.future(1) if mode == "future" else here.call(1)
        for error in ends:
            if here.shop.transport.is_idle:
                break
            assert here.running() == 1
            attempt = here.shop.next_call()
            attempt.reply("answer") if error is None else attempt.fail(error)
        del kept
    assert here.running() == 0


@pytest.mark.parametrize("name", WATCHING)
def test_a_cancelled_call_is_counted_no_more(name: str) -> None:
    """At once, though its provider goes on."""
    here = Balanced(name)
    with here.shop:
        future = here.call.future(1)
        assert here.running() == 1
        future.cancel()
        assert here.running() == 0


def test_calls_in_every_mode_go_where_fewer_run() -> None:
    """Three calls, each in a mode of its own, are at three providers."""
    asked: set[str] = set()
    here = Balanced("leastactive")
    with here.shop:
        for options in ({"async_": True}, {"async_": "lazy"}, {}):
            method = here.call.with_options(**options)
            result = method(1) if options else method.future(1)
            asked.add(here.shop.next_call().attempt.provider.name)
            del result
        assert len(asked) == 3


def test_equal_arguments_go_to_one_provider() -> None:
    """By place or by keyword, in any order of writing."""

    def answer(attempt: Attempt) -> str:
        return attempt.provider.name

    settings = {"loadbalance": "consistenthash", "hash.arguments": "tenant"}
    with Shop(answer, providers=5, methods={"findFoo": settings}) as shop:
        find = shop.foo.findFoo
        by_tenant = {tenant: {find(number, tenant=tenant) for number in range(5)} for tenant in range(20)}
        assert {len(names) for names in by_tenant.values()} == {1}
        assert len(set.union(*by_tenant.values())) > 1


def test_the_settings_of_the_ring_are_those_of_the_method() -> None:
    """Dubbo's spelling of them, too."""
    with Shop(lambda _: 1, methods={"findFoo": {"hash.nodes": 8, "hash_arguments": [1]}}) as shop:
        policy = shop.foo.findFoo.policy
        assert (policy.hash_nodes, policy.hash_arguments) == (8, ("1",))
