"""Calls of a blocking client: what they give, and what becomes of those that end before their method does."""

from __future__ import annotations

import asyncio
import contextvars
import signal
import threading
from concurrent.futures import CancelledError
from typing import Any

import pytest
from support.dubbo_peer import wait_until
from support.held_client import SOON, HeldClient, held
from support.shortage import no_threads

from callahead.consumer import (
    AllAttemptsFailed,
    CallTimeout,
    ConfigError,
    ConnectFailed,
    Consumer,
    ConsumerClosed,
    LimitExceeded,
    LocalProtocolError,
    RpcContext,
    TransportError,
)
from callahead.consumer.transport.api import ConnectionCounts

CONTEXT = RpcContext.get_context()


def test_arguments_are_given_as_they_are() -> None:
    """Positional ones, keywords, and any objects; nothing is copied."""
    thing = object()
    with held() as client:
        args, kwargs = client.echo(1, thing, name=thing)
        assert args == (1, thing)
        assert kwargs == {"name": thing}
        assert args[1] is thing


def test_unchanged_call_sites_overlap() -> None:
    """All calls of an asynchronous method run at once, and each has its own answer."""
    client = HeldClient()
    with held(client, {"wait": {"async": True}}) as reference:
        futures = []
        for number in range(5):
            assert reference.wait(number) is None
            futures.append(CONTEXT.get_future())
        assert sorted(client.next() for _ in futures) == [0, 1, 2, 3, 4]
        client.release()
        assert [future.result(SOON) for future in futures] == [0, 1, 2, 3, 4]


class Unlike(Exception):
    """What a client raises; it takes two arguments, as botocore's do."""

    def __init__(self, response: dict[str, Any], operation: str) -> None:
        super().__init__(f"{operation}: {response}")
        self.response = response


@pytest.mark.parametrize(
    "error", [Unlike({"Code": "404"}, "GetObject"), KeyError("x"), StopIteration(3), SystemExit(2)]
)
def test_what_a_method_raises_is_raised(error: BaseException) -> None:
    """The very object, so that ``except`` clauses go on working; a future cannot carry a StopIteration as it is."""
    with held() as client:
        with pytest.raises(type(error)) as caught:
            client.fail(error)
        assert caught.value is error
        carried = client.fail.future(error).exception(SOON)
        assert carried is error or carried.__cause__ is error


def test_the_traceback_leads_into_the_client() -> None:
    """It shows the line that raised, and keeps no frame of the thread's own."""
    with held() as client:
        error = client.fail.future(KeyError("x")).exception(SOON)
        names = []
        traceback = error.__traceback__
        while traceback is not None:
            names.append(traceback.tb_frame.f_code.co_name)
            traceback = traceback.tb_next
        assert names == ["fail"]
        assert any("test_python_calls.py" in note for note in error.__notes__)


def test_nothing_is_repeated_unless_it_is_listed() -> None:
    """An exception is an answer of the method, even of one that is idempotent."""
    counted = Counted(KeyError("x"), 1)
    with held(counted, {"ask": {"idempotent": True}}, retries=2) as client:
        with pytest.raises(KeyError):
            client.ask()
        assert counted.calls == 1


class Counted:
    """Fails so many times."""

    def __init__(self, error: Exception, times: int) -> None:
        self.calls = 0
        self._error, self._times = error, times

    def ask(self) -> int:
        self.calls += 1
        if self.calls <= self._times:
            raise self._error
        return self.calls


LISTED = {"retry_on": ["builtins:LookupError"], "retries": 2}


@pytest.mark.parametrize("mode", [{}, {"async": True}])
def test_a_listed_exception_is_repeated(mode: dict[str, Any]) -> None:
    """Where the method is idempotent, in every mode, and a subclass too."""
    counted = Counted(KeyError("busy"), 2)
    with held(counted, {"ask": {"idempotent": True, **LISTED, **mode}}) as client:
        assert client.ask.future().result(SOON) == 3


def test_a_listed_exception_is_not_repeated_where_that_may_do_harm() -> None:
    """A method that is not idempotent runs once."""
    counted = Counted(KeyError("busy"), 2)
    with held(counted, {"ask": LISTED}) as client:
        with pytest.raises(KeyError):
            client.ask()
        assert counted.calls == 1


