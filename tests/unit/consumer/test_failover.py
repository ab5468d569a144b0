"""The failover cluster: another attempt, elsewhere, while it may help; on completion, in bounded stack and time."""

from __future__ import annotations

import threading
from concurrent.futures import CancelledError
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.cluster import Bench
from support.shop import Background, Shop, Spy

from callahead.consumer import AllAttemptsFailed, CallTimeout, ConnectFailed, ConnectionLost, RemoteError, RpcContext
from callahead.consumer.call.invocation import Done, Invocation, Outcome
from callahead.consumer.cluster.budget import RetryBudget
from callahead.consumer.cluster.failover import FailoverCluster
from callahead.consumer.errors import NoProviderAvailable
from callahead.consumer.runtime.callbacks import CallbackExecutor
from callahead.consumer.testing.scripted_transport import ScriptedCall

CONTEXT = RpcContext.get_context()


def refused(endpoint: str = "") -> ConnectFailed:
    error = ConnectFailed("refused", not_sent=True)
    error.endpoint = endpoint or None
    return error


def fails_then_answers(failures: int) -> Any:
    left = [failures]

    def reply(_: Invocation) -> Any:
        left[0] -= 1
        if left[0] >= 0:
            raise refused()
        return "answer"

    return reply


@pytest.mark.parametrize("settings_", [{}, {"async": True}, {"async": True, "sent": True}])
def test_every_mode_with_an_answer_is_repeated(settings_: dict[str, Any]) -> None:
    """Synchronous and asynchronous calls alike get the answer of the third provider."""
    with Shop(fails_then_answers(2), methods={"findFoo": settings_}, providers=3) as shop:
        value = shop.foo.findFoo(1)
        assert (CONTEXT.get_future().result(5) if settings_ else value) == "answer"
        assert CONTEXT.last_call is not None
        assert CONTEXT.last_call.attempts == 3


def test_a_one_way_call_is_repeated() -> None:
    """What nobody waits for is repeated all the same."""
    asked: list[str] = []

    def reply(invocation: Invocation) -> Any:
        asked.append(invocation.provider.name)
        if len(asked) < 3:
            raise refused()

    hook = Spy()
    with Shop(reply, methods={"findFoo": {"return": False}}, providers=3, on_drop=hook) as shop:
        shop.foo.findFoo(1)
        assert sorted(asked) == ["tri://h1:1", "tri://h2:1", "tri://h3:1"]
    assert hook.calls == []


@settings(deadline=None)
@given(st.integers(1, 6), st.integers(0, 12))
def test_nobody_is_asked_twice_while_another_is_untried(providers: int, retries: int) -> None:
    """Each provider has its turn before any has its second."""
    bench = Bench(FailoverCluster, providers, lambda _, done: done(Outcome(error=refused())))
    bench.call(retries=retries)
    assert len(bench.asked) == retries + 1
    first = bench.asked[:providers]
    assert len(set(first)) == len(first)


def test_a_single_failure_is_handed_up_as_it_is() -> None:
    """With one attempt there is nothing to sum up."""
    bench = Bench(FailoverCluster)
    outcomes = bench.call(retries=0)
    made = refused()
    bench.end(made)
    assert outcomes[0].error is made


def test_all_attempts_failed_says_all() -> None:
    """The failures in order, the last as cause, who was asked, the time, and what became of the request."""
    bench = Bench(FailoverCluster, 2)
    outcomes = bench.call(retries=2, idempotent=True)
    made: list[Any] = [
        refused("tri://h1:1"),
        ConnectionLost("reset by peer", in_doubt=True, status="UNAVAILABLE"),
        ConnectionLost("gone", in_doubt=True, status="UNAVAILABLE"),
    ]
    made[1].endpoint = made[2].endpoint = "tri://h2:1"
    for error in made:
        bench.clock.advance(0.1)
        bench.end(error)
    error = outcomes[0].error
    assert isinstance(error, AllAttemptsFailed)
    assert error.failures == tuple(made)
    assert error.__cause__ is made[2]
    assert error.message == (
        "all 3 attempts failed, at 2 of 2 providers: "
        "1. tri://h1:1: refused; 2. tri://h2:1: reset by peer; 3. tri://h2:1: gone"
    )
    assert (error.reference, error.method, error.endpoint) == ("foo", "find", "tri://h2:1")
    assert (error.attempt, round(error.elapsed_ms), error.status) == (3, 300, "UNAVAILABLE")
    assert (error.not_sent, error.in_doubt, error.is_remote) == (False, True, False)


