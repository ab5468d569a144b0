"""Attempts that are ended from outside: given up, closed under, released, broken into."""

from __future__ import annotations

import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import pytest
from contract.transport.harness import SOON, Carrier, Carry, Kind, Peer
from contract.transport.kinds import over
from support.dubbo_peer import wait_until
from support.sockets import descriptors, sockets_to

from callahead.consumer.errors import CallTimeout, ConsumerClosed


@over()
def test_an_attempt_is_given_up_after_it_was_written(carrier: Carrier, peer: Peer) -> None:
    """It ends as cancelled though the peer works on; others go on over the same connection."""
    attempt, other = carrier.send("given up"), carrier.send("other")
    asked = {one.text: one for one in (peer.next(), peer.next())}
    attempt.cancel()
    assert attempt.is_cancelled
    asked["given up"].answer("late")
    asked["other"].answer("in time")
    assert carrier.answer_of(other) == "in time"


@over("tells of cancel")
def test_the_peer_hears_that_an_attempt_is_given_up(carrier: Carrier, peer: Peer) -> None:
    """Where the protocol can say so, a peer need not work for nobody."""
    attempt = carrier.send()
    asked = peer.next()
    attempt.cancel()
    asked.wait_given_up()
    assert attempt.is_cancelled


@contextmanager
def full_backlog() -> Iterator[int]:
    """Give a port to which no further connection comes about: one waits already, and nobody accepts."""
    with socket.socket() as listener, ExitStack() as waiting:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(4):
            one = waiting.enter_context(socket.socket())
            one.setblocking(False)
            one.connect_ex(listener.getsockname())
        yield listener.getsockname()[1]


@over("wire")
def test_an_attempt_is_given_up_before_it_was_written(carry: Carry, kind: Kind) -> None:
    """It ends as cancelled while its connection is still to come about, and nobody hears that it was written."""
    with full_backlog() as port:
        attempt = carry(f"{kind.protocol}://127.0.0.1:{port}").send(notes_sent=True)
        attempt.cancel()
        assert attempt.is_cancelled
        assert attempt.steps == ["ended"]


@over()
def test_giving_up_twice_or_too_late_is_nothing(carrier: Carrier, peer: Peer) -> None:
    """Only the first end counts."""
    answered, given_up = carrier.send("answered"), carrier.send("given up")
    asked = {one.text: one for one in (peer.next(), peer.next())}
    asked["answered"].answer("answer")
    assert carrier.answer_of(answered) == "answer"
    for attempt in (answered, given_up, answered, given_up):
        attempt.cancel()
    assert given_up.is_cancelled
    assert carrier.answer_of(answered) == "answer"


@over(by=True)
def test_close_ends_what_runs(carrier: Carrier, peer: Peer, waits: bool) -> None:
    """Attempts that run when the transport is closed end as such, in doubt."""
    carrier.warm(peer)
    attempts = [carrier.send(waits=waits) for _ in range(3)]
    for _ in attempts:
        peer.next()
    carrier.close_transport()
    assert [type(attempt.error()) for attempt in attempts] == [ConsumerClosed] * 3
    assert {attempt.fate() for attempt in attempts} == {"in doubt"}


@over(by=True)
def test_nothing_begins_after_close(carrier: Carrier, peer: Peer, waits: bool) -> None:
    """An attempt at a closed transport was not sent; to close again changes nothing."""
    carrier.warm(peer)
    carrier.close_transport()
    carrier.close_transport()
    attempt = carrier.send(waits=waits)
    assert isinstance(attempt.error(), ConsumerClosed)
    assert attempt.fate() == "not sent"


@pytest.mark.parametrize("called", [False, True], ids=["never called", "called before"])
@over("wire", by=True)
def test_a_provider_leaves_between_choice_and_binding(carry: Carry, peer: Peer, called: bool, waits: bool) -> None:
    """An attempt at a provider that has just left is not sent, and nothing stays open that nobody would release."""
    carrier = carry(peer.url)
    if called:
        carrier.warm(peer)
    carrier.publish()
    attempt = carrier.send(waits=waits)
    assert attempt.fate() == "not sent"
    wait_until(lambda: sockets_to(peer.url) == 0)
    carrier.publish(peer.url)
    carrier.publish()
    assert carrier.send(waits=waits).fate() == "not sent"
    wait_until(lambda: sockets_to(peer.url) == 0)


