"""Faults of the client's own process: nothing left to open, forks, exits, stops."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from functools import partial
from typing import Final

from ledger.client import Ask, Client
from ledger.lines import CLIENT
from ledger.process import Place, ProviderAt, environment
from ledger.round import Round, answered, reconnects_within
from support.forked import in_child
from support.shortage import Shortage, no_descriptors, no_threads

_HOUR_S: Final = 3600.0
_GRACE_S: Final = 1.2
_END_S: Final = 10.0
_GIVEN_UP: Final = re.compile(r"gives up (\d+) calls")


def short(run: Round) -> None:
    """Take every descriptor, then every thread, for a moment: at the first calls, and while connections are lost."""
    provider = run.place()
    run.allow(_GRACE_S)  # a call that nothing can end any more is ended by the watchdog, one second past its time
    run.client(provider.url, by="steady").ask(Ask(mode="sync"))  # grpcio keeps what it needs for itself
    shortages: list[Shortage] = [no_descriptors, *([no_threads] if run.carrier.recovers_threads else [])]
    rounds, ends = 0, time.monotonic() + run.seconds
    while rounds < len(shortages) or time.monotonic() < ends:
        _be_short(run, provider, shortages[rounds % len(shortages)], by=f"s{rounds}-")
        rounds += 1
    run.note("shortages", 2 * rounds)


def _be_short(run: Round, provider: Place, shortage: Shortage, by: str) -> None:
    client = run.client(provider.url, by=by, timeout=400, retries=1)
    load = run.load(client, 200)
    with shortage():
        time.sleep(0.3)
    time.sleep(0.7)
    waits_s = _reconnect_short(provider, shortage) if isinstance(provider, ProviderAt) else 1.0
    since = time.monotonic() + waits_s
    time.sleep(waits_s + 1.0)
    load.stop()
    client.wait()
    share = answered(run.books(), since)
    run.require(share >= 0.99, f"answered only {share:.3f}, {waits_s:.1f} s after there was room again")


def _reconnect_short(provider: ProviderAt, shortage: Shortage) -> float:
    """Let connections be lost meanwhile, and tell within how many seconds they are there again."""
    with shortage():
        provider.kill()
        killed_at = time.monotonic()
        time.sleep(0.3)
    provider.start()
    return reconnects_within(time.monotonic() - killed_at)


def forked(run: Round) -> None:
    """Fork while calls run: each child calls with what it inherited, and closes it."""
    provider = run.place()
    client = run.client(provider.url)
    load = run.load(client, 200)
    children, statuses = 0, []
    ends = time.monotonic() + run.seconds
    while time.monotonic() < ends:
        time.sleep(0.3)
        children += 1
        child = client.forked(f"child{children}-")
        statuses.append(in_child(partial(_in_child, child)))
        if statuses[-1] == -signal.SIGSEGV:  # which is judged below; its last call has no end
            run.waive(child, "L1")
    load.stop()
    client.wait()
    books = run.books()
    parents = [call for call in books.calls.values() if call.issue.get("by") == "c"]
    failed = [call for call in parents if call.kind == "error" and call.wants_answer]
    lost = [call.id for call in failed if call.outcome["fate"] != "remote"]
    own = [call for call in books.calls.values() if call.issue.get("by", "").startswith("child")]
    run.note("children", children)
    run.note("their calls", f"{sum(call.kind == 'ok' for call in own)} of {len(own)} answered")
    survives = run.carrier.survives_forks
    allowed = {0} if survives else {0, -signal.SIGSEGV}
    run.require(allowed.issuperset(statuses), f"the children ended with {statuses}")
    run.require(
        len(lost) <= (0 if survives else len(parents) // 50), f"the parent lost {len(lost)} calls, such as {lost[:3]}"
    )


def _in_child(client: Client) -> None:
    for _ in range(3):
        client.ask(Ask(mode="sync"))
    client.consumer.close(1)


SIGNALS: Final = {"Ctrl-C": signal.SIGINT, "SIGTERM": signal.SIGTERM}
EXITS: Final = ("sys.exit", "uncaught error", "Ctrl-C", "SIGTERM", "end")


def exits(run: Round) -> None:
    """Let programs end in every orderly way, with calls that run, and never close the consumer."""
    provider = run.place(threads=400)
    steady = run.client(provider.url)
    programs, given_up, ends = 0, 0, time.monotonic() + run.seconds
    while not programs or time.monotonic() < ends:
        leavers = [_Leaver(run, provider, how, f"leaver{programs}-{number}-") for number, how in enumerate(EXITS)]
        steady.ask(Ask())
        for leaver in leavers:
            leaver.send_off()
        given_up += sum(leaver.see_off() for leaver in leavers)
        programs += len(leavers)
    steady.wait()
    provider.drain()
    calls = run.books().calls.values()
    vanished = sum(call.kind == "given" and not call.executed for call in calls)
    said_of = sum(call.kind == "abandoned" or call.outcome.get("error") == "ConsumerClosed" for call in calls)
    unsaid = given_up - said_of
    run.note("programs", programs)
    run.note("calls given up and said so", given_up)
    run.require(vanished <= unsaid, f"{vanished} one-way calls vanished, {unsaid} were said to")


class _Leaver:
    """A program that makes calls and goes."""

    def __init__(self, run: Round, provider: Place, how: str, by: str) -> None:
        self._run, self._how, self._by = run, how, by
        command = [sys.executable, "-m", "ledger.leaver", run.carrier.name, provider.url, str(run.folder / CLIENT)]
        self._process = subprocess.Popen(
            [*command, how, by], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment()
        )

    def send_off(self) -> None:
        """Tell it to go, once its calls are made."""
        assert self._process.stdout is not None
        self._process.stdout.readline()
        if self._how in SIGNALS:
            self._process.send_signal(SIGNALS[self._how])

    def see_off(self) -> int:
        """Wait for its end, and return how many calls it says that it gave up."""
        process = self._process
        try:
            _, errors = process.communicate(timeout=_END_S)
        except subprocess.TimeoutExpired:
            process.kill()
            _, errors = process.communicate()
            self._run.require(False, f"{self._how}: the program did not end")
        said = sum(int(count) for count in _GIVEN_UP.findall(errors))
        _enter_abandoned(self._run, self._how, self._by, said)
        return said


def _enter_abandoned(run: Round, how: str, by: str, said: int) -> None:
    """Write the end of the calls that the program gave up, if it said of each that it did.

    Of one-way calls it may have given up some, too: whether a provider has run them is looked at in the end.
    """
    own = [call for call in run.books().calls.values() if call.issue.get("by") == by]
    pending = [call.id for call in own if not call.of("outcome")]
    closed = sum(call.outcome.get("error") == "ConsumerClosed" for call in own)  # their callbacks still heard of it
    one_way = sum(call.kind == "given" for call in own)
    least = len(pending) + closed
    is_right = least <= said <= least + one_way
    run.require(is_right, f"{how}: {least} calls were given up, {said} were said to be")
    for call in pending if is_right else []:
        run.ledger.write("outcome", call, kind="abandoned", fate="in_doubt")


@contextmanager
def _jumping_clock() -> Iterator[None]:
    """Let the time of day jump by an hour, to and fro, whenever it is read."""
    real, turns = time.time, iter(range(1 << 60))
    time.time = lambda: real() + _HOUR_S * (-1) ** next(turns)
    try:
        yield
    finally:
        time.time = real


def stopped(run: Round) -> None:
    """Stop the client itself for a while, and let the time of day jump."""
    provider = run.place()
    client = run.client(provider.url)
    stop_s = 1.0 if run.seconds < 10 else 10.0
    with nullcontext() if run.carrier.minds_time_of_day else _jumping_clock():
        load = run.load(client)
        ends, stops = time.monotonic() + run.seconds, 0
        while not stops or time.monotonic() < ends:
            time.sleep(0.5)
            command = [sys.executable, "-m", "ledger.stopper", str(os.getpid()), str(stop_s), str(run.folder / CLIENT)]
            subprocess.run(command, check=True, env=environment())
            stops += 1
            time.sleep(1.0)
        load.stop()
        client.wait()
    run.note("stops", f"{stops} of {stop_s:.0f} s")
