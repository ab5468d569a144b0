"""A callback that waits for what another one must bring is told, where no thread is left for that other one."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import Future, as_completed, wait
from typing import Any

import pytest
from support.shop import Shop, Spy

from callahead.consumer import CallTimeout, InvocationFuture, Outcome

TOLD = r"foo\.findFoo: waiting in a callback .* \(callback_executor.threads: \d\), would never end; go on by then\(\)"
PATIENCE_S = 20.0


class Watches:
    """An observer that may block, so that its end runs on a callback thread."""

    def on_start(self, invocation: object) -> None: ...

    def on_end(self, token: None, outcome: Outcome) -> None: ...


def shop(*, threads: int = 1, **options: Any) -> Shop:
    return Shop(consumer={"callback_executor": {"threads": threads}, **options})


def in_callback(shop: Shop, function: Callable[[], Any]) -> Future[Any]:
    """Run *function* in a callback of a call that has ended; the future says what came of it."""
    told: Future[Any] = Future()

    def run(_: object) -> None:
        try:
            told.set_result(function())
        except BaseException as error:
            told.set_exception(error)

    future = shop.foo.touch.future()
    shop.next_call().reply()
    future.add_done_callback(run)
    return told


def answered(shop: Shop) -> InvocationFuture:
    future = shop.foo.findFoo.future(1)
    shop.next_call().reply("answer")
    return future


def test_what_is_made_of_an_answer_is_not_to_be_waited_for_by_the_only_thread() -> None:
    """The function of ``then`` would run on that very thread; once the callback has gone it does."""
    with shop() as one:
        made: list[InvocationFuture] = []

        def waits() -> Any:
            made.append(answered(one).then(str.upper))
            return made[0].result()

        with pytest.raises(RuntimeError, match=TOLD):
            in_callback(one, waits).result(PATIENCE_S)
        assert made[0].result(PATIENCE_S) == "ANSWER"


@pytest.mark.parametrize("ask", ["result", "exception"])
def test_the_answer_may_come_while_it_waits(ask: str) -> None:
    """Nothing is known before; then the wait ends."""
    with shop() as one:
        source = one.foo.findFoo.future(1)
        call = one.next_call()
        told = in_callback(one, getattr(source.then(str.upper), ask))
        call.reply("answer")
        with pytest.raises(RuntimeError, match=TOLD):
            told.result(PATIENCE_S)


def test_a_call_whose_interceptor_needs_the_thread() -> None:
    """Its end, too, runs on that very thread."""
    with shop(interceptors=[f"{__name__}:Watches"]) as one:
        told = in_callback(one, lambda: answered(one).result())
        with pytest.raises(RuntimeError, match=TOLD):
            told.result(PATIENCE_S)


def test_a_future_that_ends_by_another_call() -> None:
    """What the function of ``then`` returned is what is waited for."""
    with shop() as one:
        source = one.foo.findBar.future(1)
        further = one.foo.findFoo.future(1)
        first, second = one.next_call(), one.next_call()
        followed = source.then(lambda _: further.then(str.upper))
        first.reply("answer")
        assert in_callback(one, followed.done).result(PATIENCE_S) is False  # the function has run
        told = in_callback(one, followed.result)
        second.reply("answer")
        with pytest.raises(RuntimeError, match="waiting in a callback"):
            told.result(PATIENCE_S)


def test_a_plain_call_may_be_waited_for() -> None:
    """It needs no callback thread, whatever else is due meanwhile."""
    with shop() as one:
        spy = Spy()
        other = one.foo.findBar.future(1)
        awaited = one.foo.findFoo.future(1)
        first, second = one.next_call(), one.next_call()
        other.then(spy)
        told = in_callback(one, awaited.result)
        first.reply("other")
        second.reply("answer")
        assert told.result(PATIENCE_S) == "answer"
        assert spy.wait() == [("other",)]


def test_a_synchronous_call_may_be_made() -> None:
    """Its interceptors run on the thread that waits for it."""
    with shop(interceptors=[f"{__name__}:Watches"]) as one:
        told = in_callback(one, lambda: one.foo.findFoo.sync(1))
        one.next_call().reply("answer")
        assert told.result(PATIENCE_S) == "answer"


def test_where_all_of_several_threads_wait_one_is_told() -> None:
    """That thread is free then for what the other waits for."""
    with shop(threads=2) as two:
        sources = [two.foo.findFoo.future(number) for number in range(2)]
        calls = [two.next_call() for _ in sources]
        waits = [in_callback(two, source.then(str.upper).result) for source in sources]
        for call in calls:
            call.reply("answer")
        ended = [one.exception(PATIENCE_S) or one.result() for one in waits]
        assert "ANSWER" in ended
        assert [type(one) for one in ended if one != "ANSWER"] == [RuntimeError]


def test_where_another_thread_is_free_nobody_is_told() -> None:
    """It brings what the first waits for."""
    with shop(threads=2) as two:
        assert in_callback(two, lambda: answered(two).then(str.upper).result()).result(PATIENCE_S) == "ANSWER"


@pytest.mark.parametrize("waits", [wait, lambda futures: list(as_completed(futures))], ids=["wait", "as_completed"])
def test_the_standard_library_waits_as_vainly(waits: Callable[[list[InvocationFuture]], Any]) -> None:
    """It is told where nothing but the thread is missing when it begins."""
    with shop() as one:
        told = in_callback(one, lambda: waits([answered(one).then(str.upper)]))
        with pytest.raises(RuntimeError, match=TOLD):
            told.result(PATIENCE_S)


def test_a_look_is_no_wait() -> None:
    """It says that there is no answer yet."""
    with shop() as one:
        told = in_callback(one, lambda: answered(one).then(str.upper).result(0))
        with pytest.raises(TimeoutError):
            told.result(PATIENCE_S)


@pytest.mark.slow
def test_a_call_that_busy_threads_hold_says_so() -> None:
    """Where no wait shows what keeps them, its deadline does."""
    with shop(interceptors=[f"{__name__}:Watches"], total_timeout=300) as one:
        sleeping = in_callback(one, lambda: time.sleep(1.5))
        with pytest.raises(CallTimeout, match="callback threads, every one of which is busy"):
            answered(one).result()
        sleeping.result(PATIENCE_S)
