"""What users put into the chain: both kinds and scopes, in order, made once, never able to hang or leak a call."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from concurrent.futures import CancelledError
from typing import Any

import pytest
from support.shop import Background, Shop

from callahead.consumer import (
    CallNext,
    CallTimeout,
    ConfigError,
    ConnectFailed,
    Invocation,
    InvocationFuture,
    Outcome,
    RemoteError,
    RpcContext,
    answer,
)

CONTEXT = RpcContext.get_context()
EVENTS: list[Any] = []
MADE: list[str] = []


@pytest.fixture(autouse=True)
def _forget() -> Iterator[None]:
    yield
    EVENTS.clear()
    MADE.clear()


def here() -> str:
    name = threading.current_thread().name
    return "callback" if name.startswith("callahead-callback") else name


def named(*classes: type) -> list[str]:
    return [f"{__name__}:{one.__qualname__}" for one in classes]


def shop_with(*classes: type, answer: Any = None, **settings: Any) -> Shop:
    return Shop(answer, methods={"findFoo": {"interceptors": named(*classes), **settings}}, providers=3)


class Around:
    """Notes both sides of a call."""

    def __init__(self) -> None:
        MADE.append(type(self).__name__)

    def intercept(self, invocation: Invocation, call_next: CallNext) -> InvocationFuture:
        name = type(self).__name__
        EVENTS.append(f"{name} down")

        def up(value: Any) -> Any:
            EVENTS.append(f"{name} up on {here()}")
            return value

        return call_next(invocation).then(up)


class Inner(Around):
    pass


class Inline(Around):
    inline = True


class PerAttempt(Around):
    scope = "attempt"


class Watch:
    """Notes both sides of a call, as an observer."""

    def __init__(self) -> None:
        MADE.append(type(self).__name__)

    def on_start(self, invocation: Invocation) -> Any:
        EVENTS.append(f"{type(self).__name__} start")
        return object()

    def on_end(self, token: object, outcome: Outcome) -> None:
        EVENTS.append(f"{type(self).__name__} end on {here()}")


class WatchInline(Watch):
    inline = True


class WatchAttempt(Watch):
    scope = "attempt"
    inline = True


def test_they_nest_in_the_order_of_the_yaml() -> None:
    """The first is outermost: down in order, up in reverse, both kinds alike."""
    with shop_with(Around, WatchInline, Inner, answer=lambda _: 1) as shop:
        shop.foo.findFoo(1)
    assert [event.partition(" on ")[0] for event in EVENTS] == [
        "Around down",
        "WatchInline start",
        "Inner down",
        "Inner up",
        "WatchInline end",
        "Around up",
    ]


def test_they_are_made_once_per_method() -> None:
    """Ten calls in every mode share the instances that the first binding made."""
    with shop_with(Around, Watch, PerAttempt, answer=lambda _: 1) as shop:
        for _ in range(10):
            shop.foo.findFoo(1)
            shop.foo.find_foo.future(1).result(5)
            shop.foo.findFoo.with_options(timeout=5)(1)
    assert sorted(MADE) == ["Around", "PerAttempt", "Watch"]


def test_the_completion_side_runs_on_the_callers_thread_in_a_synchronous_call() -> None:
    """Nobody is gained by a hand-off where the caller waits anyway."""
    with shop_with(Around, Watch, Inline, WatchInline, answer=lambda _: 1) as shop:
        shop.foo.findFoo(1)
    assert {event.partition(" on ")[2] for event in EVENTS if " on " in event} == {threading.current_thread().name}


def test_the_completion_side_runs_on_a_callback_thread_unless_it_is_inline() -> None:
    """A user's completion never runs on the thread that brings the answer, but for one that says it is cheap."""
    with shop_with(Around, Watch) as shop:
        future = shop.foo.findFoo.future(1)
        bringer = Background(shop.next_call().reply, 1)
        assert future.result(5) == 1
        bringer.join()
    assert EVENTS[2:] == ["Watch end on callback", "Around up on callback"]
    EVENTS.clear()
    with shop_with(Inline, WatchInline) as shop:
        future = shop.foo.findFoo.future(1)
        bringer = Background(shop.next_call().reply, 1)
        assert future.result(5) == 1
        bringer.join()
    assert EVENTS[2:] == ["WatchInline end on background", "Inline up on background"]


class ReadsContext:
    def on_start(self, invocation: Invocation) -> None:
        return None

    def on_end(self, token: None, outcome: Outcome) -> None:
        EVENTS.append(CONTEXT.last_call and CONTEXT.last_call.method)


