"""What an attempt brings back, and what its end says of the request at each point where it can fail."""

from __future__ import annotations

import socket

import pytest
from contract.transport.harness import Carrier, Carry, Kind, Peer
from contract.transport.kinds import over

from callahead.consumer.errors import (
    CallTimeout,
    ConnectFailed,
    RemoteError,
    RemoteProtocolError,
    RpcError,
    SerializationError,
    TransportError,
)


@over(by=True)
def test_an_answer_is_the_outcome(carrier: Carrier, peer: Peer, waits: bool) -> None:
    """What the peer answers to what it was asked is the value, once."""
    attempt = carrier.send("question", waits=waits)
    asked = peer.next()
    assert asked.text == "question"
    asked.answer("answer")
    assert carrier.answer_of(attempt) == "answer"
    assert attempt.ends == 1


@over(by=True)
def test_answers_find_their_attempts(carrier: Carrier, peer: Peer, waits: bool) -> None:
    """Many attempts run at once, and each gets its own answer, in whatever order they come."""
    attempts = {text: carrier.send(text, waits=waits) for text in "abcdefgh"}
    for asked in reversed([peer.next() for _ in attempts]):
        asked.answer(asked.text.upper())
    assert {text: carrier.answer_of(attempt) for text, attempt in attempts.items()} == {
        text: text.upper() for text in attempts
    }


@over("remote errors", by=True)
def test_a_failure_of_the_method_is_remote(carrier: Carrier, peer: Peer, waits: bool) -> None:
    """A method that ran and failed leaves no doubt: the provider said so."""
    attempt = carrier.send(waits=waits)
    peer.next().refuse()
    assert attempt.fate() == "remote"
    assert isinstance(attempt.error(), RemoteError)


@over("own process")
def test_a_failure_of_the_method_comes_out_as_it_is_or_is_remote(carrier: Carrier, peer: Peer) -> None:
    """Where nothing leaves the process the very exception may be the end; never is it one of the carrying."""
    attempt = carrier.send()
    peer.next().refuse()
    error = attempt.outcome().error
    assert error is not None
    assert "because" in str(error)
    assert isinstance(error, RemoteError) or not isinstance(error, RpcError)


@over("wire", by=True)
def test_nothing_listens(carry: Carry, kind: Kind, waits: bool) -> None:
    """A port that refuses connections was sent nothing."""
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        attempt = carry(f"{kind.protocol}://127.0.0.1:{holder.getsockname()[1]}").send(waits=waits)
        assert attempt.fate() == "not sent"
        assert isinstance(attempt.error(), ConnectFailed)


@over("wire", by=True)
def test_the_peer_closes_before_it_reads(carry: Carry, kind: Kind, waits: bool) -> None:
    """A connection that is closed at once carries nothing; whether bytes had left is said, one way or the other."""
    attempt = carry(kind.hangs_up_at_once()).send(waits=waits)
    assert attempt.fate() in ("not sent", "in doubt")
    assert isinstance(attempt.error(), TransportError)


@over("wire", by=True)
def test_the_peer_goes_after_it_has_read(carrier: Carrier, peer: Peer, waits: bool) -> None:
    """A request that was read is in doubt when its connection breaks."""
    carrier.warm(peer)
    attempt = carrier.send(waits=waits)
    peer.next()
    peer.crash()
    assert attempt.fate() == "in doubt"
    assert isinstance(attempt.error(), TransportError)


@over("wire", by=True)
def test_the_peer_answers_rubbish(carry: Carry, kind: Kind, waits: bool) -> None:
    """Bytes that mean nothing end the attempt, in doubt."""
    assert carry(kind.answers_rubbish()).send(waits=waits).fate() == "in doubt"


@over("wire", by=True)
def test_the_peer_says_ok_and_sends_no_answer(carry: Carry, kind: Kind, waits: bool) -> None:
    """The method may have run: nothing that a peer says of a request can mean that it was not sent."""
    attempt = carry(kind.ends_without_an_answer()).send(waits=waits)
    assert not attempt.error().not_sent
    assert attempt.error().in_doubt
    assert isinstance(attempt.error(), RemoteProtocolError | SerializationError)


@over("wire", by=True)
def test_the_peer_goes_in_the_midst_of_a_request(carry: Carry, kind: Kind, waits: bool) -> None:
    """A request of which some has left is in doubt, though it was never whole."""
    attempt = carry(kind.goes_in_the_midst()).send("x" * 3_000_000, waits=waits)
    assert attempt.fate() == "in doubt"
    assert isinstance(attempt.error(), TransportError)


@over(by=True)
def test_the_peer_never_answers(carrier: Carrier, peer: Peer, waits: bool) -> None:
    """An attempt that was sent ends in doubt when its time is over."""
    carrier.warm(peer)
    attempt = carrier.send(timeout=0.15, waits=waits)
    peer.next()
    assert attempt.fate() == "in doubt"
    assert isinstance(attempt.error(), CallTimeout)


@pytest.mark.parametrize("late", [1, 3])
@over(by=True)
def test_a_late_answer_reaches_nobody(carrier: Carrier, peer: Peer, late: int, waits: bool) -> None:
    """What comes after the end changes neither that end nor any other attempt."""
    carrier.warm(peer)
    ended = [carrier.send("late", timeout=0.15, waits=waits) for _ in range(late)]
    waiting = [peer.next() for _ in ended]
    assert all(isinstance(attempt.error(), CallTimeout) for attempt in ended)
    after = carrier.send("after", waits=waits)
    asked = peer.next()
    for one in waiting:
        one.answer("too late", {"key": "too late"})
    asked.answer("in time")
    assert carrier.answer_of(after) == "in time"
    assert {attempt.ends for attempt in ended} <= {1}
    assert not any("key" in attempt.response_attachments for attempt in [*ended, after])


@over("attachments", by=True)
def test_attachments_travel_both_ways(carrier: Carrier, peer: Peer, waits: bool) -> None:
    """Side data reaches the peer, and what it sends beside the answer comes back; neither stays for the next."""
    attempt = carrier.send(attachments={"trace": "t1"}, waits=waits)
    asked = peer.next()
    assert asked.attachments["trace"] == "t1"
    asked.answer("answer", {"took": "3"})
    attempt.outcome()
    assert attempt.response_attachments["took"] == "3"
    again = carrier.send(waits=waits)
    asked = peer.next()
    assert "trace" not in asked.attachments
    asked.answer("answer")
    again.outcome()
    assert "took" not in again.response_attachments
