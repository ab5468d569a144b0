"""Calls under event loops: awaited, cancelled, in several loops at once, and synchronous where they should not be."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import CancelledError
from functools import partial
from typing import Any

import pytest
from support.shop import Background, Shop

from callahead.consumer import ConnectFailed, InvocationFuture
from callahead.consumer.runtime.loops import runs_loop

Run = Callable[[Coroutine[Any, Any, Any]], Any]
STALLS = "foo.findFoo is synchronous, so the event loop of this thread stands still"


def double(invocation: Any) -> Any:
    return invocation.args[0] * 2


def _uvloop() -> Run:
    uvloop = pytest.importorskip("uvloop", reason="the extra full is needed: pip install -e '.[full]'")

    return uvloop.run  # type: ignore[no-any-return]


@pytest.fixture(params=["asyncio", pytest.param("uvloop", marks=pytest.mark.long)])
def run(request: pytest.FixtureRequest) -> Run:
    """Run a coroutine in a new loop, of each kind."""
    return asyncio.run if request.param == "asyncio" else _uvloop()


def test_a_future_is_awaited_in_any_loop(run: Run) -> None:
    """Those of many calls at once."""

    async def body() -> list[int]:
        return await asyncio.gather(*map(open_shop.foo.findFoo.future, range(100)))

    with Shop(double) as open_shop:
        assert run(body()) == [2 * number for number in range(100)]


def test_a_timeout_of_the_loop_cancels_the_call(run: Run) -> None:
    """What asyncio.timeout ends is given up at the provider, too."""

    async def body() -> None:
        async with asyncio.timeout(0.01):
            await open_shop.foo.findFoo.future(1)

    with Shop() as open_shop:
        with pytest.raises(TimeoutError):
            run(body())
        assert open_shop.next_call().is_cancelled


def test_a_cancelled_task_cancels_its_call(run: Run) -> None:
    """The future ends as cancelled."""

    async def body() -> InvocationFuture:
        future = open_shop.foo.findFoo.future(1)
        task = asyncio.ensure_future(future)
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        made: InvocationFuture = future
        return made

    with Shop() as open_shop:
        future = run(body())
        with pytest.raises(CancelledError):
            future.result(20)
        assert open_shop.next_call().is_cancelled


def test_two_loops_in_two_threads_share_a_consumer(run: Run) -> None:
    """Each gets its own answers."""

    async def body(first: int) -> list[int]:
        numbers = range(first, first + 200)
        return await asyncio.gather(*map(open_shop.foo.findFoo.future, numbers))

    with Shop(double) as open_shop:
        both = [Background(lambda first=first: run(body(first))) for first in (0, 1000)]
        for first, one in zip((0, 1000), both, strict=True):
            assert one.join() == [2 * number for number in range(first, first + 200)]


def test_a_loop_that_closes_leaves_the_call_alone(run: Run, caplog: pytest.LogCaptureFixture) -> None:
    """Its answer comes to the future, and to no loop that is no more."""
    held: list[InvocationFuture] = []

    async def body() -> None:
        held.append(open_shop.foo.findFoo.future(1))
        waiter = asyncio.wrap_future(held[0])
        assert not waiter.done()

    with Shop() as open_shop:
        run(body())
        open_shop.next_call().reply(3)
        assert held[0].result(20) == 3
    assert caplog.records == []


def test_a_synchronous_call_in_a_loop_warns_once_with_its_line(caplog: pytest.LogCaptureFixture) -> None:
    """One line of the log for one line of the program, whatever way the call takes."""

    async def body() -> None:
        for number in range(3):
            assert open_shop.foo.findFoo(number) == 2 * number
        assert open_shop.foo.findFoo.sync(1) == 2

    with Shop(double) as open_shop:
        asyncio.run(body())
    mine = [record.getMessage() for record in caplog.records if STALLS in record.getMessage()]
    assert len(mine) == 2
    assert all(f"called at {__file__}:" in line and " in body; await" in line for line in mine)


def test_a_call_beside_a_loop_does_not_warn(run: Run, caplog: pytest.LogCaptureFixture) -> None:
    """On a thread of the executor, or once the loop has ended."""

    async def body() -> int:
        made: int = await asyncio.to_thread(open_shop.foo.findFoo, 1)
        return made

    with Shop(double) as open_shop:
        assert run(body()) == 2
        assert open_shop.foo.findFoo(1) == 2
    assert caplog.records == []


@pytest.fixture(params=["asyncio", "trio"])
def any_loop(request: pytest.FixtureRequest) -> Any:
    """``anyio.run``, on one of the two loops that there are."""
    anyio = pytest.importorskip("anyio", reason="the extra full is needed: pip install -e '.[full]'")
    pytest.importorskip("trio", reason="the extra full is needed: pip install -e '.[full]'")
    return partial(anyio.run, backend=request.param)


@pytest.mark.long
def test_a_task_of_anyio_awaits(any_loop: Any) -> None:
    """On either loop: the answer, an error, and several at a time; one that has ended before is there at once."""
    import anyio

    def answer(invocation: Any) -> Any:
        if invocation.args == (0,):
            raise ConnectFailed("refused", not_sent=True)
        return invocation.args[0] * 2

    async def body(foo: Any) -> tuple[Any, Any]:
        found: dict[int, Any] = {}

        async def ask(number: int) -> None:
            found[number] = await foo.findFoo.future(number)

        async with anyio.create_task_group() as group:
            for number in range(1, 4):
                group.start_soon(ask, number)
        with pytest.raises(ConnectFailed):
            await foo.findFoo.future(0)
        ended = foo.findFoo.future(7)
        ended.result()
        return found, await ended

    with Shop(answer, consumer={"retries": 0}) as shop:
        assert any_loop(body, shop.foo) == ({1: 2, 2: 4, 3: 6}, 14)


@pytest.mark.long
def test_an_answer_comes_from_another_thread_to_anyio(any_loop: Any) -> None:
    """The task sleeps meanwhile, and others go on."""
    import anyio

    async def body(shop: Shop) -> Any:
        future = shop.foo.findFoo.future(1)
        call = shop.next_call()
        ticks = 0

        async def answers() -> None:
            nonlocal ticks
            while not ticks:
                ticks += 1
                await anyio.lowlevel.checkpoint()
            Background(call.reply, "answer")

        async with anyio.create_task_group() as group:
            group.start_soon(answers)
            return await future, ticks

    with Shop() as shop:
        assert any_loop(body, shop) == ("answer", 1)


@pytest.mark.long
def test_a_cancelled_scope_of_anyio_gives_the_call_up(any_loop: Any) -> None:
    """As a timeout does; the attempt is cancelled, and the task hears of its own cancellation."""
    import anyio

    async def body(shop: Shop) -> bool:
        future = shop.foo.findFoo.future(1)
        call = shop.next_call()
        with anyio.move_on_after(0.01) as scope:
            await future
        assert call.is_cancelled
        assert future.cancelled()
        return scope.cancelled_caught

    with Shop() as shop:
        assert any_loop(body, shop) is True


@pytest.mark.long
def test_a_run_of_trio_that_is_over_hurts_no_call() -> None:
    """It left its task behind, and nobody is woken."""
    trio = pytest.importorskip("trio", reason="the extra full is needed: pip install -e '.[full]'")

    async def body(future: InvocationFuture) -> None:
        with trio.move_on_after(0.01):
            await future.then(str.upper)

    with Shop() as shop:
        future = shop.foo.findFoo.future(1)
        call = shop.next_call()
        trio.run(body, future)
        call.reply("answer")
        assert future.done()


def test_a_loop_is_known_by_its_thread() -> None:
    """It runs in this one, and in no other."""
    seen: list[bool] = []

    async def body() -> None:
        seen.append(runs_loop())
        other = threading.Thread(target=lambda: seen.append(runs_loop()))
        other.start()
        other.join()

    assert not runs_loop()
    asyncio.run(body())
    assert seen == [True, False]
