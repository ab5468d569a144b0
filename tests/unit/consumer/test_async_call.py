"""RpcContext.async_call: synchronous calls that do not wait, for as long as a function runs."""

from __future__ import annotations

import asyncio
import contextvars
from typing import Any, ClassVar

import pytest
from support.shop import Background, Shop, Spy

from callahead.consumer import CallNext, Invocation, InvocationFuture, NoFutureError, RpcContext

CONTEXT = RpcContext.get_context()
METHODS = {"findBar": {"async": "lazy"}, "touch": {"return": False}}


class Asking:
    """Makes a synchronous call of its own before the one that it is around."""

    inline = True
    ask: Any = None
    answers: ClassVar[list[Any]] = []

    def intercept(self, invocation: Invocation, call_next: CallNext) -> InvocationFuture:
        """Keep what it was told."""
        self.answers.append(contextvars.copy_context().run(Asking.ask, 2))
        return call_next(invocation)


def test_a_synchronous_call_gives_its_future() -> None:
    """Before it is answered; the arguments are those of the function."""
    with Shop() as shop:
        future = CONTEXT.async_call(shop.foo.findFoo, 1, two=2)
        call = shop.next_call()
        assert (call.invocation.args, call.invocation.kwargs, future.done()) == ((1,), {"two": 2}, False)
        call.reply("there")
        assert future.result() == "there"


@pytest.mark.parametrize("is_async", [False, True, "lazy"])
def test_the_line_of_the_call_is_that_of_the_caller(is_async: bool | str) -> None:
    """Where the function is the method itself, and nothing of the caller's stands between."""
    with Shop(lambda _: "there", methods={"findFoo": {"async": is_async}}) as shop:
        future = CONTEXT.async_call(shop.foo.findFoo, 1)
        assert future.call_site.startswith(__file__)
        assert future.call_site.endswith("in test_the_line_of_the_call_is_that_of_the_caller")


def test_of_several_calls_the_last_one_gives_the_future() -> None:
    """All of them run at once, and give None to the function, whose own value does not matter."""
    with Shop() as shop:
        seen: list[Any] = []

        def find_all() -> str:
            seen.extend([shop.foo.findFoo(1), CONTEXT.get_future(), shop.foo.findFoo(2)])
            return "no answer"

        future = CONTEXT.async_call(find_all)
        first, second = shop.next_call(), shop.next_call()
        second.reply("second")
        first.reply("first")
        assert (seen[0], seen[2]) == (None, None)
        assert (seen[1].result(), future.result()) == ("first", "second")


def test_the_error_of_the_call_is_in_the_future() -> None:
    """It is no error of the function."""
    with Shop(lambda _: 1 / 0) as shop:
        future = CONTEXT.async_call(shop.foo.findFoo, 1)
        assert future.exception() is not None


def test_a_function_without_a_call_has_no_future() -> None:
    """Also where there was a call before it."""
    with Shop(lambda _: 1) as shop:
        shop.foo.findFoo.future(1)
        with pytest.raises(NoFutureError, match=r"async_call has no future to give: .* made no call"):
            CONTEXT.async_call(len, "text")


def test_what_the_function_raises_is_raised_and_ends_the_mode() -> None:
    """The next call waits again."""
    with Shop(lambda _: "there") as shop:
        with pytest.raises(ValueError, match="invalid literal"):
            CONTEXT.async_call(int, "no number")
        assert shop.foo.findFoo(1) == "there"


def test_a_one_way_call_has_no_future() -> None:
    """It stays what the configuration makes it, and the error says so."""
    with Shop(lambda _: None, methods=METHODS) as shop, pytest.raises(NoFutureError, match="return is false"):
        CONTEXT.async_call(shop.foo.touch, 1)


def test_a_call_that_asks_to_wait_does() -> None:
    """Whoever says sync needs the answer."""
    with Shop(lambda _: "there") as shop:
        found: list[Any] = []
        with pytest.raises(NoFutureError, match="called through .sync"):
            CONTEXT.async_call(lambda: found.append(shop.foo.findFoo.sync(1)))
        assert found == ["there"]


def test_a_lazy_call_stays_lazy() -> None:
    """The function gets its object, and the caller the future."""
    with Shop(lambda _: "there", methods=METHODS) as shop:
        found: list[Any] = []
        future = CONTEXT.async_call(lambda: found.append(shop.foo.findBar(1)))
        assert (found, future.result()) == (["there"], "there")


def test_the_mode_reaches_no_callback_and_no_other_thread() -> None:
    """Though their contexts are copies of one that was in it."""
    with Shop(lambda _: "there") as shop:
        spy = Spy(lambda _: answers.append(shop.foo.findFoo(2)))
        answers: list[Any] = []

        def find() -> None:
            shop.foo.findFoo(1)
            future: InvocationFuture = CONTEXT.get_future()
            future.add_done_callback(spy)
            spy.wait()
            answers.append(Background(contextvars.copy_context().run, shop.foo.findFoo, 3).join())
            shop.foo.findFoo(4)

        CONTEXT.async_call(find)
        assert answers == ["there", "there"]


def test_the_mode_reaches_no_interceptor_of_its_calls() -> None:
    """One that asks for something synchronously needs the answer, and knows nothing of who calls."""
    with Shop(lambda _: "there", methods={"findFoo": {"interceptors": [f"{__name__}:Asking"]}}) as shop:
        Asking.ask = shop.foo.findBar
        assert CONTEXT.async_call(shop.foo.findFoo, 1).result() == "there"
    assert Asking.answers == ["there"]


def test_the_mode_reaches_no_task_that_outlives_the_function() -> None:
    """A task runs when the function has returned."""

    async def main(shop: Shop) -> Any:
        tasks: list[asyncio.Task[Any]] = []

        async def later() -> Any:
            return shop.foo.findFoo(2)

        def find() -> None:
            tasks.append(asyncio.create_task(later()))
            shop.foo.findFoo(1)

        CONTEXT.async_call(find)
        return await tasks[0]

    with Shop(lambda _: "there") as shop:
        assert asyncio.run(main(shop)) == "there"


def test_one_within_another_ends_by_itself() -> None:
    """The outer function goes on in its mode."""
    with Shop(lambda _: "there") as shop:

        def outer() -> None:
            CONTEXT.async_call(shop.foo.findFoo, 1)
            assert shop.foo.findFoo(2) is None

        assert CONTEXT.async_call(outer).result() == "there"
