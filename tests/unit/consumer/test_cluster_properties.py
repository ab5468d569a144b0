"""What holds for every cluster after anything: each call has ended once, and nothing is left running or waiting."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import CancelledError
from functools import partial
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.cluster import Bench, endpoints
from support.shop import Shop

from callahead.config.attempts import Backoff, Hedge
from callahead.config.extension import CLUSTER, available, load
from callahead.consumer import CallTimeout, ConnectFailed, ConnectionLost, RemoteError
from callahead.consumer.call.attempt import Attempt
from callahead.consumer.call.invocation import Done, Invocation, Outcome
from callahead.consumer.cluster.hedged import HedgedCluster

HEDGED = "hedged"
NAMES = sorted({*available(CLUSTER), HEDGED})
ENDS: dict[str, Callable[[], BaseException | None]] = {
    "answer": lambda: None,
    "error": lambda: RemoteError("no"),
    "refused": lambda: ConnectFailed("refused", not_sent=True),
    "lost": lambda: ConnectionLost("reset", in_doubt=True),
    "timeout": lambda: CallTimeout("no answer", in_doubt=True),
}
PLACE = st.integers(0, 20)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("call"), st.integers(0, 3)),
        *(st.tuples(st.just(end), PLACE) for end in ENDS),
        st.tuples(st.just("cancel"), PLACE),
        st.tuples(st.just("pass"), st.integers(1, 9000)),
        st.tuples(st.just("publish"), st.integers(0, 4)),
    ),
    max_size=40,
)


class Carried:
    """One attempt as a transport carries it: it ends once, and at once where it is cancelled."""

    def __init__(self, attempt: Attempt, done: Done, running: list[Carried]) -> None:
        self._done: Done | None = done
        self._running = running
        running.append(self)
        attempt.carried_by(self)

    def end(self, error: BaseException | None) -> None:
        done, self._done = self._done, None
        if done is not None:
            self._running.remove(self)
            done(Outcome("answer" if error is None else None, error))

    def cancel(self) -> None:
        self.end(CancelledError())


class World:
    """One cluster, the calls that it was given, and the attempts that it has made of them."""

    def __init__(self, name: str) -> None:
        self.running: list[Carried] = []
        kind: Any = partial(HedgedCluster, hedge=Hedge(after_ms=50, most=2)) if name == HEDGED else load(CLUSTER, name)
        self.bench = Bench(kind, 3, lambda attempt, done: (Carried(attempt, done, self.running), None)[1])
        self.calls: list[tuple[Invocation, list[Outcome]]] = []

    def do(self, what: str, number: int) -> None:
        if what == "call":
            backoff = Backoff(base_ms=100)
            invocation = self.bench.invocation(retries=number, idempotent=number > 1, retry_backoff=backoff)
            self.calls.append((invocation, self.bench.call(invocation)))
        elif what == "pass":
            self.bench.timer.advance(number / 1000)
        elif what == "publish":
            self.bench.publish(*endpoints(number))
        elif what == "cancel" and self.calls:
            self.calls[number % len(self.calls)][0].record.cancel()
        elif what in ENDS and self.running:
            self.running[number % len(self.running)].end(ENDS[what]())

    def finish(self, how: str) -> None:
        """End all that runs, until nothing does; or give up what is left, as a consumer does that is closed."""
        cluster: Any = self.bench.cluster
        if how == "close":
            for invocation, _ in self.calls:
                invocation.record.cancel()
            getattr(cluster, "close", lambda: None)()
        for _ in range(100):
            while self.running:
                self.running[0].end(ENDS[how]() if how in ENDS else None)
            self.bench.timer.advance(100)


@pytest.mark.parametrize("name", NAMES)
@given(steps=STEPS, how=st.sampled_from([*ENDS, "close"]))
def test_nothing_is_left(name: str, steps: list[tuple[str, int]], how: str) -> None:
    """Whatever providers answer, users cancel and registries say, in whichever order."""
    world = World(name)
    for what, number in steps:
        world.do(what, number)
    world.finish(how)
    assert [len(outcomes) for _, outcomes in world.calls] == [1] * len(world.calls)
    assert world.running == []
    assert world.bench.timer.next_in is None
    assert world.bench.afterwards.running == set()
    counts = getattr(world.bench.cluster, "counts", dict)()
    assert "queued" not in counts
    assert counts.get("repeated", 0) >= counts.get("delivered", 0)


ACTIONS = st.lists(st.tuples(st.sampled_from(["call", "drop", "cancel", *ENDS]), PLACE), max_size=25)


@pytest.mark.parametrize("name", NAMES)
@given(actions=ACTIONS, closes=st.booleans())
def test_all_counters_return_to_zero(name: str, actions: list[tuple[str, int]], closes: bool) -> None:
    """Running calls and the places of limits, through the whole chain, whether it drains or is closed."""
    cluster = {"hedge": {"after": 1}} if name == HEDGED else {"cluster": name}
    quick = {"idempotent": True, "failback_period": 1, "retry_backoff": {"base": 1}, "actives": 5, **cluster}
    methods = {"findFoo": {**quick, "async": True}, "touch": {**quick, "return": False}}
    limits = {"max_pending": 8, "unobserved": "ignore", "outlier": {"consecutive": 2}}
    shop = Shop(methods=methods, providers=3, reference=limits)
    foo, futures = shop.foo, []
    for what, number in actions:
        if what == "call":
            futures.append(foo.findFoo.future(1))
        elif what == "drop":
            foo.touch(1)
        elif what == "cancel" and futures:
            futures[number % len(futures)].cancel()
        elif what in ENDS and not shop.transport.is_idle:
            end_next(shop, what)
    if not closes:
        drain(shop)
    shop.consumer.close(0)
    counts = shop.consumer.counts()["foo"].values()
    assert all(future.done() for future in futures)
    assert {one.running for one in counts} <= {0}
    assert [gate._calls for gate in shop.consumer._pipelines["foo"]._chains.folding._gates] == [0]
    assert not any("queued" in one.cluster for one in counts)


def end_next(shop: Shop, what: str) -> None:
    call, error = shop.next_call(), ENDS[what]()
    if error is None:
        call.reply("answer")
    else:
        call.fail(error)  # type: ignore[arg-type]


def drain(shop: Shop) -> None:
    """Answer until nothing runs."""
    while not shop.consumer.wait_idle(0.002):
        while not shop.transport.is_idle:
            end_next(shop, "answer")
