"""Faults of the client's own process: nothing left to open, forks, exits, stops."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from ledger.client import Ask, Client
from ledger.lines import CLIENT
from ledger.process import ProviderAt
from ledger.round import Round, answered
from support.forked import in_child
from support.shortage import Shortage, no_descriptors, no_threads

_HOUR_S = 3600.0
_GRACE_S = 1.2
_GIVEN_UP = re.compile(r"gives up (\d+) calls")


def short(run: Round) -> None:
    """Take every descriptor, and every thread, for a moment: at the first calls, and while the provider is started anew."""
    provider = run.provider()
    run.allow(_GRACE_S)  # a call that nothing can end any more is ended by the watchdog, one second past its time
    shortages: list[Shortage] = [no_descriptors, *([no_threads] if run.carrier.recovers_threads else [])]
    rounds, ends = 0, time.monotonic() + run.seconds
    while rounds < len(shortages) or time.monotonic() < ends:
        client = run.client(provider.url, by=f"s{rounds}-", timeout=400, retries=1)
        load = run.load(client, 200)
        with shortages[rounds % len(shortages)]():
            time.sleep(0.3)
        load.stop()
        rounds += 1
        provider.kill()
        load = run.load(client, 200)
        provider.start()
        with shortages[rounds % len(shortages)]():
            time.sleep(0.3)
        relieved = time.monotonic()
        time.sleep(2.5)
        load.stop()
        client.wait()
        share = answered(run.books(), relieved + 1.5)
        run.require(share >= 0.99, f"answered only {share:.3f}, 1.5 s after there was room again")
    run.note("shortages", 2 * rounds)


def forked(run: Round) -> None:
    """Fork while calls run: each child calls with what it inherited, and closes it."""
    provider = run.provider()
    client = run.client(provider.url)
    load = run.load(client, 200)
    children, statuses = 0, []
    ends = time.monotonic() + run.seconds
    while time.monotonic() < ends:
        time.sleep(0.3)
        children += 1
        statuses.append(in_child(lambda child=client.forked(f"child{children}-"): _in_child(child)))
    load.stop()
    client.wait()
    books = run.books()
    parents = [call for call in books.calls.values() if call.issue.get("by") == "c"]
    lost = [call.id for call in parents if call.kind == "error" and call.outcome["fate"] != "remote"]
    own = [call for call in books.calls.values() if call.issue.get("by", "").startswith("child")]
    run.note("children", children)
    run.note("their calls", f"{sum(call.kind == 'ok' for call in own)} of {len(own)} answered")
    run.require(statuses == [0] * children, f"the children ended with {statuses}")
    run.require(not lost, f"the parent lost {len(lost)} calls, such as {lost[:3]}")


def _in_child(client: Client) -> None:
    for _ in range(3):
        client.ask(Ask(mode="sync"))
    client.consumer.close(1)


EXITS = ("sys.exit", "uncaught error", "Ctrl-C", "SIGTERM", "end")


def exits(run: Round) -> None:
    """Let programs end in every orderly way, with calls that run, and never close the consumer."""
    provider = run.provider()
    steady = run.client(provider.url)
    rounds, ends = 0, time.monotonic() + run.seconds
    given_up = 0
    while rounds < len(EXITS) or time.monotonic() < ends:
        given_up += _leave(run, provider, EXITS[rounds % len(EXITS)], f"leaver{rounds}-")
        steady.ask(Ask())
        rounds += 1
    run.note("programs", rounds)
    run.note("calls given up and said so", given_up)


def _leave(run: Round, provider: ProviderAt, how: str, by: str) -> int:
    """Run a program to its end, and return how many calls it says that it gave up."""
    command = [sys.executable, "-m", "ledger.leaver", run.carrier.name, provider.url, str(run.folder / CLIENT), how, by]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )  # fmt: skip
    assert process.stdout is not None
    process.stdout.readline()  # all calls are made
    began = time.monotonic()
    if how in ("Ctrl-C", "SIGTERM"):
        process.send_signal(signal.SIGINT if how == "Ctrl-C" else signal.SIGTERM)
    try:
        _, errors = process.communicate(timeout=20)
    except subprocess.TimeoutExpired:
        process.kill()
        _, errors = process.communicate()
        run.require(False, f"{how}: the program did not end")
    run.require(time.monotonic() - began < 5, f"{how}: it took {time.monotonic() - began:.1f} s to end")
    said = sum(int(count) for count in _GIVEN_UP.findall(errors))
    _enter_abandoned(run, how, by, said)
    return said


def _enter_abandoned(run: Round, how: str, by: str, said: int) -> None:
    """Write the end of the calls that the program gave up, if it said how many there were."""
    own = [call for call in run.books().calls.values() if call.issue.get("by") == by]
    pending = [call.id for call in own if not call.of("outcome")]
    vanished = [call.id for call in own if call.kind == "given" and not call.executed]
    run.require(len(pending) + len(vanished) == said, f"{how}: {len(pending)} + {len(vanished)} pending, {said} said")
    for call in pending if len(pending) + len(vanished) == said else []:
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
    provider = run.provider()
    client = run.client(provider.url)
    stop_s = 1.0 if run.seconds < 10 else 10.0
    with _jumping_clock():
        load = run.load(client)
        ends, stops = time.monotonic() + run.seconds, 0
        while not stops or time.monotonic() < ends:
            time.sleep(0.5)
            command = [sys.executable, "-m", "ledger.stopper", str(os.getpid()), str(stop_s), str(run.folder / CLIENT)]
            subprocess.run(
                command, check=True, env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
            )
            stops += 1
            time.sleep(1.0)
        load.stop()
        client.wait()
    run.note("stops", f"{stops} of {stop_s:.0f} s")
