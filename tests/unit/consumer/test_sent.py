"""What a future knows of the writing of its request, asked at any time, and whom it tells."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from queue import SimpleQueue
from typing import Any

import pytest
from support.shop import Background, Shop

from callahead.consumer import ConnectFailed, ConnectionLost, InvocationFuture, RemoteError, RpcContext


@pytest.fixture
def shop() -> Iterator[Shop]:
    """A consumer that tries each call up to twice."""
    methods = {"findFoo": {"retries": 1, "idempotent": True}, "findBar": {"mock": "fail:return 7", "retries": 0}}
    with Shop(methods=methods, providers=2) as made:
        yield made


def refused() -> ConnectFailed:
    return ConnectFailed("refused", not_sent=True)


def raised_by(function: Callable[[], object]) -> BaseException:
    """What it raises."""
    try:
        found = function()
    except BaseException as error:
        return error
    raise AssertionError(f"it returned {found!r}")


def test_it_is_sent_once_the_transport_says_so(shop: Shop) -> None:
    """Asked before, between and after."""
    future = shop.foo.findFoo.future(1)
    call = shop.next_call()
    assert not future.is_sent()
    call.sent()
    assert future.is_sent()
    assert future.sent(0)
    call.reply("answer")
    assert future.is_sent()


def test_asked_for_the_first_time_once_it_is_written(shop: Shop) -> None:
    """The transport is asked again, so that nothing need be noted for those who never ask."""
    future = shop.foo.findFoo.future(1)
    shop.next_call().sent()
    assert future.is_sent()


@pytest.mark.parametrize("error", [None, RemoteError("no")], ids=["answer", "error of the provider"])
def test_what_was_answered_was_sent(shop: Shop, error: Any) -> None:
    """An answer tells it where the transport does not."""
    future = shop.foo.findFoo.future(1)
    waiting = Background(future.sent)
    call = shop.next_call()
    call.reply("answer") if error is None else call.fail(error)
    assert waiting.join() is True
    assert future.is_sent()
    assert future.exception() is error


def test_sent_waits_for_the_attempt_that_is_written(shop: Shop) -> None:
    """An attempt that never left says nothing; a later one tells."""
    future = shop.foo.findFoo.future(1)
    waiting = Background(future.sent)
    shop.next_call().fail(refused())
    again = shop.next_call()
    assert not future.is_sent()
    again.sent()
    assert waiting.join() is True


def test_what_was_sent_stays_sent(shop: Shop) -> None:
    """Whatever becomes of the attempt after it."""
    future = shop.foo.findFoo.future(1)
    assert not future.is_sent()
    first = shop.next_call()
    first.sent()
    first.fail(ConnectionLost("reset", in_doubt=True))
    shop.next_call().fail(refused())
    assert future.exception(5) is not None
    assert future.is_sent()
    assert future.sent(0)


def test_a_call_that_fails_before_it_is_written_raises_its_error(shop: Shop) -> None:
    """At once, and as result() does; before and after the end."""
    future = shop.foo.findFoo.future(1)
    waiting = Background(lambda: raised_by(future.sent))
    for _ in range(2):
        shop.next_call().fail(refused())
    error = future.exception(5)
    assert waiting.join() is error
    assert raised_by(lambda: future.sent(0)) is error
    assert not future.is_sent()


def test_a_cancelled_call_ends_the_wait(shop: Shop) -> None:
    """It was given up before it was written."""
    future = shop.foo.findFoo.future(1)
    waiting = Background(lambda: raised_by(future.sent))
    shop.next_call()
    future.cancel()
    assert isinstance(waiting.join(), CancelledError)
    assert isinstance(raised_by(lambda: future.sent(0)), CancelledError)


def test_a_closed_consumer_ends_the_wait() -> None:
    """Nobody waits for what will never be written."""
    shop = Shop()
    future = shop.foo.findFoo.future(1)
    waiting = Background(lambda: raised_by(future.sent))
    shop.next_call()
    shop.consumer.close(0)
    assert waiting.join() is future.exception(0)


def test_sent_waits_no_longer_than_it_is_told(shop: Shop) -> None:
    """The call goes on."""
    future = shop.foo.findFoo.future(1)
    with pytest.raises(TimeoutError, match=r"^foo.findFoo is not known to be written after 0 s$"):
        future.sent(0)
    shop.next_call().reply(2)
    assert future.result(5) == 2


def test_an_answer_in_the_place_of_a_request_that_never_left(shop: Shop) -> None:
    """There was nothing that could be written, and nothing failed."""
    future = shop.foo.findBar.future(1)
    shop.next_call().fail(refused())
    assert future.result(5) == 7
    assert future.sent() is False
    assert not future.is_sent()


def test_a_call_that_waits_for_the_writing_was_sent_synchronously() -> None:
    """Only where sent is true has the call not returned before."""
    with Shop(methods={"findFoo": {"async": True, "sent": True}}) as shop:

        def ask() -> InvocationFuture:
            shop.foo.findFoo(1)
            return RpcContext.get_context().get_future()

        waiting = Background(ask)
        shop.next_call().sent()
        future = waiting.join()
        assert future.sent_synchronously()
        assert future.is_sent()
        late = shop.foo.findBar.future(1)
        shop.next_call().sent()
        assert late.is_sent()
        assert not late.sent_synchronously()


@pytest.mark.parametrize("is_late", [False, True], ids=["before", "after"])
def test_a_sent_callback_runs_on_a_callback_thread(shop: Shop, is_late: bool) -> None:
    """With the future, in the context of its call, whether it is added before or after the writing."""
    told: SimpleQueue[tuple[Any, str, Any]] = SimpleQueue()

    def note(future: Any) -> None:
        told.put((future, threading.current_thread().name, RpcContext.get_context().future))

    future = shop.foo.findFoo.future(1)
    call = shop.next_call()
    if is_late:
        call.sent()
        future.add_sent_callback(note)
    else:
        future.add_sent_callback(note)
        call.sent()
    given, thread, current = told.get(timeout=5)
    assert (given, current) == (future, future)
    assert thread.startswith("callahead-callback")


def test_no_sent_callback_of_what_is_never_written(shop: Shop) -> None:
    """Nor of what fails twice; the failure is still somebody's to look at."""
    told: list[Any] = []
    future = shop.foo.findFoo.future(1)
    future.add_sent_callback(told.append)
    for _ in range(2):
        shop.next_call().fail(refused())
    assert future.exception(5) is not None
    ended = threading.Event()
    future.add_done_callback(lambda _: ended.set())
    assert ended.wait(5)
    assert told == []


