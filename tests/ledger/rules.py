"""What must hold of a ledger: the rules L1 to L9.

Of a call the client writes ``issue``, ``sent``, ``told`` (a callback heard of the end), ``cancel``, ``dropped`` (by
`on_drop`), ``repeated`` (by its scope, after this failure) and ``outcome``, and the provider ``received``,
``executed``, ``replied`` and ``refused``. Beside the calls stand ``pause`` (the system did not let the client run),
``slack``, ``waive`` (rules that an experiment cannot ask for), ``level`` (what the process has open) and ``count``.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from itertools import accumulate, pairwise
from typing import Final

from ledger.lines import Line

SLACK_S: Final = 0.05
KINDS: Final = ("ok", "error", "cancelled", "rejected", "given", "abandoned")
"""How a call may end.

A one-way call is ``given`` when it returns. One that the client's exit gave up, and said so, is ``abandoned``.
"""


@dataclass(frozen=True, slots=True)
class Breach:
    """A rule that does not hold.

    Attributes:
        rule: Its name.
        id: Of the call, or "-".
        why: What is wrong.
    """

    rule: str
    id: str
    why: str


@dataclass(slots=True)
class Call:
    """All lines of one call."""

    id: str
    issues: list[Line] = field(default_factory=list)
    by_event: dict[str, list[Line]] = field(default_factory=dict)

    def of(self, event: str) -> list[Line]:
        """The lines of one kind."""
        return self.by_event.get(event, [])

    @property
    def issue(self) -> Mapping[str, str]:
        """What was asked for."""
        return self.issues[0].fields if self.issues else {}

    @property
    def outcome(self) -> Mapping[str, str]:
        """How it ended, {} where it did not."""
        ends = self.of("outcome")
        return ends[0].fields if ends else {}

    @property
    def kind(self) -> str:
        """How it ended, in one word."""
        return self.outcome.get("kind", "")

    @property
    def wants_answer(self) -> bool:
        """Nobody means to end it before its time."""
        return self.issue.get("scope", "-") in ("-", "retry_failed")

    @property
    def has_begun(self) -> bool:
        """A scope that was given up lets no further call begin."""
        return self.outcome.get("begun") != "0"

    @property
    def executed(self) -> list[Line]:
        """Each time that the provider ran it."""
        return self.of("executed")


class Books:
    """Both sides of a ledger."""

    def __init__(self, client: Collection[Line], provider: Collection[Line]) -> None:
        self.calls: dict[str, Call] = {}
        self.others: dict[str, list[Line]] = {}
        for line in (*client, *provider):
            self._enter(line)

    def _enter(self, line: Line) -> None:
        if line.id == "-":
            self.others.setdefault(line.event, []).append(line)
            return
        call = self.calls.setdefault(line.id, Call(line.id))
        if line.event == "issue":
            call.issues.append(line)
        else:
            call.by_event.setdefault(line.event, []).append(line)

    @property
    def slack(self) -> float:
        """Seconds by which an outcome may be late; an experiment may state more, with its reason."""
        return max([SLACK_S, *(float(line.fields["seconds"]) for line in self.others.get("slack", []))])

    @property
    def waived(self) -> frozenset[tuple[str, str]]:
        """Whose calls are held to which rules no longer."""
        lines = [line.fields for line in self.others.get("waive", [])]
        return frozenset((fields["by"], rule) for fields in lines for rule in fields["rules"].split(","))

    def paused(self, begin: float, end: float) -> float:
        """Seconds of this time in which the system did not let the client run."""
        return self._pauses.until(end) - self._pauses.until(begin)

    @cached_property
    def _pauses(self) -> _Pauses:
        return _Pauses(self.others.get("pause", []))


class _Pauses:
    """How long the client was paused up to any moment; a hundred thousand calls ask."""

    def __init__(self, lines: Collection[Line]) -> None:
        turns: list[tuple[float, float]] = [(0.0, 0.0)]
        for line in lines:
            begin = float(line.fields["begin"])
            rate = float(line.fields["seconds"]) / max(line.at - begin, 1e-6)
            turns += [(begin, rate), (line.at, -rate)]
        turns.sort()
        self._at = [at for at, _ in turns]
        self._rates = [*accumulate(change for _, change in turns)]
        pieces = zip(pairwise(self._at), self._rates, strict=False)
        self._sums = [*accumulate(((end - begin) * rate for (begin, end), rate in pieces), initial=0.0)]

    def until(self, moment: float) -> float:
        """Seconds up to *moment*."""
        last = bisect_right(self._at, moment) - 1
        return self._sums[last] + (moment - self._at[last]) * self._rates[last]


def _ends_once(_: Books, call: Call) -> str:
    if len(call.issues) != 1:
        return f"issued {len(call.issues)} times"
    if len(call.of("outcome")) != 1:
        return f"{len(call.of('outcome'))} outcomes"
    return "" if call.kind in KINDS else f"an outcome {call.kind!r}"


def _is_told_once(_: Books, call: Call) -> str:
    told, expected = call.of("told"), int(call.issue.get("told", 0)) * call.has_begun
    if len(told) != expected:
        return f"{len(told)} of {expected} callbacks heard of the end"
    if call.kind not in KINDS:
        return ""  # which is L1's
    if any(line.fields["kind"] != call.kind for line in told):
        return f"a callback heard of {told[0].fields['kind']}, who waited of {call.kind}"
    said = [line.fields["said"] == "True" for line in call.of("cancel")]
    if said and any(said) != (call.kind == "cancelled"):
        return f"cancel() said {any(said)}, the outcome is {call.kind}"
    return ""


def _was_executed(_: Books, call: Call) -> str:
    if call.kind != "ok":
        return ""
    answers = {line.fields.get("answer") for line in call.executed}
    if not answers:
        return "ok, and no provider ran it"
    return "" if call.outcome.get("answer") in answers else "the answer is not the one that was given"


def _not_sent_was_not_seen(_: Books, call: Call) -> str:
    says = [line for line in (*call.of("outcome"), *call.of("dropped")) if line.fields.get("fate") == "not_sent"]
    if not says:
        return ""
    if call.of("received"):
        return "not sent, and the provider has it"
    return "not sent, and said to be sent before" if call.of("sent") else ""


def _run_in_vain_is_in_doubt(_: Books, call: Call) -> str:
    if not call.executed or call.kind in ("", "ok", "cancelled", "given", "abandoned"):
        return ""
    fate = call.outcome.get("fate")
    if fate == "remote" and any("failed" in line.fields for line in call.executed):
        return ""  # the method itself failed, and said so
    return "" if fate == "in_doubt" else f"executed, and the outcome is {call.outcome}"


def _runs_once(_: Books, call: Call) -> str:
    most = len(call.executed) if call.issue.get("idempotent") == "1" else 1
    return "" if len(call.executed) <= most else f"executed {len(call.executed)} times"


def _ends_in_time(books: Books, call: Call) -> str:
    heard = [line.at for line in (*call.of("told"), *call.of("outcome"))]
    if not heard or not call.issues or call.kind == "abandoned":
        return ""
    began = call.issues[0].at
    late = min(heard) - began - float(call.issue["within"]) - books.slack
    late -= books.paused(began, min(heard))
    return "" if late <= 0 else f"{late * 1000:.1f} ms later than it may be"


_OF_CALLS: Final[Mapping[str, Callable[[Books, Call], str]]] = {
    "L1": _ends_once,
    "L2": _is_told_once,
    "L3": _was_executed,
    "L4": _not_sent_was_not_seen,
    "L5": _run_in_vain_is_in_doubt,
    "L6": _runs_once,
    "L7": _ends_in_time,
}


def _levels_return(books: Books) -> Iterator[str]:
    levels = books.others.get("level", [])
    if len(levels) < 2:
        yield "no levels were noted at the begin and at the end"
        return
    first, last = levels[0].fields, levels[-1].fields
    for name, value in last.items():
        if int(value) > int(first.get(name, 0)):
            yield f"{value} {name}, {first.get(name, 0)} at the begin"


def _counts_agree(books: Books) -> Iterator[str]:
    lines = books.others.get("count", [])
    if not lines:
        yield "no counts were noted"
    for line in lines:
        own = [call for call in books.calls.values() if call.issue.get("by") == line.fields["by"] and call.has_begun]
        again = [first for call in own for first in call.of("repeated")]
        ends = [*again, *(end for call in own for end in (*call.of("outcome"), *call.of("dropped")))]
        failed = Counter(end.fields["error"] for end in ends if end.fields.get("error"))
        expected = {
            "calls": len(own) + len(again),
            "running": 0,
            **{f"failed.{name}": count for name, count in failed.items()},
        }
        counted = {name: int(value) for name, value in line.fields.items() if name != "by"}
        if counted != expected:
            yield f"{line.fields['by']} counted {counted}, the ledger has {expected}"


_OF_BOOKS: Final[Mapping[str, Callable[[Books], Iterator[str]]]] = {"L8": _levels_return, "L9": _counts_agree}
RULES: Final = (*_OF_CALLS, *_OF_BOOKS)


def check(books: Books) -> list[Breach]:
    """List where the rules do not hold."""
    waived = books.waived
    found = [
        Breach(rule, call.id, why)
        for call in books.calls.values()
        for rule, holds in _OF_CALLS.items()
        if (call.issue.get("by", ""), rule) not in waived and (why := holds(books, call))
    ]
    return found + [Breach(rule, "-", why) for rule, holds in _OF_BOOKS.items() for why in holds(books)]
