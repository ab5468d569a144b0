"""Consumer.close: drains, ends the rest as ConsumerClosed, and leaves no thread; once, from anywhere, at any time."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest
from support.clock import FakeClock
from support.shop import Background, Shop, Spy

from callahead.consumer import ConsumerClosed, InvocationFuture, RpcError


def test_it_waits_for_what_runs() -> None:
    """A call that ends within the time ends as itself, and its callbacks have run when close returns."""
    with Shop() as shop:
        done = Spy()
        future = shop.foo.findFoo.future(1)
        future.add_done_callback(done)
        attempt = shop.next_call()
        closing = Background(shop.consumer.close, 10)
        while not shop.consumer._runtime.closed:
            pass
        attempt.reply("answer")
        closing.join()
        assert future.result(0) == "answer"
        assert done.calls == [(future,)]


def test_a_callback_may_call_while_close_waits() -> None:
    """What a callback begins is waited for as well, whether it waits for that itself or not; nobody else may begin."""
    with Shop() as shop:
        future = shop.foo.findFoo.future(1)
        made: list[Any] = []

        def go_on(_: InvocationFuture) -> None:
            made.append(shop.foo.findBar.future(2))
            made.append(shop.foo.findBar.sync(3))

        future.add_done_callback(go_on)
        attempt = shop.next_call()
        closing = Background(shop.consumer.close, 10)
        while not shop.consumer._runtime.closed:
            pass
        with pytest.raises(ConsumerClosed):
            shop.foo.findBar(1)
        attempt.reply("first")
        second, third = shop.next_call(), shop.next_call()
        third.reply("third")
        assert closing.is_running
        second.reply("second")
        closing.join()
        assert (made[0].result(0), made[1]) == ("second", "third")


def test_a_callback_that_outlasts_the_wait_may_call_no_more() -> None:
    """Once close has waited its time the consumer is closed for everybody."""
    with Shop() as shop:
        go_on, failed = threading.Event(), Spy()

        def call_late(_: InvocationFuture) -> None:
            go_on.wait(5)
            try:
                shop.foo.findBar.future(2)
            except ConsumerClosed as error:
                failed(error)

        shop.foo.findFoo.future(1).add_done_callback(call_late)
        shop.next_call().reply("answer")
        closing = Background(shop.consumer.close, 0.05)
        while not shop.transport._closed:
            pass
        go_on.set()
        closing.join()
        failed.wait()


@pytest.mark.parametrize("timeout", [0, 0.01])
def test_what_still_runs_ends_as_consumer_closed(timeout: float) -> None:
    """In the future, at a waiting caller and at the hook of a one-way call; the attempts are stopped."""
    hook = Spy()
    methods = {"touch": {"return": False}}
    with Shop(methods=methods, on_drop=hook) as shop:
        future = shop.foo.findFoo.future(1)
        waiting = Background(shop.foo.findBar, 1)
        attempts = [shop.next_call(), shop.next_call()]
        shop.foo.touch(1)
        attempts.append(shop.next_call())
        shop.consumer.close(timeout)
        error = future.exception(0)
        with pytest.raises(ConsumerClosed):
            waiting.join()
        [(_, dropped)] = hook.calls
        assert [attempt.is_cancelled for attempt in attempts] == [True] * 3
    assert isinstance(error, ConsumerClosed)
    assert isinstance(dropped, ConsumerClosed)
    assert error.message == "the consumer was closed under the call"
    assert (error.reference, error.method, error.endpoint, error.attempt) == ("foo", "findFoo", "tri://h1:1", 1)
    assert (error.in_doubt, error.not_sent) == (True, False)


def test_a_caller_who_waits_for_the_writing_is_released() -> None:
    """With sent, too, the wait ends."""
    with Shop(methods={"findFoo": {"async": True, "sent": True}}) as shop:
        waiting = Background(shop.foo.findFoo, 1)
        shop.next_call()
        shop.consumer.close(0)
        with pytest.raises(ConsumerClosed):
            waiting.join()


def test_the_configured_wait_is_the_default() -> None:
    """Without an argument close waits as long as shutdown_timeout says."""
    from callahead.consumer import Consumer
    from callahead.consumer.testing.scripted_transport import ScriptedTransport

    references = {"foo": {"interface": "a.B", "url": "tri://h:1"}}
    config = {"application": {"shutdown_timeout": 30}, "references": references}
    made = Consumer(config, transports={"tri": ScriptedTransport()})
    future = made.reference("foo").find.future(1)
    began = time.monotonic()
    made.close()
    assert 0.03 <= time.monotonic() - began < 9  # the built-in wait is ten
    assert isinstance(future.exception(0), ConsumerClosed)


def test_twice_is_once() -> None:
    """A second close, and one after the block, does nothing."""
    with Shop(lambda _: 1) as shop:
        shop.foo.findFoo(1)
        shop.consumer.close()
        shop.consumer.close(0)


def test_from_a_callback() -> None:
    """A callback that closes its own consumer does not wait for itself, and later callbacks still run."""
    shop = Shop(consumer={"callback_executor": {"threads": 1}})
    closed, after = Spy(lambda _: shop.consumer.close(5)), Spy()
    future = shop.foo.findFoo.future(1)
    future.add_done_callback(closed)
    future.add_done_callback(after)
    shop.next_call().reply(1)
    closed.wait()
    after.wait()
    with pytest.raises(ConsumerClosed):
        shop.consumer.reference("foo")


def test_a_callback_of_one_consumer_waits_for_those_of_another() -> None:
    """Only a consumer's own callback threads are not waited for."""
    one, other = Shop(), Shop()
    release, slow_done = threading.Event(), Spy()
    slow = other.foo.findFoo.future(1)
    slow.add_done_callback(lambda _: (release.wait(5), slow_done()))
    other.next_call().reply(1)
    order: list[str] = []

    def close_other(_: Any) -> None:
        release.set()
        other.consumer.close(5)
        order.append(f"{len(slow_done.calls)} callbacks had run")

    closing = Spy(close_other)
    future = one.foo.findFoo.future(1)
    future.add_done_callback(closing)
    one.next_call().reply(1)
    closing.wait()
    one.consumer.close()
    assert order == ["1 callbacks had run"]


