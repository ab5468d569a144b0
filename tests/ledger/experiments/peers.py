"""Faults of the provider: killed, stopped, drained, mute, overloaded, refusing."""

from __future__ import annotations

import time
from typing import Final

from ledger.client import Ask, Client
from ledger.load import mixed
from ledger.round import Round, answered, reconnects_within
from ledger.rules import Books
from ledger.system import resident_kb
from support.proxy import DOWN, Plain

_BACK_S: Final = 3.0
_RECONNECT_S: Final = 6.0
"""More than the longest wait between two attempts to connect."""
_MEGA: Final = 1024
_EJECTION_MS: Final = 400
_LONG_S: Final = 10.0


def killed(run: Round) -> None:
    """Kill it with calls in flight, and start it again after a while."""
    provider = run.provider()
    client = run.client(provider.url)
    load = run.load(client)
    again: list[tuple[float, float]] = []
    ends = time.monotonic() + run.seconds
    while not again or time.monotonic() < ends - _BACK_S:
        time.sleep(0.7)
        provider.kill()
        killed_at = time.monotonic()
        time.sleep(0.3 if run.seconds < 10 else 2.0)
        provider.start()
        waits_s = max(_BACK_S, reconnects_within(time.monotonic() - killed_at))  # a busy machine starts it late
        since = time.monotonic() + waits_s
        time.sleep(waits_s + 0.5)
        again.append((since, time.monotonic()))
    load.stop()
    client.wait()
    books = run.books()
    shares = [answered(books, since, until) for since, until in again]
    run.note("kills", len(again))
    run.note("worst share answered 3 s after it is back", f"{min(shares):.3f}")
    run.require(min(shares) >= 0.99, f"answered only {min(shares):.3f}, 3 s after the provider was back")


def frozen(run: Round) -> None:
    """Stop it where it stands, for longer than any call may take, and let it go on."""
    provider = run.provider()
    client = run.client(provider.url, timeout=300)
    load = run.load(client)
    stops, ends = 0, time.monotonic() + run.seconds
    while not stops or time.monotonic() < ends - 1:
        time.sleep(0.5)
        provider.freeze()
        time.sleep(1.5 if run.seconds < 10 else 5.0)
        provider.thaw()
        stops += 1
        time.sleep(1.0)
    load.stop()
    client.wait()
    late = client.unknown_answers
    run.note("stops", stops)
    run.note("late answers dropped", "not told by grpcio" if late is None else late)


def drained(run: Round) -> None:
    """Let one of two go in order, and come back, under load."""
    first, second = run.provider(), run.provider()
    client = run.client(first.url, second.url, timeout=5000)
    load = run.load(client)
    drains, ends = 0, time.monotonic() + run.seconds
    while not drains or time.monotonic() < ends - _RECONNECT_S:
        time.sleep(0.7)
        leaving = (first, second)[drains % 2]
        leaving.drain()
        drains += 1
        time.sleep(0.5)
        leaving.start()
        time.sleep(min(_RECONNECT_S, run.seconds / 2))  # whose turn it is next waits until this one can be asked again
    load.stop()
    client.wait()
    calls = run.books().calls.values()
    failed = [call for call in calls if call.kind == "error" and call.outcome["fate"] != "remote" and call.wants_answer]
    run.note("drains", drains)
    run.note("calls that failed", len(failed))
    most = 10 + len(calls) // 500
    run.require(len(failed) <= most, f"{len(failed)} calls failed, such as {failed[0].id if failed else ''}")
    run.require(all(call.outcome["fate"] == "in_doubt" for call in failed), "a call found nobody")


class _Mute(Plain):
    """Lets no answer through, once told to."""

    def __init__(self) -> None:
        self.is_mute = False

    def carry(self, direction: str, data: bytes) -> bytes:
        """Swallow answers."""
        return b"" if self.is_mute and direction == DOWN else data