def test_the_last_exception_is_the_clients_own() -> None:
    """When all attempts have failed the caller gets what the last one raised, with a note of how many there were."""
    counted = Counted(KeyError("busy"), 9)
    with held(counted, {"ask": {"idempotent": True, **LISTED}}) as client:
        with pytest.raises(KeyError) as caught:
            client.ask()
        assert counted.calls == 3
        assert "held.ask was tried 3 times" in caught.value.__notes__


def test_a_listed_exception_before_an_error_of_ours() -> None:
    """Among several failures of which the last is ours, what the client raised is told of, with itself as cause."""
    client = Slowing(KeyError("busy"))
    with held(client, {"ask": {"idempotent": True, **LISTED, "retries": 1, "timeout": 100}}) as reference:
        with pytest.raises(AllAttemptsFailed) as caught:
            reference.ask()
        first, last = caught.value.failures
        assert isinstance(first.__cause__, KeyError)
        assert isinstance(last, CallTimeout)
        assert caught.value.in_doubt


class Slowing(HeldClient):
    """Fails at first, and hangs then."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self._error: Exception | None = error

    def ask(self) -> Any:
        error, self._error = self._error, None
        if error is not None:
            raise error
        return self.wait("slow")


def test_an_error_of_another_call_is_no_error_of_this_one() -> None:
    """A method that itself calls a service may have done anything before: its failure is not repeated as if unsent."""
    inner = ConnectFailed("refused", not_sent=True)
    inner.reference = "other"
    counted = Counted(inner, 1)
    with held(counted, retries=2) as client:
        with pytest.raises(ConnectFailed) as caught:
            client.ask()
        assert caught.value is inner
        assert counted.calls == 1


@pytest.mark.parametrize("path", ["builtins:NoSuchError", "no.such.module:Error", "builtins:len", "builtins:object"])
def test_what_is_listed_must_be_an_exception(path: str) -> None:
    """It is looked for when the method is, and the error names the setting."""
    with (
        held(Counted(KeyError(), 0), {"ask": {"retry_on": [path]}}) as client,
        pytest.raises(ConfigError, match=r"held\.methods\.ask\.retry_on"),
    ):
        client.ask()


def test_a_timeout_of_a_running_method_leaves_it_in_doubt() -> None:
    """Nothing can stop it: it holds its thread until it returns, which is counted, and so is its late answer."""
    client = HeldClient()
    with held(client, timeout=100, threads=1) as reference:
        with pytest.raises(CallTimeout, match=r"has not returned within \d+ ms, and holds its thread") as caught:
            reference.wait()
        assert caught.value.in_doubt
        counts = counts_of(reference.wait)
        assert (counts.held, counts.unknown_answers) == (1, 0)
        client.release()
        wait_until(lambda: counts_of(reference.wait).held == 0)
        assert counts_of(reference.wait).unknown_answers == 1
        assert reference.wait.with_options(timeout="30s")("again") == "again"


def counts_of(method: Any) -> ConnectionCounts:
    """What the consumer of a method tells of its threads."""
    [counts] = method._caller.binding.runtime.owner.connections()
    return counts  # type: ignore[no-any-return]


def test_a_timeout_before_a_thread_is_free_is_not_sent() -> None:
    """The call leaves the queue and never runs; the message says what the threads are at."""
    client = HeldClient()
    with held(client, threads=1) as reference:
        first = reference.wait.future("first")
        client.next()
        with pytest.raises(CallTimeout, match="1 of 1 threads are busy and 0 calls wait") as caught:
            reference.wait.with_options(timeout=100)("second")
        assert caught.value.not_sent
        client.release()
        first.result(SOON)
        assert reference.wait("third") == "third"
        assert client.ran == ["first", "third"]


def test_a_call_is_repeated_beside_the_method_that_took_too_long() -> None:
    """Where it is idempotent, on another thread and in the same context, which both run in at once."""
    client = Second()
    with held(client, {"ask": {"idempotent": True, "timeout": 200, "total_timeout": "30s", "retries": 1}}) as reference:
        token = VARIABLE.set("mine")
        assert reference.ask() == "mine"
        VARIABLE.reset(token)


class Second(HeldClient):
    """Hangs at first, and answers then."""

    def ask(self) -> str:
        if not self.ran:
            self.wait("first")
        return VARIABLE.get("nothing")


def test_a_repeated_call_waits_for_no_room() -> None:
    """Whatever thread repeats it has others to serve."""
    client = Second()
    settings = {"idempotent": True, "timeout": 200, "total_timeout": "30s", "retries": 1}
    with held(client, {"ask": settings}, threads=1, queue=0, when_full="block") as reference:
        with pytest.raises(AllAttemptsFailed) as caught:
            reference.ask()
        assert [type(failure) for failure in caught.value.failures] == [CallTimeout, LimitExceeded]
        assert "never blocks whoever repeats a call" in str(caught.value.failures[1])


def test_a_call_that_is_cancelled_before_it_begins_never_runs() -> None:
    """And what waits behind it goes on."""
    client = HeldClient()
    with held(client, threads=1) as reference:
        first, second, third = (reference.wait.future(name) for name in ("first", "second", "third"))
        client.next()
        assert second.cancel()
        with pytest.raises(CancelledError):
            second.result(SOON)
        client.release()
        assert (first.result(SOON), third.result(SOON)) == ("first", "third")
        assert client.ran == ["first", "third"]


def test_a_call_that_is_cancelled_while_it_runs_goes_on_for_nobody() -> None:
    """Its future ends at once, and its thread serves others once the method has returned."""
    client = HeldClient()
    with held(client, threads=1) as reference:
        given_up = reference.wait.future("given up")
        client.next()
        assert given_up.cancel()
        waiting = reference.wait.future("waiting")
        assert not waiting.done()
        client.release()
        assert waiting.result(SOON) == "waiting"
        assert given_up.cancelled()


def test_sent_is_when_a_thread_begins() -> None:
    """A call that still waits for one is not sent, and the wait for that is bounded by its timeout."""
    client = HeldClient()
    with held(client, {"wait": {"async": True, "sent": True}}, threads=1) as reference:
        assert reference.wait("first") is None
        assert client.ran == ["first"]
        with pytest.raises(CallTimeout) as caught:
            reference.wait.with_options(timeout=100)("second")
        assert caught.value.not_sent


def test_a_one_way_call_runs() -> None:
    """Its answer is dropped, and closing the consumer waits for it."""
    client = HeldClient()
    client.release()
    with held(client, {"wait": {"return": False}}) as reference:
        assert reference.wait("told") is None
        assert CONTEXT.future is None
    assert client.ran == ["told"]


def test_one_call_more_than_the_queue_takes_is_refused() -> None:
    """By default, at once, and not sent."""
    client = HeldClient()
    with held(client, threads=1, queue=1) as reference:
        running = reference.wait.future("running")
        client.next()
        waiting = reference.wait.future("waiting")
        with pytest.raises(LimitExceeded, match=r"1 of 1 threads are busy and 1 calls wait.*queue") as caught:
            reference.wait("refused")
        assert caught.value.not_sent
        client.release()
        assert (running.result(SOON), waiting.result(SOON)) == ("running", "waiting")


def test_without_a_queue_there_are_as_many_calls_as_threads() -> None:
    """Each thread that is idle, or could be started, is room for one."""
    client = HeldClient()
    with held(client, threads=2, queue=0) as reference:
        for _ in range(3):
            futures = [reference.echo.future(number) for number in range(2)]
            assert [future.result(SOON)[0] for future in futures] == [(0,), (1,)]
            wait_until(lambda: "0 of 2" in pool_of(reference.wait).load())
        running = [reference.wait.future(number) for number in range(2)]
        assert isinstance(reference.wait.future("refused").exception(SOON), LimitExceeded)
        client.release()
        assert [future.result(SOON) for future in running] == [0, 1]


def pool_of(method: Any) -> Any:
    """The pool that the calls of a method go to."""
    return method._caller.carrier._pool


def test_block_waits_for_room() -> None:
    """The caller goes on once there is room for its call."""
    client = HeldClient()
    with held(client, threads=1, queue=0, when_full="block") as reference:
        running = reference.wait.future("running")
        client.next()
        threading.Timer(0.1, client.release).start()
        assert reference.wait.future("waited").result(SOON) == "waited"
        assert running.result(SOON) == "running"


def test_block_waits_no_longer_than_the_call_may() -> None:
    """It ends as refused, and is not sent."""
    with held(threads=1, queue=0, when_full="block") as reference:
        running = reference.wait.future("running")
        error = reference.wait.with_options(timeout=100).future("late").exception(SOON)
        assert isinstance(error, LimitExceeded)
        assert error.not_sent
        assert "there was no room in time" in error.message
        assert not running.done()


class Stop(Exception):
    """What a program's own handler may raise."""