def test_a_long_reason_keeps_its_start_and_the_line_at_its_end() -> None:
    """However deep the folder of a configuration lies, the error says which line of it cut the attempt short."""
    place = f"/srv/{'deep/' * 25}shop.yml:12"
    failure = CallTimeout(f"no answer within 300 ms{', still waiting' * 40} (timeout 300 ms, {place})")
    bench = Bench(FailoverCluster, 1, lambda _, done: done(Outcome(error=failure)))
    text = str(bench.call(retries=1, idempotent=True)[0].error)
    assert "1. no answer within 300 ms, still waiting" in text
    assert text.count(place) == 2
    assert len(text) < 1000


def test_nothing_was_sent_only_if_no_attempt_sent_it() -> None:
    """Three refused connections leave no doubt."""
    bench = Bench(FailoverCluster, 3, lambda _, done: done(Outcome(error=refused())))
    error = bench.call(retries=2)[0].error
    assert isinstance(error, AllAttemptsFailed)
    assert (error.not_sent, error.in_doubt) == (True, False)


def test_the_deadline_bounds_all_attempts() -> None:
    """Once the total timeout is over no attempt follows, and the message says so."""
    bench = Bench(FailoverCluster)
    outcomes = bench.call(retries=9, idempotent=True, total_timeout_ms=250)
    for _ in range(3):
        bench.clock.advance(0.1)
        bench.end(CallTimeout("no answer within 100 ms", in_doubt=True))
    error = outcomes[0].error
    assert isinstance(error, AllAttemptsFailed)
    assert error.message.startswith("all 3 attempts failed by the deadline, at 0 of 3 providers")
    assert bench.attempts == []


def test_each_attempt_gets_what_is_left() -> None:
    """The timeout of an attempt is its own, and never more than what remains of the total."""
    from support.clock import FakeClock

    clock = FakeClock()
    methods = {"findFoo": {"timeout": 100, "total_timeout": 150, "retries": 5, "idempotent": True}}
    with Shop(methods=methods, clock=clock, providers=3) as shop:
        future = shop.foo.findFoo.future(1)
        first = shop.next_call()
        assert first.timeout == pytest.approx(0.1)
        clock.advance(0.1)
        first.fail(ConnectionLost("reset", in_doubt=True))
        second = shop.next_call()
        assert second.timeout == pytest.approx(0.05)
        clock.advance(0.05)
        second.fail(ConnectionLost("reset", in_doubt=True))
        assert future.exception(0).attempt == 2
        assert shop.transport.is_idle


def test_time_that_is_over_before_the_attempt_ends_the_call_unsent() -> None:
    """An interceptor that used up the whole time leaves no negative timeout for the transport."""
    from support.clock import FakeClock

    clock = FakeClock()
    SLOW.append(clock)
    methods = {"findFoo": {"interceptors": [f"{__name__}:Slow"], "total_timeout": 100}}
    with Shop(methods=methods, clock=clock) as shop:
        error = shop.foo.findFoo.future(1).exception(0)
        assert shop.transport.is_idle
    assert isinstance(error, CallTimeout)
    assert error.message == "the total timeout of 100 ms had passed before the attempt began"
    assert (error.not_sent, error.in_doubt) == (True, False)
    SLOW.clear()


SLOW: list[Any] = []


class Slow:
    def intercept(self, invocation: Invocation, call_next: Any) -> Any:
        SLOW[0].advance(0.2)
        return call_next(invocation)


def test_a_spent_budget_ends_the_attempts_and_says_so() -> None:
    """The note on the error tells why there was no further attempt."""
    budget = RetryBudget(lambda: 0, lambda: 0.0)
    while budget.withdraw():
        pass
    bench = Bench(FailoverCluster, 3, lambda _, done: done(Outcome(error=refused())), budget=budget)
    error = bench.call(retries=2)[0].error
    assert isinstance(error, ConnectFailed)
    assert error.__notes__ == ["not tried again: the retry budget (20 % of calls, 10 a second) is spent"]
    assert len(bench.asked) == 1


def test_a_cancelled_call_makes_no_further_attempt() -> None:
    """A failure that comes after the cancellation ends the call as cancelled."""
    bench = Bench(FailoverCluster)
    invocation = bench.invocation(retries=5)
    outcomes = bench.call(invocation)
    invocation.record.cancel()
    bench.end(refused())
    assert isinstance(outcomes[0].error, CancelledError)
    assert len(bench.asked) == 1


def test_a_cancellation_while_the_next_attempt_waits_for_its_thread() -> None:
    """Given up between two attempts, a call begins none."""
    callbacks = CallbackExecutor(1)
    release = threading.Event()
    callbacks.submit(__import__("contextvars").copy_context(), "a long callback", release.wait, 10)
    bench = Bench(FailoverCluster, callbacks=callbacks)
    invocation = bench.invocation(retries=5)
    ended = Spy()
    bench.cluster(invocation, ended)
    bench.end(refused())
    invocation.record.cancel()
    release.set()
    [(outcome,)] = ended.wait()
    callbacks.close(wait=True)
    assert isinstance(outcome.error, CancelledError)
    assert len(bench.asked) == 1


