"""What a call made dies by reference count alone: no cycle waits for the collector."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from support.shop import Background, Shop

from callahead.consumer import ConnectFailed, Invocation, InvocationFuture, Outcome, RemoteError, RpcContext, RpcError

CONTEXT = RpcContext.get_context()


class Thing:
    """An argument, an answer or an error's companion that can be watched."""


class Watched:
    """Hands out things and knows how many of them live."""

    def __init__(self) -> None:
        self._made: list[weakref.ref[Any]] = []

    def thing(self) -> Thing:
        made: Thing = self.watch(Thing())
        return made

    def watch(self, thing: Any) -> Any:
        self._made.append(weakref.ref(thing))
        return thing

    @property
    def alive(self) -> list[Any]:
        return [thing for reference in self._made if (thing := reference()) is not None]


class Passing:
    def intercept(self, invocation: Invocation, call_next: Any) -> InvocationFuture:
        future: InvocationFuture = call_next(invocation)
        return future.then(lambda value: value)


class Looking:
    def on_start(self, invocation: Invocation) -> Any:
        return invocation

    def on_end(self, token: Any, outcome: Outcome) -> None:
        return None


PLAIN: dict[str, Any] = {}
USERS = {"interceptors": [f"{__name__}:Passing", f"{__name__}:Looking"], "actives": 5}


@pytest.fixture(autouse=True)
def no_collector() -> Iterator[None]:
    """Switch the cycle collector off, so that only reference counts free anything."""
    gc.disable()
    yield
    gc.enable()


def settled(future: InvocationFuture) -> Any:
    try:
        return future.result(5) and None
    except Exception:  # its end is all that counts
        return None
    finally:
        del future


def swallow(call: Callable[..., Any], *args: Any) -> None:
    with contextlib.suppress(RpcError):
        call(*args)


def run_sync(shop: Shop, watched: Watched) -> None:
    swallow(shop.foo.findFoo.sync, watched.thing())


def run_future(shop: Shop, watched: Watched) -> None:
    settled(shop.foo.findFoo.future(watched.thing()))


def run_awaited(shop: Shop, watched: Watched) -> None:
    async def main() -> None:
        with contextlib.suppress(RpcError):
            await shop.foo.findFoo.future(watched.thing())

    asyncio.run(main())


def run_wrapped(shop: Shop, watched: Watched) -> None:
    async def main() -> None:
        with contextlib.suppress(RpcError):
            await asyncio.wrap_future(shop.foo.findFoo.future(watched.thing()))

    asyncio.run(main())


def run_callback(shop: Shop, watched: Watched) -> None:
    def derived() -> InvocationFuture:
        future: InvocationFuture = shop.foo.findFoo.future(watched.thing())
        future.add_done_callback(lambda _: None)
        return future.then(lambda value: value, None)

    settled(derived())


def run_context(shop: Shop, watched: Watched) -> None:
    swallow(shop.foo.findBar, watched.thing())
    settled(CONTEXT.get_future())


def run_sent(shop: Shop, watched: Watched) -> None:
    swallow(shop.foo.touch, watched.thing())


RUNS = [run_sync, run_future, run_awaited, run_wrapped, run_callback, run_context, run_sent]


def shop_of(answer: Any, settings: dict[str, Any]) -> Shop:
    methods = {
        "findFoo": settings,
        "findBar": {**settings, "async": True, "sent": True},
        "touch": {**settings, "return": False, "sent": True},
    }
    return Shop(answer, methods=methods, providers=2)


