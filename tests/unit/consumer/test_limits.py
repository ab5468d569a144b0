"""``max_pending`` and ``when_full``: what becomes of a call that finds no place, on every level."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import CancelledError
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.clock import FakeClock
from support.shop import Background, Shop

from callahead.config import ConfigError, load_text
from callahead.config.explain import explain
from callahead.consumer import CallTimeout, Invocation, InvocationFuture, LimitExceeded, RemoteError
from callahead.consumer.limit import Gate, Limit
from callahead.consumer.runtime.timer import Timer
from callahead.consumer.testing.scripted_transport import ScriptedMethod, ScriptedTransport


def shop(when_full: str, **options: Any) -> Shop:
    """A shop with one place for findFoo."""
    method = {"actives": 1, "retries": 0, "when_full": when_full, **options.pop("method", {})}
    return Shop(methods={"findFoo": method, "findBar": {}}, **options)


class Sized(ScriptedTransport):
    """Makes bytes of its first argument, as real transports do."""

    def method(self, name: str, policy: Any) -> ScriptedMethod:
        found = super().method(name, policy)
        return SizedMethod(found.name, self)


class SizedMethod(ScriptedMethod):
    def encode(self, args: tuple[Any, ...], kwargs: Any) -> bytes:
        del kwargs
        return bytes(args[0])


def wait_until(condition: Callable[[], object]) -> None:
    ends = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < ends, "it never came to be"
        time.sleep(0.001)


# reject


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"methods": {"findFoo": {"max_pending": 1}}}, "1 calls of foo.findFoo are running, the most that max_pending"),
        ({"reference": {"max_pending": 1}}, "1 calls of reference foo are running, the most that max_pending allows"),
        ({"consumer": {"max_pending": 1}}, "1 calls of the consumer are running, the most that max_pending allows"),
    ],
)
def test_each_level_counts_its_own_calls(options: dict[str, Any], text: str) -> None:
    """The error names whose limit it is, and where it was set."""
    with Shop(**options) as one:
        first = one.foo.findFoo.future(1)
        error = one.foo.findFoo.future(2).exception(0)
        assert isinstance(error, LimitExceeded)
        assert error.message.startswith(text)
        assert error.message.endswith("(<mapping>)")
        assert error.not_sent
        one.next_call().reply("there")
        assert first.result(5) == "there"
        again = one.foo.findFoo.future(3)
        one.next_call().reply()
        again.result(5)


def test_a_reference_counts_all_its_methods() -> None:
    """One of them takes the place of another."""
    with Shop(reference={"max_pending": 1}) as one:
        one.foo.findFoo.future(1)
        assert isinstance(one.foo.findBar.future(2).exception(0), LimitExceeded)


def test_a_method_counts_for_itself() -> None:
    """What a level sets holds for all calls of that level together, and is no default of those below."""
    with Shop(consumer={"max_pending": 3}, methods={"findFoo": {"max_pending": 1}}) as one:
        one.foo.findFoo.future(1)
        one.foo.findBar.future(1)
        one.foo.findBar.future(2)
        assert "foo.findFoo" in str(one.foo.findFoo.future(2).exception(0))
        assert "the consumer" in str(one.foo.findBar.future(3).exception(0))


def test_bytes_count_as_encoded() -> None:
    """A single call of any size has a place where there is no other."""
    with Shop(transport=Sized(None, ("findFoo",)), reference={"max_pending_bytes": 100}) as one:
        big = one.foo.findFoo.future(1000)
        error = one.foo.findFoo.future(1).exception(0)
        text = (
            "calls of reference foo with 1000 bytes are running, and 1 more would pass the 100 that max_pending_bytes"
        )
        assert str(error.message).startswith(text)
        one.next_call().reply()
        big.result(5)
        small = [one.foo.findFoo.future(50), one.foo.findFoo.future(50)]
        assert isinstance(one.foo.findFoo.future(1).exception(0), LimitExceeded)
        assert not any(future.done() for future in small)


# delay


def test_a_delayed_call_goes_out_when_a_place_is_free() -> None:
    """In the order of the calls; the calling thread does not wait."""
    with shop("delay") as one:
        futures = [one.foo.findFoo.future(number) for number in range(3)]
        for number in range(3):
            call = one.next_call()
            assert call.invocation.args == (number,)
            assert one.transport.is_idle
            call.reply(number)
        assert [future.result(5) for future in futures] == [0, 1, 2]


def test_a_synchronous_call_is_delayed_in_its_thread() -> None:
    """It returns its answer as ever."""
    with shop("delay") as one:
        one.foo.findFoo.future(1)
        first = one.next_call()
        background = Background(one.foo.findFoo.sync, 2)
        wait_until(lambda: one.consumer.counts()["foo"]["findFoo"].running == 2)
        first.reply()
        one.next_call().reply("there")
        assert background.join() == "there"


def test_the_delay_counts_against_the_deadline() -> None:
    """A call that never had a place ends with its own timeout, and was not sent."""
    with shop("delay", consumer={"timeout": 60_000}) as one:
        one.foo.findFoo.future(1)
        late = one.foo.findFoo.with_options(total_timeout=30).future(2)
        error = late.exception(20)
        assert isinstance(error, CallTimeout)
        assert error.not_sent
        assert error.message == "no place became free within 30 ms (actives of foo.findFoo, <mapping>)"
        one.next_call().reply()
        assert one.transport.is_idle


def test_what_is_left_of_the_deadline_is_the_timeout_of_the_attempt() -> None:
    """The time in the queue is gone."""
    clock = FakeClock()
    with shop("delay", clock=clock, consumer={"timeout": 1000}) as one:
        one.foo.findFoo.future(1)
        one.foo.findFoo.future(2)
        clock.advance(0.7)
        one.next_call().reply()
        assert one.next_call().timeout == pytest.approx(0.3)


def test_a_cancelled_call_leaves_the_queue_and_is_never_sent() -> None:
    """The one behind it takes its turn."""
    with shop("delay") as one:
        futures = [one.foo.findFoo.future(number) for number in range(3)]
        assert futures[1].cancel()
        one.next_call().reply()
        assert one.next_call().invocation.args == (2,)
        with pytest.raises(CancelledError):
            futures[1].result(0)


def test_a_call_given_up_at_its_second_gate_leaves_both() -> None:
    """It has waited at one gate before, and leaves the queue of the other at once, and its place at the first."""
    method = {"actives": 1, "max_delayed": 2}
    with Shop(reference={"max_pending": 1, "when_full": "delay"}, methods={"findFoo": method, "findBar": {}}) as one:
        one.foo.findFoo.future(1)
        second = one.foo.findFoo.future(2)
        one.foo.findBar.future(3)
        one.next_call().reply()
        assert one.next_call().invocation.args == (3,)
        assert second.cancel()
        others = [one.foo.findFoo.future(number) for number in (4, 5, 6)]  # one at the second gate, two at the first
        assert not any(other.done() for other in others)


def test_too_many_delayed_are_refused() -> None:
    """The newest, by count."""
    with shop("delay", method={"max_delayed": 1}) as one:
        one.foo.findFoo.future(1)
        waiting = one.foo.findFoo.future(2)
        error = one.foo.findFoo.future(3).exception(0)
        assert isinstance(error, LimitExceeded)
        assert error.not_sent
        assert "and no more may wait: at most 1 calls (max_delayed) or 16777216 bytes" in error.message
        assert not waiting.done()


def test_too_many_delayed_bytes_are_refused() -> None:
    """But one of any size may wait alone."""
    method = {"max_delayed_bytes": 100}
    with shop("delay", method=method, transport=Sized(None, ("findFoo",))) as one:
        one.foo.findFoo.future(1)
        large = one.foo.findFoo.future(1000)
        assert isinstance(one.foo.findFoo.future(1).exception(0), LimitExceeded)
        assert not large.done()


def test_shed_oldest_refuses_the_one_that_waits_longest() -> None:
    """The newest are what users still look at."""
    with shop("shed_oldest", method={"max_delayed": 2}) as one:
        futures = [one.foo.findFoo.future(number) for number in range(4)]
        error = futures[1].exception(0)
        assert isinstance(error, LimitExceeded)
        assert "newer calls have taken its place" in error.message
        for number in (0, 2, 3):
            call = one.next_call()
            assert call.invocation.args == (number,)
            call.reply()


def test_a_thousand_delayed_calls_that_fail_at_once_nest_nowhere() -> None:
    """Each lets the next one in, and none within another."""

    def refuse(_: Any) -> Any:
        raise RemoteError("no", type_name="No")

    with Shop(methods={"findFoo": {"actives": 1, "when_full": "delay", "max_delayed": 5000}}) as one:
        first = one.foo.findFoo.future(0)
        held = one.next_call()
        one.transport._answer = refuse
        futures = [one.foo.findFoo.future(number) for number in range(3000)]
        held.reply("there")
        assert first.result(5) == "there"
        assert {type(future.exception(20)) for future in futures} == {RemoteError}


class Counting:
    """An interceptor of attempts, which is users' code."""

    scope = "attempt"
    threads: list[str] = []  # noqa: RUF012 - the framework makes the interceptor

    def intercept(self, attempt: Any, call_next: Any) -> InvocationFuture:
        self.threads.append(threading.current_thread().name)
        future: InvocationFuture = call_next(attempt)
        return future


