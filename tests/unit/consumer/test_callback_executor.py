"""Callbacks that run where the program says, and what becomes of them where that cannot be."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, ClassVar

import pytest
from support.forked import WARNING, in_child
from support.shop import Background, Shop, Spy

from callahead.consumer import CallTimeout, Invocation, InvocationFuture, LimitExceeded, Outcome, RemoteError

PATIENCE_S = 20.0
LOG = "callahead.consumer.callbacks"


class Inline(Executor):
    """Runs what it is given at once."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Run it."""
        future: Future[Any] = Future()
        future.set_result(fn(*args, **kwargs))
        return future


class Refusing(Executor):
    """Takes nothing, by whatever error."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Raise."""
        raise self._error


class Failing(Executor):
    """Takes everything and runs nothing."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Fail over it."""
        future: Future[Any] = Future()
        future.set_exception(OSError("no worker is left"))
        return future


class Watches:
    """An observer that may block, so that its end is a callback."""

    threads: ClassVar[list[str]] = []

    def on_start(self, invocation: object) -> None: ...

    def on_end(self, token: None, outcome: Outcome) -> None:
        """Note where this runs."""
        self.threads.append(threading.current_thread().name)


@contextmanager
def running_loop() -> Iterator[asyncio.AbstractEventLoop]:
    """Give a loop that runs on a thread of its own, called ``loop``."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="loop")
    thread.start()
    try:
        yield loop
    finally:
        if not loop.is_closed():
            loop.call_soon_threadsafe(loop.stop)
            thread.join()
            loop.close()


def answered(shop: Shop, value: Any = "answer") -> InvocationFuture:
    future = shop.foo.findFoo.future(1)
    shop.next_call().reply(value)
    return future


def everything_on(shop: Shop) -> list[str]:
    """Make one of each callback, and name the threads that they ran on."""
    done, handled, acted, sent, then = Spy(), Spy(), Spy(), Spy(), Spy(lambda value: value)
    future = shop.foo.findFoo.with_options(handler=handled).future(1)
    future.add_done_callback(done)
    future.when_complete(acted)
    future.add_sent_callback(sent)
    future.then(then)
    call = shop.next_call()
    call.sent()
    call.reply("answer")
    for spy in (done, handled, acted, sent, then):
        spy.wait()
    future.add_done_callback(done)
    future.when_complete(acted)
    done.wait(2)
    acted.wait(2)
    return [thread for spy in (done, handled, acted, sent, then) for thread in spy.threads]


def test_callbacks_run_on_an_executor_of_the_program() -> None:
    """All kinds, before the end and after it; no callback thread is started."""
    with ThreadPoolExecutor(2, "mine") as mine, Shop(callback_executor=mine) as shop:
        assert {name[:4] for name in everything_on(shop)} == {"mine"}
        assert not [one for one in threading.enumerate() if one.name.startswith("callahead-callback")]


def test_callbacks_run_on_an_event_loop() -> None:
    """On its thread, in a copy of the context that made the call."""
    with running_loop() as loop, Shop(callback_executor=loop) as shop:
        assert set(everything_on(shop)) == {"loop"}


def test_interceptors_run_there_too() -> None:
    """They are code of the user."""
    Watches.threads.clear()
    with ThreadPoolExecutor(1, "mine") as mine:
        with Shop(callback_executor=mine, reference={"interceptors": [f"{__name__}:Watches"]}) as shop:
            assert answered(shop).result(PATIENCE_S) == "answer"
    assert Watches.threads == ["mine_0"]


def test_an_action_has_a_place_of_its_own() -> None:
    """An executor or a loop, whatever the others run on; what is neither is refused at once."""
    with Shop() as shop, running_loop() as loop, ThreadPoolExecutor(1, "mine") as mine:
        future = answered(shop)
        for place, name in ((loop, "loop"), (mine, "mine_0")):
            spy = Spy()
            future.when_complete(spy, place).result(PATIENCE_S)
            future.when_sent(spy, place).wait_for_completed(PATIENCE_S)
            assert spy.threads == [name, name]
        with pytest.raises(TypeError, match="event loop, not on int"):
            future.when_complete(spy, 7)  # type: ignore[arg-type]


def test_what_can_run_nothing_is_refused() -> None:
    """When the consumer is made; a callback cannot go to another process."""
    with pytest.raises(TypeError, match="not on str"):
        Shop(callback_executor="mine")
    with ProcessPoolExecutor(1) as pool, pytest.raises(TypeError, match="of this process, .* not on ProcessPool"):
        Shop(callback_executor=pool)


@pytest.mark.parametrize("error", [RuntimeError("cannot schedule new futures after shutdown"), OSError("full")])
def test_an_executor_that_refuses_is_replaced_by_callback_threads(
    error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    """Every callback runs all the same, and the log says why, once."""
    with Shop(callback_executor=Refusing(error)) as shop, caplog.at_level(logging.WARNING, LOG):
        assert {name[:18] for name in everything_on(shop)} == {"callahead-callback"}
    [record] = [record for record in caplog.records if record.name == LOG]
    assert f"Refusing takes no callback ({type(error).__name__}: {error})" in record.getMessage()


def test_what_an_executor_cancels_runs_on_a_callback_thread() -> None:
    """Shut down with callbacks in its queue, it lets them fall; each runs once."""
    mine = ThreadPoolExecutor(1, "mine")
    hold = threading.Event()
    with Shop(callback_executor=mine) as shop:
        mine.submit(hold.wait)
        done, acted = Spy(), Spy()
        future = answered(shop)
        future.add_done_callback(done)
        after = future.when_complete(acted)
        mine.shutdown(wait=False, cancel_futures=True)
        hold.set()
        assert after.result(PATIENCE_S) == "answer"
        done.wait()
        assert {name[:18] for name in acted.threads + done.threads} == {"callahead-callback"}


def test_what_an_executor_fails_over_runs_on_a_callback_thread() -> None:
    """It took the callback, and could not run it."""
    with Shop(callback_executor=Failing()) as shop:
        assert {name[:18] for name in everything_on(shop)} == {"callahead-callback"}


def test_a_loop_that_is_closed_takes_nothing_along() -> None:
    """Neither what comes after that, nor what it had not begun."""
    loop = asyncio.new_event_loop()  # which nobody runs
    with Shop(callback_executor=loop) as shop:
        first, second = Spy(), Spy()
        after = answered(shop).when_complete(first)
        assert first.calls == []
        loop.close()
        answered(shop).add_done_callback(second)
        second.wait()
        assert after.result(PATIENCE_S) == "answer"
        assert len(first.calls) == 1


def test_calls_end_though_their_executor_runs_nothing() -> None:
    """An interceptor never hears of the end, and the call is given up soon after its time has passed."""
    hold = threading.Event()
    with ThreadPoolExecutor(1) as mine:
        mine.submit(hold.wait)
        settings = {"interceptors": [f"{__name__}:Watches"], "timeout": 50, "retries": 0}
        with Shop(callback_executor=mine, reference=settings) as shop:
            error = answered(shop).exception(PATIENCE_S)
            hold.set()
    assert isinstance(error, CallTimeout)
    assert "callback_executor, which has not run what it was given" in str(error)


def test_an_executor_may_run_what_it_is_given_at_once() -> None:
    """On whichever thread brings the end; a callback within a callback is no harm."""
    with Shop(callback_executor=Inline()) as shop:
        seen: list[str] = []
        future = answered(shop)

        def outer(_: object) -> None:
            future.add_done_callback(lambda _: seen.append("inner"))
            seen.append("outer")

        future.add_done_callback(outer)
        assert seen == ["inner", "outer"]
        assert shop.consumer.wait_idle(0)


def test_a_wait_on_the_loop_for_what_the_loop_has_to_run_is_refused() -> None:
    """It would never end; the error says what to do."""

    async def main() -> None:
        with Shop(callback_executor=asyncio.get_running_loop()) as shop:
            made = answered(shop).then(str.upper)
            with pytest.raises(RuntimeError, match="would never end"):
                made.result()
            assert await made == "ANSWER"

    asyncio.run(main())


def test_a_consumer_closes_on_the_loop_of_its_callbacks() -> None:
    """It does not wait for what only that loop can run; that runs afterwards."""

    async def main() -> list[Any]:
        shop = Shop(callback_executor=asyncio.get_running_loop())
        spy = Spy()
        answered(shop).add_done_callback(spy)
        shop.consumer.close()
        assert spy.calls == []
        await asyncio.sleep(0)
        return spy.calls

    assert len(asyncio.run(main())) == 1


def test_a_consumer_waits_for_callbacks_elsewhere() -> None:
    """Until they have run, or the time has passed; likewise for an action's own executor."""
    hold = threading.Event()
    with ThreadPoolExecutor(1) as mine, ThreadPoolExecutor(1) as other, Shop(callback_executor=mine) as shop:
        future = answered(shop)
        for place in (None, other):
            hold.clear()
            future.when_complete(lambda *_: hold.wait(), place)
            assert not shop.consumer.wait_idle(0.01)
            waiting = Background(shop.consumer.wait_idle, PATIENCE_S)
            hold.set()
            assert waiting.join() is True