@over("wire")
def test_a_provider_changes_under_an_attempt(carry: Carry, peer: Peer) -> None:
    """What runs gets its answer, what follows goes over the same connection, which ends when it left."""
    carrier = carry(peer.url)
    carrier.warm(peer)
    attempt = carrier.send()
    asked = peer.next()
    carrier.publish(f"{peer.url}?weight=7")
    other = carrier.send()
    peer.next().answer("after")
    asked.answer("before")
    assert (carrier.answer_of(attempt), carrier.answer_of(other)) == ("before", "after")
    assert sockets_to(peer.url) == 1
    carrier.publish()
    wait_until(lambda: sockets_to(peer.url) == 0)


@over("wire", by=True)
def test_a_provider_leaves_under_an_attempt(carry: Carry, peer: Peer, waits: bool) -> None:
    """What runs gets its answer, and only then the connection is closed."""
    carrier = carry(peer.url)
    carrier.warm(peer)
    attempt = carrier.send(waits=waits)
    asked = peer.next()
    carrier.publish()
    assert sockets_to(peer.url) == 1
    asked.answer("answer")
    assert carrier.answer_of(attempt) == "answer"
    wait_until(lambda: sockets_to(peer.url) == 0)


class Stop(Exception):
    """What a program's own handler may raise."""


@contextmanager
def raised_here(error: BaseException, once: Callable[[], object]) -> Iterator[BaseException]:
    """Let a signal handler raise *error* on this thread, after *once* has returned on another."""
    here, is_raised = threading.get_ident(), threading.Event()

    def handle(*_: object) -> None:
        if not is_raised.is_set():
            is_raised.set()
            raise error

    def interrupt() -> None:
        once()
        # Let it wait: an exception in the midst of `Condition.__exit__` leaves any lock held, grpcio's own too. And one
        # signal must do for a while, since gRPC core begins to wait anew at each, and looks every 200 ms.
        pause = 0.1
        while not is_raised.wait(pause):
            pause = 2.0
            signal.pthread_kill(here, signal.SIGUSR1)

    before = signal.signal(signal.SIGUSR1, handle)
    thread = threading.Thread(target=interrupt)
    thread.start()
    try:
        yield error
    finally:
        thread.join(SOON)
        signal.signal(signal.SIGUSR1, before)


@pytest.mark.parametrize("stop", [KeyboardInterrupt, Stop, TimeoutError, ValueError])
@over("waits")
def test_a_signal_handler_raises_in_the_waiting_thread(carrier: Carrier, peer: Peer, stop: type[BaseException]) -> None:
    """What the handler raised is the end, unchanged; the next attempt gets its own answer."""
    carrier.warm(peer)
    with raised_here(stop("enough"), once=peer.next) as raised:
        attempt = carrier.ask("first")
    assert attempt.outcome().error is raised
    again = carrier.send("again")
    peer.next().answer("answer")
    assert carrier.answer_of(again) == "answer"


@over("waits", "tells of cancel")
def test_the_peer_hears_of_an_attempt_that_a_signal_ended(carrier: Carrier, peer: Peer) -> None:
    """The attempt is cancelled, though somebody keeps the exception, and with it the frames that it came through."""
    carrier.warm(peer)
    asked = []
    with raised_here(Stop("enough"), once=lambda: asked.append(peer.next())) as raised:
        attempt = carrier.ask("first")
    asked[0].wait_given_up()
    assert attempt.outcome().error is raised


@over()
def test_carriers_leave_nothing_behind(carry: Carry, peer: Peer) -> None:
    """Many transports, each used and closed, leave no thread and no descriptor each."""
    many = 12

    def use() -> None:
        carrier = carry(peer.url)
        carrier.warm(peer)
        attempt = carrier.send("pending")
        asked = peer.next()
        attempt.cancel()
        asked.answer("late")
        carrier.close()

    use()
    before = len(descriptors()) + threading.active_count()
    for _ in range(many):
        use()
    # Less than one each: the peer has its own, in this very process, and takes its time.
    wait_until(lambda: len(descriptors()) + threading.active_count() < before + many)


@over("ends while it writes", by=True)
def test_an_attempt_whose_connection_takes_no_more_bytes(carry: Carry, kind: Kind, waits: bool) -> None:
    """It ends at its timeout all the same, whether its own bytes are stuck or those before them."""
    carrier = carry(kind.reads_nothing())
    attempts = [carrier.send("x" * 300_000, timeout=0.3, waits=waits) for _ in range(20)]
    attempts.append(carrier.send("small", timeout=0.3, waits=waits))
    assert {type(attempt.error()) for attempt in attempts} == {CallTimeout}
