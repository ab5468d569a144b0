"""One-way requests that wait for each other, and leave together."""

from __future__ import annotations

import pickle
import threading
from dataclasses import asdict
from queue import SimpleQueue
from typing import Any

import pytest
from support.forked import WARNING, in_child
from support.shop import Background, Shop

from callahead.consumer import (
    ConnectFailed,
    ConsumerClosed,
    Invocation,
    batch_oneway,
    flush_batch,
    flush_batch_async,
)
from callahead.consumer.transport.api import ConnectionCounts

LONG = 3600.0


def waiting_view(shop: Shop, **limits: Any) -> Any:
    """A batch view whose requests leave only as they are told."""
    return batch_oneway(shop.foo, **{"max_delay": LONG, **limits})


def test_nothing_leaves_before_the_flush() -> None:
    """And then all do, in order; the flush ends once all are written."""
    with Shop() as shop:
        view = waiting_view(shop)
        futures = [view.touch.future(number) for number in range(3)]
        assert view.findFoo(3) is None
        assert shop.transport.is_idle
        flush = flush_batch_async(view)
        calls = [shop.next_call() for _ in range(4)]
        assert [call.invocation.args for call in calls] == [(0,), (1,), (2,), (3,)]
        for call in calls:
            assert not flush.done()
            call.sent()
        assert flush.result(5) == 4
        assert [future.result(0) for future in futures] == [None] * 3


def test_a_flush_of_nothing_is_over() -> None:
    """It waits for nothing."""
    with Shop() as shop:
        assert flush_batch(waiting_view(shop)) == 0


def test_what_a_flush_is_of() -> None:
    """A view flushes its own requests, its reference those of all its views, the consumer all."""
    with Shop() as shop:
        one, other = waiting_view(shop), waiting_view(shop)
        for of, left in ((one, {1}), (shop.foo, {1, 2}), (shop.consumer, {1, 2})):
            one.touch(1)
            other.touch(2)
            flush_batch_async(of)
            assert {shop.next_call().invocation.args[0] for _ in left} == left
            assert shop.transport.is_idle
            flush_batch_async(other)
            if of is one:
                assert shop.next_call().invocation.args == (2,)


@pytest.mark.parametrize("of", [None, 5, object])
def test_what_cannot_be_flushed(of: object) -> None:
    """The error says what can; a call without a connection gives None."""
    why = "; a call has no connection before" if of is None else "$"
    with pytest.raises(TypeError, match=f"a batch view, a reference, a consumer or a connection, not .*{why}"):
        flush_batch(of)


def test_a_connection_of_nobody_cannot_be_flushed() -> None:
    """It came from a transport itself, or its consumer is gone."""
    with pytest.raises(ValueError, match="dubbo://h:1 is a connection whose consumer is gone, or that no consumer"):
        flush_batch(ConnectionCounts(endpoint="dubbo://h:1"))


def test_the_consumer_of_a_connection_is_no_part_of_its_value() -> None:
    """So counts compare, are pickled and become mappings as before."""
    with Shop() as shop:
        counts = ConnectionCounts(endpoint="dubbo://h:1")
        owned = counts.owned_by(shop.consumer)
        assert owned.consumer is shop.consumer
        assert (owned, repr(owned), asdict(owned)) == (counts, repr(counts), asdict(counts))
        assert pickle.loads(pickle.dumps(owned)).consumer is None


def test_those_that_stay_leave_in_their_time() -> None:
    """A flush of one connection forgets neither their time nor their number."""
    with Shop(providers=2, consumer={"loadbalance": "roundrobin"}) as shop:
        view = waiting_view(shop, max_count=3)
        futures = [view.touch.future(number) for number in range(2)]
        flushed = ConnectionCounts(endpoint=futures[0].provider or "").owned_by(shop.consumer)
        flush_batch_async(flushed)
        assert shop.next_call().invocation.args == (0,)
        assert shop.transport.is_idle
        for number in (2, 3):
            view.touch(number)
        assert [shop.next_call().invocation.args for _ in range(3)] == [(1,), (2,), (3,)]


def test_they_leave_by_their_count() -> None:
    """The one that is too many takes the others along."""
    with Shop() as shop:
        view = waiting_view(shop, max_count=2)
        for number in range(3):
            view.touch(number)
        assert [shop.next_call().invocation.args for _ in range(2)] == [(0,), (1,)]
        assert shop.transport.is_idle


def test_they_leave_by_their_age() -> None:
    """Nobody need flush."""
    with Shop() as shop:
        future = batch_oneway(shop.foo, max_delay=0.02).touch.future(1)
        shop.next_call().sent()
        assert future.result(5) is None