@pytest.mark.filterwarnings(WARNING)
def test_a_forked_child_runs_callbacks_on_its_own_threads() -> None:
    """The executor's threads are the parent's, where it goes on using them."""
    with ThreadPoolExecutor(1, "mine") as mine, Shop(callback_executor=mine) as shop:
        assert {name[:4] for name in everything_on(shop)} == {"mine"}

        def child() -> None:
            assert {name[:18] for name in everything_on(shop)} == {"callahead-callback"}

        assert in_child(child) == 0
        assert {name[:4] for name in everything_on(shop)} == {"mine"}


def crowded(
    overflow: str, then: Callable[[Shop], object] = lambda _: None, **options: Any
) -> tuple[Shop, threading.Event]:
    """Give a shop whose only callback thread is held, and where two further callbacks wait, which are all that may.

    Once it is let go on, the callback that holds the thread does *then*.
    """
    consumer = {"callback_executor": {"threads": 1, "queue": 2, "overflow": overflow}}
    shop, hold = Shop(consumer=consumer, **options), threading.Event()
    begun = threading.Event()

    def holding(_: object) -> None:
        begun.set()
        hold.wait(PATIENCE_S)
        then(shop)

    answered(shop).add_done_callback(holding)
    assert begun.wait(PATIENCE_S)
    for _ in range(2):
        answered(shop).add_done_callback(lambda _: None)
    return shop, hold


