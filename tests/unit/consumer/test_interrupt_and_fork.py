"""What breaks into a running call from outside: Ctrl-C, and a fork."""

from __future__ import annotations

import os
import queue
import signal
import threading
from typing import Any

import pytest
from grpc import ChannelConnectivity as State
from support.forked import WARNING, in_child
from support.shop import Background, Shop

from callahead.consumer import Consumer, ConsumerClosed
from callahead.consumer.channel.state import _Teller
from callahead.consumer.runtime.callbacks import CallbackExecutor


@pytest.mark.parametrize("settings", [{}, {"async": True, "sent": True}, {"return": False, "sent": True}])
def test_ctrl_c_ends_a_waiting_call(settings: dict[str, Any]) -> None:
    """KeyboardInterrupt reaches the caller, and the attempt does not go on without him."""
    with Shop(methods={"findFoo": settings}) as shop:
        find, main = shop.foo.findFoo, threading.get_ident()
        attempts: list[Any] = []
        raised = threading.Event()

        def once(*_: Any) -> None:
            if not raised.is_set():
                raised.set()
                raise KeyboardInterrupt

        def interrupt() -> None:
            attempts.append(shop.next_call())
            while not raised.wait(0.02):  # one that comes just before the wait begins does not end it
                signal.pthread_kill(main, signal.SIGINT)

        before = signal.signal(signal.SIGINT, once)
        try:
            interrupting = Background(interrupt)
            with pytest.raises(KeyboardInterrupt):
                find(1)
            interrupting.join()
        finally:
            signal.signal(signal.SIGINT, before)
        assert attempts[0].is_cancelled
        assert shop.consumer.counts()["foo"]["findFoo"].running == 0


def _see_in_the_child(shop: Shop, pending: Any) -> None:
    error = pending.exception(0)
    assert isinstance(error, ConsumerClosed)
    assert error.message == "the process was forked while the call ran; its answer goes to the parent"
    assert error.in_doubt
    again = shop.foo.findFoo.future(2)
    shop.next_call().reply("child")
    assert again.result(5) == "child"


@pytest.mark.filterwarnings(WARNING)
def test_a_fork_after_a_close_leaves_what_was_closed_alone() -> None:
    """What a closed consumer had open may be somebody else's descriptor by now, in the child too."""
    config = {"references": {"foo": {"interface": "a.B", "url": "dubbo://127.0.0.1:1", "generic": True}}}
    closed = Consumer(config)
    closed.reference("foo").find.future(1).exception(5)
    closed.close()
    descriptors = [os.memfd_create("other") for _ in range(8)]
    try:
        assert in_child(lambda: [os.fstat(one) for one in descriptors]) == 0
    finally:
        for one in descriptors:
            os.close(one)
    assert closed


@pytest.mark.filterwarnings(WARNING)
def test_a_forked_child_goes_on_with_calls_of_its_own() -> None:
    """The child's copy of a pending call ends as ConsumerClosed, new calls work, and the parent notices nothing."""
    with Shop() as shop:
        pending = shop.foo.findFoo.future(1)
        attempt = shop.next_call()
        assert in_child(lambda: _see_in_the_child(shop, pending)) == 0
        attempt.reply("parent")
        assert pending.result(5) == "parent"


@pytest.mark.filterwarnings(WARNING)
def test_callbacks_of_a_child_may_call_at_once() -> None:
    """What they begin is the child's, even with a consumer that has not been told of the fork before they run."""
    with Shop() as first, Shop() as second:
        pending, made = first.foo.findFoo.future(1), queue.SimpleQueue[Any]()
        pending.add_done_callback(lambda _: made.put(second.foo.findFoo.future(2)))
        attempt = first.next_call()

        def work() -> None:
            second.next_call().reply("child")
            assert made.get().result(5) == "child"

        assert in_child(work) == 0
        attempt.reply("parent")
        second.next_call().reply("parent")
        assert made.get().result(5) == "parent"


@pytest.mark.filterwarnings(WARNING)
def test_a_subscriber_of_a_channel_hears_on_in_a_child() -> None:
    """Of the next state, though a thread of the parent was telling it another one at the fork."""
    callbacks, heard = CallbackExecutor(1), queue.SimpleQueue[State]()
    inside, leave = threading.Event(), threading.Event()

    def hear(state: State) -> None:
        heard.put(state)
        inside.set()
        leave.wait(10)

    teller = _Teller(hear, callbacks)
    teller.tell("IDLE")
    assert inside.wait(10)

    def work() -> None:
        callbacks.after_fork()
        leave.set()
        teller.tell("READY")
        assert [heard.get(timeout=5) for _ in range(2)] == [State.IDLE, State.READY]

    try:
        assert in_child(work) == 0
    finally:
        leave.set()
        callbacks.close(wait=True)


def _see_none_cancelled(calls: list[Any]) -> None:
    assert [call.is_cancelled for call in calls] == [False] * len(calls)


@pytest.mark.filterwarnings(WARNING)
def test_a_forked_child_cancels_nothing_of_its_parent() -> None:
    """Nor where the end of one call ends the rest of a scope: a lock of what carries them may be held for ever."""
    with Shop() as shop:
        with shop.consumer.scope(on_error="cancel_rest"):
            futures = [shop.foo.findFoo.future(number) for number in range(3)]
            calls = [shop.next_call() for _ in futures]
            assert in_child(lambda: _see_none_cancelled(calls)) == 0
            for call in calls:
                call.reply("parent")
        assert [future.result(5) for future in futures] == ["parent"] * 3
