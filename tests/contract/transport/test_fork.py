"""A forked process, and what its two halves do with one transport."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from contract.transport.harness import SOON, Carrier, Kind, Peer
from contract.transport.kinds import over
from support.forked import WARNING, in_child
from support.programs import Programs

START = 15.0

# One carrier to a peer of the test's own process, which answers; ``end_of`` tells how an attempt ended.
HEAD = """
from contract.transport.harness import Carrier
from contract.transport.kinds import KINDS

kind = next(one for one in KINDS if one.name == sys.argv[1])()
carrier = Carrier(kind, sys.argv[2])

def end_of(attempt):
    error = attempt.outcome(15).error
    return carrier.answer_of(attempt) if error is None else attempt.fate()
"""


@pytest.fixture
def programs(tmp_path: Path) -> Iterator[Programs]:
    """Programs that have a carrier."""
    made = Programs(tmp_path, HEAD)
    yield made
    made.close()


@over("wire")
def test_parent_and_child_call_on(programs: Programs, kind: Kind, peer: Peer) -> None:
    """A child forked while nothing runs calls over connections of its own, and its parent goes on with its own."""
    program = """
    say(end_of(carrier.send("before")))
    def child():
        carrier.after_fork()
        say(end_of(carrier.send("child")))
    assert in_child(child) == 0
    say(end_of(carrier.send("parent")))
    carrier.close()
    """
    process = programs.start(program, kind.name, peer.url)
    for text in ("before", "child", "parent"):
        asked = peer.next(START)
        assert asked.text == text
        asked.answer(f"to {text}")
    out, _ = process.communicate(timeout=START)
    assert (process.returncode, out.splitlines()) == (0, ["to before", "to child", "to parent"])


@over("wire")
def test_a_child_does_not_end_its_parents_call(programs: Programs, kind: Kind, peer: Peer) -> None:
    """An attempt that runs at the fork is the parent's; what the child begins ends, and disturbs nothing."""
    program = """
    end_of(carrier.send("warm"))
    pending = carrier.send("pending", notes_sent=True)
    pending.wait_sent()
    def child():
        carrier.after_fork()
        say(end_of(carrier.send("child", timeout=1)) in ("not sent", "in doubt"))
        assert not pending.has_ended
    assert in_child(child, 20) == 0
    end_of(carrier.send("over"))
    say(end_of(pending))
    carrier.close()
    """
    process = programs.start(program, kind.name, peer.url)
    peer.next(START).answer("warmed")
    pending = peer.next(START)
    assert pending.text == "pending"
    while (asked := peer.next(START)).text != "over":  # the child's, where it may ask at all: nobody answers
        assert asked.text == "child"
    asked.answer("so it is")
    pending.answer("to the parent")
    out, _ = process.communicate(timeout=START)
    assert (process.returncode, out.splitlines()) == (0, ["True", "to the parent"])


@pytest.mark.filterwarnings(WARNING)
@over("own process")
def test_the_same_without_a_wire(kind: Kind, carrier: Carrier, peer: Peer) -> None:
    """A child forked while an attempt runs has peers of its own, and the parent's attempt stays the parent's."""
    pending = carrier.send("pending")

    def child() -> None:
        carrier.after_fork()
        attempt = carrier.send("child")
        while (asked := peer.next()).text != "child":
            continue
        asked.answer("to the child")
        assert carrier.answer_of(attempt) == "to the child"
        assert not pending.has_ended

    assert in_child(child) == 0
    peer.next().answer("to the parent")
    assert carrier.answer_of(pending, SOON) == "to the parent"
