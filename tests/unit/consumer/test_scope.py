"""Calls that begin in a scope are collected, bounded, waited for and told of together."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import os
import threading
import time
from collections.abc import Iterable
from concurrent.futures import CancelledError
from typing import Any

import pytest
from support.clock import FakeClock
from support.forked import WARNING, in_child
from support.shop import Background, Shop

from callahead.consumer import (
    CallNext,
    CallTimeout,
    ConnectFailed,
    ConnectionLost,
    Invocation,
    InvocationFuture,
    RemoteError,
    RpcContext,
)
from callahead.consumer.call.unseen import report_unseen
from callahead.consumer.runtime.callbacks import CallbackExecutor
from callahead.consumer.scope import Progress, Scope
from callahead.consumer.testing.scripted_transport import ScriptedCall

AHEAD = {"findFoo": {"async": True, "retries": 0}, "findBar": {"async": True, "retries": 0}, "touch": {"return": False}}


def shop(answer: Any = None, **options: Any) -> Shop:
    return Shop(answer, **{"methods": AHEAD, **options})


def echo(attempt: Any) -> Any:
    return attempt.args[0]


def refuse_odd(attempt: Any) -> Any:
    if attempt.args[0] % 2:
        raise RemoteError("odd", type_name="Odd")
    return attempt.args[0]


def lost() -> ConnectionLost:
    return ConnectionLost("gone", in_doubt=True)


def unsent() -> ConnectFailed:
    return ConnectFailed("refused", not_sent=True)


def call_all(one: Shop, scope: Scope, arguments: Iterable[Any], reached: list[Any] | None = None) -> None:
    """Call with each of *arguments*, which are taken one by one within the scope."""
    with scope:
        for argument in arguments:
            one.foo.findFoo(argument)
            if reached is not None:
                reached.append(argument)


def call_and_raise(one: Shop, scope: Scope, error: BaseException) -> None:
    with scope:
        one.foo.findFoo(1)
        raise error


class Stuck:
    """Never settles its future."""

    def intercept(self, invocation: Invocation, call_next: CallNext) -> InvocationFuture:
        del call_next
        return InvocationFuture(invocation, CallbackExecutor(1))


class Inside:
    """A scope on a thread of its own, whose calls the test answers."""

    def __init__(self, shop: Shop, count: int, **options: Any) -> None:
        self.scope = shop.consumer.scope(**options)
        self._shop, self._count = shop, count
        self.background = Background(self._run)
        self.calls: list[ScriptedCall] = [shop.next_call() for _ in range(count)]

    def _run(self) -> list[Any]:
        with self.scope:
            for number in range(self._count):
                self._shop.foo.findFoo(number)
        return self.scope.results()


# What belongs to it


def test_answers_come_in_the_order_of_the_calls() -> None:
    """Whichever is answered first."""
    with shop() as one:
        inside = Inside(one, 3)
        for call in reversed(inside.calls):
            call.reply(call.invocation.args[0] * 10)
        assert inside.background.join() == [0, 10, 20]


def test_it_collects_the_calls_of_functions_within() -> None:
    """The call sites know nothing of a scope."""

    def page(foo: Any) -> None:
        foo.findFoo(1)
        foo.findBar(2)

    with shop(echo) as one:
        with one.consumer.scope() as calls:
            page(one.foo)
            one.foo.find_foo.future(3)
        assert calls.results() == [1, 2, 3]


def test_it_collects_from_a_thread_that_carries_its_context() -> None:
    """A thread without it calls for itself."""
    with shop(echo) as one:
        with one.consumer.scope() as calls:
            context = contextvars.copy_context()
            Background(context.run, one.foo.findFoo, 1).join()
            Background(lambda: one.foo.findFoo.future(2).result()).join()
        assert calls.results() == [1]


def test_synchronous_and_one_way_calls_count_and_answer_nothing_here() -> None:
    """Their callers have had what they were to have."""
    with shop(echo) as one:
        with one.consumer.scope() as calls:
            assert one.foo.find_foo.sync(1) == 1
            one.foo.touch(2)
            one.foo.findFoo(3)
        assert (calls.results(), calls.progress()) == ([3], Progress(begun=3, running=0, failed=0, cancelled=0))


def test_calls_of_another_consumer_belong_to_the_scope_around() -> None:
    """Each consumer's scope takes its own."""
    with shop(echo) as one, shop(echo) as other:
        with one.consumer.scope() as outer, other.consumer.scope() as inner:
            one.foo.findFoo(1)
            other.foo.findFoo(2)
        assert (outer.results(), inner.results()) == ([1], [2])