def test_when_sent_tells_of_the_writing(shop: Shop) -> None:
    """The action gets True, and the future that is returned ends after it."""
    told: list[Any] = []
    future = shop.foo.findFoo.future(1)
    after = future.when_sent(lambda sent, error: told.append((sent, error)))
    shop.next_call().sent()
    assert after.result(5) is True
    assert told == [(True, None)]
    assert not future.done()


def test_when_sent_tells_of_what_came_instead(shop: Shop) -> None:
    """The action gets the error of the call."""
    told: list[Any] = []
    future = shop.foo.findFoo.future(1)
    after = future.when_sent(lambda sent, error: told.append((sent, error)))
    for _ in range(2):
        shop.next_call().fail(refused())
    error = after.exception(5)
    assert error is future.exception(5)
    assert told == [(False, error)]


@pytest.mark.parametrize("is_late", [False, True], ids=["before", "after"])
def test_when_complete_has_one_rule_for_threads(shop: Shop, is_late: bool) -> None:
    """On a callback thread, never on that which asks."""
    threads: list[str] = []
    future = shop.foo.findFoo.future(1)
    call = shop.next_call()
    if is_late:
        call.reply("answer")
        after = future.when_complete(lambda *_: threads.append(threading.current_thread().name))
    else:
        after = future.when_complete(lambda *_: threads.append(threading.current_thread().name))
        call.reply("answer")
    assert after.result(5) == "answer"
    assert threads[0].startswith("callahead-callback")


