"""Handlers and listeners of single calls, and `Outcome`: each hears exactly once, whatever becomes of the call."""

from __future__ import annotations

import contextlib
import gc
import logging
import threading
import weakref
from collections.abc import Callable
from concurrent.futures import CancelledError
from contextvars import ContextVar
from typing import Any

import pytest
from support.forked import WARNING, in_child
from support.shop import Background, Shop, Spy

from callahead.consumer import (
    CallerContext,
    CallTimeout,
    ConsumerClosed,
    LimitExceeded,
    Outcome,
    Rejected,
    RemoteError,
    RpcContext,
    resolve,
)

USER: ContextVar[str] = ContextVar("user", default="nobody")
MODES: dict[str, dict[str, Any]] = {
    "sync": {},
    "async": {"async": True},
    "async, sent": {"async": True, "sent": True},
    "lazy": {"async": "lazy"},
    "one-way": {"return": False},
    "one-way, sent": {"return": False, "sent": True},
}


def double(invocation: Any) -> Any:
    return invocation.args[0] * 2


def refuse(_: object) -> Any:
    raise RemoteError("no such foo", type_name="com.alibaba.NoSuchFoo")


class Ear:
    """A listener that notes what it hears."""

    def __init__(self) -> None:
        self.heard = Spy()

    def on_success(self, result: Any) -> None:
        self.heard("success", result)

    def on_failure(self, error: BaseException) -> None:
        self.heard("failure", type(error))


def attempted(call: Callable[[], Any]) -> None:
    """Call; the answer, or what is raised, is not what the test is about."""
    with contextlib.suppress(Exception):
        resolve(call())


def shop(answer: Callable[..., Any] | None = None, **options: Any) -> Shop:
    return Shop(answer, consumer={"retries": 0}, **options)


def only(spy: Spy, open_shop: Shop) -> Outcome:
    """The outcome of the one call of a handler, once all is over."""
    spy.wait()
    assert open_shop.consumer.wait_idle(20)
    [(_, _, outcome, _)] = spy.calls
    assert isinstance(outcome, Outcome)
    return outcome


@pytest.mark.parametrize("mode", MODES)
def test_a_handler_gets_client_request_outcome_and_context(mode: str) -> None:
    """In every mode, on a callback thread; the client is the reference, the request the call's only argument."""
    handler, context = Spy(), CallerContext("an upload")
    with shop(double, methods={"findFoo": MODES[mode]}) as open_shop:
        foo = open_shop.foo
        attempted(lambda: foo.findFoo.with_options(handler=handler, caller_context=context)(21))
        outcome = only(handler, open_shop)
        client, request, _, given = handler.calls[0]
        assert (client, request, given) == (foo, 21, context)
        assert (outcome.is_success, outcome.result, outcome.error) == (True, 42, None)
        assert handler.threads[0].startswith("callahead-callback")


@pytest.mark.parametrize("mode", MODES)
def test_a_handler_hears_of_a_failure(mode: str) -> None:
    """In every mode, with the error that the call ended with."""
    handler = Spy()
    with shop(refuse, methods={"findFoo": MODES[mode]}) as open_shop:
        attempted(lambda: open_shop.foo.findFoo.with_options(handler=handler)(1))
        outcome = only(handler, open_shop)
    assert not outcome.is_success
    assert isinstance(outcome.error, RemoteError)
    with pytest.raises(RemoteError):
        outcome.result  # noqa: B018


@pytest.mark.parametrize("view", ["future", "sync", "outcome"])
def test_the_views_have_handlers_too(view: str) -> None:
    """Whichever way the call is made."""
    handler = Spy()
    with shop(double) as open_shop:
        getattr(open_shop.foo.findFoo.with_options(handler=handler), view)(21)
        assert only(handler, open_shop).result == 42


def test_the_async_method_takes_options() -> None:
    """As the plain one does, and its calls give futures all the same."""
    handler = Spy()
    with shop(double) as open_shop:
        assert open_shop.foo.find_foo_async.with_options(handler=handler, timeout=500)(21).result(20) == 42
        assert only(handler, open_shop).result == 42