def test_a_callback_that_is_too_many_is_refused(caplog: pytest.LogCaptureFixture) -> None:
    """It is counted and logged with its call; the call's own outcome is as ever, and what ends a future still runs."""
    shop, hold = crowded("reject")
    with shop, caplog.at_level(logging.WARNING, LOG):
        future = answered(shop)
        refused, acted = Spy(), Spy()
        future.add_done_callback(refused)
        after = future.when_complete(acted)
        made = future.then(str.upper)
        assert future.result(0) == "answer"
        assert shop.consumer.refused_callbacks == 1
        hold.set()
        assert (after.result(PATIENCE_S), made.result(PATIENCE_S)) == ("answer", "ANSWER")
        assert shop.consumer.wait_idle(PATIENCE_S)
        assert (refused.calls, acted.calls) == ([], [("answer", None)])
    [record] = caplog.records
    text = "done callback of foo.findFoo is not run: 2 callbacks wait already (callback_executor.queue: 2, <mapping>)"
    assert record.getMessage() == text


def test_a_caller_waits_while_too_many_callbacks_do() -> None:
    """Its call begins once one of them runs; what brings answers never waits."""
    shop, hold = crowded("block")
    with shop:
        calling = Background(lambda: shop.foo.findFoo.future(1))
        time.sleep(0.05)
        assert calling.is_running
        assert shop.transport.is_idle
        hold.set()
        future = calling.join()
        spy = Spy()
        future.add_done_callback(spy)
        shop.next_call().reply("answer")
        spy.wait()
        assert shop.consumer.refused_callbacks == 0