def test_an_answer_that_is_cancelled_is_handed_up() -> None:
    """A cancellation is no failure to repeat."""
    bench = Bench(FailoverCluster)
    outcomes = bench.call(retries=5)
    bench.end(CancelledError())
    assert isinstance(outcomes[0].error, CancelledError)


def test_providers_that_left_meanwhile() -> None:
    """With the list emptied between two attempts the call ends, with both reasons."""
    bench = Bench(FailoverCluster, 2)
    outcomes = bench.call(retries=2)
    bench.publish()
    bench.end(refused())
    error = outcomes[0].error
    assert isinstance(error, AllAttemptsFailed)
    assert [type(failure) for failure in error.failures] == [ConnectFailed, NoProviderAvailable]
    assert isinstance(error.__cause__, NoProviderAvailable)


def test_thousands_of_immediate_failures_do_not_recurse() -> None:
    """An attempt that fails before it returns costs no stack, however often."""
    bench = Bench(FailoverCluster, 3, lambda _, done: done(Outcome(error=refused())))
    [outcome] = bench.call(retries=20_000)
    assert isinstance(outcome.error, AllAttemptsFailed)
    assert len(outcome.error.failures) == 20_001


def test_attempts_that_end_on_another_thread_at_once_do_not_recurse_either() -> None:
    """A chain of failures, each ended by another thread while the attempt still begins, stays flat and loses none."""
    inbox: Any = __import__("queue").SimpleQueue()

    def bring() -> None:
        while (done := inbox.get()) is not None:
            done(Outcome(error=refused()))

    bringer = Background(bring)
    ended = Spy()
    bench = Bench(FailoverCluster, 3, lambda _, done: inbox.put(done))
    bench.cluster(bench.invocation(retries=3000), ended)
    [(outcome,)] = ended.wait()
    inbox.put(None)
    bringer.join()
    assert len(outcome.error.failures) == 3001


@pytest.mark.parametrize("seed", range(5))
def test_completion_races_with_the_thread_that_begins(seed: int) -> None:
    """Whoever ends an attempt, the starting thread or two others, every call ends once after all its attempts."""
    import queue
    from random import Random

    choose = Random(seed)
    inbox: queue.SimpleQueue[Done | None] = queue.SimpleQueue()

    def bring() -> None:
        while (done := inbox.get()) is not None:
            done(Outcome(error=refused()))

    def attempt(_: Invocation, done: Done) -> None:
        if choose.random() < 0.5:
            done(Outcome(error=refused()))
        else:
            inbox.put(done)

    bringers = [Background(bring) for _ in range(2)]
    ended = [Spy() for _ in range(100)]
    bench = Bench(FailoverCluster, 3, attempt)
    for spy in ended:
        bench.cluster(bench.invocation(retries=19), spy)
    for spy in ended:
        spy.wait()
    for _ in bringers:
        inbox.put(None)
    for bringer in bringers:
        bringer.join()
    assert [len(spy.calls) for spy in ended] == [1] * 100
    assert {len(spy.calls[0][0].error.failures) for spy in ended} == {20}
    assert len(bench.asked) == 2000


def test_repeated_attempts_of_users_interceptors_begin_on_a_callback_thread() -> None:
    """A user's attempt interceptor never runs on the thread that brings an answer."""
    callbacks = CallbackExecutor(1)
    threads: list[str] = []
    inbox: list[Done] = []
    begun = Spy()

    def attempt(_: Invocation, done: Done) -> None:
        threads.append(threading.current_thread().name)
        inbox.append(done)
        begun()

    bench = Bench(FailoverCluster, 3, attempt, callbacks=callbacks)
    outcomes = bench.call(retries=1)
    inbox[0](Outcome(error=refused()))
    begun.wait(2)
    inbox[1](Outcome("answer"))
    callbacks.close(wait=True)
    assert threads[0] == threading.current_thread().name
    assert threads[1].startswith("callahead-callback")
    assert outcomes[0].value == "answer"


class Picky:
    def __init__(self, *_: Any) -> None:
        pass

    def select(self, providers: Any, invocation: Invocation) -> Any:
        raise IndexError("of the load balancer")


def test_a_load_balancer_that_raises_ends_the_call_with_ours() -> None:
    """What an extension raises is the cause of a LocalProtocolError, and nothing was sent."""
    bench = Bench(FailoverCluster, 3, loadbalance=Picky())
    error: Any = bench.call(retries=2)[0].error
    assert error.message == "no provider was chosen: Picky raised IndexError('of the load balancer')"
    assert isinstance(error.__cause__, IndexError)
    assert (error.reference, error.method, error.attempt, error.not_sent) == ("foo", "find", 0, True)


