"""``async: lazy`` beside everything else that a call can have: its context, its end, its loop, its interceptors."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import operator
import subprocess
import sys
import weakref
from collections.abc import Callable
from concurrent.futures import CancelledError
from dataclasses import dataclass
from typing import Any

import pytest
from support.forked import WARNING, in_child
from support.shop import Background, Shop, Spy

from callahead.consumer import (
    CallTimeout,
    ConnectFailed,
    ConsumerClosed,
    InvocationFuture,
    RemoteError,
    RpcContext,
    RpcError,
    resolve,
)
from callahead.consumer.call.lazy import LazyResult

CONTEXT = RpcContext.get_context()


@dataclass
class Point:
    x: int


def shop(answer: Callable[..., Any] | None = None, **settings: Any) -> Shop:
    """A shop all of whose methods are lazy."""
    return Shop(answer, reference={"async": "lazy", "retries": 0}, methods={"findFoo": settings})


def refuse(_: object) -> Any:
    raise RemoteError("no such foo", type_name="com.alibaba.NoSuchFoo")


def is_lazy(value: Any) -> bool:
    return type(value) is LazyResult


def test_a_timeout_is_raised_at_the_first_use() -> None:
    """The call's own deadline holds; no use waits longer."""
    with shop(timeout=50) as open_shop:
        found = open_shop.foo.findFoo(1)
        with pytest.raises(CallTimeout):
            str(found)


def test_a_cancelled_call_raises_at_each_use() -> None:
    """The future of the context cancels it."""
    with shop() as open_shop:
        found = open_shop.foo.findFoo(1)
        assert CONTEXT.get_future().cancel()
        with pytest.raises(CancelledError):
            str(found)


def test_sent_holds_the_call_until_written() -> None:
    """The call returns once the request is written; the answer is still to come."""
    with shop(sent=True) as open_shop:
        call = Background(lambda: [open_shop.foo.findFoo(1)])
        attempt = open_shop.next_call()
        assert call.is_running
        attempt.sent()
        [found] = call.join()
        attempt.reply(Point(3))
        assert found.x == 3


def test_sent_raises_what_came_before_the_writing() -> None:
    """What failed on the way out is told by the call itself."""

    def fail(_: object) -> Any:
        raise ConnectFailed("refused", not_sent=True)

    with shop(fail, sent=True) as open_shop, pytest.raises(ConnectFailed):
        open_shop.foo.findFoo(1)


def test_after_close_the_call_itself_raises() -> None:
    """As in every mode."""
    with shop() as open_shop:
        method = open_shop.foo.findFoo
    with pytest.raises(ConsumerClosed):
        method(1)


def test_closing_ends_what_nobody_has_used() -> None:
    """The first use after that says so."""
    with shop() as open_shop:
        found = open_shop.foo.findFoo(1)
    with pytest.raises(ConsumerClosed):
        str(found)


@pytest.mark.filterwarnings(WARNING)
def test_in_a_forked_child_it_says_that_the_answer_is_the_parents() -> None:
    """A lazy result that was still to come ends there as its future does."""
    with shop() as open_shop:
        found = open_shop.foo.findFoo(1)

        def use() -> None:
            with pytest.raises(ConsumerClosed):
                str(found)

        assert in_child(use) == 0
        open_shop.next_call().reply("answer")
        assert found == "answer"


def test_the_context_has_its_future() -> None:
    """As after ``async: true``, before the first use and after it, and where nobody has kept the lazy result."""
    with shop(lambda _: "answer") as open_shop:
        found = open_shop.foo.findFoo(1)
        future = CONTEXT.get_future()
        assert future.result() == found == "answer"
        assert CONTEXT.get_future() is future
        open_shop.foo.findFoo(1)
        assert CONTEXT.get_future().result() == "answer"


def test_the_context_lets_go_of_an_answer_that_is_used() -> None:
    """It lives as long as its user keeps it."""
    with shop(lambda _: Point(1)) as open_shop:
        found = open_shop.foo.findFoo(1)
        watched = weakref.ref(resolve(found))
        del found
        gc.collect()
        assert watched() is None


def test_a_call_whose_answer_is_used_is_not_overwritten(caplog: pytest.LogCaptureFixture) -> None:
    """The next call takes nobody's future away."""
    with shop(lambda _: "answer") as open_shop, caplog.at_level(logging.WARNING):
        assert open_shop.foo.findFoo(1) == "answer"
        open_shop.foo.findBar(1)
        futures = [CONTEXT.get_future() for _ in range(2)]
        assert futures[0] is futures[1]
    assert caplog.records == []


def test_a_failure_that_nobody_used_is_reported(caplog: pytest.LogCaptureFixture) -> None:
    """Once it is overwritten and let go of, with the line that made the call."""
    with shop(refuse) as open_shop, caplog.at_level(logging.WARNING):
        found = open_shop.foo.findFoo(1)
        open_shop.foo.findBar.future(1).exception()
        assert caplog.records == []
        del found
        gc.collect()
        [report] = [record.getMessage() for record in caplog.records]
    assert report.startswith("foo.findFoo failed and nobody looked at its future: RemoteError: ")
    assert f"called at {__file__}:" in report