def test_a_signal_handler_breaks_into_the_wait_for_room() -> None:
    """What it raised passes, the call is given up, and room is counted as before."""
    client = HeldClient()

    def stop(*_: object) -> None:
        raise Stop

    before = signal.signal(signal.SIGUSR1, stop)
    try:
        with held(client, threads=1, queue=0, when_full="block") as reference:
            running = reference.wait.future("running")
            client.next()
            here = threading.get_ident()
            threading.Timer(0.1, signal.pthread_kill, (here, signal.SIGUSR1)).start()
            with pytest.raises(Stop):
                reference.wait.future("stopped")
            client.release()
            assert running.result(SOON) == "running"
            assert reference.wait("after") == "after"
            assert client.ran == ["running", "after"]
    finally:
        signal.signal(signal.SIGUSR1, before)


def test_block_never_blocks_an_event_loop() -> None:
    """There the call is refused, for the loop may have to run on to make room."""
    with held(threads=1, queue=0, when_full="block") as reference:

        async def call() -> BaseException | None:
            first = reference.wait.future("running")
            return reference.wait.future("refused").exception(0) if not first.done() else None

        error = asyncio.run(call())
        assert isinstance(error, LimitExceeded)
        assert "never blocks an event loop" in error.message


def test_block_never_blocks_a_callback() -> None:
    """Nor does it there, since other callbacks wait for that thread."""
    refused: list[BaseException | None] = []
    done = threading.Event()

    with held(threads=1, queue=0, when_full="block") as reference:

        def callback(_: Any) -> None:
            reference.wait.future("running")
            refused.append(reference.wait.future("refused").exception(SOON))
            done.set()

        reference.echo.future().add_done_callback(callback)
        assert done.wait(SOON)
    assert "never blocks a callback" in str(refused[0])