@pytest.mark.parametrize(
    ("args", "kwargs", "request_"),
    [
        ((7,), {}, 7),
        ((), {"foo_id": 7}, {"foo_id": 7}),
        ((7, 8), {}, (7, 8)),
        ((7,), {"deep": True}, ((7,), {"deep": True})),
        ((), {}, ()),
    ],
)
def test_the_request_is_the_calls_own_arguments(args: tuple[Any, ...], kwargs: dict[str, Any], request_: Any) -> None:
    """One alone is itself; an option of the call is none of them."""
    handler = Spy()
    with shop(lambda _: None) as open_shop:
        open_shop.foo.findFoo.with_options(handler=handler)(*args, **kwargs)
        only(handler, open_shop)
    assert handler.calls[0][1] == request_


def test_a_context_has_an_identifier_of_its_own() -> None:
    """Unless one is given."""
    assert CallerContext().uuid != CallerContext().uuid
    assert CallerContext(uuid="a.txt").uuid == "a.txt"


def test_a_listener_hears_of_the_answer_or_the_error() -> None:
    """By one of its two methods."""
    ear = Ear()
    with shop(lambda call: refuse(call) if call.args[0] < 0 else 42) as open_shop:
        heard = open_shop.foo.findFoo.with_options(listener=ear)
        heard.future(1).exception()
        open_shop.consumer.wait_idle(20)
        heard.future(-1).exception()
        open_shop.consumer.wait_idle(20)
    assert ear.heard.calls == [("success", 42), ("failure", RemoteError)]


def test_options_join_those_of_before() -> None:
    """A listener beside a handler, and settings beside both."""
    handler, ear = Spy(), Ear()
    with shop(double) as open_shop:
        method = open_shop.foo.findFoo.with_options(handler=handler).with_options(listener=ear, timeout=77)
        assert method.policy.timeout_ms == 77
        assert method(21) == 42
        only(handler, open_shop)
    assert ear.heard.calls == [("success", 42)]


def _rejected(open_shop: Shop, handler: Spy) -> None:
    attempted(lambda: open_shop.foo.touch.with_options(handler=handler)(1))


def _over_the_limit(open_shop: Shop, handler: Spy) -> None:
    open_shop.foo.findBar(1)
    attempted(lambda: open_shop.foo.findBar.with_options(handler=handler)(2))


def _timed_out(open_shop: Shop, handler: Spy) -> None:
    attempted(lambda: open_shop.foo.findFoo.with_options(handler=handler, timeout=20)(1))


def _cancelled(open_shop: Shop, handler: Spy) -> None:
    open_shop.foo.findFoo.with_options(handler=handler).future(1).cancel()


def _closed_under_it(open_shop: Shop, handler: Spy) -> None:
    open_shop.foo.findFoo.with_options(handler=handler).future(1)
    open_shop.consumer.close(0)


def _closed_before(open_shop: Shop, handler: Spy) -> None:
    method = open_shop.foo.findFoo.with_options(handler=handler)
    open_shop.consumer.close(0)
    with pytest.raises(ConsumerClosed):
        method(1)


def _given_up_by_its_scope(open_shop: Shop, handler: Spy) -> None:
    with contextlib.suppress(ExceptionGroup), open_shop.consumer.scope() as calls:
        open_shop.foo.findFoo.with_options(handler=handler).future(1)
        calls.cancel()


def _begun_too_late(open_shop: Shop, handler: Spy) -> None:
    method = open_shop.foo.findFoo.with_options(handler=handler)
    with open_shop.consumer.scope() as calls:
        calls.cancel()
        attempted(lambda: method(1))


ENDS: dict[str, tuple[Callable[[Shop, Spy], None], type[BaseException]]] = {
    "rejected by oninvoke": (_rejected, Rejected),
    "over the limit": (_over_the_limit, LimitExceeded),
    "timed out": (_timed_out, CallTimeout),
    "cancelled": (_cancelled, CancelledError),
    "closed under it": (_closed_under_it, ConsumerClosed),
    "closed before": (_closed_before, ConsumerClosed),
    "given up by its scope": (_given_up_by_its_scope, CancelledError),
    "begun too late in a scope": (_begun_too_late, CancelledError),
}


def reject(*_: object) -> None:
    raise Rejected("not today")


