"""Peers that do not read."""

from __future__ import annotations

import gc
import re
import resource
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from support.dubbo_peer import DubboPeer, Link, argument, connections_of, deaf, echo, foo_config, wait_until
from support.shop import Background

from callahead.consumer import CallTimeout, Consumer, LimitExceeded

Consume = Callable[..., Consumer]
BIG = "x" * 1_000_000


def fill(consumer: Consumer, peer: DubboPeer) -> int:
    """Ask so much that the kernel takes no more; returns how many requests are queued."""
    foo = consumer.reference("foo")
    for _ in range(12):
        foo.echo.future(BIG)
    (connection,) = connections_of(consumer)
    wait_until(lambda: connection._outbox.begun > connection._outbox.written)
    time.sleep(0.05)
    return int(connection._outbox.count)


def test_the_queue_grows_to_its_limit_by_count(consume: Consume) -> None:
    """Beyond max_queued_requests a call is refused with the numbers, not sent; those that wait stay."""
    with DubboPeer(deaf, receive_buffer=4096) as peer:
        consumer = consume(foo_config(peer.url, max_queued_requests=40))
        foo = consumer.reference("foo")
        fill(consumer, peer)
        futures = [foo.echo.future(number) for number in range(100)]
        (connection,) = connections_of(consumer)
        refused = [future.exception(5) for future in futures[28:]]
        for error in refused:
            assert isinstance(error, LimitExceeded)
            expected = "have begun and not ended, the most that max_queued_requests allows"
            expected = f"40 requests to {peer.name} {expected}"
            assert (error.message, error.not_sent, error.is_remote) == (expected, True, False)
        assert not any(future.done() for future in futures[:28])
        assert len(connection._calls.by_id) == 40


def test_the_queue_grows_to_its_limit_by_bytes(consume: Consume) -> None:
    """Beyond max_queued_bytes a call is refused with the numbers; one that still fits is not."""
    with DubboPeer(deaf, receive_buffer=4096) as peer:
        consumer = consume(foo_config(peer.url, max_queued_bytes=15_000_000, timeout=2000))
        foo = consumer.reference("foo")
        fill(consumer, peer)
        (connection,) = connections_of(consumer)
        futures = [foo.echo.future("y" * 400_000) for _ in range(60)]
        wait_until(lambda: any(future.done() for future in futures))
        errors = [error for future in futures if future.done() and (error := future.exception(0))]
        assert errors
        for error in errors:
            assert isinstance(error, LimitExceeded)
            said = re.fullmatch(
                rf"requests of (\d+) bytes to {peer.name} have begun and not ended, and (\d+) more would pass the "
                r"15000000 that max_queued_bytes allows",
                error.message,
            )
            assert said is not None, error.message
            assert int(said[1]) <= 15_000_000 < int(said[1]) + int(said[2])
            assert error.not_sent
        assert connection._calls.size <= 15_000_000
        assert not foo.echo.future(1).done()


def test_a_single_frame_larger_than_the_limit(consume: Consume) -> None:
    """A request larger than max_queued_bytes goes where nothing else waits."""
    with DubboPeer(echo) as peer:
        foo = consume(foo_config(peer.url, max_queued_bytes=1000)).reference("foo")
        assert foo.echo.future("x" * 100_000).result(5) == "x" * 100_000


def test_refused_sync_and_one_way_calls_raise(consume: Consume) -> None:
    """A full queue refuses calls of every mode; with sent the call itself raises."""
    with DubboPeer(deaf, receive_buffer=4096) as peer:
        consumer = consume(foo_config(peer.url, max_queued_requests=5))
        foo = consumer.reference("foo")
        running = [foo.echo.future(0) for _ in range(5)]
        (connection,) = connections_of(consumer)
        wait_until(lambda: len(connection._calls.by_id) == len(running))
        for call in (foo.echo, foo.aheadSent, foo.tellSent):
            with pytest.raises(LimitExceeded):
                call(1)
        assert foo.tell(1) is None


@pytest.mark.parametrize("method", ["aheadSent", "tellSent"])
def test_sent_waits_for_the_last_byte(consume: Consume, method: str) -> None:
    """With sent the call returns when the kernel has the last byte, which is once the peer begins to read."""
    go = threading.Event()

    def later(link: Link) -> None:
        go.wait(10)
        for request in link.requests():
            if request.two_way:
                link.answer(request, len(argument(request)))

    with DubboPeer(later, receive_buffer=4096) as peer:
        consumer = consume(foo_config(peer.url, timeout=10000))
        foo = consumer.reference("foo")
        call = Background(getattr(foo, method), "x" * 8_000_000)
        (connection,) = wait_until(lambda: connections_of(consumer))
        wait_until(lambda: connection._outbox.begun == 1)
        time.sleep(0.05)
        assert call.is_running
        assert connection._outbox.written == 0
        go.set()
        assert call.join() is None
        assert connection._outbox.written == 1


