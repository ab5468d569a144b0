"""RpcContext: of one thread or task, for one call, and never keeping a result alive."""

from __future__ import annotations

import asyncio
import dataclasses
import gc
import weakref
from typing import Any

import pytest
from support.clock import FakeClock
from support.shop import Background, Shop

from callahead.consumer import ConsumerClosed, Invocation, NoFutureError, RpcContext

CONTEXT = RpcContext.get_context()
ASYNC = {"findFoo": {"async": True}}


@pytest.fixture(autouse=True)
def _called_before() -> None:
    """Make a synchronous call, so that no error tells of a future that a test elsewhere has left in this thread."""
    with Shop(lambda _: 1) as shop:
        shop.foo.findFoo(1)


class Answer:
    """An answer that can be watched."""


def attachments_of(shop: Shop) -> dict[str, Any]:
    return dict(shop.next_call().invocation.attachments)


def test_no_call_yet_has_no_future() -> None:
    """A fresh thread has no future, no call and no address, and says why."""

    def look() -> tuple[Any, ...]:
        with pytest.raises(NoFutureError) as caught:
            CONTEXT.get_future()
        return str(caught.value), CONTEXT.future, CONTEXT.last_call, CONTEXT.remote_address

    text = "there is no future: this thread or task has made no call yet"
    assert Background(look).join() == (text, None, None, None)


def test_a_synchronous_call_has_no_future_and_says_where_that_is_set() -> None:
    """The error names the call, and the setting that made it synchronous with its place."""
    with Shop(lambda _: 1) as shop:
        shop.foo.findFoo(1)
        with pytest.raises(NoFutureError) as caught:
            CONTEXT.get_future()
    assert str(caught.value) == "foo.findFoo was synchronous: async is false, built-in"


def test_the_place_of_the_setting_is_its_line_in_the_file(tmp_path: Any) -> None:
    """With a file the error points at the line that says async: false."""
    from callahead.consumer import Consumer
    from callahead.consumer.testing.scripted_transport import ScriptedTransport

    path = tmp_path / "x.yml"
    path.write_text(
        "references:\n  foo:\n    interface: a.B\n    url: tri://h:1\n    methods:\n      find:\n        async: false\n"
    )
    with Consumer.from_file(path, transports={"tri": ScriptedTransport(lambda _: 1)}) as consumer:
        consumer.reference("foo").find()
        with pytest.raises(NoFutureError) as caught:
            CONTEXT.get_future()
    assert str(caught.value) == f"foo.find was synchronous: async is false, {path}:7"


def test_a_call_through_sync_says_so() -> None:
    """The error blames the view, not the configuration, where the view decided."""
    with Shop(lambda _: 1, methods=ASYNC) as shop:
        shop.foo.findFoo.sync(1)
        with pytest.raises(NoFutureError) as caught:
            CONTEXT.get_future()
    assert str(caught.value) == "foo.findFoo was synchronous: it was called through .sync"


def test_the_error_is_a_lookup_error() -> None:
    """Code that knows nothing of callahead can catch it."""
    assert issubclass(NoFutureError, LookupError)


def test_the_future_is_that_of_the_most_recent_call() -> None:
    """Each call replaces the one before; both ways to ask give the same object."""
    with Shop(methods=ASYNC) as shop:
        shop.foo.findFoo(1)
        first = CONTEXT.get_future()
        shop.foo.findFoo(2)
        second = CONTEXT.get_future()
        assert first is not second
        assert CONTEXT.future is second
        assert CONTEXT.get_future() is second
        assert second.invocation.args == (2,)


def test_a_future_that_was_handed_out_is_held_weakly() -> None:
    """Once asked for, the future lives as long as its asker keeps it, and the error says so afterwards."""
    gc.disable()
    try:
        with Shop(lambda _: Answer(), methods=ASYNC) as shop:
            shop.foo.findFoo(1)
            future = CONTEXT.get_future()
            watched = weakref.ref(future.result(0))
            assert watched() is not None
            del future
            assert watched() is None
            assert CONTEXT.future is None
            with pytest.raises(NoFutureError) as caught:
                CONTEXT.get_future()
        assert str(caught.value) == "the future of foo.findFoo was handed out before and nobody has kept it"
    finally:
        gc.enable()


def test_a_future_that_nobody_asked_for_is_kept() -> None:
    """Until it is asked for, the context keeps the answer."""
    with Shop(lambda _: "kept", methods=ASYNC) as shop:
        shop.foo.findFoo(1)
        gc.collect()
        assert CONTEXT.get_future().result(0) == "kept"


@pytest.mark.parametrize("view", ["configured", "future"])
def test_futures_that_nobody_asked_for_do_not_pile_up(view: str) -> None:
    """A thread that makes thousands of calls keeps the answer of the last at most."""
    watched: list[weakref.ref[Answer]] = []

    def answer(_: Any) -> Answer:
        made = Answer()
        watched.append(weakref.ref(made))
        return made

    with Shop(answer, methods=ASYNC) as shop:
        call = shop.foo.findFoo if view == "configured" else shop.foo.findFoo.future
        for _ in range(50):
            call(1)
        gc.collect()
        alive = sum(reference() is not None for reference in watched)
        assert alive == (1 if view == "configured" else 0)