def test_users_code_never_follows_on_the_thread_of_an_answer() -> None:
    """A delayed call goes on on a callback thread where an interceptor of attempts stands beneath."""
    Counting.threads.clear()
    with shop("delay", method={"interceptors": [f"{__name__}:Counting"]}) as one:
        futures = [one.foo.findFoo.future(number) for number in range(2)]
        Background(one.next_call().reply, 1).join()
        one.next_call().reply(2)
        assert [future.result(5) for future in futures] == [1, 2]
    assert Counting.threads[0] == threading.current_thread().name
    assert Counting.threads[1].startswith("callahead-callback")


# block


def test_block_lets_the_calling_thread_wait() -> None:
    """An asynchronous call, too: it comes back once it was begun."""
    with shop("block") as one:
        one.foo.findFoo.future(1)
        background = Background(one.foo.findFoo.future, 2)
        first = one.next_call()
        wait_until(lambda: one.consumer.counts()["foo"]["findFoo"].running == 2)
        assert background.is_running
        first.reply()
        one.next_call().reply("there")
        assert background.join().result(5) == "there"


def test_block_ends_at_the_deadline() -> None:
    """As Dubbo's ActiveLimitFilter does."""
    with shop("block") as one:
        one.foo.findFoo.future(1)
        with pytest.raises(CallTimeout, match="no place became free within 20 ms"):
            one.foo.findFoo.with_options(total_timeout=20).sync(2)