@pytest.mark.parametrize("method", ["aheadSent", "tellSent"])
@pytest.mark.parametrize("begun", [True, False])
def test_sent_raises_by_its_deadline(consume: Consume, method: str, begun: bool) -> None:
    """Where the kernel does not take the last byte in time the call raises: in doubt if bytes have left."""
    with DubboPeer(deaf, receive_buffer=4096) as peer:
        consumer = consume(foo_config(peer.url))
        foo = consumer.reference("foo")
        value = BIG * 8
        if not begun:
            foo.echo.future(value)
            value = "small"
            (connection,) = connections_of(consumer)
            wait_until(lambda: connection._outbox.begun == 1)
        began = time.monotonic()
        with pytest.raises(CallTimeout) as caught:
            getattr(foo, method).with_options(timeout=800)(value)
        assert time.monotonic() - began > 0.79
        assert (caught.value.in_doubt, caught.value.not_sent) == (begun, not begun)


def stuck_in_a_batch(foo: Any, connection: Callable[[], Any]) -> list[Any]:
    """Ask so many small things that the kernel takes no more in the middle of frames joined into one send."""
    futures = [foo.echo.future([number, "x" * 1000]) for number in range(9000)]
    known: list[int] = []

    def is_stuck() -> bool:
        # The kernel lets its buffer grow for a while: stuck is what has not moved over ten looks.
        outbox = connection()._outbox
        known.append(outbox.begun)
        time.sleep(0.03)
        return outbox.begun > outbox.written and known[-10:] == [outbox.begun] * 10

    wait_until(is_stuck, 15)
    return futures


def recording(go: threading.Event, seen: list[int]) -> Callable[[Link], None]:
    """Read nothing before *go*, then note the number in each call and answer with it."""

    def serve(link: Link) -> None:
        go.wait(20)
        for request in link.requests():
            number = argument(request)[0]
            seen.append(number)
            link.answer(request, number)

    return serve


@pytest.mark.slow
def test_what_expires_in_the_queue_never_leaves(consume: Consume) -> None:
    """Calls that time out as not sent are not sent later, even those joined with what got stuck halfway."""
    go, seen = threading.Event(), list[int]()
    with DubboPeer(recording(go, seen), receive_buffer=4096) as peer:
        consumer = consume(foo_config(peer.url, timeout=3000))
        foo = consumer.reference("foo")
        futures = stuck_in_a_batch(foo, lambda: connections_of(consumer)[0])
        errors = [future.exception(10) for future in futures]
        assert {type(error) for error in errors} == {CallTimeout}
        not_sent = {number for number, error in enumerate(errors) if error.not_sent}
        assert not_sent
        go.set()
        assert foo.echo.with_options(timeout=10000)([9000, ""]) == 9000
        assert seen == [number for number in range(9001) if number not in not_sent]


@pytest.mark.slow
def test_what_is_cancelled_in_the_queue_never_leaves(consume: Consume) -> None:
    """The same for calls that are cancelled; the calls beside them are answered."""
    go, seen = threading.Event(), list[int]()
    with DubboPeer(recording(go, seen), receive_buffer=4096) as peer:
        consumer = consume(foo_config(peer.url, timeout=20000))
        foo = consumer.reference("foo")
        futures = stuck_in_a_batch(foo, lambda: connections_of(consumer)[0])
        (connection,) = connections_of(consumer)
        begun = connection._outbox.begun
        cancelled = range(begun + 3, 9000, 7)
        for number in cancelled:
            assert futures[number].cancel()
        wait_until(lambda: len(connection._calls.by_id) == 9000 - len(cancelled))
        go.set()
        kept = [number for number in range(9000) if number not in cancelled]
        assert [futures[number].result(20) for number in kept] == kept
        assert seen == kept


@pytest.mark.slow
def test_memory_is_bounded(consume: Consume) -> None:
    """However much is asked of a peer that does not read, no more than the limits is kept."""
    with DubboPeer(deaf, receive_buffer=4096) as peer:
        consumer = consume(foo_config(peer.url, max_queued_bytes=8_000_000, timeout=300))
        foo = consumer.reference("foo")
        fill(consumer, peer)
        (connection,) = connections_of(consumer)
        gc.collect()
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        for _ in range(400):
            foo.echo.future(BIG).add_done_callback(lambda future: None)
        wait_until(lambda: not connection._calls.by_id, 10)
        after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        assert after - before < 150_000  # KiB, where 400 MB were asked
        assert connection._outbox.count <= 2
        assert not connection._calls.by_id
