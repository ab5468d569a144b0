"""The experiments, as they are declared: ``docs/reliability.rst`` has the same names and numbers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal

from ledger.carriers import CARRIERS, Carrier
from ledger.experiments import batches, callers, limits, peers, processes, reloads, wires
from ledger.round import Round

LONG_S: Final = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Experiment:
    """A fault that is made on purpose.

    Attributes:
        number: Its own for ever.
        name: In a few words.
        fault: What is done.
        holds: What must hold beside the rules.
        run: Does it, once for each transport.
        short_s: How long the load lasts where nobody has time.
        needs: What a provider in the client's own process has not, so that this does not apply to it.
        long_calls: Of a race, how many calls there are at least in the long form.
    """

    number: int
    name: str
    fault: str
    holds: str
    run: Callable[[Round], None]
    short_s: float = 2.0
    needs: Literal["", "a process of the provider", "a wire"] = ""
    long_calls: int = 0

    def applies_to(self, carrier: Carrier) -> bool:
        """Tell whether it can be made over *carrier*."""
        return not (self.needs and carrier.is_inside)


EXPERIMENTS: Final = (
    Experiment(
        number=1, name="kill", needs="a process of the provider", run=peers.killed,
        fault="the provider is killed with calls in flight, and started again",
        holds="99 % answered from 3 s after it is back, or from one wait between two attempts to connect",
    ),
    Experiment(
        number=2, name="freeze", needs="a process of the provider", run=peers.frozen,
        fault="the provider is stopped (SIGSTOP), and goes on",
        holds="calls end in time; late answers reach nobody",
    ),
    Experiment(
        number=3, name="drain", needs="a process of the provider", run=peers.drained,
        fault="one of two providers leaves in order, and comes back",
        holds="every call is answered, but for ten and one in 500 at most that were on their way, and are in doubt",
    ),
    Experiment(
        number=4, name="cut", needs="a wire", run=wires.cut_anywhere, short_s=4.0,
        fault="the connection is reset behind each byte of request and answer",
        holds="the fate of each call is right at each offset",
    ),
    Experiment(
        number=5, name="silent cable", needs="a wire", run=wires.silent_cable,
        fault="nothing passes in either direction, and nothing is closed; then all of it",
        holds="calls end in time; 99 % answered from 2 s after on, or as long after as it was silent",
    ),
    Experiment(
        number=6, name="black hole", needs="a wire", run=wires.black_hole,
        fault="an address takes no connection and refuses none",
        holds="99 % answered where another provider is listed",
    ),
    Experiment(
        number=7, name="slow link", needs="a wire", run=wires.slow_link,
        fault="256 kbit/s, asked for more",
        holds="memory bounded; the excess rejected",
    ),
    Experiment(
        number=8, name="mute", needs="a wire", run=peers.mute,
        fault="calls of 100 kB to a provider that never answers",
        holds="memory grows by at most the limit and 20 MB; the excess rejected",
    ),
    Experiment(
        number=9, name="damage", needs="a wire", run=wires.damaged, short_s=3.0,
        fault="3 % of the frames of answers are truncated, too long, misaddressed and so on; or one bit is turned over",
        holds="only calls of that connection fail; no crash",
    ),
    Experiment(
        number=10, name="disorder", run=wires.reordered,
        fault="answers in any order; over dubbo 1 % of them twice",
        holds="every double counted",
    ),
    Experiment(
        number=11, name="callback storm", run=callers.storm,
        fault="callbacks throw, block for a second, call again, cancel",
        holds="p99 of other callers at most doubled, and 50 ms",
    ),
    Experiment(
        number=12, name="cancel race", long_calls=200_000, run=callers.cancel_race,
        fault="each call is cancelled 0 to 20 ms after it was made; the answer takes as long",
        holds="cancel() is true where the outcome is cancelled, and only there",
    ),
    Experiment(
        number=13, name="deadline race", long_calls=200_000, run=callers.deadline_race,
        fault="each call's time is over within some ms of its answer",
        holds="one outcome, whichever comes first",
    ),
    Experiment(
        number=14, name="overload", run=peers.overloaded,
        fault="ten times the capacity, then a quarter of it",
        holds="the provider is busy for 80 % of the time (60 % in the short form); 90 % answered from 2 s after the"
        " load dropped",
    ),
    Experiment(
        number=15, name="retry storm", needs="a process of the provider", run=peers.refusing,
        fault="one of three providers refuses all, then all three",
        holds="retries within the budget; providers are ejected, tried again, and back; all answered once healed",
    ),
    Experiment(
        number=16, name="shortage", run=processes.short,
        fault="no descriptor, then no thread, at the first calls and at a reconnect",
        holds="99 % answered from one wait between two attempts to connect after there is room",
    ),
    Experiment(
        number=17, name="fork", run=processes.forked,
        fault="children are forked with calls in flight, call, and close",
        holds="no child hangs; the parent loses nothing",
    ),
    Experiment(
        number=18, name="exit", run=processes.exits,
        fault="programs end by sys.exit, an error, Ctrl-C, SIGTERM, or run out, with 40 calls that never end",
        holds="they end in 5 s and say exactly how many calls they gave up",
    ),
    Experiment(
        number=19, name="clock", run=processes.stopped,
        fault="the client itself is stopped; but for tri the time of day jumps by an hour whenever it is read",
        holds="no call ends early or late",
    ),
    Experiment(
        number=20, name="hot reload", run=reloads.reloaded,
        fault="1,000 edits of the YAML under load, one in three invalid",
        holds="each call under one configuration; what is invalid is refused and changes nothing",
    ),
    Experiment(
        number=21, name="full", run=limits.full,
        fault="more calls than have a place, under each when_full; calls that wait are cancelled; 64 threads block",
        holds="what is refused or given up in the queue is not sent and never run; block never deadlocks",
    ),
    Experiment(
        number=22, name="batches", run=batches.failing, short_s=3.0,
        fault="batches are cut anywhere while they are flushed, flushed to a provider that was killed, and closed with"
        " their consumer, in peace and at once",
        holds="a flush tells of each request that was not written, and so does the call; what closes in peace is run,"
        " what is given up is not",
    ),
    Experiment(
        number=23, name="slow and full", needs="a wire", run=wires.slow_and_full, short_s=4.0,
        fault="256 kbit/s, asked for more, with a limit of pending bytes, under each when_full",
        holds="memory bounded under each; what got no place is not sent",
    ),
)  # fmt: skip
RUNS: Final = tuple((one, carrier) for carrier in CARRIERS.values() for one in EXPERIMENTS if one.applies_to(carrier))
"""What can be run, over what."""
