"""The table of consumer/caller.py, cell by cell: what a call gives, holds and raises in each mode."""

from __future__ import annotations

import itertools
import logging
import re
from typing import Any

import pytest
from support.shop import Background, Shop, Spy

from callahead.consumer import (
    CallTimeout,
    ConnectFailed,
    ConnectionLost,
    ConsumerClosed,
    NoFutureError,
    RemoteError,
    RpcContext,
    RpcError,
)
from callahead.consumer.testing.scripted_transport import ScriptedMethod, ScriptedTransport

CONTEXT = RpcContext.get_context()


def mode(**settings: Any) -> dict[str, Any]:
    return {"methods": {"findFoo": {"retries": 0, **settings}}}


SYNC = mode()
ASYNC = mode(**{"async": True})
ASYNC_SENT = mode(**{"async": True, "sent": True})
ONE_WAY = mode(**{"return": False})
ONE_WAY_SENT = mode(**{"return": False, "sent": True})


def unsent() -> RpcError:
    return ConnectFailed("refused", not_sent=True)


def lost() -> RpcError:
    return ConnectionLost("reset", in_doubt=True)


def future_here() -> Any:
    return CONTEXT.future


def dropped(shop: Shop) -> int:
    return shop.consumer.counts()["foo"]["findFoo"].dropped


@pytest.mark.parametrize("sent", [False, True])
def test_sync_gives_the_value_and_clears_the_future(sent: bool) -> None:
    """A synchronous call returns the answer; sent makes no difference to it."""
    with Shop(lambda invocation: invocation.args[0] * 2, **mode(sent=sent)) as shop:
        shop.foo.findBar.future(1)
        assert shop.foo.findFoo(21) == 42
        assert CONTEXT.future is None


@pytest.mark.parametrize("error", [unsent, lost])
@pytest.mark.parametrize("sent", [False, True])
def test_sync_raises_each_failure(error: Any, sent: bool) -> None:
    """A synchronous call raises its failure, written or not, and leaves no future."""
    made = error()

    def fail(_: Any) -> Any:
        raise made

    with Shop(fail, **mode(sent=sent)) as shop:
        with pytest.raises(type(made)) as caught:
            shop.foo.findFoo(1)
        assert caught.value is made
        assert CONTEXT.future is None
        assert dropped(shop) == 0


def test_async_gives_none_at_once_and_the_answer_in_the_future() -> None:
    """An asynchronous call returns before its answer; the context's future brings it."""
    with Shop(**ASYNC) as shop:
        assert shop.foo.findFoo(1) is None
        future = CONTEXT.get_future()
        assert not future.done()
        shop.next_call().reply("answer")
        assert future.result(5) == "answer"


@pytest.mark.parametrize("error", [unsent, lost])
def test_async_keeps_each_failure_in_the_future(error: Any) -> None:
    """An asynchronous call raises nothing itself, whether the failure came before or after the writing."""
    made = error()

    def fail(_: Any) -> Any:
        raise made

    with Shop(fail, **ASYNC) as shop:
        assert shop.foo.findFoo(1) is None
        assert CONTEXT.get_future().exception(5) is made
        assert dropped(shop) == 0


def test_async_sent_waits_until_written() -> None:
    """With sent the call returns None once the request is written, and not before."""
    with Shop(**ASYNC_SENT) as shop:
        call = Background(lambda: (shop.foo.findFoo(1), CONTEXT.get_future()))
        attempt = shop.next_call()
        assert call.is_running
        attempt.sent()
        value, future = call.join()
        assert value is None
        assert not future.done()
        assert future.record.is_sent
        attempt.reply("answer")
        assert future.result(5) == "answer"


def test_async_sent_raises_what_came_before_the_writing_and_keeps_it_in_the_future() -> None:
    """A failure before the bytes are written is raised at the call and is the future's, too."""
    made = unsent()

    def fail(_: Any) -> Any:
        raise made

    with Shop(fail, **ASYNC_SENT) as shop:
        with pytest.raises(ConnectFailed) as caught:
            shop.foo.findFoo(1)
        assert caught.value is made
        assert CONTEXT.get_future().exception(0) is made


