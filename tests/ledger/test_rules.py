"""The checker finds what is wrong with a ledger, and nothing where nothing is."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from ledger.lines import parse
from ledger.rules import RULES, Books, Breach, check

CLIENT = """\
1.0 level - threads=3 sockets=0
2.0 issue a by=main within=1.0 idempotent=0 told=1
2.1 sent a
2.2 told a kind=ok
2.2 outcome a kind=ok fate=- answer=77
3.0 issue b by=main within=1.0 idempotent=0 told=0
4.0 outcome b kind=error fate=in_doubt error=CallTimeout
5.0 issue c by=main within=1.0 idempotent=0 told=0
5.0 outcome c kind=error fate=not_sent error=ConnectFailed
6.0 issue d by=main within=1.0 idempotent=0 told=0
6.1 cancel d said=True
6.1 outcome d kind=cancelled fate=- error=CancelledError
7.0 issue e by=main within=1.0 idempotent=1 told=0
7.2 outcome e kind=ok fate=- answer=78
8.0 issue f by=main within=1.0 idempotent=0 told=0
8.1 outcome f kind=error fate=remote error=RemoteError
9.0 count - by=main calls=6 running=0 failed.CallTimeout=1 failed.ConnectFailed=1 failed.CancelledError=1 \
failed.RemoteError=1
9.1 level - threads=3 sockets=0
"""
PROVIDER = """\
2.1 received a
2.1 executed a answer=77
2.1 replied a
3.1 received b
3.1 executed b answer=79
7.1 received e
7.1 executed e answer=78
7.2 received e
7.2 executed e answer=78
8.1 executed f failed=1
"""


def books(client: str = CLIENT, provider: str = PROVIDER) -> Books:
    """Make them of what is written with blanks here and with tabs in a file."""
    return Books(parse(client.replace(" ", "\t").splitlines()), parse(provider.replace(" ", "\t").splitlines()))


def changed(old: str, new: str) -> Books:
    """The sound ledger with one change, on the side that has *old*."""
    assert (old in CLIENT) != (old in PROVIDER)
    return books(CLIENT.replace(old, new), PROVIDER.replace(old, new))


def test_a_sound_ledger_has_no_breach() -> None:
    """Answers, failures of every fate, a cancellation and a repeated idempotent call are all in order."""
    assert check(books()) == []


BROKEN: Mapping[str, tuple[str, str, str, str]] = {
    "a call without an outcome": ("L1", "a", "2.2 outcome a kind=ok fate=- answer=77\n", ""),
    "two outcomes": ("L1", "c", "5.0 outcome c", "4.9 outcome c kind=error fate=not_sent\n5.0 outcome c"),
    "an outcome of no kind": ("L1", "d", "6.1 outcome d kind=cancelled", "6.1 outcome d kind=lost"),
    "a call that nobody issued": ("L1", "z", "2.1 replied a", "2.1 received z"),
    "a callback that heard nothing": ("L2", "a", "2.2 told a kind=ok\n", ""),
    "a callback that heard twice": ("L2", "a", "2.2 told a", "2.2 told a kind=ok\n2.2 told a"),
    "a callback that heard another thing": ("L2", "a", "told a kind=ok", "told a kind=error"),
    "a cancellation that was none": ("L2", "d", "cancel d said=True", "cancel d said=False"),
    "another call's answer": ("L3", "a", "outcome a kind=ok fate=- answer=77", "outcome a kind=ok fate=- answer=78"),
    "an answer that nobody gave": ("L3", "a", "2.1 executed a answer=77\n", ""),
    "not sent, and received": ("L4", "c", "2.1 replied a", "5.0 received c"),
    "never begun, and received": (
        "L4",
        "d",
        "6.1 outcome d kind=cancelled fate=-",
        "6.1 received d\n6.1 outcome d kind=cancelled fate=not_sent begun=0",
    ),
    "not sent, and sent before": ("L4", "c", "5.0 outcome c", "5.0 sent c\n5.0 outcome c"),
    "run, and not in doubt": ("L5", "b", "outcome b kind=error fate=in_doubt", "outcome b kind=error fate=remote"),
    "run twice": ("L6", "b", "3.1 executed b answer=79", "3.1 executed b answer=79\n3.2 executed b answer=79"),
    "an outcome that is late": ("L7", "b", "4.0 outcome b", "4.051 outcome b"),
    "a thread that stays": ("L8", "-", "9.1 level - threads=3", "9.1 level - threads=4"),
    "a failure that was not counted": ("L9", "-", " failed.CallTimeout=1", ""),
    "a repetition that was not counted": (
        "L9",
        "-",
        "3.0 issue b",
        "2.9 repeated a kind=error fate=not_sent error=ConnectFailed\n3.0 issue b",
    ),
    "a call that is counted as running": ("L9", "-", "calls=6 running=0", "calls=6 running=1"),
}


@pytest.mark.parametrize("what", BROKEN)
def test_a_broken_ledger_is_found(what: str) -> None:
    """One change, and just its rule tells of just that call."""
    rule, call, old, new = BROKEN[what]
    found = [(breach.rule, breach.id) for breach in check(changed(old, new)) if breach.rule != "L9" or rule == "L9"]
    assert found == [(rule, call)]


def test_every_rule_is_broken_once() -> None:
    """No rule is without a ledger that breaks it."""
    assert {rule for rule, *_ in BROKEN.values()} == set(RULES)


def test_time_in_which_the_client_could_not_run_is_no_lateness() -> None:
    """A pause of the client allows for as much as it took of the call's time."""
    late = CLIENT.replace("4.0 outcome b", "4.3 outcome b")
    assert check(books(f"{late}4.4 pause - begin=2.8 seconds=0.4\n")) == []
    assert [one.rule for one in check(books(f"{late}4.4 pause - begin=2.8 seconds=0.2\n"))] == ["L7"]


def test_a_rule_that_is_waived_is_not_asked_for() -> None:
    """An experiment that damages what no protocol protects says so, for one client and one rule."""
    wrong = CLIENT.replace("outcome a kind=ok fate=- answer=77", "outcome a kind=ok fate=- answer=78")
    assert check(books(f"{wrong}9.2 waive - by=main rules=L3,L4\n")) == []
    assert [one.rule for one in check(books(f"{wrong}9.2 waive - by=main rules=L4\n"))] == ["L3"]
    assert [one.rule for one in check(books(f"{wrong}9.2 waive - by=other rules=L3\n"))] == ["L3"]


def test_a_breach_says_what_is_wrong() -> None:
    """The figure is in it."""
    (breach,) = check(changed("4.0 outcome b", "4.06 outcome b"))
    assert breach == Breach("L7", "b", "10.0 ms later than it may be")


def test_a_call_that_never_began_is_not_counted() -> None:
    """In a scope that was given up a call is cancelled before it begins: no callback hears of it, no count has it."""
    more = "6.2 issue g by=main within=1.0 idempotent=0 told=1\n6.2 outcome g kind=cancelled fate=not_sent begun=0\n"
    assert check(books(f"{CLIENT}{more}")) == []


def test_a_repeated_call_is_counted_twice() -> None:
    """Its scope has made it once more, after a failure that is counted as well; its end is the later one."""
    again = "2.15 repeated a kind=error fate=not_sent error=ConnectFailed\n"
    counted = CLIENT.replace("calls=6", "calls=7").replace("failed.ConnectFailed=1", "failed.ConnectFailed=2")
    assert check(books(f"{counted}{again}")) == []
