"""Faults of the caller: callbacks that misbehave, cancellations and deadlines that race the answer."""

from __future__ import annotations

import logging
import time
from functools import partial
from typing import Any

from ledger.client import Ask, Client, Made, Watch
from ledger.load import mixed
from ledger.round import Round
from ledger.rules import Books, Call

_BATCH = 100


def storm(run: Round) -> None:
    """Let callbacks throw, block for a second, call again and cancel, beside calls that others wait for."""
    provider = run.place()
    stormy = run.client(provider.url, by="storm", callback_threads=8)
    client = run.client(provider.url)
    waiting = mixed(5.0, [("sync", 1)])
    run.run_load(client, run.seconds / 3, 100, waiting)
    began = time.monotonic()
    load = run.load(client, 100, waiting)
    logging.getLogger("callahead.consumer.callbacks").setLevel(logging.CRITICAL)  # thousands are meant to throw
    try:
        _storm(run, stormy, until=began + run.seconds * 2 / 3)
    finally:
        load.stop()
        stormy.wait()
        logging.getLogger("callahead.consumer.callbacks").setLevel(logging.NOTSET)
    books = run.books()
    calls = [call for call in books.calls.values() if call.issue.get("by") == "c"]
    before = _p99_ms(books, [call for call in calls if call.issues[0].at < began])
    during = _p99_ms(books, [call for call in calls if call.issues[0].at >= began])
    run.note("p99 before and during", f"{before:.1f} and {during:.1f} ms")
    run.require(during <= 2 * before + 50, f"p99 rose from {before:.1f} to {during:.1f} ms")


def _p99_ms(books: Books, calls: list[Call]) -> float:
    """Tell what all but one in a hundred did not exceed, without what the machine took."""
    spans = [(call.issues[0].at, call.of("outcome")[0].at) for call in calls if call.of("outcome")]
    took = sorted(end - begin - books.paused(begin, end) for begin, end in spans)
    return max(0.0, took[int(len(took) * 0.99)]) * 1000 if took else 0.0


def _storm(run: Round, client: Client, until: float) -> None:
    kinds: tuple[Watch, ...] = (_throw, _do_nothing, partial(_call_again, client))
    number = 0
    while time.monotonic() < until:
        number += 1
        client.ask(Ask(delay_ms=run.random.random() * 5), kinds[number % len(kinds)])
        if number % 50 == 0:
            client.ask(Ask(), lambda _: time.sleep(1))
        time.sleep(0.005)


def _throw(_: Any) -> None:
    raise RuntimeError("a callback that throws")


def _do_nothing(_: Any) -> None:
    """As most callbacks do."""


def _call_again(client: Client, _: Any) -> None:
    made = client.ask(Ask(delay_ms=5))
    assert made is not None
    client.cancel(made)
    client.ask(Ask(mode="sync"))


def cancel_race(run: Round) -> None:
    """Cancel each call at some moment before, at or after its answer."""
    provider = run.place()
    client = run.client(provider.url)
    ends = time.monotonic() + run.seconds
    while time.monotonic() < ends or client.made < run.calls:
        began = time.monotonic()
        batch = [(run.random.random() * 0.02, _ask(client, run)) for _ in range(_BATCH)]
        for at, made in sorted(batch, key=lambda one: one[0]):
            time.sleep(max(0.0, began + at - time.monotonic()))
            client.cancel(made)
    client.wait()
    run.note("cancelled", sum(call.kind == "cancelled" for call in run.books().calls.values()))


def _ask(client: Client, run: Round, timeout_ms: int | None = None) -> Made:
    made = client.ask(Ask(delay_ms=run.random.random() * 20, timeout_ms=timeout_ms))
    assert made is not None
    return made


def deadline_race(run: Round) -> None:
    """Let each call's time be over within 2 ms of its answer."""
    provider = run.place()
    client = run.client(provider.url, retries=0)
    rate = 1000 if run.calls else 400
    ends = time.monotonic() + run.seconds

    def choose(_: Any) -> Ask:
        return Ask(delay_ms=12.0, timeout_ms=run.random.randrange(10, 19))

    while time.monotonic() < ends or client.made < run.calls:
        run.run_load(client, min(2.0, run.seconds), rate, choose)
    calls = run.books().calls.values()
    run.note("in time", sum(call.kind == "ok" for call in calls))
    run.note("too late", sum(call.kind == "error" for call in calls))