def test_an_observer_reads_the_context_of_its_own_call() -> None:
    """On a callback thread RpcContext is that of the call that ended, whatever the caller did since."""
    with shop_with(ReadsContext) as shop:
        future = shop.foo.findFoo.future(1)
        shop.foo.findBar.future(1)
        shop.next_call().reply(1)
        future.result(5)
    assert EVENTS == ["findFoo"]


def refuse_twice() -> Any:
    count = iter(range(100))

    def reply(_: Invocation) -> Any:
        if next(count) < 2:
            raise ConnectFailed("refused", not_sent=True)
        return "third"

    return reply


@pytest.mark.parametrize("view", ["sync", "future"])
def test_scopes(view: str) -> None:
    """The call scope runs once, the attempt scope once per try, beneath it."""
    with shop_with(WatchInline, WatchAttempt, answer=refuse_twice()) as shop:
        result = getattr(shop.foo.findFoo, view)(1)
        assert (result.result(5) if view == "future" else result) == "third"
    events = [event.partition(" on ")[0] for event in EVENTS]
    each = ["WatchAttempt start", "WatchAttempt end"]
    assert events == ["WatchInline start", *each * 3, "WatchInline end"]


def refuse(*_: Any) -> None:
    EVENTS.append("oninvoke")


class Refusing:
    def intercept(self, invocation: Invocation, call_next: CallNext) -> InvocationFuture:
        EVENTS.append("refused")
        return answer(invocation, error=RemoteError("refused here"))


def test_what_an_interceptor_refuses_is_counted_and_logged_but_not_notified(caplog: pytest.LogCaptureFixture) -> None:
    """The log and the metrics stand above the user's interceptors, the notices and the limit below."""
    settings = {"oninvoke": f"{__name__}:refuse", "actives": 1}
    with (
        shop_with(Refusing, answer=lambda _: 1, **settings) as shop,
        caplog.at_level(logging.INFO, "callahead.consumer.call"),
    ):
        for _ in range(3):
            with pytest.raises(RemoteError):
                shop.foo.findFoo(1)
        counts = shop.consumer.counts()["foo"]["findFoo"]
    assert EVENTS == ["refused"] * 3
    assert (counts.calls, counts.failures, counts.attempts) == (3, {"RemoteError": 3}, 0)
    assert len(caplog.records) == 3
    assert caplog.records[0].getMessage().startswith("foo.findFoo failed: RemoteError: ")


class Broken:
    def on_start(self, invocation: Invocation) -> None:
        raise KeyError("of on_start")

    def on_end(self, token: None, outcome: Outcome) -> None:
        EVENTS.append("never")


class BrokenInline(Broken):
    inline = True


@pytest.mark.parametrize("broken", [Broken, BrokenInline])
@pytest.mark.parametrize("outer", [Watch, WatchInline])
def test_on_start_that_raises_ends_the_call_and_those_above_hear_of_it(broken: type, outer: type) -> None:
    """on_end is called for exactly those observers whose on_start returned."""
    with (
        shop_with(outer, broken, WatchAttempt, answer=lambda _: EVENTS.append("asked")) as shop,
        pytest.raises(KeyError, match="of on_start"),
    ):
        shop.foo.findFoo(1)
    assert [event.partition(" on ")[0] for event in EVENTS] == [f"{outer.__name__} start", f"{outer.__name__} end"]


class BrokenEnd:
    def on_start(self, invocation: Invocation) -> None:
        return None

    def on_end(self, token: None, outcome: Outcome) -> None:
        raise KeyError("of on_end")


class BrokenEndInline(BrokenEnd):
    inline = True


@pytest.mark.parametrize("broken", [BrokenEnd, BrokenEndInline])
def test_on_end_that_raises_is_logged_and_changes_nothing(broken: type, caplog: pytest.LogCaptureFixture) -> None:
    """The answer arrives, and the observers above hear of it."""
    with shop_with(WatchInline, broken, answer=lambda _: "value") as shop:
        assert shop.foo.findFoo(1) == "value"
    assert EVENTS == ["WatchInline start", f"WatchInline end on {threading.current_thread().name}"]
    [record] = [record for record in caplog.records if record.name == "callahead.consumer.interceptor"]
    assert record.getMessage().endswith("raised at the end of foo.findFoo")


class Replacing:
    def intercept(self, invocation: Invocation, call_next: CallNext) -> InvocationFuture:
        changed = invocation.replace(args=("other",), attachments={**invocation.attachments, "more": "1"})
        assert changed.record is invocation.record
        return call_next(changed)


