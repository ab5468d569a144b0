"""A failure that nobody looked at is reported once, with the line that made the call."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import sys
from collections.abc import Callable
from concurrent.futures import as_completed
from typing import Any

import pytest
from support.forked import WARNING, in_child
from support.shop import Background, Shop, Spy

from callahead.consumer import InvocationFuture, NoFutureError, RemoteError, RpcContext, RpcError
from callahead.consumer.call.unseen import report_unseen

AHEAD = {"findFoo": {"async": True}, "findBar": {"async": True}}


def refuse(_: object) -> None:
    raise RemoteError("no such foo", type_name="com.alibaba.NoSuchFoo")


@pytest.fixture
def reports(caplog: pytest.LogCaptureFixture) -> Callable[[], list[str]]:
    """What was reported so far."""
    caplog.set_level(logging.WARNING)
    return lambda: [record.getMessage() for record in caplog.records]


def failing(**options: Any) -> Shop:
    return Shop(refuse, **{"methods": AHEAD, **options})


def test_it_is_reported_when_the_future_is_collected(reports: Callable[[], list[str]]) -> None:
    """The report names the call, the error and the line."""
    with failing() as shop:
        future = shop.foo.findFoo.future(1)
        assert reports() == []
        del future
        [report] = reports()
    assert report.startswith("foo.findFoo failed and nobody looked at its future: RemoteError: ")
    assert "no such foo" in report
    assert f"called at {__file__}:" in report
    assert report.endswith("in test_it_is_reported_when_the_future_is_collected")


def test_it_is_reported_when_the_next_call_overwrites_it(reports: Callable[[], list[str]]) -> None:
    """The context lets go of a future that nobody had asked for."""
    with failing() as shop:
        shop.foo.findFoo(1)
        assert reports() == []
        shop.foo.findBar(1)
        assert [report.split()[0] for report in reports()] == ["foo.findFoo"]
        RpcContext.get_context().get_future().exception()


def test_it_is_reported_where_the_call_fails_after_it_was_overwritten(reports: Callable[[], list[str]]) -> None:
    """Who settles the future is then the last to hold it."""
    with Shop(methods=AHEAD) as shop:
        shop.foo.findFoo(1)
        attempt = shop.next_call()
        shop.foo.findBar.future(1).cancel()
        assert reports() == []
        attempt.fail(RemoteError("late"))
        del attempt
        gc.collect()
        assert len(reports()) == 1


async def _wait_for(future: InvocationFuture) -> None:
    await future


async def _wrap(future: InvocationFuture) -> None:
    await asyncio.wrap_future(future)


LOOKS: dict[str, Callable[[InvocationFuture], object]] = {
    "result": lambda future: future.result(5),
    "exception": lambda future: future.exception(5),
    "done callback": lambda future: future.add_done_callback(Spy()),
    "then": lambda future: future.then(on_error=lambda _: None).result(5),
    "await": lambda future: asyncio.run(_wait_for(future)),
    "wrap_future": lambda future: asyncio.run(_wrap(future)),
    "as_completed": lambda future: [one.result() for one in as_completed([future], 5)],
}


@pytest.mark.parametrize("look", LOOKS)
def test_a_look_at_it_is_enough(reports: Callable[[], list[str]], look: str) -> None:
    """However the error is seen, nothing is reported."""
    with failing() as shop, contextlib.suppress(RpcError):
        LOOKS[look](shop.foo.findFoo.future(1))
    gc.collect()
    assert reports() == []


@pytest.mark.parametrize("look", LOOKS)
def test_whoever_waits_for_it_will_look(reports: Callable[[], list[str]], look: str) -> None:
    """It is the same where the error comes later."""
    with Shop(methods=AHEAD) as shop:
        future = shop.foo.findFoo.future(1)
        looking = Background(LOOKS[look], future)
        del future
        shop.next_call().fail(RemoteError("late"))
        with contextlib.suppress(RpcError):
            looking.join()
    del looking
    gc.collect()
    assert reports() == []


def test_a_derived_future_takes_the_failure_over(reports: Callable[[], list[str]]) -> None:
    """`then` has looked at the first future, and nobody at what came of it."""
    with failing() as shop:
        derived = shop.foo.findFoo.future(1).then(lambda value: value)
        assert reports() == []
        del derived
        assert len(reports()) == 1


def test_closing_reports_all_in_one(reports: Callable[[], list[str]]) -> None:
    """Whoever closes is told once how many calls of which methods were given up, but where no wait was asked for."""
    for timeout in (0, 0.01):
        with Shop(methods=AHEAD) as shop:
            for _ in range(3):
                shop.foo.findFoo.future(1)
            shop.foo.findBar.future(1)
            shop.consumer.close(timeout)
    gc.collect()
    [report] = reports()
    assert report.startswith("the consumer is closed and gives up 4 calls after ")
    assert report.endswith(" ms: 3 of foo.findFoo, 1 of foo.findBar")


def test_a_cancelled_future_is_no_failure(reports: Callable[[], list[str]]) -> None:
    """Who cancels knows."""
    with Shop(methods=AHEAD) as shop:
        shop.foo.findFoo.future(1).cancel()
    gc.collect()
    assert reports() == []


def test_an_error_raised_at_the_call_was_seen(reports: Callable[[], list[str]]) -> None:
    """With ``sent`` a failure before the writing is in the future too, and told once."""
    with failing(methods={"findFoo": {"async": True, "sent": True}}) as shop:
        with pytest.raises(RpcError):
            shop.foo.findFoo(1)
        with pytest.raises(RpcError):
            shop.foo.findFoo(1)
    gc.collect()
    assert reports() == []


class Fallback:
    def intercept(self, invocation: Any, call_next: Any) -> Any:
        call_next(invocation)  # its failure is this class's business
        return call_next(invocation).then(on_error=lambda error: "a foo")


def test_what_an_interceptor_forgets_is_its_own_business(reports: Callable[[], list[str]]) -> None:
    """Only a future that a user was given is reported."""
    methods = {"findFoo": {"async": True, "interceptors": [f"{__name__}:Fallback"]}}
    with failing(methods=methods) as shop:
        assert shop.foo.findFoo.future(1).result() == "a foo"
    gc.collect()
    assert reports() == []


@pytest.mark.parametrize("level", ["consumer", "reference", "method"])
def test_ignore_says_nothing(reports: Callable[[], list[str]], level: str) -> None:
    """Every level may say so."""
    own = {"unobserved": "ignore"}
    where: dict[str, Any] = {level: own} if level != "method" else {"methods": {"findFoo": {"async": True, **own}}}
    with failing(**where) as shop:
        shop.foo.findFoo.future(1)
    assert reports() == []


def test_raise_raises_where_nobody_can_catch_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """sys.unraisablehook gets what would be logged, of the error itself; test runners fail by it."""
    heard: list[Any] = []
    monkeypatch.setattr(sys, "unraisablehook", lambda hooked: heard.append(hooked.exc_value))
    with failing(consumer={"unobserved": "raise"}) as shop:
        shop.foo.findFoo.future(1)
    [error] = heard
    assert isinstance(error.__cause__, RemoteError)
    assert str(error).startswith("foo.findFoo failed and nobody looked at its future: RemoteError: ")
    assert f"called at {__file__}:" in str(error)


def test_what_is_still_held_is_reported_at_exit_and_only_once(reports: Callable[[], list[str]]) -> None:
    """A future that somebody holds to the end is reported by the exit, and not when it goes after that."""
    with failing() as shop:
        future = shop.foo.findFoo.future(1)
        report_unseen()
        assert len(reports()) == 1
        del future
        assert len(reports()) == 1


@pytest.mark.filterwarnings(WARNING)
def test_a_forked_child_leaves_it_to_the_parent(reports: Callable[[], list[str]]) -> None:
    """The child reports neither what had failed before nor what ran at the fork."""

    def work(futures: list[InvocationFuture]) -> None:
        report_unseen()
        futures.clear()
        gc.collect()
        assert reports() == []

    with failing() as shop, Shop(methods=AHEAD) as other:
        futures = [shop.foo.findFoo.future(1), other.foo.findFoo.future(1)]
        assert in_child(lambda: work(futures)) == 0
        futures.pop().cancel()
        futures.pop().exception()


def test_the_overwritten_call_is_named() -> None:
    """Where the last call has no future, the error tells of the one that was lost to it."""
    with Shop(lambda _: 1, methods={"findFoo": {"async": True}}) as shop:
        shop.foo.findFoo(1)
        shop.foo.findBar(1)
        with pytest.raises(NoFutureError) as caught:
            RpcContext.get_context().get_future()
    before, _, lost = str(caught.value).partition("; that of ")
    assert before == "foo.findBar was synchronous: async is false, built-in"
    assert lost.startswith(f"foo.findFoo, called at {__file__}:")
    assert lost.endswith("in test_the_overwritten_call_is_named, was overwritten by this call")


def test_a_second_get_future_names_the_overwritten_call(reports: Callable[[], list[str]]) -> None:
    """Two calls, then twice `get_future`: both give the last one's, and a warning says what became of the first."""
    with Shop(lambda _: 1, methods=AHEAD) as shop:
        context = RpcContext.get_context()
        shop.foo.findFoo(1)
        shop.foo.findBar(1)
        first = context.get_future()
        assert reports() == []
        assert context.get_future() is context.get_future() is first
    [report] = reports()
    assert report.startswith("the future of foo.findBar was asked for again; that of foo.findFoo, called at ")
