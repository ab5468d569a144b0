"""InvocationFuture: a concurrent future that can be awaited, settles once, and calls back in the caller's context."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextvars
import logging
import threading
import weakref
from collections.abc import Callable
from concurrent.futures import CancelledError, Future
from functools import partial
from typing import Any

import pytest
from support.dubbo_peer import wait_until
from support.shop import Background, Shop, Spy

from callahead.consumer import CallTimeout, ConnectFailed, InvocationFuture, RemoteError, RpcContext, answer

CONTEXT = RpcContext.get_context()


@pytest.fixture
def shop() -> Any:
    with Shop(methods={"findFoo": {"retries": 3, "timeout": 5000, "idempotent": True}}, providers=3) as made:
        yield made


class Thing:
    """An argument that can be watched."""


def refused() -> ConnectFailed:
    return ConnectFailed("refused", not_sent=True)


def test_it_is_a_concurrent_future(shop: Shop) -> None:
    """Whatever takes a concurrent.futures.Future takes it."""
    assert isinstance(shop.foo.findFoo.future(1), Future)


def settled(future: concurrent.futures.Future[Any], how: str) -> concurrent.futures.Future[Any]:
    """Return *future* after it has ended in that way."""
    if how == "cancelled":
        future.cancel()
        future.set_running_or_notify_cancel()
    elif how == "error":
        future.set_exception(KeyError("of the call"))
    elif how == "value":
        future.set_result("answer")
    return future


@pytest.mark.parametrize("how", ["pending", "value", "error", "cancelled"])
def test_it_has_every_field_of_its_base_class(shop: Shop, how: str) -> None:
    """With the same values in each state: asyncio reads them from outside, newer ones more of them."""
    ours, base = settled(shop.foo.findFoo.future(1), how), settled(concurrent.futures.Future(), how)
    for name, value in vars(base).items():
        assert name == "_condition" or repr(getattr(ours, name)) == repr(value), name


def test_whoever_waits_is_told(shop: Shop) -> None:
    """Each of several threads, when the answer comes, and nobody who gave up before."""
    future = shop.foo.findFoo.future(1)
    for timeout in (0, 0.001, -1):
        with pytest.raises(TimeoutError):
            future.result(timeout)
    waiting = [Background(future.result, timeout) for timeout in (None, 20, 20)]
    wait_until(lambda: len(future._gates or ()) == len(waiting))
    shop.next_call().reply("there")
    assert [one.join() for one in waiting] == ["there"] * 3


def test_wait_and_as_completed(shop: Shop) -> None:
    """The waiters of concurrent.futures see it end, by answer, error and cancellation."""
    futures = [shop.foo.findFoo.future(number) for number in range(3)]
    calls = [shop.next_call() for _ in futures]
    assert concurrent.futures.wait(futures, 0).not_done == set(futures)
    waiting = Background(lambda: set(concurrent.futures.as_completed(futures, 5)))
    calls[0].reply("a")
    calls[1].fail(RemoteError("b"))
    assert futures[2].cancel()
    assert waiting.join() == set(futures)
    assert concurrent.futures.wait(futures, 0).done == set(futures)


def test_await_in_the_running_loop(shop: Shop) -> None:
    """A coroutine awaits it; the loop goes on meanwhile."""

    async def main() -> Any:
        future = shop.foo.findFoo.future(1)
        attempt = shop.next_call()
        asyncio.get_running_loop().call_soon(lambda: attempt.reply("answer"))
        return await future

    assert asyncio.run(main()) == "answer"


def test_await_raises_the_error_of_the_call(shop: Shop) -> None:
    """Awaiting a failed call raises its own error object."""
    made = RemoteError("no")

    async def main() -> None:
        future = shop.foo.findFoo.future(1)
        shop.next_call().fail(made)
        await future

    with pytest.raises(RemoteError) as caught:
        asyncio.run(main())
    assert caught.value is made


def test_await_twice_and_after_the_end(shop: Shop) -> None:
    """A future may be awaited by many, and again."""

    async def main() -> Any:
        future = shop.foo.findFoo.future(1)
        shop.next_call().reply("answer")
        return [await future, *await asyncio.gather(*[wrapped(future) for _ in range(3)])]

    async def wrapped(future: InvocationFuture) -> Any:
        return await future

    assert asyncio.run(main()) == ["answer"] * 4


def test_wrap_future(shop: Shop) -> None:
    """asyncio.wrap_future makes an asyncio future of it."""

    async def main() -> Any:
        future = shop.foo.findFoo.future(1)
        shop.next_call().reply("answer")
        return await asyncio.wrap_future(future)

    assert asyncio.run(main()) == "answer"


def test_two_loops_in_two_threads(shop: Shop) -> None:
    """One future wakes the loops of two threads."""
    future = shop.foo.findFoo.future(1)
    attempt = shop.next_call()
    both = threading.Barrier(3)

    async def wait() -> Any:
        task = asyncio.ensure_future(shielded())
        await asyncio.sleep(0)
        both.wait(5)
        return await task

    async def shielded() -> Any:
        return await future

    loops = [Background(lambda: asyncio.run(wait())) for _ in range(2)]
    both.wait(5)
    attempt.reply("answer")
    assert [loop.join() for loop in loops] == ["answer", "answer"]


def test_a_closed_loop_is_no_harm(shop: Shop) -> None:
    """The answer to a loop that was closed meanwhile reaches everybody else."""
    future = shop.foo.findFoo.future(1)
    attempt = shop.next_call()
    loop = asyncio.new_event_loop()

    async def begin() -> Any:
        waiting = future.__await__()
        next(waiting)
        return waiting

    waiting = loop.run_until_complete(begin())
    loop.close()
    attempt.reply("answer")
    assert future.result(5) == "answer"
    waiting.close()


def test_cancelling_the_awaiting_task_cancels_the_call(shop: Shop) -> None:
    """A task that is cancelled while it awaits gives the call up, down to the transport."""

    async def main() -> None:
        task = asyncio.ensure_future(wait())
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    future = shop.foo.findFoo.future(1)

    async def wait() -> Any:
        return await future

    asyncio.run(main())
    assert future.cancelled()
    assert shop.next_call().is_cancelled


def test_wait_for_times_out_and_cancels(shop: Shop) -> None:
    """asyncio.wait_for works on it as on any awaitable."""
    future = shop.foo.findFoo.future(1)

    async def main() -> None:
        async def wait() -> Any:
            return await future

        await asyncio.wait_for(wait(), 0.01)

    with pytest.raises(TimeoutError):
        asyncio.run(main())
    assert future.cancelled()


def test_cancel_reaches_the_transport_and_stops_further_attempts(shop: Shop) -> None:
    """The running attempt is stopped and no other follows, though retries are left."""
    future = shop.foo.findFoo.future(1)
    shop.next_call().fail(refused())
    second = shop.next_call()
    assert future.cancel()
    assert future.cancelled()
    assert second.is_cancelled
    assert shop.transport.is_idle
    assert future.attempts == 2
    with pytest.raises(CancelledError):
        future.result(0)
    assert shop.consumer.counts()["foo"]["findFoo"].running == 0


def test_a_failure_that_comes_with_the_cancellation_is_not_repeated(shop: Shop) -> None:
    """A transport that reports a failure in place of the cancellation brings about no further attempt."""
    future = shop.foo.findFoo.future(1)
    attempt = shop.next_call()
    attempt.cancel = lambda: attempt.fail(refused())  # type: ignore[method-assign]
    assert future.cancel()
    assert shop.transport.is_idle


def test_cancel_is_true_exactly_where_it_is_cancelled(shop: Shop) -> None:
    """After the answer it is False and changes nothing; twice is once."""
    future = shop.foo.findFoo.future(1)
    shop.next_call().reply("answer")
    assert not future.cancel()
    assert not future.cancelled()
    other = shop.foo.findFoo.future(1)
    assert other.cancel()
    assert other.cancel()
    assert other.cancelled()
    assert not other.running()


def test_result_zero_only_looks(shop: Shop) -> None:
    """A look at a pending call is a plain TimeoutError that says how long it still may take; the call goes on."""
    future = shop.foo.findFoo.future(1)
    with pytest.raises(TimeoutError) as caught:
        future.result(0)
    assert not isinstance(caught.value, CallTimeout)
    text = str(caught.value)
    assert text.startswith("foo.findFoo has no answer after 0 s; it goes on for at most ")
    assert 0 < int(text.removesuffix(" ms").rpartition(" ")[2]) <= 20_000
    with pytest.raises(TimeoutError, match=r"^foo\.findFoo has no answer after 0 s; "):
        future.exception(0)
    shop.next_call().reply("answer")
    assert future.result(0) == "answer"
    assert future.exception(0) is None


def test_the_calls_own_timeout_is_raised_as_such(shop: Shop) -> None:
    """A call that timed out raises its CallTimeout from result(0), not "no answer"."""
    future = shop.foo.findFoo.future(1)
    made = CallTimeout("no answer within 5000 ms", not_sent=False, in_doubt=True)
    for _ in range(4):
        shop.next_call().fail(made)
    error = future.exception(0)
    with pytest.raises(type(error)) as caught:
        future.result(0)
    assert caught.value is error
    with Shop() as other:
        single = other.foo.findFoo.with_options(retries=0).future(1)
        other.next_call().fail(made)
        with pytest.raises(CallTimeout) as direct:
            single.result(0)
        assert direct.value is made


def test_what_it_carries(shop: Shop) -> None:
    """Invocation, attempts, provider, response attachments and call site can be read from it."""
    future = shop.foo.findFoo.future(1, key=2)
    assert (future.invocation.args, future.invocation.kwargs) == ((1,), {"key": 2})
    assert (future.attempts, future.provider) == (1, shop.next_call().provider.name)
    assert future.response_attachments == {}
    assert repr(future) == f"<InvocationFuture foo.findFoo pending, provider {future.provider}>"
    future.cancel()
    assert repr(future) == f"<InvocationFuture foo.findFoo cancelled, provider {future.provider}>"


@pytest.mark.parametrize("end", ["reply", "fail", "cancel"])
def test_what_was_asked_is_let_go_when_the_call_ends(shop: Shop, end: str) -> None:
    """However it ends, a future keeps neither the arguments nor what was made of them; all else can still be read."""
    future = shop.foo.findFoo.future(Thing(), key=Thing())
    things = [weakref.ref(future.invocation.args[0]), weakref.ref(future.invocation.kwargs["key"])]
    call = shop.next_call()
    ends: dict[str, Callable[[], object]] = {
        "reply": partial(call.reply, 1),
        "fail": partial(call.fail, RemoteError("no")),
        "cancel": future.cancel,
    }
    ends[end]()
    assert [thing() for thing in things] == [None, None]
    invocation = future.invocation
    assert (invocation.args, dict(invocation.kwargs), invocation.request) == ((), {}, None)
    assert (invocation.method, invocation.policy.reference) == ("findFoo", "foo")


def line_here() -> int:
    import inspect

    frame = inspect.currentframe()
    assert frame is not None
    assert frame.f_back is not None
    return frame.f_back.f_lineno


def test_the_call_site_is_the_line_of_the_call(shop: Shop) -> None:
    """File, line and function, and an error shows it as a note."""
    future, line = shop.foo.findFoo.future(1), line_here()
    assert future.call_site == f"{__file__}:{line} in test_the_call_site_is_the_line_of_the_call"
    shop.next_call().fail(RemoteError("no"))
    error = future.exception(0)
    assert error.__notes__ == [f"foo.findFoo was called at {future.call_site}"]


def test_the_call_site_of_a_configured_call_is_its_line() -> None:
    """A call that the configuration makes asynchronous knows its line like any other."""
    with Shop(methods={"find_foo": {"async": True}}) as shop:
        _, line = shop.foo.find_foo(1), line_here()
        assert CONTEXT.get_future().call_site.startswith(f"{__file__}:{line} in ")


def test_a_callback_runs_on_a_callback_thread_in_a_copy_of_the_callers_context(shop: Shop) -> None:
    """It sees the caller's variables, RpcContext of its own call, and disturbs nobody."""
    color = contextvars.ContextVar("color", default="none")
    seen: list[Any] = []

    def look(future: InvocationFuture) -> None:
        last = CONTEXT.last_call
        seen.append((color.get(), CONTEXT.future is future, None if last is None else last.method))
        color.set("of the callback")

    done = Spy(look)
    color.set("red")
    future = shop.foo.findFoo.future(1)
    color.set("blue")
    shop.foo.findBar.future(1)
    future.add_done_callback(done)
    future.add_done_callback(done)
    shop.next_call().reply(1)
    done.wait(2)
    future.add_done_callback(done)
    done.wait(3)
    assert seen == [("red", True, "findFoo")] * 3
    assert all(name.startswith("callahead-callback") for name in done.threads)
    assert color.get() == "blue"