def test_calls_after_its_end_are_free() -> None:
    """Also those of a thread that carries the context on."""
    with shop(echo) as one:
        with one.consumer.scope() as calls:
            context = contextvars.copy_context()
        context.run(one.foo.findFoo, 1)
        one.foo.findFoo(2)
        assert calls.progress().begun == 0


def test_the_context_keeps_the_last_future() -> None:
    """Collecting takes nothing from `RpcContext`."""
    with shop(echo) as one, one.consumer.scope() as calls:
        one.foo.findFoo(1)
        assert RpcContext.get_context().get_future() is calls.futures[0]


# Its end


def test_it_waits_for_one_way_calls() -> None:
    """Their end is when the transport says so."""
    with shop() as one:
        scope = one.consumer.scope()

        def run() -> None:
            with scope:
                one.foo.touch(1)

        background = Background(run)
        call = one.next_call()
        assert scope.progress() == Progress(begun=1, running=1, failed=0, cancelled=0)
        assert background.is_running
        call.reply()
        background.join()
        assert scope.progress().ok == 1


def test_all_failures_come_as_one_group() -> None:
    """The very errors, in the order of the calls, though each call went on by itself."""
    with shop(refuse_odd) as one:
        calls = one.consumer.scope()
        with pytest.raises(ExceptionGroup, match=r"2 of 4 calls failed in <Scope begun at .*test_scope.py") as raised:
            call_all(one, calls, range(4))
        assert [type(error) for error in raised.value.exceptions] == [RemoteError, RemoteError]
        assert calls.progress() == Progress(begun=4, running=0, failed=2, cancelled=0)
        with pytest.raises(ExceptionGroup):
            calls.results()


def test_its_failures_are_looked_at(caplog: pytest.LogCaptureFixture) -> None:
    """The group tells of them, so nothing is reported as forgotten."""
    with shop(refuse_odd) as one:
        with pytest.raises(ExceptionGroup), one.consumer.scope():
            one.foo.findFoo(1)
        one.foo.findFoo(2)
        gc.collect()
        report_unseen()
    assert "nobody looked" not in caplog.text


def test_a_failed_one_way_call_is_no_failure_of_the_scope() -> None:
    """It is counted, and told as ever."""
    with shop(refuse_odd) as one:
        with one.consumer.scope() as calls:
            one.foo.touch(1)
        assert (calls.results(), calls.progress().failed) == ([], 1)


def test_an_exception_of_the_block_goes_on_unchanged() -> None:
    """After the calls have ended."""
    with shop(echo) as one:
        calls = one.consumer.scope()
        with pytest.raises(KeyError):
            call_and_raise(one, calls, KeyError("mine"))
        assert calls.progress().running == 0


def test_an_exception_of_the_block_cancels_where_failures_do() -> None:
    """Nobody is left to use the answers."""
    with shop() as one:
        calls = one.consumer.scope(on_error="cancel_rest")
        with pytest.raises(KeyError):
            call_and_raise(one, calls, KeyError("mine"))
        assert calls.progress() == Progress(begun=1, running=0, failed=0, cancelled=1)


def test_ctrl_c_while_it_waits_cancels() -> None:
    """The calls do not go on without their caller."""
    with shop() as one:
        scope = one.consumer.scope()
        with pytest.raises(KeyboardInterrupt):
            call_and_raise(one, scope, KeyboardInterrupt())
        assert one.next_call().is_cancelled


# One failure, and the others