def test_a_view_that_gave_the_future_leaves_it_in_the_context_too() -> None:
    """`.future` is a call as any other: while the caller keeps the future, the context knows it."""
    with Shop(lambda _: 1) as shop:
        future = shop.foo.findFoo.future(1)
        assert CONTEXT.get_future() is future


def test_threads_do_not_see_each_other() -> None:
    """What another thread calls changes nothing here."""
    with Shop(methods=ASYNC) as shop:
        shop.foo.findFoo("here")
        there = Background(lambda: (shop.foo.findFoo("there"), CONTEXT.get_future().invocation.args)[1])
        assert there.join() == ("there",)
        assert CONTEXT.get_future().invocation.args == ("here",)


def test_tasks_do_not_see_each_other() -> None:
    """Tasks of one loop, each with calls between the others', read their own future, address and record only."""
    with Shop(methods=ASYNC, providers=3) as shop:

        async def one(number: int) -> Any:
            seen = []
            for turn in range(5):
                shop.foo.findFoo(number, turn)
                await asyncio.sleep(0)
                seen.append(CONTEXT.get_future().invocation.args)
            return seen

        async def main() -> list[Any]:
            return await asyncio.gather(*(one(number) for number in range(20)))

        assert asyncio.run(main()) == [[(number, turn) for turn in range(5)] for number in range(20)]


def test_a_child_task_inherits_and_does_not_disturb_its_parent() -> None:
    """A child begins with what its parent had; what it calls and attaches stays its own."""
    with Shop(methods=ASYNC) as shop:

        async def child() -> Any:
            inherited = CONTEXT.get_future().invocation.args, dict(CONTEXT.attachments)
            shop.foo.findFoo("child")
            CONTEXT.attachments["child"] = "1"
            return inherited

        async def parent() -> Any:
            shop.foo.findFoo("parent")
            CONTEXT.attachments["parent"] = "1"
            inherited = await asyncio.create_task(child())
            return inherited, CONTEXT.get_future().invocation.args, dict(CONTEXT.attachments)

        inherited, args, attachments = asyncio.run(parent())
        assert inherited == (("parent",), {"parent": "1"})
        assert args == ("parent",)
        assert attachments == {"parent": "1"}


class Asking:
    """Makes a call of its own before the user's, and another one once that has ended."""

    shop: Shop

    def intercept(self, invocation: Invocation, call_next: Any) -> Any:
        self.shop.foo.findBar(0)
        return call_next(invocation).then(self._again)

    def _again(self, value: Any) -> Any:
        self.shop.foo.findBar(1)
        return value


class AskingEachTime:
    """Makes a call of its own before each attempt."""

    scope = "attempt"
    shop: Shop

    def on_start(self, attempt: Any) -> None:
        self.shop.foo.findBar(0)

    def on_end(self, token: Any, outcome: Any) -> None: ...


@pytest.mark.parametrize("interceptor", [Asking, AskingEachTime])
@pytest.mark.parametrize("sent", [False, True])
def test_the_calls_of_an_interceptor_are_not_the_users(interceptor: Any, sent: bool) -> None:
    """The future in the context is that of the call that the user has made, whatever was called meanwhile."""
    settings = {"async": True, "sent": sent, "interceptors": [f"{__name__}:{interceptor.__name__}"]}
    methods = {"findFoo": settings, "findBar": {"async": True}}
    with Shop(lambda invocation: invocation.method, methods=methods) as shop:
        interceptor.shop = shop
        shop.foo.findFoo(1)
        future = CONTEXT.get_future()
        assert future.operation == "findFoo"
        assert future.result(20) == "findFoo"
        assert CONTEXT.last_call is not None
        assert CONTEXT.last_call.method == "findFoo"


def test_an_ended_call_keeps_no_attachments_of_its_own() -> None:
    """Neither its future nor the context does; those of the configuration are the method's."""
    with Shop(lambda _: "answer", methods={"findFoo": {"async": True, "parameters": {"tenant": "a"}}}) as shop:
        shop.foo.findFoo.with_options(attachments={"trace": "x" * 1000})(1)
        future = CONTEXT.get_future()
        assert future.result(20) == "answer"
        for policy in (future.invocation.policy, future.record.policy):
            assert (dict(policy.attachments), dict(policy.call_attachments)) == ({"tenant": "a"}, {})


def test_attachments_leave_with_the_next_call_only() -> None:
    """One call takes them along; the one after it does not."""
    with Shop(methods=ASYNC) as shop:
        CONTEXT.attachments["trace"] = "7"
        CONTEXT.attachments["blob"] = b"\x00"
        shop.foo.findFoo(1)
        assert dict(CONTEXT.attachments) == {}
        shop.foo.findFoo(2)
        assert attachments_of(shop) == {"trace": "7", "blob": b"\x00"}
        assert attachments_of(shop) == {}