def test_an_answer_that_nobody_used_is_nothing(caplog: pytest.LogCaptureFixture) -> None:
    """A call that succeeded is not missed; nor is a failure that was used."""
    with shop(lambda invocation: invocation.args[0] or refuse(invocation)) as open_shop:
        with caplog.at_level(logging.WARNING):
            open_shop.foo.findFoo(1)
            failed = open_shop.foo.findFoo(0)
            with pytest.raises(RpcError):
                str(failed)
            del failed
            open_shop.foo.findBar(1)
            gc.collect()
    assert caplog.records == []


def test_a_failure_at_its_use_waits_for_no_collector() -> None:
    """The error leads by its traceback neither to the lazy result nor to the future."""
    with shop(refuse) as open_shop:
        gc.disable()
        try:
            for use in (str, list, operator.attrgetter("x"), resolve):
                found = open_shop.foo.findFoo(1)
                future = weakref.ref(CONTEXT.get_future())
                with contextlib.suppress(RemoteError):
                    use(found)
                del found
                assert future() is None, use
        finally:
            gc.enable()


def test_it_can_be_awaited() -> None:
    """``await`` gives the plain answer, and the loop goes on meanwhile."""

    async def use(open_shop: Shop) -> Any:
        found = open_shop.foo.findFoo(1)
        asyncio.get_running_loop().call_soon(open_shop.next_call().reply, "answer")
        return await found

    with shop() as open_shop:
        found = asyncio.run(use(open_shop))
    assert (found, type(found)) == ("answer", str)


def test_cancelling_the_task_that_awaits_it_cancels_the_call() -> None:
    """As for its future."""

    async def wait(found: Any) -> Any:
        return await found

    async def use(found: Any) -> None:
        task = asyncio.ensure_future(wait(found))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    with shop() as open_shop:
        found = open_shop.foo.findFoo(1)
        asyncio.run(use(found))
        with pytest.raises(CancelledError):
            str(found)


def test_the_other_views_of_a_lazy_method_are_what_they_always_are() -> None:
    """``.sync`` gives the value, ``.future`` the future, and ``repr`` names the mode."""
    with shop(lambda _: "answer") as open_shop:
        method = open_shop.foo.findFoo
        assert type(method.sync(1)) is str
        assert isinstance(method.future(1), InvocationFuture)
        assert isinstance(open_shop.foo.findFooAsync(1), InvocationFuture)
        assert repr(method) == "<method foo.findFoo, lazy>"


def test_one_call_may_be_lazy_or_not() -> None:
    """``with_options`` wins over the configuration."""
    with Shop(lambda _: "answer") as open_shop:
        method = open_shop.foo.findFoo
        assert is_lazy(method.with_options(async_="lazy")(1))
        assert method.with_options(async_=True)(1) is None
        lazy_method = method.with_options(async_="lazy", timeout=500)
        assert lazy_method.policy.origin("is_async") == "call"
        assert type(lazy_method.with_options(async_=False)(1)) is str


SEEN = Spy(lambda *_: None)


def note(value: Any) -> None:
    SEEN(value)


class Doubling:
    """An interceptor that answers with another lazy result's double."""

    def intercept(self, invocation: Any, call_next: Any) -> InvocationFuture:
        future: InvocationFuture = call_next(invocation)
        return future.then(lambda value: value * 2)


def test_interceptors_and_callbacks_see_the_plain_answer() -> None:
    """What stands around a call acts on its completion, used or not."""
    settings = {"interceptors": [f"{__name__}:Doubling"], "onreturn": f"{__name__}:note"}
    with shop(lambda _: 21, **settings) as open_shop:
        found = open_shop.foo.findFoo(1)
        [(told,)] = SEEN.wait()
        assert type(told) is int
        assert found == 42


class Asking:
    """An interceptor whose answer is a lazy result of another call."""

    other: Any = None

    def intercept(self, invocation: Any, call_next: Any) -> InvocationFuture:
        future: InvocationFuture = call_next(invocation)
        return future.then(lambda _: Asking.other)


def test_a_lazy_result_as_an_answer_is_resolved() -> None:
    """However many stand in a row, the plain value is at the end."""
    with shop(lambda _: "other") as open_shop, shop(lambda _: 1, interceptors=[f"{__name__}:Asking"]) as asking:
        Asking.other = open_shop.foo.findFoo(1)
        found = asking.foo.findFoo(1)
        assert type(resolve(found)) is str
        assert found + "!" == "other!"
        Asking.other = None


def test_a_program_without_lazy_calls_never_imports_wrapt() -> None:
    """The first lazy call does; synchronous and asynchronous ones, and one-way ones, do not need it."""
    code = """if True:
        import sys
        from callahead.consumer import Consumer
        from callahead.consumer.testing.scripted_transport import ScriptedTransport

        methods = {"ahead": {"async": True}, "touch": {"return": False}, "find": {"async": "lazy"}}
        foo = {"interface": "a.Foo", "url": "tri://h:1", "methods": methods}
        with Consumer({"references": {"foo": foo}}, transports={"tri": ScriptedTransport(lambda _: 1)}) as consumer:
            reference = consumer.reference("foo")
            reference.wait(1), reference.ahead(1), reference.touch(1), reference.find.sync(1), reference.find.future(1)
            print("wrapt" in sys.modules, reference.find(1) + 1, "wrapt" in sys.modules)
    """
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.split() == ["False", "2", "True"]