@pytest.mark.parametrize("settings", [PLAIN, USERS], ids=["plain", "interceptors"])
@pytest.mark.parametrize("run", RUNS)
@pytest.mark.parametrize("end", ["answered", "failed", "failed twice"])
def test_a_call_leaves_nothing(run: Any, settings: dict[str, Any], end: str) -> None:
    """Arguments, answers, errors and invocations are gone once the caller lets go of them."""
    watched = Watched()

    def reply(invocation: Invocation) -> Any:
        watched.watch(invocation)
        watched.watch(invocation.record)
        if end == "answered":
            return watched.thing()
        if end == "failed":
            raise watched.watch(RemoteError("no"))
        raise watched.watch(ConnectFailed("refused", not_sent=True))

    with shop_of(reply, settings) as shop:
        run(shop, watched)
        shop.consumer.close()  # a callback thread may still be about to let go
        Background(lambda: None).join()
        make_another_call()
        left = watched.alive
        assert not left, [gc.get_referrers(thing) for thing in left]


def make_another_call() -> None:
    """Make another call the last one of this context."""
    with Shop(lambda _: None) as other:
        other.foo.findFoo.sync()


@pytest.mark.parametrize("settings", [PLAIN, USERS], ids=["plain", "interceptors"])
@pytest.mark.parametrize("end", ["reply", "fail", "cancel", "close"])
def test_a_pending_call_leaves_nothing_either(settings: dict[str, Any], end: str) -> None:
    """The same for calls that another thread ends, however it does."""
    watched = Watched()
    with shop_of(None, settings) as shop:
        future = shop.foo.findFoo.future(watched.thing())
        watched.watch(future)
        attempt = shop.next_call()
        watched.watch(attempt)
        if end == "reply":
            attempt.reply(watched.thing())
        elif end == "fail":
            attempt.fail(RemoteError("no"))
        elif end == "cancel":
            assert future.cancel()
        shop.consumer.close(0)
        settled(future)
        del future, attempt
        make_another_call()
        left = watched.alive
        assert not left, [gc.get_referrers(thing) for thing in left]


def test_the_watchdog_keeps_no_answer() -> None:
    """A method with users' interceptors is watched until its deadline, by its trace alone."""
    watched = Watched()
    with Shop(lambda _: watched.thing(), methods={"findFoo": {**USERS, "timeout": 60_000}}) as shop:
        for _ in range(10):
            settled(shop.foo.findFoo.future(watched.thing()))
        make_another_call()
        shop.consumer._runtime.callbacks.close(wait=True)
        assert watched.alive == []


@pytest.mark.parametrize("settings", [PLAIN, USERS], ids=["plain", "interceptors"])
def test_the_collector_finds_no_garbage_of_ours(settings: dict[str, Any]) -> None:
    """After many calls of every kind the collector has nothing to do."""

    def reply(invocation: Invocation) -> Any:
        if invocation.args[0] % 3 == 0:
            raise RemoteError("no")
        return 1

    with shop_of(reply, settings) as shop:
        find, other = shop.foo.findFoo, shop.foo.findBar
        swallow(find, 0)
        gc.collect()
        for number in range(30):
            swallow(find.sync, number)
            settled(find.future(number))
            swallow(other, number)
            settled(CONTEXT.get_future())
        shop.consumer.close()
        gc.set_debug(gc.DEBUG_SAVEALL)
        try:
            gc.collect()
            ours = [thing for thing in gc.garbage if type(thing).__module__.startswith("callahead")]
        finally:
            gc.set_debug(0)
            gc.garbage.clear()
        assert ours == []


@pytest.mark.parametrize("mode", [{}, {"return": False, "sent": True}, {"async": True, "sent": True}])
def test_an_error_that_is_kept_keeps_no_request(mode: dict[str, Any]) -> None:
    """Whatever the mode, the frames that it was raised through hold no invocation with what was encoded."""

    def refuse(_: Any) -> Any:
        raise ConnectFailed("refused", not_sent=True)

    with Shop(refuse, methods={"findFoo": {**mode, "retries": 0}}) as shop, pytest.raises(ConnectFailed) as caught:
        shop.foo.findFoo("x")
    place = caught.value.__traceback__
    while place is not None:
        held = [value for value in place.tb_frame.f_locals.values() if isinstance(value, Invocation)]
        assert [one.request for one in held if one.request is not None] == []
        place = place.tb_next