def test_a_callback_that_raises_is_logged_and_harms_nothing(shop: Shop, caplog: pytest.LogCaptureFixture) -> None:
    """The other callbacks run, the answer is there, and the log names the call."""

    def fail(_: Any) -> None:
        raise KeyError("of the callback")

    first, second = Spy(fail), Spy()
    future = shop.foo.findFoo.future(1)
    future.add_done_callback(first)
    future.add_done_callback(second)
    with caplog.at_level(logging.ERROR):
        shop.next_call().reply("answer")
        first.wait()
        second.wait()
        shop.consumer.close()
    assert future.result(0) == "answer"
    [record] = caplog.records
    assert (record.name, record.getMessage()) == ("callahead.consumer.callbacks", "done callback of foo.findFoo raised")


def test_ten_thousand_interleaved_callbacks_read_their_own_call() -> None:
    """No callback ever sees another call's context."""
    number = contextvars.ContextVar("number", default=-1)
    crossed: list[Any] = []
    latch = Spy()

    with Shop(methods={"findFoo": {"async": True}}, consumer={"callback_executor": {"threads": 4}}) as shop:
        foo = shop.foo

        def check(mine: int, future: InvocationFuture) -> None:
            if number.get() != mine or CONTEXT.future is not future:
                crossed.append(mine)
            latch()

        calls = []
        for each in range(10_000):
            number.set(each)
            foo.findFoo(each)
            CONTEXT.get_future().add_done_callback(partial(check, each))
            calls.append(shop.next_call())
            if len(calls) == 100:
                for call in reversed(calls):
                    call.reply(None)
                calls.clear()
        latch.wait(10_000, 30)
    assert crossed == []