def test_a_service_that_nobody_has_is_asked_for_once_at_each_provider() -> None:
    """What a provider does not export is sought at the others, and not again where it was not found."""

    def unknown(_: Invocation, done: Done) -> None:
        done(Outcome(error=NoProviderAvailable("no such service", is_remote=True)))

    bench = Bench(FailoverCluster, 2, unknown)
    [outcome] = bench.call(retries=5)
    assert sorted(bench.asked) == ["tri://h1:1", "tri://h2:1"]
    assert isinstance(outcome.error, AllAttemptsFailed)
    alone = Bench(FailoverCluster, 1, unknown)
    [outcome] = alone.call(retries=5)
    assert len(alone.asked) == 1
    assert type(outcome.error) is NoProviderAvailable


def test_a_business_error_is_never_repeated() -> None:
    """The provider has answered, even where the method is idempotent."""
    bench = Bench(FailoverCluster)
    outcomes = bench.call(retries=5, idempotent=True)
    made = RemoteError("no such foo")
    bench.end(made)
    assert outcomes[0].error is made


def test_each_failure_says_which_attempt_it_was() -> None:
    """Through the whole chain: number, endpoint and time of each attempt are in its error."""
    from support.clock import FakeClock

    clock = FakeClock()
    with Shop(clock=clock, providers=2) as shop:
        future = shop.foo.findFoo.with_options(retries=1).future(1)
        calls: list[ScriptedCall] = []
        for _ in range(2):
            calls.append(shop.next_call())
            clock.advance(0.01)
            calls[-1].fail(refused())
        error = future.exception(0)
    assert [failure.attempt for failure in error.failures] == [1, 2]
    assert [failure.endpoint for failure in error.failures] == [call.provider.name for call in calls]
    assert [round(failure.elapsed_ms) for failure in error.failures] == [10, 20]
    assert str(error.failures[1]) == (f"foo.findFoo at {calls[1].provider.name}: refused (20 ms, attempt 2) [not sent]")


def left_before_it_was_sent() -> ConnectionLost:
    return ConnectionLost("the provider has left the registry before the request was sent", not_sent=True)


@pytest.mark.parametrize("retries", [0, 1])
def test_who_left_before_the_request_was_sent_counts_as_no_attempt(retries: int) -> None:
    """Another one is asked at once, whatever ``retries`` and the budget say; after that failures count as ever."""
    bench = Bench(FailoverCluster, 3, budget=RetryBudget(lambda: 0, lambda: 0.0) if retries else Poor())
    outcomes = bench.call(retries=retries)
    for _ in range(2):
        chosen = bench.attempts[0][0].provider
        bench.publish(*(one.endpoint for one in bench.directory.providers if one is not chosen))
        bench.end(left_before_it_was_sent())
        assert len(bench.attempts) == 1
    assert len(set(bench.asked)) == 3
    for _ in range(retries + 1):
        assert outcomes == []
        bench.end(refused())
    assert isinstance(outcomes[0].error, AllAttemptsFailed)
    assert len(outcomes[0].error.failures) == 3 + retries


class Poor(RetryBudget):
    """Nothing is left of it."""

    def __init__(self) -> None:
        super().__init__(lambda: 0, lambda: 0.0)

    def withdraw(self) -> bool:
        return False


def test_where_all_have_left_the_call_says_so() -> None:
    """There is nobody to ask instead."""
    bench = Bench(FailoverCluster, 1)
    outcomes = bench.call(retries=5)
    bench.publish()
    bench.end(left_before_it_was_sent())
    error = outcomes[0].error
    assert isinstance(error, AllAttemptsFailed)
    assert isinstance(error.__cause__, NoProviderAvailable)
    assert error.not_sent


def test_the_last_of_all_that_leaves_is_named() -> None:
    """Without a retry the call ends by what became of its one attempt."""
    bench = Bench(FailoverCluster, 1)
    outcomes = bench.call(retries=0)
    bench.publish()
    left = left_before_it_was_sent()
    bench.end(left)
    assert outcomes[0].error is left


def test_who_left_with_the_request_counts() -> None:
    """The method may have run there."""
    bench = Bench(FailoverCluster, 2)
    outcomes = bench.call(retries=0)
    chosen = bench.attempts[0][0].provider
    bench.publish(*(one.endpoint for one in bench.directory.providers if one is not chosen))
    lost = ConnectionLost("reset by peer", in_doubt=True)
    bench.end(lost)
    assert outcomes[0].error is lost