def test_async_sent_keeps_a_later_failure_in_the_future() -> None:
    """A failure after the bytes are written is the future's alone."""
    with Shop(**ASYNC_SENT) as shop:
        call = Background(lambda: (shop.foo.findFoo(1), CONTEXT.get_future()))
        attempt = shop.next_call()
        attempt.sent()
        value, future = call.join()
        made = lost()
        attempt.fail(made)
        assert value is None
        assert future.exception(5) is made


def test_async_sent_is_bounded_by_the_timeout() -> None:
    """A peer that takes no bytes cannot hold the caller longer than the method's timeout."""
    with Shop(**mode(**{"async": True, "sent": True, "timeout": 20})) as shop, pytest.raises(CallTimeout) as caught:
        shop.foo.findFoo(1)
    # A busy machine may have spent some of them before the attempt began.
    assert re.fullmatch(r"no answer within \d+ ms|the total timeout of 20 ms had passed .*", caught.value.message)


def test_an_answer_before_the_notice_of_writing_ends_the_wait() -> None:
    """A transport whose answer overtakes its own "sent" does not hold the caller."""
    with Shop(lambda _: "answer", **ASYNC_SENT) as shop:
        assert shop.foo.findFoo(1) is None
        assert CONTEXT.get_future().result(0) == "answer"


@pytest.mark.parametrize("is_async", [False, True])
def test_one_way_gives_none_and_no_future(is_async: bool) -> None:
    """Without return the call gives None at once; whatever async says, no future object exists."""
    with Shop(**mode(**{"return": False, "async": is_async})) as shop:
        shop.foo.findBar.future(1)
        assert shop.foo.findFoo(1) is None
        assert CONTEXT.future is None
        with pytest.raises(NoFutureError, match=r"^foo\.findFoo has no future: return is false, "):
            CONTEXT.get_future()
        for _ in range(2):
            shop.next_call().reply("dropped")
        assert dropped(shop) == 0


@pytest.mark.parametrize("error", [unsent, lost])
def test_one_way_counts_logs_and_tells_each_failure(error: Any, caplog: pytest.LogCaptureFixture) -> None:
    """A failure that nobody waits for is counted, logged with its call site, and given to on_drop."""
    made, hook = error(), Spy(lambda *_: CONTEXT.last_call)

    def fail(_: Any) -> Any:
        raise made

    with Shop(fail, **ONE_WAY, on_drop=hook) as shop, caplog.at_level(logging.WARNING, "callahead.consumer.call"):
        assert shop.foo.findFoo("x") is None
        [(invocation, told)] = hook.wait()
        assert told is made
        assert invocation.args == ("x",)
        assert hook.threads[0].startswith("callahead-callback")
        assert dropped(shop) == 1
    [line] = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    kind = type(made).__name__
    assert line.startswith(f"foo.findFoo failed and its answer is dropped: {kind}: foo.findFoo at tri://h1:1: ")
    assert f", called at {__file__}:" in line
    assert line.endswith(f"in {test_one_way_counts_logs_and_tells_each_failure.__name__}")


def test_a_hook_that_raises_harms_nothing(caplog: pytest.LogCaptureFixture) -> None:
    """What on_drop raises is logged with the call's name."""

    def fail(_: Any) -> Any:
        raise unsent()

    def hook(*_: Any) -> None:
        raise KeyError("of the hook")

    with Shop(fail, **ONE_WAY, on_drop=hook) as shop:
        shop.foo.findFoo(1)
    [record] = [record for record in caplog.records if record.name == "callahead.consumer.callbacks"]
    assert record.getMessage() == "on_drop of foo.findFoo raised"


def test_one_way_sent_waits_until_written() -> None:
    """With sent a one-way call returns None once written; the answer is of no interest."""
    with Shop(**ONE_WAY_SENT) as shop:
        call = Background(lambda: (shop.foo.findFoo(1), CONTEXT.future))
        attempt = shop.next_call()
        assert call.is_running
        attempt.sent()
        assert call.join() == (None, None)
        attempt.reply("dropped")
        assert dropped(shop) == 0