def test_they_leave_before_their_time_is_over() -> None:
    """A timeout that is shorter than the delay is not missed by it."""
    with Shop(methods={"touch": {"timeout": 60, "retries": 0}}) as shop:
        waiting_view(shop).touch(1)
        assert shop.next_call().invocation.args == (1,)


def test_an_interceptor_sees_each_call_when_it_is_made() -> None:
    """Before anything leaves."""
    seen.clear()
    with Shop(reference={"interceptors": [f"{__name__}:Watches"]}) as shop:
        view = waiting_view(shop)
        view.touch(1)
        view.touch(2)
        assert seen == [(1,), (2,)]
        assert shop.transport.is_idle


seen: list[Any] = []


class Watches:
    inline = True

    def on_start(self, invocation: Invocation) -> None:
        seen.append(invocation.args)

    def on_end(self, token: None, outcome: Any) -> None: ...


def test_a_flush_that_fails_reports_each_call() -> None:
    """In its future or to on_drop, and all of them in the flush."""
    dropped: SimpleQueue[Any] = SimpleQueue()
    with Shop(consumer={"retries": 0}, on_drop=lambda invocation, error: dropped.put(invocation.args)) as shop:
        view = waiting_view(shop)
        future = view.touch.future(1)
        view.touch(2)
        written = view.touch.future(3)
        flush = flush_batch_async(view)
        for _ in range(2):
            shop.next_call().fail(ConnectFailed("refused", not_sent=True))
        shop.next_call().sent()
        error = flush.exception(5)
        assert isinstance(error, ExceptionGroup)
        assert str(error) == "2 of 3 requests of the batch were not written (2 sub-exceptions)"
        assert isinstance(future.exception(0), ConnectFailed)
        assert dropped.get(timeout=5) == (2,)
        assert written.result(0) is None


def test_a_request_that_was_given_up_never_leaves() -> None:
    """It is taken out of the queue at once."""
    with Shop() as shop:
        view = waiting_view(shop)
        first, second = view.touch.future(1), view.touch.future(2)
        assert first.cancel()
        flush_batch_async(view)
        assert shop.next_call().invocation.args == (2,)
        assert shop.transport.is_idle
        assert not second.done()


def test_nothing_that_waits_is_lost_when_the_consumer_closes() -> None:
    """Each is told so: the futures, and on_drop."""
    dropped: list[Any] = []
    shop = Shop(on_drop=lambda invocation, error: dropped.append((invocation.args, type(error))))
    view = waiting_view(shop)
    future = view.touch.future(1)
    view.touch(2)
    shop.consumer.close(0)
    assert isinstance(future.exception(0), ConsumerClosed)
    assert dropped == [((2,), ConsumerClosed)]
    with pytest.raises(ConsumerClosed):
        view.touch(3)


def test_a_consumer_that_closes_in_peace_lets_them_leave() -> None:
    """Their age comes while it waits."""
    shop = Shop()
    future = batch_oneway(shop.foo, max_delay=0.02).touch.future(1)
    closing = Background(lambda: shop.consumer.close(5))
    call = shop.next_call()
    call.sent()
    call.reply()
    closing.join()
    assert future.result(0) is None


def test_a_call_with_sent_does_not_wait_for_the_flush() -> None:
    """It would wait for what the caller is to do next."""
    with Shop(methods={"touch": {"sent": True}}) as shop:
        view = waiting_view(shop)
        assert view.touch(1) is None
        assert view.touch.with_options(retries=0)(2) is None


def test_limits_are_above_zero() -> None:
    """And what streams has no such view."""
    with Shop() as shop:
        for name in ("max_bytes", "max_count", "max_delay"):
            with pytest.raises(ValueError, match="above 0"):
                batch_oneway(shop.foo, **{name: 0})


def test_threads_queue_at_once() -> None:
    """Each request leaves once."""
    with Shop(lambda _: None) as shop:
        view = waiting_view(shop, max_count=7)
        futures: SimpleQueue[Any] = SimpleQueue()

        def work() -> None:
            for number in range(100):
                futures.put(view.touch.future(number))

        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        flush_batch(view)
        assert [futures.get_nowait().result(5) for _ in range(400)] == [None] * 400
        assert shop.consumer.counts()["foo"]["touch"].calls == 400


@pytest.mark.filterwarnings(WARNING)
def test_a_forked_child_leaves_its_parents_requests_to_it() -> None:
    """They leave once, from the parent."""
    with Shop() as shop:
        view = waiting_view(shop)
        view.touch(1)

        def child() -> None:
            assert flush_batch(view) == 0
            view.touch(2)
            flush_batch_async(view)
            assert shop.next_call().invocation.args == (2,)

        assert in_child(child) == 0
        flush_batch_async(view)
        assert shop.next_call().invocation.args == (1,)