def test_what_waits_for_its_answer_is_not_held() -> None:
    """A synchronous call adds no callback, and somebody may wait for its caller."""
    shop, hold = crowded("block")
    with shop:
        calling = Background(lambda: shop.foo.findFoo.sync(1))
        shop.next_call().reply("answer")
        assert calling.join() == "answer"
        hold.set()


def test_a_caller_waits_no_longer_than_its_call_may_take() -> None:
    """Then the call fails, and nothing was sent."""
    shop, hold = crowded("block", methods={"touch": {"timeout": 50, "retries": 0}})
    with shop:
        error = Background(lambda: shop.foo.touch.future(1).exception(PATIENCE_S)).join()
        assert isinstance(error, CallTimeout)
        assert error.not_sent
        assert "callback_executor.queue" in str(error)
        assert shop.transport.is_idle
        hold.set()


def test_neither_a_loop_nor_a_callback_is_held() -> None:
    """Others wait for both: their calls begin at once."""
    in_callback = Spy(lambda shop: answered(shop).result(0))
    shop, hold = crowded("block", in_callback)
    with shop:

        async def on_loop() -> Any:
            return await answered(shop)

        assert asyncio.run(on_loop()) == "answer"
        hold.set()
        in_callback.wait()


def test_one_bound_for_all(caplog: pytest.LogCaptureFixture) -> None:
    """However many callbacks a call has, none of them ends anything but itself: a storm leaves every future settled."""
    consumer = {"callback_executor": {"threads": 2, "queue": 10, "overflow": "reject"}}
    ran = Spy()
    with Shop(lambda _: "answer", consumer=consumer) as shop, caplog.at_level(logging.CRITICAL, LOG):
        futures = [shop.foo.findFoo.future(number) for number in range(500)]
        for future in futures:
            future.add_done_callback(ran)
        assert [future.result(0) for future in futures] == ["answer"] * 500
        assert shop.consumer.wait_idle(PATIENCE_S)
        assert len(ran.calls) + shop.consumer.refused_callbacks == 500


def test_what_waits_for_on_drop_is_bounded_as_callbacks_are() -> None:
    """The calls have ended, and take no place of a limit; of those that may not wait nobody is told but the log."""
    hold, told = threading.Event(), Spy(lambda *_: hold.wait(PATIENCE_S))
    consumer = {"retries": 0, "max_pending": 1, "callback_executor": {"threads": 1, "queue": 2, "overflow": "reject"}}

    def refuse(_: Invocation) -> None:
        raise RemoteError("no")

    with Shop(refuse, consumer=consumer, reference={"return": False}, on_drop=told) as shop:
        for number in range(10):
            shop.foo.findFoo(number)
        hold.set()
        assert shop.consumer.wait_idle(PATIENCE_S)
        assert shop.consumer.counts()["foo"]["findFoo"].dropped == 10
        assert len(told.calls) + shop.consumer.refused_callbacks == 10
        assert shop.consumer.refused_callbacks >= 7


def test_limits_know_of_the_loop_of_callbacks() -> None:
    """A call that would block there is refused, and says that it is the loop."""

    async def main() -> BaseException | None:
        loop = asyncio.get_running_loop()
        reference = {"max_pending": 1, "when_full": "block"}
        with Shop(callback_executor=loop, reference=reference) as shop:
            shop.foo.findFoo.future(1)
            return shop.foo.findFoo.future(2).exception(0)

    error = asyncio.run(main())
    assert isinstance(error, LimitExceeded)
    assert "would stop the event loop" in str(error)