def test_block_is_refused_on_an_event_loop() -> None:
    """It would stop the very loop that may have to bring the answer."""

    async def main(one: Shop) -> BaseException | None:
        return one.foo.findFoo.future(2).exception(0)

    with shop("block") as one:
        one.foo.findFoo.future(1)
        error = asyncio.run(main(one))
        assert isinstance(error, LimitExceeded)
        assert "when_full: block would stop the event loop of this thread; use delay or reject" in error.message


def test_block_is_refused_in_a_callback() -> None:
    """The callback that would free the place may wait for this very thread."""
    with shop("block", consumer={"callback_executor": {"threads": 1}, "timeout": 60_000}) as one:
        one.foo.findFoo.future(1)
        made: list[InvocationFuture] = []
        bar = one.foo.findBar.future(1)
        bar.add_done_callback(lambda _: made.append(one.foo.findFoo.future(2)))
        one.next_call()
        one.next_call().reply()
        wait_until(lambda: made)
        assert "block cannot wait in a callback" in str(made[0].exception(5))


def test_ctrl_c_while_blocked_gives_everything_back() -> None:
    """The call has ended, and its place goes to the next."""
    import signal

    with shop("block") as one:
        one.foo.findFoo.future(1)
        held = one.next_call()
        main = threading.main_thread().ident
        assert main is not None

        heard = threading.Event()

        def interrupt() -> None:
            wait_until(lambda: one.consumer.counts()["foo"]["findFoo"].running == 2)
            time.sleep(0.1)  # a signal that comes just before the wait is only heard of after it, in CPython
            signal.pthread_kill(main, signal.SIGINT)
            if not heard.wait(10):
                signal.pthread_kill(main, signal.SIGINT)

        background = Background(interrupt)
        with pytest.raises(KeyboardInterrupt):
            one.foo.findFoo.sync(2)
        heard.set()
        background.join()
        held.reply()
        assert one.consumer.counts()["foo"]["findFoo"].running == 0
        again = one.foo.findFoo.future(3)
        one.next_call().reply("there")
        assert again.result(5) == "there"