def test_a_callback_added_after_close_runs_at_once() -> None:
    """There is no thread left for it, so it runs where it is added."""
    with Shop(lambda _: 1) as shop:
        future = shop.foo.findFoo.future(1)
    done = Spy()
    future.add_done_callback(done)
    assert done.threads == [threading.current_thread().name]


def test_close_among_calls() -> None:
    """Threads that call while others close: each call ends, as a value or as ConsumerClosed, and none is left."""
    for _ in range(20):
        shop = Shop()
        find = shop.foo.findFoo
        start = threading.Barrier(5)
        futures: list[InvocationFuture] = []

        def call(find: Any = find, start: Any = start, futures: Any = futures) -> None:
            start.wait(5)
            for number in range(20):
                try:
                    futures.append(find.future(number))
                except ConsumerClosed:
                    return

        callers = [Background(call) for _ in range(3)]
        closers = [Background(lambda start=start, shop=shop: (start.wait(5), shop.consumer.close(0))) for _ in range(2)]
        for thread in (*callers, *closers):
            thread.join()
        assert all(isinstance(future.exception(1), RpcError) for future in futures)
        assert not shop.consumer._runtime.running


class ClosingClock(FakeClock):
    """A clock that closes the consumer when a call reads it: after the call has seen it open."""

    def __init__(self) -> None:
        super().__init__()
        self.close: Any = None

    def __call__(self) -> float:
        close, self.close = self.close, None
        if close is not None:
            close(0)
        return super().__call__()


@pytest.mark.parametrize("method", ["findFoo", "findBar", "touch"])
def test_a_call_that_is_overtaken_by_close_is_refused(method: str) -> None:
    """Closed between its first look and its being counted, a call in any mode raises and is not left running."""
    clock = ClosingClock()
    methods: dict[str, Any] = {"findBar": {"async": True}, "touch": {"return": False}}
    with Shop(methods=methods, clock=clock) as shop:
        call = getattr(shop.foo, method)
        clock.close = shop.consumer.close
        with pytest.raises(ConsumerClosed) as caught:
            call(1)
        assert (caught.value.method, caught.value.not_sent) == (method, True)
        assert shop.transport.is_idle
        assert not shop.consumer._runtime.running


def test_an_error_in_the_block_closes_too() -> None:
    """The context manager closes whatever happened."""
    shop = Shop(lambda _: 1)
    with pytest.raises(KeyError), shop.consumer:
        raise KeyError
    with pytest.raises(ConsumerClosed):
        shop.consumer.reference("foo")
