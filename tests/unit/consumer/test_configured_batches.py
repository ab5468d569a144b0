"""Requests that wait for each other since the configuration says so; no call site knows of it."""

from __future__ import annotations

from typing import Any

import pytest
from support.shop import Shop

from callahead.config import ConfigError
from callahead.consumer import ConsumerClosed, batch_oneway, flush_batch, flush_batch_async, oneway

LONG = 3_600_000
ONE_WAY = {"return": False}


def shop(*, batch: Any = None, **options: Any) -> Shop:
    """Make one whose method ``touch`` is one-way, and batched, and whose others are as ever."""
    settings = {"max_delay": LONG} if batch is None else batch
    return Shop(methods={"touch": {**ONE_WAY, "batch": settings}}, **options)


def left(shop: Shop, count: int) -> list[Any]:
    """Give the first arguments of the next *count* requests."""
    return [shop.next_call().invocation.args[0] for _ in range(count)]


def test_one_way_calls_wait_for_each_other() -> None:
    """They leave together, in order, as they are told; the method is called as ever."""
    with shop() as one:
        for number in range(3):
            assert one.foo.touch(number) is None
        assert one.transport.is_idle
        flush = flush_batch_async(one.foo)
        calls = [one.next_call() for _ in range(3)]
        assert [call.invocation.args for call in calls] == [(0,), (1,), (2,)]
        for call in calls:
            call.sent()
        assert flush.result(5) == 3


@pytest.mark.parametrize(
    "settings", [{"max_count": 2, "max_delay": LONG}, {"max_delay": 20}, {"max_bytes": 1, "max_delay": LONG}]
)
def test_they_leave_by_themselves(settings: dict[str, Any]) -> None:
    """By their count, their age or their bytes."""
    with shop(batch=settings) as one:
        for number in range(2):
            one.foo.touch(number)
        if "max_bytes" in settings:  # a scripted request has none
            flush_batch_async(one.foo)
        assert left(one, 2) == [0, 1]


def test_what_waits_for_its_answer_leaves_at_once() -> None:
    """Whatever the configuration says of the plain call: ``future`` and ``sync`` are for whoever wants an answer."""
    with shop() as one:
        one.foo.touch(1)
        future = one.foo.touch.future(2)
        one.next_call().reply("answer")
        assert future.result(0) == "answer"
        flush_batch_async(one.foo)
        assert left(one, 1) == [1]


def test_methods_of_a_reference_that_inherit_a_batch_share_it() -> None:
    """Their requests keep their order; a method that sets one has its own, and one that waits has none."""
    methods = {
        "touch": ONE_WAY,
        "findBar": ONE_WAY,
        "findFoo": {**ONE_WAY, "batch": {"max_count": 1}},
    }
    with Shop(methods=methods, consumer={"batch": {"max_count": 3, "max_delay": LONG}}) as one:
        one.foo.touch(1)
        one.foo.findBar(2)
        one.foo.findFoo(3)
        assert left(one, 1) == [3]
        one.foo.touch(4)
        assert left(one, 3) == [1, 2, 4]


def test_one_way_views_of_a_batched_method_are_batched() -> None:
    """The future of such a call ends once its request is written; a batch view has a batch of its own."""
    with shop() as one:
        future = oneway(one.foo).touch.future(1)
        batch_oneway(one.foo, max_count=1).touch(2)
        assert left(one, 1) == [2]
        assert not future.done()
        flush_batch_async(one.consumer)
        call = one.next_call()
        call.sent()
        assert future.result(5) is None


def test_a_stub_through_a_channel_is_batched_too() -> None:
    """The batch is the method's, however it is reached; the consumer knows of it before there is a reference."""
    with shop() as one:
        pipeline = one.consumer._pipeline("foo")
        pipeline.method("touch")(1)
        assert one.transport.is_idle
        flush_batch_async(one.consumer)
        assert left(one, 1) == [1]
        one.foo.touch(2)
        flush_batch_async(one.foo)
        assert left(one, 1) == [2]


def test_a_consumer_that_closes_lets_them_leave_first() -> None:
    """Nothing waits for its time any more; without a wait each is told that it was given up."""
    dropped: list[Any] = []
    one = shop(on_drop=lambda invocation, error: dropped.append((invocation.args, type(error))))
    one.foo.touch(1)
    one.consumer.close(0.05)
    assert left(one, 1) == [1]
    other = shop(on_drop=lambda invocation, error: dropped.append((invocation.args, type(error))))
    other.foo.touch(2)
    other.consumer.close(0)
    assert other.transport.is_idle
    assert dropped[-1] == ((2,), ConsumerClosed)


def test_a_flush_of_nothing_is_over() -> None:
    """Also before any method was called."""
    with shop() as one:
        assert flush_batch(one.consumer) == 0
        assert flush_batch(one.foo) == 0


def test_a_method_that_waits_cannot_be_batched() -> None:
    """The error says what to write instead; the golden files have all of them."""
    with pytest.raises(ConfigError, match=r"a call that waits until it is written cannot wait .*write sent: false"):
        Shop(methods={"touch": {**ONE_WAY, "sent": True, "batch": True}})