def test_an_executor_of_ones_own(shop: Shop) -> None:
    """It runs the action, in the context of the call; one that was shut down leaves it to the callback threads."""
    seen: list[Any] = []

    def note(answer: Any, error: Any) -> None:
        seen.append((answer, error, threading.current_thread().name.partition("_")[0], RpcContext.get_context().future))

    future = shop.foo.findFoo.future(1)
    with ThreadPoolExecutor(1, "mine") as executor:
        after = future.when_complete(note, executor)
        shop.next_call().reply("answer")
        assert after.result(5) == "answer"
    assert future.when_complete(note, executor).result(5) == "answer"
    assert seen == [("answer", None, "mine", future), ("answer", None, "callahead-callback", future)]


def test_what_an_action_raises_ends_the_future_after_it(shop: Shop) -> None:
    """The call itself has ended as it has."""

    def fail(*_: Any) -> None:
        raise KeyError("of the action")

    future = shop.foo.findFoo.future(1)
    after = future.when_complete(fail)
    shop.next_call().reply("answer")
    assert isinstance(after.exception(5), KeyError)
    assert future.result(0) == "answer"


def test_the_error_of_the_call_goes_before_that_of_the_action(shop: Shop, caplog: pytest.LogCaptureFixture) -> None:
    """Both are told: one by the future, one in the log."""

    def fail(*_: Any) -> None:
        raise KeyError("of the action")

    future = shop.foo.findFoo.future(1)
    after = future.when_complete(fail)
    shop.next_call().fail(RemoteError("of the call"))
    assert after.exception(5) is future.exception(5)
    assert "action of foo.findFoo raised" in caplog.text


def test_result_zero_only_looks(shop: Shop) -> None:
    """And so does wait_for_completed, which raises nothing of the call."""
    future = shop.foo.findFoo.future(1)
    with pytest.raises(TimeoutError):
        future.result(0)
    assert not future.wait_for_completed(0)
    shop.next_call().fail(RemoteError("no"))
    assert future.wait_for_completed()
    assert isinstance(future.exception(0), RemoteError)


def test_it_tells_what_it_is_of(shop: Shop) -> None:
    """Operation, reference, consumer; a scripted transport has no connections to tell of."""
    future = shop.foo.findFoo.future(1)
    assert (future.operation, future.reference, future.consumer) == ("findFoo", shop.foo, shop.consumer)
    assert future.connection is None


def test_a_derived_future_asks_the_same(shop: Shop) -> None:
    """What `then` gives is of the same call, whether that runs or has ended."""
    future = shop.foo.findFoo.future(1)
    derived = future.then(str)
    shop.next_call().sent()
    assert derived.is_sent()
    assert isinstance(derived, Future)


def test_nobody_who_never_asks_pays(shop: Shop) -> None:
    """Nothing is noted on the record of a call until somebody asks."""
    future = shop.foo.findFoo.future(1)
    assert (future.record.on_sent, future.record.written) == (None, None)
    future.is_sent()
    assert future.record.on_sent is not None
    shop.next_call().reply("answer")
    assert (future.record.on_sent, future.record.written) == (None, None)


def test_a_call_that_waits_for_room_is_told_once_it_has_left() -> None:
    """Asked while it has no attempt yet."""
    with Shop(methods={"findFoo": {"max_pending": 1, "when_full": "delay"}}) as shop:
        shop.foo.findFoo.future(1)
        future = shop.foo.findFoo.future(2)
        assert not future.is_sent()
        shop.next_call().reply("answer")
        call = shop.next_call()
        assert not future.is_sent()
        call.sent()
        assert future.sent(5)


def test_a_late_end_of_the_writing_wakes_a_callback_thread() -> None:
    """The only callback thread waits for the writing, which no callback brings."""
    with Shop(reference={}, consumer={}) as shop:
        first, second = shop.foo.findFoo.future(1), shop.foo.findBar.future(2)
        told: SimpleQueue[bool] = SimpleQueue()
        first.add_done_callback(lambda _: told.put(second.sent(5)))
        one, two = shop.next_call(), shop.next_call()
        one.reply("answer")
        two.sent()
        assert told.get(timeout=5)