def test_then_maps_values_and_errors(shop: Shop) -> None:
    """on_value and on_error make the new end; what is not given passes through."""
    future = shop.foo.findFoo.future(1)
    doubled = future.then(lambda value: value * 2)
    kept = future.then(None, lambda error: "never")
    shop.next_call().reply(21)
    assert doubled.result(5) == 42
    assert kept.result(5) == 21
    failed = shop.foo.findFoo.future(1)
    healed = failed.then(None, lambda error: str(error.args[0]))
    passed = failed.then(lambda value: "never")
    made = RemoteError("no")
    shop.next_call().fail(made)
    assert healed.result(5) == "no"
    assert passed.exception(5) is made


def test_then_follows_a_future_and_catches_what_is_raised(shop: Shop) -> None:
    """A function may return a further future, or raise."""
    future = shop.foo.findFoo.future(1)
    followed = future.then(lambda value: answer(future.invocation, value + 1))
    made = KeyError("of the function")

    def fail(_: Any) -> Any:
        raise made

    failed = future.then(fail)
    shop.next_call().reply(1)
    assert followed.result(5) == 2
    assert failed.exception(5) is made


def test_a_call_that_an_interceptor_cancels_ends_as_cancelled(shop: Shop) -> None:
    """CancelledError as an outcome is a cancellation, not an error: cancelled() and await agree on it."""
    future = shop.foo.findFoo.future(1)
    cancelled = answer(future.invocation, error=CancelledError())
    assert cancelled.cancelled()
    with pytest.raises(CancelledError):
        cancelled.result(0)
    assert concurrent.futures.wait([cancelled], 0).done == {cancelled}