class Nested:
    """Calls itself through its own reference."""

    reference: Any = None

    def outer(self) -> BaseException | None:
        return self.reference.inner.future().exception(SOON)  # type: ignore[no-any-return]

    def inner(self) -> None:
        """Never run."""


def test_block_never_blocks_a_thread_that_is_to_make_room() -> None:
    """A method that calls on through the same threads would wait for itself."""
    client = Nested()
    with held(client, threads=1, queue=0, when_full="block") as reference:
        client.reference = reference
        assert "a thread that is to make room" in str(reference.outer())


VARIABLE: contextvars.ContextVar[str] = contextvars.ContextVar("VARIABLE")


class Contexts:
    """Reads and writes a context variable."""

    def read(self) -> str:
        before = VARIABLE.get("nothing")
        VARIABLE.set("the thread's")
        return before


def test_a_method_runs_in_a_copy_of_the_callers_context() -> None:
    """It sees the caller's variables, and what it sets is seen by nobody."""
    with held(Contexts(), threads=1) as client:
        token = VARIABLE.set("mine")
        futures = [client.read.future() for _ in range(3)]
        VARIABLE.reset(token)
        assert [future.result(SOON) for future in futures] == ["mine"] * 3
        assert client.read() == "nothing"


def test_attachments_stay_here() -> None:
    """There is nobody that they could travel to, and the next call does not get them either."""
    with held() as client:
        CONTEXT.attachments["key"] = "value"
        assert client.echo() == ((), {})
        assert dict(CONTEXT.attachments) == {}
        assert CONTEXT.response_attachments == {}


def test_a_call_tells_who_served_it() -> None:
    """The one provider has the name of its reference."""
    with held() as client:
        client.echo()
        assert CONTEXT.last_call is not None
        assert CONTEXT.last_call.provider == "python://held"


