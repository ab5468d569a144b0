"""From a peer's bytes to the calls that they answer."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable

import pytest
from support.dubbo_bodies import writable_frame
from support.dubbo_connection import SETTINGS, call_of

from callahead.consumer.call.invocation import Outcome
from callahead.consumer.call.provider import Provider
from callahead.consumer.runtime.callbacks import CallbackExecutor
from callahead.consumer.transport.dubbo.inbox import Inbox
from callahead.consumer.transport.dubbo.running import RunningCalls
from callahead.consumer.transport.dubbo.stop_notice import StopNotice
from callahead.consumer.transport.tcp.counters import Counters
from callahead.consumer.transport.tcp.outbox import Outbox
from callahead.consumer.wire.header import (
    heartbeat_answer_frame,
    heartbeat_frame,
    read_only_frame,
    request_frame,
    response_frame,
)
from callahead.registry.models import Endpoint

LARGEST = 1_000_000


class Peer:
    """An inbox, and what it told of the peer's bytes."""

    def __init__(self) -> None:
        self.provider = Provider(Endpoint(protocol="dubbo", host="127.0.0.1", port=1), lambda _: None)
        self.running = RunningCalls(Outbox(), SETTINGS, "h:1")
        self.ended: dict[int, Outcome] = {}
        self.counters = Counters()
        self.replies: list[bytes] = []
        self.problems: list[str] = []
        self.threads: dict[int, str] = {}
        notice = StopNotice({self.provider})
        self.callbacks = CallbackExecutor(1)
        self.inbox = Inbox(
            dataclasses.replace(SETTINGS, max_body_bytes=LARGEST), "h:1", self.running, self.counters, notice,
            self.callbacks, self.replies.append, self.problems.append,
        )  # fmt: skip

    def call(self, number: int) -> None:
        """Let a call of that id run."""

        def done(outcome: Outcome) -> None:
            self.ended[number] = outcome
            self.threads[number] = threading.current_thread().name

        self.running.put(call_of(number, 1.0, 1.0, done))


@pytest.fixture
def peer() -> Peer:
    """One that has said nothing."""
    return Peer()


def test_answers_go_to_their_calls(peer: Peer) -> None:
    """In whatever order they come, and cut wherever; an answered call runs no more."""
    peer.call(1)
    peer.call(2)
    data = response_frame(2, b"two") + response_frame(1, b"one")
    for at in range(len(data)):
        peer.inbox.take(data[at : at + 1])

    assert [(number, outcome.value) for number, outcome in peer.ended.items()] == [(2, 2), (1, 1)]
    assert peer.running.by_id == {}


def test_an_answer_to_nobody_is_counted(peer: Peer) -> None:
    """Late, duplicate or made up."""
    peer.inbox.take(response_frame(7, b""))

    assert (peer.counters.unknown_answers, peer.ended) == (1, {})


def test_an_answer_that_is_too_large_fails_its_call_only(peer: Peer) -> None:
    """The bytes after it are read as if it had not been."""
    peer.call(1)
    peer.call(2)
    peer.inbox.take(response_frame(1, b"x" * (LARGEST + 1)) + response_frame(2, b""))

    assert peer.ended[1].error is not None
    assert (peer.ended[2].value, peer.problems) == (2, [])


def test_a_heartbeat_is_answered(peer: Peer) -> None:
    """An answer to ours says nothing but that the peer lives."""
    peer.inbox.take(heartbeat_frame(5) + heartbeat_answer_frame(-1))

    assert (peer.replies, peer.counters) == ([heartbeat_answer_frame(5)], Counters())


def test_a_peer_that_is_about_to_stop_is_not_chosen(peer: Peer) -> None:
    """Until it says that it takes calls again."""
    peer.inbox.take(read_only_frame(5))
    assert peer.provider.is_read_only
    peer.inbox.take(writable_frame(6))
    assert not peer.provider.is_read_only


def test_a_request_is_counted_and_not_answered(peer: Peer, caplog: pytest.LogCaptureFixture) -> None:
    """A consumer serves nothing."""
    peer.inbox.take(request_frame(5, b"x"))

    assert (peer.counters.bad_events, peer.replies) == (1, [])
    assert "h:1 sent a request, which a consumer does not answer" in caplog.text


def test_what_is_no_dubbo_breaks_the_connection(peer: Peer) -> None:
    """After 8 KiB of it nothing is read any more; with the next connection everything begins anew."""
    peer.call(1)
    peer.inbox.take(b"HTTP/1.1 400 Bad Request\r\n" * 400)
    assert len(peer.problems) == 1
    peer.inbox.clear()
    peer.inbox.take(response_frame(1, b""))

    assert peer.ended[1].value == 1


def test_a_large_answer_is_read_on_a_callback_thread(peer: Peer) -> None:
    """Whoever reads the connections goes on at once; a small one is not worth the way."""
    peer.call(1)
    peer.call(2)
    peer.inbox.take(response_frame(1, b"x" * 65_537) + response_frame(2, b"x" * 65_536))
    peer.callbacks.close(wait=True)

    assert (peer.threads[1], peer.threads[2]) == ("callahead-callback_0", threading.current_thread().name)


class Waiter:
    """A thread that waits, or does so no more."""

    def __init__(self, waits: bool) -> None:
        self.waits = waits
        self.works: list[Callable[[], object]] = []

    def hand_over(self, work: Callable[[], object]) -> bool:
        """Keep the work."""
        if self.waits:
            self.works.append(work)
        return self.waits


@pytest.mark.parametrize("waits", [True, False])
def test_a_large_answer_is_read_on_the_thread_that_waits(peer: Peer, waits: bool) -> None:
    """Where it has left, a callback thread does it."""
    peer.call(1)
    call, waiter = peer.running.by_id[1], Waiter(waits)
    assert call._attempt is not None
    call._attempt.record.waiter = waiter
    peer.inbox.take(response_frame(1, b"x" * 65_537))
    peer.callbacks.close(wait=True)
    for work in waiter.works:
        work()

    assert peer.threads[1] == (threading.current_thread().name if waits else "callahead-callback_0")
    assert peer.ended[1].value == 1


def test_the_youngest_call_of_those_answered_is_known(peer: Peer) -> None:
    """It decides when the connection is read next; one that was cancelled says nothing of the provider."""
    for number, started in enumerate((5.0, 7.0, 6.0, 8.0), 1):
        peer.call(number)
        peer.running.by_id[number].record.started = started
    peer.inbox.take(b"".join(response_frame(number, b"\x91", 20) for number in (1, 2, 3)))
    peer.running.cancel(peer.running.by_id[4])

    assert (list(peer.ended), peer.running.youngest) == ([1, 2, 3, 4], 7.0)