@pytest.mark.parametrize("end", ENDS)
def test_a_handler_is_called_once_however_the_call_ends(end: str) -> None:
    """With the error that the caller, or the future, is told of."""
    methods = {
        "touch": {"oninvoke": f"{__name__}:reject"},
        "findBar": {"async": True, "max_pending": 1, "when_full": "reject"},
        "findFoo": {},
    }
    act, kind = ENDS[end]
    handler = Spy()
    with shop(methods=methods) as open_shop:
        act(open_shop, handler)
        handler.wait()
    [(_, _, outcome, _)] = handler.calls
    assert isinstance(outcome.error, kind)


def test_an_interrupted_call_is_heard() -> None:
    """Ctrl-C in the waiting thread passes through, and the handler hears of it."""
    handler = Spy()

    def interrupt(_: object) -> Any:
        raise KeyboardInterrupt

    with shop(interrupt) as open_shop:
        with pytest.raises(KeyboardInterrupt):
            open_shop.foo.findFoo.with_options(handler=handler)(1)
        assert isinstance(only(handler, open_shop).error, KeyboardInterrupt)


@pytest.mark.filterwarnings(WARNING)
def test_a_forked_child_calls_no_handler() -> None:
    """The call is the parent's, whose handler hears of it once."""
    handler = Spy()
    with shop() as open_shop:
        open_shop.foo.findFoo.with_options(handler=handler).future(1)

        def look() -> None:
            assert open_shop.consumer.wait_idle(5)
            assert handler.calls == []

        assert in_child(look) == 0
        open_shop.next_call().reply(3)
        assert only(handler, open_shop).result == 3


def test_a_handler_runs_in_the_context_of_its_caller() -> None:
    """In a copy, in which the last call is its own."""
    seen: list[Any] = []
    handler = Spy(lambda *_: seen.append((USER.get(), RpcContext.get_context().last_call.method)))
    with shop() as open_shop:
        token = USER.set("ann")
        open_shop.foo.findFoo.with_options(handler=handler).future(1)
        USER.reset(token)
        open_shop.foo.findBar.future(1)
        open_shop.next_call().reply(3)
        handler.wait()
    assert seen == [("ann", "findFoo")]


def test_what_a_handler_raises_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    """And hurts neither the call nor the next handler."""
    handler = Spy(lambda *_: 1 / 0)
    with shop(double) as open_shop:
        method = open_shop.foo.findFoo.with_options(handler=handler)
        assert [method(1), method(2)] == [2, 4]
        handler.wait(2)
        open_shop.consumer.wait_idle(20)
    assert [record.getMessage() for record in caplog.records] == ["handler of foo.findFoo raised"] * 2


def test_a_failure_that_a_handler_heard_is_not_reported(caplog: pytest.LogCaptureFixture) -> None:
    """Somebody was told, so nobody says that nobody looked at the future."""
    handler = Spy()
    with caplog.at_level(logging.WARNING), shop(refuse) as open_shop:
        open_shop.foo.findFoo.with_options(handler=handler).future(1)
        only(handler, open_shop)
        gc.collect()
    assert caplog.records == []


def test_the_request_is_let_go_of() -> None:
    """Once the handler has run, nothing of the call holds it."""

    class Request:
        pass

    handler = Spy(lambda *_: None)
    with shop(lambda _: None) as open_shop:
        request = Request()
        gone = weakref.ref(request)
        future = open_shop.foo.findFoo.with_options(handler=handler).future(request)
        only(handler, open_shop)
        handler.calls.clear()
        del request
        gc.collect()
        assert gone() is None
        assert future.done()


def test_the_future_of_the_call_before_is_not_kept() -> None:
    """A call that is heard of keeps nothing of the one before it in its context."""
    with shop(methods={"findBar": {"async": True}}) as open_shop:
        open_shop.foo.findBar(1)
        before = weakref.ref(RpcContext.get_context().future)
        open_shop.next_call().reply(1)
        future = open_shop.foo.findFoo.with_options(handler=Spy()).future(1)
        gc.collect()
        assert before() is None
        assert not future.done()


def test_a_scope_collects_what_is_heard_of() -> None:
    """Both see the call."""
    handler = Spy()
    with shop(double) as open_shop:
        with open_shop.consumer.scope() as calls:
            open_shop.foo.findFoo.with_options(handler=handler).future(21)
        assert calls.results() == [42]
        assert only(handler, open_shop).result == 42