def test_cancel_rest_cancels_at_the_first_failure() -> None:
    """The group holds the failure alone."""
    with shop() as one:
        inside = Inside(one, 3, on_error="cancel_rest")
        inside.calls[1].fail(RemoteError("no", type_name="No"))
        with pytest.raises(ExceptionGroup) as raised:
            inside.background.join()
        assert [str(error.message) for error in raised.value.exceptions] == ["no"]  # type: ignore[union-attr]
        assert [call.is_cancelled for call in inside.calls] == [True, False, True]


def test_no_call_begins_after_the_first_failure() -> None:
    """The block is got out of, and its scope tells of the failure instead."""
    with shop(refuse_odd) as one:
        calls = one.consumer.scope(on_error="cancel_rest")
        reached: list[int] = []
        with pytest.raises(ExceptionGroup) as raised:
            call_all(one, calls, [1, 2], reached)
        assert (reached, len(raised.value.exceptions), calls.progress().begun) == ([1], 1, 1)


def test_first_ok_takes_the_first_answer_and_cancels_the_others() -> None:
    """Failures before it do not matter."""
    with shop() as one:
        inside = Inside(one, 3, on_error="first_ok")
        inside.calls[0].fail(RemoteError("no", type_name="No"))
        inside.calls[2].reply("third")
        assert inside.background.join() == ["third"]
        assert inside.calls[1].is_cancelled


def test_first_ok_without_an_answer_raises_all_failures() -> None:
    """As there is nothing to take."""
    with shop(refuse_odd) as one:
        with pytest.raises(ExceptionGroup, match="2 of 2 calls failed"):
            call_all(one, one.consumer.scope(on_error="first_ok"), [1, 3])


def test_cancel_gives_up_what_runs() -> None:
    """From any thread; nothing has failed by that."""
    with shop() as one:
        inside = Inside(one, 2)
        inside.calls[0].reply("there")
        inside.scope.cancel()
        with pytest.raises(CancelledError):
            inside.background.join()
        assert inside.scope.progress() == Progress(begun=2, running=0, failed=0, cancelled=1)


# Its deadline


def test_calls_share_its_deadline() -> None:
    """Each gets what is left of it, and never more than its own."""
    clock = FakeClock()
    with shop(clock=clock, consumer={"timeout": 1000}) as one:
        with one.consumer.scope(timeout=1.5) as calls:
            one.foo.findFoo(1)
            clock.advance(1.2)
            one.foo.findFoo(2)
            begun = [one.next_call(), one.next_call()]
            assert [call.timeout for call in begun] == pytest.approx([1.0, 0.3])
            for call in begun:
                call.reply("there")
        assert calls.results() == ["there", "there"]


def test_a_scope_within_another_obeys_both_deadlines() -> None:
    """The shorter one counts."""
    clock = FakeClock()
    with shop(clock=clock) as one:
        with one.consumer.scope(timeout=1), one.consumer.scope(timeout=5):
            one.foo.findFoo(1)
            call = one.next_call()
            call.reply()
        assert call.timeout == pytest.approx(1.0)


def test_a_call_after_its_deadline_ends_as_timed_out() -> None:
    """It is not sent."""
    clock = FakeClock()
    with shop(echo, clock=clock) as one:
        scope = one.consumer.scope(timeout=1)
        with pytest.raises(ExceptionGroup) as raised:
            call_all(one, scope, (clock.advance(2) or 1 for _ in range(1)))
        [error] = raised.value.exceptions
        assert isinstance(error, CallTimeout)
        assert error.not_sent


@pytest.mark.slow
def test_what_nobody_ends_is_given_up_after_its_deadline() -> None:
    """So the scope always comes to its end."""
    with shop(methods={"findFoo": {"async": True, "interceptors": [f"{__name__}:Stuck"]}}) as one:
        with one.consumer.scope(timeout=0.01) as calls:
            one.foo.findFoo(1)
        assert calls.progress() == Progress(begun=1, running=0, failed=0, cancelled=1)


# Repetition