def test_one_way_sent_raises_what_came_before_the_writing() -> None:
    """A failure before the bytes are written is raised, and so neither counted as dropped nor told to the hook."""
    hook = Spy()

    def fail(_: Any) -> Any:
        raise unsent()

    with Shop(fail, **ONE_WAY_SENT, on_drop=hook) as shop:
        with pytest.raises(ConnectFailed):
            shop.foo.findFoo(1)
        assert dropped(shop) == 0
    assert hook.calls == []


def test_one_way_sent_drops_a_later_failure() -> None:
    """A failure after the writing is counted and told, since the caller has gone."""
    hook = Spy()
    with Shop(**ONE_WAY_SENT, on_drop=hook) as shop:
        call = Background(lambda: shop.foo.findFoo(1))
        attempt = shop.next_call()
        attempt.sent()
        assert call.join() is None
        made = lost()
        attempt.fail(made)
        assert hook.wait()[0][1] is made
        assert dropped(shop) == 1


def test_one_way_sent_drops_the_failure_of_a_repetition() -> None:
    """A caller who was told "written" hears no more, even if a second attempt then is not written."""
    hook = Spy()
    settings = {"return": False, "sent": True, "retries": 1, "idempotent": True}
    with Shop(methods={"findFoo": settings}, providers=2, on_drop=hook) as shop:
        call = Background(lambda: shop.foo.findFoo(1))
        first = shop.next_call()
        first.sent()
        assert call.join() is None
        first.fail(lost())
        second = shop.next_call()
        second.fail(unsent())
        [(_, error)] = hook.wait()
        assert [type(failure) for failure in error.failures] == [ConnectionLost, ConnectFailed]
        assert dropped(shop) == 1


def test_a_business_error_of_a_one_way_call_is_dropped_too() -> None:
    """Where the protocol knows that the method failed, that is counted like any failure."""
    hook = Spy()
    with Shop(**ONE_WAY, on_drop=hook) as shop:
        shop.foo.findFoo(1)
        shop.next_call().fail(RemoteError("no such foo", type_name="NotFound"))
        assert isinstance(hook.wait()[0][1], RemoteError)
        assert dropped(shop) == 1


@pytest.mark.parametrize(
    "flags", list(itertools.product([False, True], repeat=3)), ids=lambda f: "async={} return={} sent={}".format(*f)
)
def test_after_close_the_call_itself_raises_in_every_mode(flags: tuple[bool, bool, bool]) -> None:
    """A call after close is told so where it is made, even if nobody would look at its future."""
    is_async, returns, sent = flags
    with Shop(lambda _: 1, **mode(**{"async": is_async, "return": returns, "sent": sent})) as shop:
        method = shop.foo.findFoo
    for call in (method, method.future, method.sync):
        with pytest.raises(ConsumerClosed) as caught:
            call(1)
        assert caught.value.message == "the consumer is closed"
        assert caught.value.not_sent
        assert (caught.value.reference, caught.value.method) == ("foo", "findFoo")


class Unencodable(ScriptedMethod):
    def encode(self, args: Any, kwargs: Any) -> Any:
        raise TypeError("not of this world")


class UnencodableTransport(ScriptedTransport):
    def method(self, name: str, policy: Any) -> ScriptedMethod:
        return Unencodable(name, self)


@pytest.mark.parametrize("settings", [SYNC, ASYNC, ASYNC_SENT, ONE_WAY, ONE_WAY_SENT])
def test_arguments_that_cannot_be_encoded_end_the_call_like_any_failure(settings: dict[str, Any]) -> None:
    """A request that does not become bytes fails before it is written, in the way of each mode."""
    hook = Spy()
    with Shop(**settings, on_drop=hook, transport=UnencodableTransport()) as shop:
        call = shop.foo.findFoo
        flags = call.policy
        raises = flags.sent or (flags.returns and not flags.is_async)
        if raises:
            with pytest.raises(RpcError, match="the arguments cannot be encoded: Unencodable raised TypeError"):
                call(1)
        else:
            assert call(1) is None
            error: Any = hook.wait()[0][1] if not flags.returns else CONTEXT.get_future().exception(0)
            assert isinstance(error.__cause__, TypeError)
            assert error.not_sent
        assert shop.consumer.counts()["foo"]["findFoo"].running == 0