@pytest.mark.parametrize("threads", [1, 4])
def test_a_second_call_from_a_listener_while_the_program_waits(threads: int) -> None:
    """Whether the listener waits for it or listens again, and though there is one callback thread only."""
    heard: list[Any] = []

    class Reader(Ear):
        def on_success(self, result: Any) -> None:
            heard.append(("read", result))

    class Writer(Ear):
        def on_success(self, result: Any) -> None:
            heard.append(("wrote", result, open_shop.foo.findBar(result)))
            open_shop.foo.findFoo.with_options(listener=Reader()).future(result)

    with Shop(double, consumer={"retries": 0, "callback_executor": {"threads": threads}}) as open_shop:
        open_shop.foo.findFoo.with_options(listener=Writer()).future(1)
        assert open_shop.consumer.wait_idle(20)
    assert heard == [("wrote", 2, 4), ("read", 4)]


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"handler": 3}, "handler is int, which cannot be called"),
        ({"listener": Spy()}, "listener is Spy, which has no method on_success"),
        ({"caller_context": CallerContext()}, "caller_context is for a handler, and there is none"),
    ],
)
def test_what_cannot_hear_is_refused(options: dict[str, Any], text: str) -> None:
    """When the options are given, not when the call ends."""
    with shop(double) as open_shop, pytest.raises(TypeError, match=text):
        open_shop.foo.findFoo.with_options(**options)


def test_outcome_raises_nothing_that_the_call_failed_by() -> None:
    """The view gives the end of a call as a value, whatever the configuration says of its mode."""
    with shop(refuse, methods={"findFoo": {"async": True}}) as open_shop:
        outcome = open_shop.foo.findFoo.outcome(1)
    assert isinstance(outcome.error, RemoteError)


def test_outcome_of_a_closed_consumer_raises() -> None:
    """There was no call."""
    with shop(double) as open_shop:
        method = open_shop.foo.findFoo
    with pytest.raises(ConsumerClosed):
        method.outcome(1)


def test_waiting_until_idle_leaves_the_consumer_open() -> None:
    """It returns once the last call has ended and what was to happen then has happened."""
    told = Spy()
    with shop() as open_shop:
        open_shop.foo.findFoo.future(1).add_done_callback(told)
        waiting = Background(open_shop.consumer.wait_idle, 20)
        assert waiting.is_running
        open_shop.next_call().reply(3)
        assert waiting.join()
        assert len(told.calls) == 1
        open_shop.foo.findFoo.future(1)


def test_waiting_until_idle_says_what_it_found() -> None:
    """False where a call still runs; without any, True at once."""
    with shop() as open_shop:
        assert open_shop.consumer.wait_idle(0)
        open_shop.foo.findFoo.future(1)
        assert not open_shop.consumer.wait_idle(0)
        assert not open_shop.consumer.wait_idle(0.01)
        open_shop.next_call().reply(3)
        assert open_shop.consumer.wait_idle()


def test_a_callback_that_waits_until_idle_does_not_wait_for_itself() -> None:
    """Nor does it keep others from it."""
    answers: list[bool] = []
    with shop() as open_shop:
        handler = Spy(lambda *_: answers.append(open_shop.consumer.wait_idle(20)))
        open_shop.foo.findFoo.with_options(handler=handler).future(1)
        open_shop.next_call().reply(3)
        handler.wait()
    assert answers == [True]


class HeldWaiter:
    """Hears of a future's end as `concurrent.futures.wait` does, and holds up whoever brings that."""

    def __init__(self) -> None:
        self.is_told, self.go_on = threading.Event(), threading.Event()

    def add_result(self, future: object) -> None:
        """Hold it."""
        self.is_told.set()
        assert self.go_on.wait(20)


def test_a_callback_that_is_about_to_be_due_is_waited_for() -> None:
    """The call runs no more and its callback is not due yet: whoever waits until all is idle goes on waiting."""
    with Shop() as open_shop:
        called = Spy()
        future = open_shop.foo.findFoo.future(1)
        future.add_done_callback(called)
        held = HeldWaiter()
        with future._condition:
            future._waiters.append(held)
        ending = Background(open_shop.next_call().reply, "answer")
        assert held.is_told.wait(20)
        assert not open_shop.consumer.wait_idle(0.02)
        held.go_on.set()
        assert open_shop.consumer.wait_idle(20)
        assert len(called.calls) == 1
        ending.join()
