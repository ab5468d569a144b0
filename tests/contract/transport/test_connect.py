"""Connections that are brought about before a call needs them."""

from __future__ import annotations

from contract.transport.harness import SOON, Carrier, Carry, Peer
from contract.transport.kinds import over

from callahead.consumer.errors import ConnectFailed, RpcError


@over()
def test_a_connection_comes_about_without_a_call(carrier: Carrier, peer: Peer) -> None:
    """It ends well, once, and the first call is made as any other; to connect again is no harm."""
    for _ in range(2):
        assert carrier.connect().outcome().error is None
    attempt = carrier.send("hello")
    asked = peer.next()
    assert asked.text == "hello"
    asked.answer("answer")
    assert carrier.answer_of(attempt) == "answer"


@over("wire")
def test_nobody_is_there(carrier: Carrier, peer: Peer) -> None:
    """That is an error, not sent; once a provider is there, it is found as after any failed call."""
    peer.crash()
    attempt = carrier.connect(timeout=SOON)
    error = attempt.error()
    assert isinstance(error, ConnectFailed)
    assert attempt.fate() == "not sent"


@over("wire")
def test_several_connections_of_ones_own(carry: Carry, peer: Peer) -> None:
    """All of them are brought about, and only one that cannot be is an error."""
    carrier = carry(peer.url, connections=3)
    assert carrier.connect().outcome().error is None


@over("addresses")
def test_after_the_end_nothing_is_connected(carrier: Carrier) -> None:
    """The consumer is closed: that ends soon, well or not."""
    carrier.close_transport()
    outcome = carrier.connect(timeout=1.0).outcome()
    assert outcome.error is None or isinstance(outcome.error, RpcError)


@over("wire", "limits its queue")
def test_a_connection_is_open_before_the_first_call(carrier: Carrier) -> None:
    """As the counts tell, where a transport knows."""
    carrier.connect().outcome()
    [counts] = carrier.counts
    assert (counts.is_open, counts.connects) in ((True, 1), (None, None))