# Whatever happens


STEPS = st.lists(st.sampled_from(["call", "reply", "fail", "cancel", "cancel oldest"]), max_size=30)


@settings(max_examples=100, deadline=None)
@given(STEPS, st.sampled_from(["reject", "delay", "shed_oldest"]))
def test_places_are_neither_lost_nor_made(steps: list[str], when_full: str) -> None:
    """After any row of events each call has ended once, and all places are free."""
    with shop(when_full, method={"actives": 2, "max_delayed": 3}) as one:
        find = one.foo.findFoo
        futures: list[InvocationFuture] = []
        for step in steps:
            if step == "call":
                futures.append(find.future(len(futures)))
            elif step.startswith("cancel"):
                pending = [future for future in futures if not future.done()]
                if pending:
                    pending[0 if step == "cancel oldest" else -1].cancel()
            elif not one.transport.is_idle:
                call = one.next_call()
                call.reply() if step == "reply" else call.fail(RemoteError("no"))
        while not one.transport.is_idle:
            one.next_call().reply()
        assert all(future.done() for future in futures)
        assert one.consumer.counts()["foo"]["findFoo"].running == 0
        for future in futures:
            if not future.cancelled():
                future.exception()
        last = [find.future(0) for _ in range(2)]
        for _ in last:
            one.next_call().reply("there")
        assert [future.result(5) for future in last] == ["there"] * 2


def test_many_threads_at_one_gate_are_never_more_than_it_allows() -> None:
    """And all of them come through."""
    running, most, lock = 0, 0, threading.Lock()

    def answer(_: Invocation) -> Any:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        time.sleep(0.0005)
        with lock:
            running -= 1
        return "there"

    with Shop(answer, methods={"findFoo": {"actives": 3, "when_full": "block", "max_delayed": 1000}}) as one:
        find = one.foo.findFoo
        workers = [Background(lambda: [find.sync(n) for n in range(25)]) for _ in range(12)]
        assert all(worker.join() == ["there"] * 25 for worker in workers)
    assert most <= 3


def test_a_gate_without_a_limit_of_calls_counts_bytes_alone() -> None:
    """Any number of small ones may run."""
    timer = Timer(time.monotonic)
    gate = Gate(Limit("foo", size=10), timer)
    assert [gate.enter(2) for _ in range(6)] == [True] * 5 + [False]
    gate.leave(2)
    assert gate.enter(2)
    timer.close()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="os.fork is missing; only POSIX has it")
def test_a_forked_child_has_all_places() -> None:
    """The calls that take them end in the parent."""
    with shop("delay") as one:
        one.foo.findFoo.future(1)
        one.foo.findFoo.future(2)
        child = os.fork()
        if not child:
            one.foo.findFoo.future(3)
            os._exit(7 if one.next_call() and one.next_call().invocation.args == (3,) else 8)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7


# Configuration


def test_explain_tells_the_limits_of_method_and_reference_apart() -> None:
    """Both have a key of the same name."""
    yaml = "references:\n  foo:\n    interface: a.B\n    url: tri://h:1\n    max_pending: 5\n    methods:\n"
    yaml += "      find: {max_pending: 2, when_full: delay}\n"
    policy = load_text(yaml).references["foo"]
    found = {one.key: (one.value, one.origin) for one in explain(policy, "find")}
    assert found["max_pending"] == (2, "<text>:7")
    assert found["reference.max_pending"] == (5, "<text>:5")
    assert found["when_full"] == ("delay", "<text>:7")


def test_an_unknown_policy_is_refused() -> None:
    """With those that there are."""
    with pytest.raises(ConfigError, match="block, reject, delay or shed_oldest"):
        load_text("references: {foo: {interface: a.B, url: 'tri://h:1', when_full: wait}}")