def test_attachments_join_those_of_the_configuration() -> None:
    """The configured ones travel with each call, and the context's win."""
    with Shop(methods={"findFoo": {"async": True, "parameters": {"tenant": "a", "zone": "x"}}}) as shop:
        CONTEXT.attachments.update(zone="y")
        shop.foo.findFoo(1)
        shop.foo.findFoo(2)
        assert attachments_of(shop) == {"tenant": "a", "zone": "y"}
        assert attachments_of(shop) == {"tenant": "a", "zone": "x"}


def test_control_settings_are_never_attachments() -> None:
    """async, sent, return, retries and the timeouts steer this side and do not travel."""
    settings = {"async": True, "sent": False, "return": True, "retries": 3, "timeout": 50, "idempotent": True}
    with Shop(methods={"findFoo": settings}) as shop:
        shop.foo.findFoo(1)
        assert attachments_of(shop) == {}


def test_a_call_after_close_takes_no_attachments() -> None:
    """What was to travel is still there for a call that can be made."""
    with Shop(lambda _: 1) as shop:
        method = shop.foo.findFoo
    CONTEXT.attachments["trace"] = "7"
    with pytest.raises(ConsumerClosed):
        method(1)
    assert CONTEXT.attachments.pop("trace") == "7"


def test_attachments_are_a_mapping() -> None:
    """They can be read, deleted, iterated and shown."""
    attachments = CONTEXT.attachments
    attachments["a"] = "1"
    attachments["b"] = "2"
    assert repr(attachments) == "Attachments({'a': '1', 'b': '2'})"
    assert (len(attachments), list(attachments), attachments["b"], "c" in attachments) == (2, ["a", "b"], "2", False)
    del attachments["a"]
    assert dict(attachments) == {"b": "2"}
    with pytest.raises(KeyError):
        del attachments["a"]
    attachments.clear()
    assert len(attachments) == 0


@pytest.mark.parametrize(
    ("key", "value", "text"),
    [
        (1, "x", "an attachment maps text to text or bytes, not int to str (key 1)"),
        ("k", 1, "an attachment maps text to text or bytes, not str to int (key 'k')"),
        ("k", None, "an attachment maps text to text or bytes, not str to NoneType (key 'k')"),
    ],
)
def test_an_attachment_is_text(key: Any, value: Any, text: str) -> None:
    """What cannot travel is refused where it is assigned."""
    with pytest.raises(TypeError) as caught:
        CONTEXT.attachments[key] = value
    assert str(caught.value) == text
    assert dict(CONTEXT.attachments) == {}


def test_attachments_of_a_sibling_task_are_not_seen() -> None:
    """Two tasks that attach at the same time send each its own."""
    with Shop(methods=ASYNC) as shop:

        async def one(name: str) -> None:
            CONTEXT.attachments["name"] = name
            await asyncio.sleep(0)
            shop.foo.findFoo(name)

        async def main() -> None:
            await asyncio.gather(*(one(str(number)) for number in range(10)))

        asyncio.run(main())
        for _ in range(10):
            invocation = shop.next_call().invocation
            assert dict(invocation.attachments) == {"name": invocation.args[0]}


def test_what_came_back_beside_the_answer() -> None:
    """Response attachments and the address are the last call's, synchronous or not."""
    with Shop(methods=ASYNC) as shop:
        call = Background(lambda: (shop.foo.findFoo.sync(1), dict(CONTEXT.response_attachments)))
        shop.next_call().reply("v", {"served-by": "h1"})
        assert call.join() == ("v", {"served-by": "h1"})
        shop.foo.findFoo(1)
        assert dict(CONTEXT.response_attachments) == {}
        assert CONTEXT.remote_address == "h1:1"
        future = CONTEXT.get_future()
        shop.next_call().reply("v", {"served-by": "again"})
        assert future.result(5) == "v"
        assert dict(CONTEXT.response_attachments) == {"served-by": "again"}
        assert future.response_attachments == {"served-by": "again"}


def test_the_last_call_is_an_immutable_record() -> None:
    """It says reference, method, provider, attempts and time, as of the moment of asking."""
    clock = FakeClock()
    with Shop(methods=ASYNC, clock=clock) as shop:
        shop.foo.findFoo(1)
        running = CONTEXT.last_call
        assert running is not None
        clock.advance(0.25)
        shop.next_call().reply(1)
        assert dataclasses.asdict(running) == {
            "reference": "foo",
            "method": "findFoo",
            "provider": "tri://h1:1",
            "attempts": 1,
            "elapsed_ms": None,
        }
        ended = CONTEXT.last_call
        assert ended == dataclasses.replace(running, elapsed_ms=250.0)
        with pytest.raises(dataclasses.FrozenInstanceError):
            ended.attempts = 2  # type: ignore[misc]


def test_get_context_is_one_view_of_whatever_thread_asks() -> None:
    """The context object may be kept and shared: what it says depends on who reads it."""
    assert RpcContext.get_context() is CONTEXT