def mute(run: Round) -> None:
    """Send calls of 100 kB to a provider that takes them and never answers."""
    limit_mib = 16
    provider = run.provider()
    way = _Mute()
    client = run.client(
        provider.url_at(run.proxy(provider, lambda: way).port), timeout=2000, retries=0,
        max_queued_bytes=limit_mib * _MEGA * _MEGA,
    )  # fmt: skip
    run.run_load(client, 0.5, choose=lambda _: Ask(padding=100_000))
    before = most = resident_kb()
    way.is_mute = True
    ends = time.monotonic() + run.seconds
    while time.monotonic() < ends:
        for _ in range(5):
            client.ask(Ask(padding=100_000))
        most = max(most, resident_kb())
        time.sleep(0.02)
    client.wait()
    grown = (most - before) / _MEGA
    rejected = sum(call.kind == "rejected" for call in run.books().calls.values())
    run.note("limit", f"{limit_mib} MiB")
    run.note("memory grew by", f"{grown:.1f} MiB")
    run.require(grown <= limit_mib + 20, f"memory grew by {grown:.1f} MiB with a limit of {limit_mib} MiB")
    run.require(rejected > 0, "nothing was rejected")


def overloaded(run: Round) -> None:
    """Ask for ten times of what it can do, with a limit of calls at once, and then for a quarter of it."""
    threads, takes_ms = 2, 20.0
    capacity = threads * 1000 / takes_ms
    provider = run.place(threads)
    client = run.client(provider.url, actives=threads * 2, timeout=1000)
    run.run_load(client, 0.5, capacity / 4, lambda _: Ask(delay_ms=takes_ms))
    began = time.monotonic()
    run.run_load(client, run.seconds, capacity * 10, lambda _: Ask(delay_ms=takes_ms))
    relieved = time.monotonic()
    run.run_load(client, 3.0, capacity / 4, lambda _: Ask(delay_ms=takes_ms))
    books = run.books()
    share = _busy_s(books, began, relieved) / threads / (relieved - began)
    run.note("the provider was busy", f"{share:.2f} of the time")
    run.note("attempts for each call", f"{client.attempts / len(books.calls):.2f}")
    run.note("answered 2 s after the load dropped", f"{answered(books, relieved + 2.0):.3f}")
    least = 0.8 if run.seconds >= _LONG_S else 0.6  # a short time has more of its beginning
    run.require(share >= least, f"the provider was busy only {share:.2f} of the time")
    run.require(answered(books, relieved + 2.0) >= 0.9, "it did not recover within 2 s")
    run.require(client.attempts <= 1.2 * len(books.calls) + 100, "more retries than the budget has")


def _busy_s(books: Books, since: float, until: float) -> float:
    """Seconds that the provider's threads ran calls which were issued in this time, and answered."""
    own = (call for call in books.calls.values() if call.kind == "ok" and since <= call.issues[0].at < until)
    return sum(call.executed[0].at - call.of("received")[0].at for call in own)


def _ejected(client: Client) -> int:
    return sum(health.ejected for health in client.consumer.health().values())


def refusing(run: Round) -> None:
    """Let one of three refuse everything, and then all of them; then no more, until whoever was ejected is back."""
    providers = [run.provider() for _ in range(3)]
    breaker = {"base_ejection": _EJECTION_MS, "max_ejection": _EJECTION_MS}
    client = run.client(*(one.url for one in providers), outlier=breaker)
    choose = mixed(modes=[("future", 80), ("again", 20)])
    third = run.seconds / 3
    run.run_load(client, third, choose=choose)
    providers[0].turn()
    one_fails = time.monotonic()
    run.run_load(client, third, choose=choose)
    for provider in providers[1:]:
        provider.turn()
    run.run_load(client, third, choose=choose)
    for provider in providers:
        provider.turn()
    healed = time.monotonic()
    run.run_load(client, 1.0, choose=choose)
    ends = time.monotonic() + _BACK_S
    while _ejected(client) and time.monotonic() < ends:
        run.run_load(client, 0.2, choose=choose)
    books = run.books()
    calls = len(books.calls)
    budget = (
        0.2 * calls + 10 * (run.seconds + 1.0) + 100
    )  # what the budget promises: a share, so many a second, a burst
    run.note("attempts for each call", f"{client.attempts / calls:.2f}")
    run.note("answered while one of three refuses", f"{answered(books, one_fails, one_fails + third):.3f}")
    run.note("answered once all are healed", f"{answered(books, healed):.3f}")
    health = client.consumer.health()["again"]
    run.note("ejected, tried again", f"{health.ejections}, {health.probes}")
    run.require(health.ejections > 0 < health.probes, f"the breaker never opened and let one through: {health}")
    run.require(not _ejected(client), f"not every provider is back {_BACK_S:.0f} s after all were healed")
    run.require(client.attempts - calls <= budget, f"{client.attempts - calls} retries, {budget:.0f} are allowed")
    run.require(answered(books, healed) == 1.0, "not every call was answered after all were healed")