def test_replace_passes_other_arguments_and_attachments_on() -> None:
    """Those below see what was replaced; the invocation of the caller's future stays as it was."""
    with shop_with(Replacing) as shop:
        future = shop.foo.findFoo.future("mine")
        below = shop.next_call().invocation
        assert (below.args, below.request, dict(below.attachments)) == (("other",), (("other",), {}), {"more": "1"})
        assert future.invocation.args == ("mine",)


@pytest.mark.parametrize("name", ["record", "policy", "provider", "nonsense"])
def test_replace_knows_only_what_may_change(name: str) -> None:
    """Anything else is refused by name."""
    with Shop() as shop:
        invocation = shop.foo.findFoo.future(1).invocation
        with pytest.raises(TypeError) as caught:
            invocation.replace(**{name: None})
    assert str(caught.value) == (f'an interceptor cannot replace "{name}"; only args, kwargs, attachments and deadline')


class Cached:
    def intercept(self, invocation: Invocation, call_next: CallNext) -> InvocationFuture:
        return answer(invocation, "cached")


@pytest.mark.parametrize("settings", [{}, {"async": True}, {"async": True, "sent": True}])
def test_an_interceptor_answers_without_a_provider(settings: dict[str, Any]) -> None:
    """answer() ends the call in any mode, without an attempt."""
    with shop_with(Cached, **settings) as shop:
        value = shop.foo.findFoo(1)
        assert (CONTEXT.get_future().result(5) if settings else value) == "cached"
        assert shop.transport.is_idle
        assert CONTEXT.last_call is not None
        assert CONTEXT.last_call.attempts == 0


class Again:
    def intercept(self, invocation: Invocation, call_next: CallNext) -> InvocationFuture:
        return call_next(invocation).then(None, lambda error: call_next(invocation))


@pytest.mark.parametrize("view", ["sync", "future"])
def test_an_interceptor_may_call_again(view: str) -> None:
    """call_next twice is two passes of all that is below, each counted against the limit by itself."""
    turns = iter([RemoteError("first"), None])

    def reply(_: Invocation) -> Any:
        error = next(turns)
        if error is not None:
            raise error
        return "second"

    with shop_with(Again, answer=reply, actives=1) as shop:
        result = getattr(shop.foo.findFoo, view)(1)
        assert (result.result(5) if view == "future" else result) == "second"
        counts = shop.consumer.counts()["foo"]["findFoo"]
        assert (counts.calls, counts.attempts, counts.running) == (1, 2, 0)


def test_no_repetition_after_a_cancellation() -> None:
    """An interceptor that would call again after the user gave up finds that no attempt is begun."""
    with shop_with(Again) as shop:
        future = shop.foo.findFoo.future(1)
        assert shop.next_call() is not None
        assert future.cancel()
        shop.consumer.close(5)
        assert shop.transport.is_idle
        assert future.attempts == 1


class Hanging:
    def intercept(self, invocation: Invocation, call_next: CallNext) -> InvocationFuture:
        call_next(invocation)
        return call_next(invocation).then(lambda _: InvocationFuture(invocation, _nobody()))


def _nobody() -> Any:
    from callahead.consumer.runtime.callbacks import CallbackExecutor

    return CallbackExecutor(1)


class HangingEnd:
    release = threading.Event()

    def on_start(self, invocation: Invocation) -> None:
        return None

    def on_end(self, token: None, outcome: Outcome) -> None:
        self.release.wait(20)


def test_whatever_never_settles_is_ended_by_the_watchdog() -> None:
    """A future that is never settled, or an observer that never returns, ends the call a second past its deadline."""
    HangingEnd.release.clear()
    settings = {"total_timeout": 300, "timeout": 300}
    with (
        shop_with(Hanging, answer=lambda _: 1, **settings) as one,
        shop_with(HangingEnd, answer=lambda _: 1, **settings) as other,
    ):
        waiting = [one.foo.findFoo.future(1), other.foo.findFoo.future(1)]
        sync = Background(one.foo.findFoo, 1)
        errors = [future.exception(20) for future in waiting]
        with pytest.raises(CallTimeout) as caught:
            sync.join()
        HangingEnd.release.set()
        for error in (*errors, caught.value):
            assert isinstance(error, CallTimeout)
            assert error.message == (
                "something holds the call past its total timeout of 300 ms:"
                " an interceptor that does not settle its future, or a transport"
            )
            assert (error.reference, error.method, error.in_doubt) == ("foo", "findFoo", True)
        assert "1 calls" not in repr(one.consumer)


class NotAFuture:
    def intercept(self, invocation: Invocation, call_next: CallNext) -> Any:
        return call_next(invocation).result(5)


class Raising:
    def intercept(self, invocation: Invocation, call_next: CallNext) -> InvocationFuture:
        raise KeyError("of intercept")


