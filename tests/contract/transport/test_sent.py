"""When a request counts as written."""

from __future__ import annotations

import socket

from contract.transport.harness import Carrier, Carry, Kind, Peer
from contract.transport.kinds import over

from callahead.consumer.errors import CallTimeout, ConnectFailed


@over()
def test_sent_comes_before_the_outcome(carrier: Carrier, peer: Peer) -> None:
    """Who wants to know hears once that the request is written, while the answer is still to come."""
    attempt = carrier.send(notes_sent=True)
    asked = peer.next()
    attempt.wait_sent()
    assert attempt.steps == ["sent"]
    asked.answer("answer")
    attempt.outcome()
    assert attempt.steps == ["sent", "ended"]


@over()
def test_sent_comes_once_for_each(carrier: Carrier, peer: Peer) -> None:
    """Attempts that run at once are told of each by itself."""
    attempts = [carrier.send(str(number), notes_sent=True) for number in range(10)]
    for asked in [peer.next() for _ in attempts]:
        asked.answer(asked.text)
    for attempt in attempts:
        attempt.outcome()
    assert [attempt.steps for attempt in attempts] == [["sent", "ended"]] * len(attempts)


@over("wire")
def test_what_was_never_written_was_not_sent(carry: Carry, kind: Kind) -> None:
    """Where no connection comes about nobody hears that the request is written."""
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        attempt = carry(f"{kind.protocol}://127.0.0.1:{holder.getsockname()[1]}").send(notes_sent=True)
        assert isinstance(attempt.error(), ConnectFailed)
        assert (attempt.steps, attempt.fate()) == (["ended"], "not sent")


@over("wire")
def test_a_peer_that_never_says_a_word(carry: Carry, kind: Kind) -> None:
    """Whether it counts as sent is up to the protocol; the timeout agrees with what was said before."""
    attempt = carry(kind.says_nothing()).send(timeout=0.3, notes_sent=True)
    assert isinstance(attempt.error(), CallTimeout)
    assert attempt.fate() == ("in doubt" if "sent" in attempt.steps else "not sent")


@over()
def test_nobody_hears_of_it_after_the_end(carrier: Carrier, peer: Peer) -> None:
    """An attempt that was given up at once is told nothing more, whether or not its request was still written."""
    carrier.warm(peer)
    attempt = carrier.send("given up", notes_sent=True)
    attempt.cancel()
    assert attempt.is_cancelled
    after = carrier.send("after")
    while (asked := peer.next()).text != "after":
        asked.answer("late")
    asked.answer("answer")
    assert carrier.answer_of(after) == "answer"
    assert attempt.steps in (["ended"], ["sent", "ended"])


@over("wire")
def test_a_large_request_is_written_whole(carry: Carry, peer: Peer) -> None:
    """A request beyond the buffers of the system is written when its last byte is, and read as it was."""
    text = "x" * 3_000_000
    carrier = carry(peer.url)
    attempt = carrier.send(text, notes_sent=True)
    asked = peer.next()
    attempt.wait_sent()
    assert asked.text == text
    asked.answer("read")
    assert carrier.answer_of(attempt) == "read"


@over()
def test_a_one_way_request_is_carried(carrier: Carrier, peer: Peer) -> None:
    """Where nobody waits for the answer the request arrives all the same, and the attempt ends."""
    attempt = carrier.send("told", one_way=True, notes_sent=True)
    asked = peer.next()
    assert asked.text == "told"
    asked.answer("nobody listens")
    assert attempt.outcome().error is None
    assert attempt.steps == ["sent", "ended"]


@over("tells sent later")
def test_who_asks_once_it_is_written_is_told(carrier: Carrier, peer: Peer) -> None:
    """Nobody wanted to know when the attempt began; asked while the answer is to come, the transport knows."""
    attempt = carrier.send()
    asked = peer.next()
    attempt.ask_sent()
    attempt.wait_sent()
    asked.answer("answer")
    attempt.outcome()
    assert attempt.steps == ["sent", "ended"]


@over("tells sent later", "limits its queue")
def test_who_asks_before_it_is_written_is_told_then(carry: Carry, kind: Kind) -> None:
    """Requests wait for a peer that reads nothing; asked for the writing of one, nobody hears of it."""
    carrier = carry(kind.reads_nothing())
    attempts = [carrier.send("x" * 4_000_000, timeout=0.5) for _ in range(3)]
    attempts[-1].ask_sent()
    assert isinstance(attempts[-1].error(), CallTimeout)
    assert attempts[-1].steps == ["ended"]


@over()
def test_asking_later_changes_nothing_else(carrier: Carrier, peer: Peer) -> None:
    """Where the transport cannot tell any more the answer comes all the same."""
    attempt = carrier.send()
    attempt.ask_sent()
    peer.next().answer("answer")
    assert carrier.answer_of(attempt) == "answer"
    assert attempt.steps in (["ended"], ["sent", "ended"])
