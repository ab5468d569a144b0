"""More calls than have a place, under each policy of ``when_full``."""

from __future__ import annotations

import threading
import time
from typing import Final

from ledger.client import PATIENCE_S, Ask, Client
from ledger.load import mixed
from ledger.process import Place
from ledger.round import Round
from ledger.rules import Books

POLICIES: Final = ("reject", "delay", "shed_oldest", "block")
_QUEUEING: Final = ("delay", "shed_oldest")
_RATE: Final = 500
_THREADS: Final = 64
_CALLS: Final = 3
_HELD_MS: Final = 400.0


def full(run: Round) -> None:
    """Ask for several times of what has a place, give up calls that wait for one, and block many threads at once."""
    place = run.place()
    lacking = [_overload(run, place, policy) for policy in POLICIES]
    run.require(sum(lacking) > 0, "no call lacked a place")
    for policy in _QUEUEING:
        _give_up(run, place, policy)
    _block(run, place)


def _overload(run: Round, place: Place, policy: str) -> int:
    """Ask in every mode, and count the calls that got no place; each reference has one, and so its own queue."""
    client = run.client(place.url, by=f"{policy}-", actives=1, when_full=policy, max_delayed=20, timeout=300, retries=0)
    run.run_load(client, run.seconds / len(POLICIES), _RATE, mixed(30.0))
    ends = [call.outcome for call in run.books().calls.values() if call.issue.get("by") == client.by]
    refused = [end for end in ends if end.get("error") == "LimitExceeded"]
    late = sum(end.get("error") == "CallTimeout" and end["fate"] == "not_sent" for end in ends)
    run.note(policy, f"{sum(end['kind'] == 'ok' for end in ends)} ok, {len(refused)} refused, {late} too late")
    run.require(all(end["kind"] == "rejected" for end in refused), f"{policy}: a refused call is not said to be unsent")
    return len(refused) + late


def _give_up(run: Round, place: Place, policy: str) -> None:
    """Cancel calls that wait, while another one has the only place."""
    client = run.client(place.url, by=f"queued-{policy}-", max_pending=1, when_full=policy, timeout=5000, retries=0)
    holder = client.ask(Ask(delay_ms=_HELD_MS))
    assert holder is not None
    waiting = [client.ask(Ask()) for _ in range(50)]
    run.random.shuffle(waiting)
    for made in waiting[10:]:
        assert made is not None
        client.cancel(made)
    client.wait()
    given_up, run_all_the_same = _while_held(run.books(), client, holder.id)
    run.note(f"{policy}: given up in the queue", given_up)
    run.require(not run_all_the_same, f"{policy}: given up in the queue, and run: {run_all_the_same[:3]}")


def _while_held(books: Books, client: Client, holder: str) -> tuple[int, list[str]]:
    """Count the calls that were given up before *holder* had run, and list those of them that a provider has seen."""
    until = books.calls[holder].executed[0].at
    own = [call for call in books.calls.values() if call.issue.get("by") == client.by and call.kind == "cancelled"]
    early = [call for call in own if call.of("cancel")[0].at < until]
    return len(early), [call.id for call in early if call.of("received")]


def _block(run: Round, place: Place) -> None:
    """Let many threads wait for few places, in every mode that may hold its caller."""
    client = run.client(
        place.url, by="blocked-", max_pending=4, when_full="block", max_delayed=_THREADS, timeout=30_000, retries=0
    )
    threads = [threading.Thread(target=_ask_all, args=(client, n), name="ledger-blocked") for n in range(_THREADS)]
    began = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(0.0, began + PATIENCE_S - time.monotonic()))
    stuck = sum(thread.is_alive() for thread in threads)
    client.wait()
    answered = sum(call.kind == "ok" for call in run.books().calls.values() if call.issue.get("by") == client.by)
    run.note("blocked", f"{answered} of {_THREADS * _CALLS} answered")
    run.require(not stuck, f"{stuck} of {_THREADS} blocked threads are stuck")
    run.require(answered == _THREADS * _CALLS, f"only {answered} of {_THREADS * _CALLS} blocked calls were answered")


def _ask_all(client: Client, number: int) -> None:
    for turn in range(_CALLS):
        client.ask(Ask(mode=("future", "sync", "lazy")[(number + turn) % 3], delay_ms=5))
