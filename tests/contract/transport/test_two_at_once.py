"""Two attempts of one call at once: what becomes of one is nothing to the other."""

from __future__ import annotations

from contract.transport.harness import Carrier, Carry, Kind, Peer
from contract.transport.kinds import over


@over("addresses")
def test_the_first_answer_wins_and_the_loser_is_given_up(carry: Carry, kind: Kind) -> None:
    """The loser ends as cancelled, by itself; its late answer reaches nobody, and changes nothing of the winner."""
    slow, quick = kind.peer(), kind.peer()
    carrier = carry(slow.url, quick.url)
    loser = carrier.send("question")
    winner = carrier.send("question", to=1, of=loser)
    late, asked = slow.next(), quick.next()
    asked.answer("quick", {"by": "quick"})
    assert carrier.answer_of(winner) == "quick"
    assert not loser.has_ended
    loser.cancel()
    assert loser.is_cancelled
    late.answer("slow", {"by": "slow"})
    carrier.warm(slow)  # whatever came before this answer has been read
    assert (loser.ends, winner.ends) == (1, 1)
    assert winner.response_attachments["by"] == "quick"
    assert "by" not in loser.response_attachments


@over("addresses")
def test_the_later_attempt_is_given_up_alone(carry: Carry, kind: Kind) -> None:
    """It is not the order of their beginning that says who stops."""
    first, second = kind.peer(), kind.peer()
    carrier = carry(first.url, second.url)
    stays = carrier.send("question")
    goes = carrier.send("question", to=1, of=stays)
    asked, _ = first.next(), second.next()
    goes.cancel()
    assert goes.is_cancelled
    assert not stays.has_ended
    asked.answer("answer")
    assert carrier.answer_of(stays) == "answer"


@over("addresses")
def test_each_is_judged_by_itself(carry: Carry, kind: Kind) -> None:
    """A refusal, and a timeout, of one attempt leave the other as it is."""
    peers = [kind.peer() for _ in range(3)]
    carrier = carry(*(peer.url for peer in peers))
    for number, peer in enumerate(peers):
        carrier.warm(peer, to=number)
    answered = carrier.send("question")
    refused = carrier.send("question", to=1, of=answered)
    timed_out = carrier.send("question", to=2, of=answered, timeout=0.15)
    asked = [peer.next() for peer in peers]
    asked[1].refuse()
    assert (refused.fate(), timed_out.fate()) == ("remote", "in doubt")
    asked[0].answer("answer")
    assert carrier.answer_of(answered) == "answer"


@over("addresses")
def test_each_is_written_by_itself(carry: Carry, kind: Kind) -> None:
    """Each attempt hears once that its own request is written."""
    first, second = kind.peer(), kind.peer()
    carrier = carry(first.url, second.url)
    one = carrier.send("question", notes_sent=True)
    other = carrier.send("question", to=1, of=one, notes_sent=True)
    for peer in (first, second):
        peer.next().answer("answer")
    for attempt in (one, other):
        assert carrier.answer_of(attempt) == "answer"
        assert attempt.steps == ["sent", "ended"]


@over()
def test_two_at_one_provider(carrier: Carrier, peer: Peer) -> None:
    """Where there is one provider alone both attempts are made there, and each ends by itself."""
    one = carrier.send("one", notes_sent=True)
    other = carrier.send("other", of=one, notes_sent=True)
    asked = {request.text: request for request in (peer.next(), peer.next())}
    one.cancel()
    asked["one"].answer("late")
    asked["other"].answer("answer")
    assert carrier.answer_of(other) == "answer"
    assert one.is_cancelled
    assert (one.ends, other.steps) == (1, ["sent", "ended"])
