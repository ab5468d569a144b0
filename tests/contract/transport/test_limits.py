"""Limits by count and by bytes, and what the error tells of them."""

from __future__ import annotations

import re

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


@pytest.mark.parametrize("peer", ["reads_nothing", "says_nothing"])
@pytest.mark.parametrize(("setting", "limit"), [("max_queued_requests", 5), ("max_queued_bytes", 1_000_000)])
@over("limits its queue")
def test_a_connection_that_is_full(carry: Carry, kind: Kind, setting: str, limit: int, peer: str) -> None:
    """Where a peer does not answer only so much may run, read by it or not, and one more is refused as not sent."""
    carrier = carry(getattr(kind, peer)(), **{setting: limit})
    attempts = [carrier.send("x" * 300_000) for _ in range(40)]
    wait_until(lambda: any(attempt.has_ended for attempt in attempts), SOON)
    refused = [attempt for attempt in attempts if attempt.has_ended]
    errors: list[RpcError] = [attempt.error() for attempt in refused]
    assert {type(error) for error in errors} == {LimitExceeded}
    assert {attempt.fate() for attempt in refused} == {"not sent"}
    assert all(setting in error.message for error in errors)
    assert len(refused) < len(attempts)


@over("limits its queue")
def test_the_end_of_a_request_makes_room(carry: Carry, peer: Peer) -> None:
    """Requests that are answered one after the other never fill a connection."""
    carrier = carry(peer.url, max_queued_requests=1, max_queued_bytes=1000)
    for text in ("one", "two", "three"):
        attempt = carrier.send(text)
        peer.next().answer(text)
        assert carrier.answer_of(attempt) == text


@over("limits requests")
def test_attachments_count_in_the_size_of_a_request(carry: Carry, peer: Peer) -> None:
    """They are refused with a request that would be within the limit alone, before anything is sent."""
    carrier = carry(peer.url, max_request_bytes=2000)
    refused = carrier.send("x" * 500, attachments={"big": "y" * 1600})
    assert isinstance(error := refused.error(), LimitExceeded)
    assert re.search(r"^the request has 2\d+ bytes, more than the 2000 that max_request_bytes allows", error.message)
    assert refused.fate() == "not sent"
    attempt = carrier.send("x" * 500, attachments={"big": "y" * 500})
    asked = peer.next()
    assert asked.attachments["big"] == "y" * 500
    asked.answer("read")
    assert carrier.answer_of(attempt) == "read"