def test_only_what_failed_is_repeated() -> None:
    """At the end of the block, with the same arguments; the answers stand where the calls do."""
    with shop() as one:
        inside = Inside(one, 3, retry_failed=1)
        inside.calls[0].reply("a")
        inside.calls[2].reply("c")
        inside.calls[1].fail(unsent())
        again = one.next_call()
        assert again.invocation.args == (1,)
        again.reply("b")
        assert inside.background.join() == ["a", "b", "c"]
        assert isinstance(inside.scope.futures[1].exception(), ConnectFailed)
        assert inside.scope.futures[1].call_site == inside.scope._calls[-1].record.call_site


def test_it_is_repeated_so_often_and_no_more() -> None:
    """The last failure counts."""
    with shop() as one:
        inside = Inside(one, 1, retry_failed=2)
        inside.calls[0].fail(unsent())
        one.next_call().fail(unsent())
        one.next_call().fail(ConnectFailed("last", not_sent=True))
        with pytest.raises(ExceptionGroup) as raised:
            inside.background.join()
        assert [error.message for error in raised.value.exceptions] == ["last"]  # type: ignore[union-attr]
        assert one.transport.is_idle


@pytest.mark.parametrize("error", [RemoteError("no", type_name="No"), lost()], ids=["business", "in doubt"])
def test_what_the_provider_may_have_done_is_not_repeated(error: Any) -> None:
    """Unless the method is idempotent."""
    with shop() as one:
        inside = Inside(one, 1, retry_failed=1)
        inside.calls[0].fail(error)
        with pytest.raises(ExceptionGroup):
            inside.background.join()
        assert one.transport.is_idle


def test_an_idempotent_call_is_repeated_in_doubt() -> None:
    """It does no harm to do it twice."""
    with shop(methods={"findFoo": {"async": True, "retries": 0, "idempotent": True}}) as one:
        inside = Inside(one, 1, retry_failed=1)
        inside.calls[0].fail(lost())
        one.next_call().reply("there")
        assert inside.background.join() == ["there"]


def test_a_failure_that_will_be_repeated_cancels_nothing() -> None:
    """Only the last one does."""
    with shop() as one:
        inside = Inside(one, 2, on_error="cancel_rest", retry_failed=1)
        inside.calls[0].fail(unsent())
        assert not inside.calls[1].is_cancelled
        inside.calls[1].reply("b")
        one.next_call().reply("a")
        assert inside.background.join() == ["a", "b"]


def test_repetitions_leave_the_users_context_alone() -> None:
    """The last call is the one that the user's code has made last."""
    with shop() as one:
        scope = one.consumer.scope(retry_failed=1)

        def run() -> Any:
            with scope:
                one.foo.findFoo(1)
                one.foo.findBar(2)
            return RpcContext.get_context().last_call

        background = Background(run)
        one.next_call().fail(unsent())
        one.next_call().reply()
        one.next_call().reply()
        assert background.join().method == "findBar"


# asyncio, threads, processes


def test_async_with_lets_the_loop_go_on() -> None:
    """What another task brings ends the scope."""

    async def main(one: Shop) -> list[Any]:
        async with one.consumer.scope() as calls:
            one.foo.findFoo(1)
            call = one.next_call()
            asyncio.get_running_loop().call_later(0.01, call.reply, "there")
        return calls.results()

    with shop() as one:
        assert asyncio.run(main(one)) == ["there"]


def test_a_cancelled_task_cancels_the_calls_of_its_scope() -> None:
    """As it would with calls that it awaits."""

    async def work(one: Shop) -> None:
        async with one.consumer.scope():
            one.foo.findFoo(1)

    async def main(one: Shop) -> bool:
        task = asyncio.ensure_future(work(one))
        await asyncio.sleep(0)
        call = one.next_call()
        await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return call.is_cancelled

    with shop() as one:
        assert asyncio.run(main(one))