class RaisingLater:
    def intercept(self, invocation: Invocation, call_next: CallNext) -> InvocationFuture:
        def fail(_: Any) -> Any:
            raise KeyError("of the completion")

        return call_next(invocation).then(fail)


@pytest.mark.parametrize("view", ["sync", "future"])
@pytest.mark.parametrize(
    ("kind", "error", "text"),
    [
        (NotAFuture, TypeError, "NotAFuture.intercept returned int, not an InvocationFuture"),
        (Raising, KeyError, "'of intercept'"),
        (RaisingLater, KeyError, "'of the completion'"),
    ],
)
def test_what_an_interceptor_raises_ends_the_call(view: str, kind: type, error: type[Exception], text: str) -> None:
    """In the mode of the call, and those above see it."""
    with shop_with(WatchInline, kind, answer=lambda _: 1) as shop:
        call = shop.foo.findFoo if view == "sync" else lambda given: shop.foo.findFoo.future(given).result(5)
        with pytest.raises(error) as caught:
            call(1)
        assert str(caught.value) == text
        assert [event.partition(" on ")[0] for event in EVENTS] == ["WatchInline start", "WatchInline end"]


class Cancelling:
    def intercept(self, invocation: Invocation, call_next: CallNext) -> InvocationFuture:
        future = call_next(invocation)
        future.cancel()
        return future


def test_a_call_that_an_interceptor_cancels_is_cancelled() -> None:
    """The caller's future says cancelled, and the attempt is stopped."""
    with shop_with(Cancelling) as shop:
        future = shop.foo.findFoo.future(1)
        assert shop.next_call().is_cancelled
        assert future.cancelled()
        with pytest.raises(CancelledError):
            shop.foo.findFoo(1)


class NeedsArguments:
    def __init__(self, what: str) -> None:
        raise AssertionError(what)


class NeitherKind:
    pass


class BothKinds(Watch):
    def intercept(self, invocation: Invocation, call_next: CallNext) -> InvocationFuture:
        return call_next(invocation)


class OddScope(Watch):
    scope = "sometimes"


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("no_such_module:Class", "No module named 'no_such_module'"),
        (f"{__name__}:Absent", f'"{__name__}:Absent": {__name__} has no "Absent"; '),
        (f"{__name__}:NeedsArguments", "NeedsArguments.__init__() missing 1 required positional argument: 'what'"),
        (f"{__name__}:NeitherKind", "is neither an Interceptor (intercept) nor an Observer (on_start, on_end)"),
        (
            f"{__name__}:BothKinds",
            "is both an Interceptor (intercept) and an Observer (on_start, on_end); make two classes of it",
        ),
        (f"{__name__}:OddScope", 'has scope "sometimes", which is neither "call" nor "attempt"'),
    ],
)
def test_a_bad_class_is_a_config_error_with_its_line(path: str, text: str, tmp_path: Any) -> None:
    """The error names the file and line of the YAML, the class and what is wrong with it."""
    from callahead.consumer import Consumer
    from callahead.consumer.testing.scripted_transport import ScriptedTransport

    file = tmp_path / "x.yml"
    file.write_text(f'references:\n  foo:\n    interface: a.B\n    url: tri://h:1\n    interceptors: ["{path}"]\n')
    with Consumer.from_file(file, transports={"tri": ScriptedTransport(lambda _: 1)}) as consumer:
        foo = consumer.reference("foo")
        with pytest.raises(ConfigError) as caught:
            foo.find  # noqa: B018
    [problem] = caught.value.problems
    assert (problem.file, problem.line) == (str(file), 5)
    assert problem.text.startswith(f'interceptor "{path}"')
    assert text in problem.text


def test_a_spied_observer_gets_its_own_token() -> None:
    """What on_start returns is what on_end gets, call by call, also when they overlap."""
    with shop_with(Tokens) as shop:
        first, second = shop.foo.findFoo.future(1), shop.foo.findFoo.future(2)
        calls = [shop.next_call(), shop.next_call()]
        calls[1].reply("b")
        second.result(5)
        calls[0].reply("a")
        first.result(5)
    assert EVENTS == [(2, "b"), (1, "a")]


class Tokens:
    def on_start(self, invocation: Invocation) -> Any:
        return invocation.args[0]

    def on_end(self, token: Any, outcome: Outcome) -> None:
        EVENTS.append((token, outcome.value))


def test_outcome_shows_no_value() -> None:
    """repr() of an outcome names the type of an answer, never its content."""
    assert repr(Outcome("secret")) == "<Outcome value str>"
    assert repr(Outcome(error=KeyError("k"))) == "<Outcome KeyError('k')>"
