"""One run of one experiment: its parts, its figures, its verdict."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any, Self

from ledger.carriers import Carrier
from ledger.client import Client
from ledger.lines import CLIENT, PROVIDER, Line, Writer, read
from ledger.load import Choice, Load, mixed, run_load
from ledger.process import Inside, Place, ProviderAt
from ledger.rules import Books, Breach, check
from ledger.system import Watch, level, settled_level
from support.proxy import Plain, Proxy, Way


@dataclass(slots=True)
class Verdict:
    """What came of a round.

    Attributes:
        calls: Issued.
        ends: How many ended in which way.
        figures: What was measured, by name.
        breaches: What did not hold.
    """

    calls: int = 0
    ends: Counter[str] = field(default_factory=Counter)
    figures: dict[str, str] = field(default_factory=dict)
    breaches: list[Breach] = field(default_factory=list)

    def __str__(self) -> str:
        ends = ", ".join(f"{count:,} {name}" for name, count in self.ends.most_common())
        figures = "; ".join(f"{name} {value}" for name, value in self.figures.items())
        return f"{self.calls:,} calls: {ends}{'; ' if figures else ''}{figures}"


class Round:
    """The parts of one run, closed at the end of the ``with`` in which it is; then `verdict` is complete.

    Args:
        carrier: The transport.
        seconds: How long the load lasts.
        seed: Of all chance.
        folder: Where the ledger is written; a folder of its own.
        calls: A race goes on until there were so many.
    """

    def __init__(self, carrier: Carrier, seconds: float, seed: int, folder: Path, calls: int = 0) -> None:
        self.carrier = carrier
        self.seconds = seconds
        self.calls = calls
        self.random = Random(seed)
        self.folder = folder
        self.verdict = Verdict()
        self.ledger = Writer(folder / CLIENT)
        self._open = ExitStack()
        self._before = level()

    # Parts

    def provider(self, threads: int = 64) -> ProviderAt:
        """Start a provider with a process of its own, which ends with the round."""
        made = ProviderAt(self.carrier, self.folder / PROVIDER, threads)
        self._open.callback(made.drain)
        return made

    def place(self, threads: int = 64) -> Place:
        """See to it that calls are run somewhere, be it in this process."""
        if self.carrier.is_inside:
            return Inside(self.carrier.protocol, self.folder / PROVIDER, threads)
        return self.provider(threads)

    def proxy(self, provider: ProviderAt, way: Callable[[], Way] = Plain) -> Proxy:
        """Put a proxy before *provider*."""
        return self._open.enter_context(Proxy(provider.port, way))

    def client(self, *urls: str, **settings: Any) -> Client:
        """Make a client; keywords are those of `Client`."""
        made = Client(self.ledger, self.carrier, *urls, **settings)
        self._open.callback(made.close)
        return made

    def load(self, client: Client, rate: float = 300.0, choose: Choice | None = None) -> Load:
        """Ask *client* until the load is stopped."""
        return Load(client, rate, choose or mixed(), self._own_random())

    def run_load(
        self, client: Client, seconds: float | None = None, rate: float = 300.0, choose: Choice | None = None
    ) -> None:
        """Ask *client* for so long, by default the whole round, and wait for every end."""
        lasts = self.seconds if seconds is None else seconds
        run_load(client, lasts, rate, choose or mixed(), self._own_random())

    def _own_random(self) -> Random:
        return Random(self.random.random())

    # What holds

    def note(self, name: str, value: object) -> None:
        """Keep a figure."""
        self.verdict.figures[name] = str(value)

    def require(self, holds: bool, why: str) -> None:
        """Keep what does not hold beside the rules."""
        if not holds:
            self.verdict.breaches.append(Breach("own", "-", why))

    def allow(self, seconds: float) -> None:
        """State that outcomes may be later than the rule says."""
        self.ledger.write("slack", seconds=seconds)

    def waive(self, client: Client, *rules: str) -> None:
        """State that calls of *client* cannot be held to *rules*."""
        self.ledger.write("waive", by=client.by, rules=",".join(rules))

    def lines(self) -> list[Line]:
        """What the client has written so far."""
        return read(self.folder / CLIENT)

    def books(self) -> Books:
        """Both sides, so far."""
        return Books(self.lines(), read(self.folder / PROVIDER))

    # Its life

    def __enter__(self) -> Self:
        self.ledger.write("level", **self._before)
        self._open.callback(Watch(self.ledger).close)
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()
        self.ledger.write("level", **settled_level(self._before))
        self.ledger.close()
        self._judge()

    def _judge(self) -> None:
        books, verdict = self.books(), self.verdict
        verdict.calls = len(books.calls)
        verdict.ends = Counter(_end_of(call.kind, call.outcome.get("fate", "")) for call in books.calls.values())
        verdict.breaches += check(books)


def _end_of(kind: str, fate: str) -> str:
    return f"{kind} {fate}".replace("_", " ") if kind == "error" else kind or "without an end"


def reconnects_within(down_s: float) -> float:
    """Seconds within which a provider that is back is asked again, after it was not there for *down_s*.

    The wait between two attempts to connect doubles, so that it is as long as all before it, and at most five seconds;
    one more is for the attempt.
    """
    return min(5.0, down_s) + 1.0


def answered(books: Books, since: float, until: float = float("inf")) -> float:
    """Tell which share of the calls that were issued in this time were answered; 1.0 where there were none."""
    own = [call for call in books.calls.values() if call.issues and since <= call.issues[0].at < until]
    own = [call for call in own if call.kind != "given" and call.wants_answer]
    good = [call for call in own if call.kind == "ok" or call.outcome.get("fate") == "remote"]
    return len(good) / len(own) if own else 1.0


def wait_for(condition: Callable[[], bool], within: float) -> float | None:
    """Wait until *condition* holds, and tell for how long; None where it did not."""
    began = time.monotonic()
    while not condition():
        if time.monotonic() - began > within:
            return None
        time.sleep(0.02)
    return time.monotonic() - began