def test_tasks_begun_within_belong_to_it() -> None:
    """Asyncio gives each a copy of the context; sibling tasks with scopes of their own do not mix."""

    async def page(one: Shop, number: int) -> list[Any]:
        async with one.consumer.scope() as calls:
            for step in range(10):
                one.foo.findFoo((number, step))
                await asyncio.sleep(0)
        return calls.results()

    async def main(one: Shop) -> list[list[Any]]:
        return await asyncio.gather(*(page(one, number) for number in range(20)))

    with shop(echo) as one:
        assert asyncio.run(main(one)) == [[(number, step) for step in range(10)] for number in range(20)]


def test_many_threads_in_one_scope_lose_nothing() -> None:
    """Every call counts once."""
    with shop(echo) as one:
        with one.consumer.scope() as calls:
            foo = one.foo
            backgrounds = [
                Background(contextvars.copy_context().run, lambda: [foo.findFoo(n) for n in range(200)])
                for _ in range(8)
            ]
            for background in backgrounds:
                background.join()
        assert (len(calls.results()), calls.progress().ok) == (1600, 1600)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="os.fork is missing; only POSIX has it")
def test_a_forked_child_does_not_wait_for_the_parents_calls() -> None:
    """They end in the parent."""
    with shop() as one:
        with one.consumer.scope() as calls:
            one.foo.findFoo(1)
            child = os.fork()
            if not child:
                calls._wait()
                os._exit(7)
            assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
            one.next_call().reply("there")
        assert calls.results() == ["there"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="os.fork is missing; only POSIX has it")
@pytest.mark.filterwarnings(WARNING)
def test_a_fork_while_another_thread_is_in_the_midst_of_an_end() -> None:
    """The child has no such thread, whose lock it would wait for until the end of days."""
    with shop() as one:
        with one.consumer.scope() as calls:
            one.foo.findFoo(1)
            inside, forked = threading.Event(), threading.Event()

            def hold() -> None:
                with calls._changed:
                    inside.set()
                    forked.wait(20)

            background = Background(hold)
            assert inside.wait(20)
            status = in_child(calls.progress)
            forked.set()
            background.join()
            one.next_call().reply("there")
        assert (status, calls.results()) == (0, ["there"])


def test_a_closed_consumer_ends_the_scope() -> None:
    """Its calls end as `ConsumerClosed`."""
    with shop() as one:
        inside = Inside(one, 2)
        one.consumer.close(0)
        with pytest.raises(ExceptionGroup, match="2 of 2"):
            inside.background.join()


# Bad use


def test_it_is_entered_once() -> None:
    """A second time would mix two stretches of code."""
    with shop() as one:
        scope = one.consumer.scope()
        with scope:
            pass
        with pytest.raises(RuntimeError, match="entered before"):
            scope.__enter__()


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"timeout": -1}, "timeout is in seconds"),
        ({"timeout": float("nan")}, "timeout is in seconds"),
        ({"on_error": "ignore"}, "on_error is one of cancel_rest, wait_all, first_ok"),
        ({"retry_failed": -1}, "retry_failed is 0 or more"),
    ],
)
def test_arguments_out_of_range(options: dict[str, Any], text: str) -> None:
    """They are refused where the scope is made."""
    with shop() as one, pytest.raises(ValueError, match=text):
        one.consumer.scope(**options)


def test_it_holds_no_arguments_unless_it_may_repeat() -> None:
    """What was asked goes with the call."""
    with shop(lambda _: None) as one:
        with one.consumer.scope() as calls:
            one.foo.findFoo(big := threading.Event())
        holders = [holder for holder in gc.get_referrers(big) if isinstance(holder, tuple | dict)]
        assert calls.results() == [None]
        assert [holder for holder in holders if holder is not globals()] == []


def test_calls_overlap_in_it() -> None:
    """Five that take a while each take hardly longer together: at least two run at once."""
    running, most, lock = 0, 0, threading.Lock()

    def work(call: ScriptedCall) -> None:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        time.sleep(0.05)
        with lock:
            running -= 1
        call.reply()

    with shop() as one:
        with one.consumer.scope() as calls:
            for number in range(5):
                one.foo.findFoo(number)
            workers = [Background(work, one.next_call()) for _ in range(5)]
        for worker in workers:
            worker.join()
        assert (len(calls.results()), most >= 2) == (5, True)
