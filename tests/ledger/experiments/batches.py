"""Batches whose requests do not all leave: cut while they are flushed, without their provider, with their consumer."""

from __future__ import annotations

import time
from typing import Final

from ledger.client import PATIENCE_S, Ask, Client
from ledger.damage import CutAt
from ledger.process import Place, ProviderAt
from ledger.round import Round, wait_for
from support.proxy import UP, Plain, Way

from callahead.consumer import flush_batch_async

_SIZE: Final = 20
_BYTES: Final = 200
"""Of one request, about; a cut is somewhere among those of all."""
_PADDINGS: Final = (0, 200_000)
"""What is added to each: with the larger the system's buffers do not take all of them before the cut."""
_NOTICED_S: Final = 0.3


def failing(run: Round) -> None:
    """Let batches fail in each way that there is, and hold what each flush and each call tells against the other."""
    if not run.carrier.is_inside:
        provider = run.provider()
        ends, cuts, lost = time.monotonic() + run.seconds, 0, 0
        while not cuts or time.monotonic() < ends:
            cuts += 1
            lost += _cut_while_flushing(run, provider, by=f"cut{cuts}-")
        run.note("cuts", cuts)
        run.note("not written, as their flushes tell", lost)
        _killed_before(run, provider)
    place = run.place()
    _closed(run, place)
    _given_up(run, place)


def _batched(client: Client, padding: int = 0) -> None:
    for _ in range(_SIZE):
        client.ask(Ask(mode="batched", padding=padding))


def _flushed(client: Client) -> int:
    """Let the batch leave, and count the requests that were not written, as the flush tells."""
    flush = flush_batch_async(client.consumer)
    error = flush.exception(PATIENCE_S)
    if error is None:
        return 0
    assert isinstance(error, ExceptionGroup), repr(error)
    return len(error.exceptions)


def _dropped(run: Round, client: Client) -> int:
    """Count the calls of *client* of whose failure `on_drop` has heard."""
    own = [call for call in run.books().calls.values() if call.issue.get("by") == client.by]
    return sum(bool(call.of("dropped")) for call in own)


def _cut_while_flushing(run: Round, provider: ProviderAt, by: str) -> int:
    padding = run.random.choice(_PADDINGS)
    ways: list[Way] = [CutAt(UP, run.random.randrange(_SIZE * (_BYTES + padding)))]
    proxy = run.proxy(provider, lambda: ways.pop() if ways else Plain())
    client = Client(run.ledger, run.carrier, provider.url_at(proxy.port), by=by, timeout=1000, retries=0)
    _batched(client, padding)
    lost = _flushed(client)
    client.close()
    told = _dropped(run, client)
    run.require(lost <= told, f"{by}: the flush tells of {lost} that were not written, and on_drop heard of {told}")
    proxy.close()
    return lost


def _killed_before(run: Round, provider: ProviderAt) -> None:
    """Kill the provider between the queueing and the flush, once the connection to it stands."""
    client = run.client(provider.url, by="killed-", timeout=2000, retries=0)
    client.ask(Ask(mode="oneway"))
    client.ask(Ask(mode="sync"))
    _batched(client)
    provider.kill()
    time.sleep(_NOTICED_S)
    lost = _flushed(client)
    client.wait()
    client.consumer.wait_idle(PATIENCE_S)
    run.note("lost with the provider", f"{lost} of {_SIZE}")
    run.require(lost == _SIZE, f"the flush to a dead provider tells of {lost} of {_SIZE}")
    run.require(_dropped(run, client) >= lost, f"on_drop heard of {_dropped(run, client)} of {lost}")
    provider.start()


def _closed(run: Round, place: Place) -> None:
    """Close the consumer with a batch that waits: it leaves first."""
    client = Client(run.ledger, run.carrier, place.url, by="closed-", timeout=20_000, retries=0)
    _batched(client)
    client.close()

    def have_run() -> bool:
        own = [call for call in run.books().calls.values() if call.issue.get("by") == client.by]
        return sum(bool(call.executed) for call in own) == _SIZE

    run.require(wait_for(have_run, PATIENCE_S) is not None, "what waited when the consumer was closed did not all run")


def _given_up(run: Round, place: Place) -> None:
    """Close it without any wait: nothing leaves, and each call is told of."""
    client = Client(run.ledger, run.carrier, place.url, by="given up-", timeout=20_000, retries=0)
    _batched(client)
    client.consumer.close(0)
    client.close()
    told = _dropped(run, client)
    run.require(told == _SIZE, f"the consumer was closed, and on_drop heard of {told} of {_SIZE}")
    own = [call for call in run.books().calls.values() if call.issue.get("by") == client.by]
    ran = [call.id for call in own if call.of("received")]
    run.require(not ran, f"given up in the batch, and run: {ran[:3]}")