def test_close_gives_up_what_still_runs() -> None:
    """What waits was not sent, what runs is in doubt, and the threads end as their methods do."""
    client = HeldClient()
    consumer = Consumer({"references": {"held": {"protocol": "python", "threads": 1, "timeout": "30s"}}})
    reference = consumer.wrap("held", client)
    running = reference.wait.future("running")
    client.next()
    waiting = reference.wait.future("waiting")
    consumer.close(0)
    for future in (running, waiting):
        assert isinstance(future.exception(0), ConsumerClosed)
    with pytest.raises(ConsumerClosed):
        reference.echo()
    client.release()
    assert client.ran == ["running"]


class Coroutines:
    """Has methods that block nobody."""

    async def declared(self) -> None:
        """Never run."""

    def hidden(self) -> Any:
        return self.declared()


def test_a_coroutine_function_is_refused() -> None:
    """When it is looked up, or when it turns out to be one; never is a coroutine left that nobody awaits."""
    with held(Coroutines()) as client:
        with pytest.raises(ConfigError, match="declared is a coroutine function"):
            client.declared  # noqa: B018
        with pytest.raises(LocalProtocolError, match="gave a coroutine, which nobody runs"):
            client.hidden()


def test_the_arguments_of_a_call_that_has_ended_are_let_go() -> None:
    """An idle thread keeps nothing of its last call, nor does the pool."""
    import gc
    import weakref

    class Large:
        pass

    with held(threads=1) as client:
        large = Large()
        kept = weakref.ref(large)
        assert client.echo(large) is not None
        del large
        gc.collect()
        wait_until(lambda: kept() is None)


def test_calls_from_many_threads_get_their_own_answers() -> None:
    """Under contention no call is lost, doubled or given another's answer."""
    with held(threads=4, queue=10_000) as client:
        wrong: list[Any] = []

        def ask(mine: int) -> None:
            futures = [client.echo.future(mine, number) for number in range(200)]
            answers = [future.result(SOON)[0] for future in futures]
            wrong.extend(one for number, one in enumerate(answers) if one != (mine, number))

        threads = [threading.Thread(target=ask, args=(mine,)) for mine in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert wrong == []


def test_cancellations_race_with_threads() -> None:
    """A call that was cancelled and one that runs are two things or one, but each runs at most once and ends once."""
    client = Tally()
    with held(client, threads=4, queue=100_000) as reference:
        futures = [reference.mark.future(number) for number in range(4000)]
        cancelled = [future.cancel() for future in reversed(futures)][::-1]
        answers = [None if gone else future.result(SOON) for future, gone in zip(futures, cancelled, strict=True)]
        assert [gone or answer == number for number, (gone, answer) in enumerate(zip(cancelled, answers, strict=True))]
        wait_until(lambda: "0 of 4 threads are busy and 0 calls wait" in pool_of(reference.mark).load())
        assert len(client.marked) == len(set(client.marked))
        assert set(client.marked) >= {number for number, gone in enumerate(cancelled) if not gone}
        counts = counts_of(reference.mark)
        assert counts.held == 0
        # One whose answer was just being told when it was cancelled was heard by the thread that told it.
        assert counts.unknown_answers <= len(client.marked) - cancelled.count(False)


class Tally:
    """Notes each call."""

    def __init__(self) -> None:
        self.marked: list[int] = []

    def mark(self, number: int) -> int:
        self.marked.append(number)
        return number


def test_without_a_thread_a_call_is_not_sent() -> None:
    """Where the system has none left the call ends at once, and works once there is one."""
    with held(retries=0) as client:
        with no_threads():
            error = client.echo.future().exception(SOON)
        assert type(error) is TransportError
        assert error.not_sent
        assert client.echo(1) == ((1,), {})


def test_one_thread_does_the_work_of_those_that_cannot_start() -> None:
    """Later, but it does."""
    with held(threads=4) as client:
        client.echo()
        with no_threads():
            futures = [client.echo.future(number) for number in range(3)]
            assert [future.result(SOON)[0] for future in futures] == [(0,), (1,), (2,)]
