"""Limits by count and by bytes, and what the error tells of them."""

from __future__ import annotations

import pytest
from contract.transport.harness import SOON, Carry, Kind, Peer
from contract.transport.kinds import over
from support.dubbo_peer import wait_until

from callahead.consumer.errors import LimitExceeded, RpcError


@over("limits requests")
def test_a_request_that_is_too_large(carry: Carry, peer: Peer) -> None:
    """It is refused before any provider is asked, and one just within the limit is not."""
    carrier = carry(peer.url, max_request_bytes=1000)
    with pytest.raises(LimitExceeded, match="more than the 1000 that max_request_bytes allows") as caught:
        carrier.encode("x" * 1001)
    assert caught.value.not_sent
    attempt = carrier.send("x" * 500)
    peer.next().answer("read")
    assert carrier.answer_of(attempt) == "read"


@over("limits answers", by=True)
def test_an_answer_that_is_too_large(carry: Carry, peer: Peer, waits: bool) -> None:
    """It fails its own attempt, in doubt, by the number of the limit; the next answer is read."""
    carrier = carry(peer.url, max_response_bytes=10_000)
    attempt = carrier.send(waits=waits)
    peer.next().answer("x" * 20_000)
    error = attempt.error()
    assert isinstance(error, LimitExceeded)
    assert "max_response_bytes" in error.message
    assert "10000" in error.message
    assert attempt.fate() == "in doubt"
    again = carrier.send(waits=waits)
    peer.next().answer("x" * 5000)
    assert len(carrier.answer_of(again)) == 5000


@pytest.mark.parametrize(("setting", "limit"), [("max_queued_requests", 5), ("max_queued_bytes", 1_000_000)])
@over("limits its queue")
def test_a_queue_that_is_full(carry: Carry, kind: Kind, setting: str, limit: int) -> None:
    """Where a peer reads nothing only so much waits, and one more is refused as not sent."""
    carrier = carry(kind.reads_nothing(), **{setting: limit})
    attempts = [carrier.send("x" * 300_000) for _ in range(40)]
    wait_until(lambda: any(attempt.has_ended for attempt in attempts), SOON)
    refused = [attempt for attempt in attempts if attempt.has_ended]
    errors: list[RpcError] = [attempt.error() for attempt in refused]
    assert {type(error) for error in errors} == {LimitExceeded}
    assert {attempt.fate() for attempt in refused} == {"not sent"}
    assert all(setting in error.message for error in errors)
    assert len(refused) < len(attempts)
