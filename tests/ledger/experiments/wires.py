"""Faults of the network: cut, silent, black, slow, damaged, in another order."""

from __future__ import annotations

import socket
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from itertools import product
from typing import Final

from ledger import network
from ledger.client import Ask, Client
from ledger.damage import Counting, CutAt, Damaging, Shuffling, Slow, flip
from ledger.experiments.limits import POLICIES
from ledger.load import mixed
from ledger.process import ProviderAt
from ledger.round import Round, answered
from ledger.system import resident_kb
from support.proxy import DOWN, UP, Plain, Proxy, Way

_KIB: Final = 1024
_PACE: Final = 32 * _KIB


def cut_anywhere(run: Round) -> None:
    """Reset the connection behind each byte of a request and of its answer, in an order by the seed."""
    provider = run.provider()
    sizes = _bytes_of_a_call(run, provider)
    offsets = [*product([UP], range(sizes[UP] + 1)), *product([DOWN], range(sizes[DOWN] + 1))]
    run.random.shuffle(offsets)
    ends, done = time.monotonic() + run.seconds, 0
    for direction, offset in offsets:
        if time.monotonic() > ends:
            break
        _call_and_cut(run, provider, direction, offset, by=f"{direction}{offset}-")
        done += 1
    run.note("offsets", f"{done} of {len(offsets)}")
    for direction in (UP, DOWN):
        own = [call for call in run.books().calls.values() if call.issue.get("by", "").startswith(direction)]
        first = Counter(call.outcome.get("fate") for call in own if call.id.endswith("-1"))
        run.note(f"cut {direction}", {(fate or "").replace("-", "answered"): n for fate, n in sorted(first.items())})


def _bytes_of_a_call(run: Round, provider: ProviderAt) -> Counter[str]:
    way = Counting()
    with Proxy(provider.port, lambda: way) as proxy:
        client = Client(run.ledger, run.carrier, provider.url_at(proxy.port), by="size")
        client.ask(Ask())
        client.close()
    return way.bytes


def _call_and_cut(run: Round, provider: ProviderAt, direction: str, offset: int, by: str) -> None:
    """Make one call that may run once and one that may run twice; only their first connection is cut."""
    ways: list[Way] = [CutAt(direction, offset)]
    with Proxy(provider.port, lambda: ways.pop() if ways else Plain()) as proxy:
        client = Client(run.ledger, run.carrier, provider.url_at(proxy.port), by=by, timeout=500)
        client.ask(Ask())
        client.ask(Ask(mode="again"))
        client.close()


def silent_cable(run: Round) -> None:
    """Let nothing through in either direction, and close nothing; then all of it again."""
    provider = run.provider()
    with Proxy(provider.port) as proxy:
        pull, plug = (network.pull, network.plug) if network.is_own() else (proxy.hold, proxy.release)
        client = Client(run.ledger, run.carrier, provider.url_at(proxy.port), timeout=300)
        load = run.load(client)
        time.sleep(0.7)
        pull()
        silence_s = min(10.0, run.seconds / 2)
        time.sleep(silence_s)
        plug()
        since = time.monotonic()
        time.sleep(max(3.0, run.seconds / 2))
        load.stop()
        client.close()
    waits_s = max(2.0, silence_s)  # TCP repeats what was lost ever more rarely, at last after as long as it was silent
    share = answered(run.books(), since + waits_s)
    run.note("cable", "pulled" if network.is_own() else f"held in a proxy, for {network.missing()}")
    run.note(f"share answered from {waits_s:.0f} s after on", f"{share:.3f}")
    run.require(share >= 0.99, f"answered only {share:.3f}, {waits_s:.0f} s after the cable was back")


@contextmanager
def _black_hole() -> Iterator[int]:
    """A port whose queue of connections is full, so that a further one is neither made nor refused."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listener:
        fillers = [socket.socket() for _ in range(4)]
        for one in fillers:
            one.setblocking(False)
            one.connect_ex(listener.getsockname())
        try:
            yield listener.getsockname()[1]
        finally:
            for one in fillers:
                one.close()


def black_hole(run: Round) -> None:
    """Let an address take no connection and refuse none: beside a good provider, and alone."""
    provider = run.provider()
    with _black_hole() as port, network.black_route() as host:
        nowhere = [f"{run.carrier.protocol}://{host}:{port}"] if host else []
        beside = Client(
            run.ledger, run.carrier, provider.url, provider.url_at(port), *nowhere, connect_timeout=300, timeout=900
        )
        alone = Client(
            run.ledger, run.carrier, provider.url_at(port), by="alone", connect_timeout=300, timeout=900, retries=0
        )
        run.run_load(beside)
        run.run_load(alone, 0.5, 100, lambda _: Ask())
        beside.close()
        alone.close()
    calls = run.books().calls.values()
    shares = {}
    for by in ("c", "alone"):
        own = [call for call in calls if call.issue.get("by") == by and call.kind != "given" and call.wants_answer]
        shares[by] = sum(call.kind == "ok" or call.outcome.get("fate") == "remote" for call in own) / len(own)
    run.note("route into nothing", host or f"none, for {network.missing()}")
    run.note("share answered beside a good provider", f"{shares['c']:.3f}")
    run.require(shares["c"] >= 0.99, f"the good provider answered only {shares['c']:.3f}")
    run.require(shares["alone"] == 0, "somebody answered from a black hole")


def slow_link(run: Round) -> None:
    """Carry 256 kbit/s and ask for more."""
    limit = 256 * _KIB
    run.allow(run.carrier.late_s)
    provider = run.provider()
    proxy = run.proxy(provider, Plain if network.is_own() else lambda: Slow(_PACE))
    client = run.client(provider.url_at(proxy.port), timeout=1500, retries=0, max_queued_bytes=limit)
    before = most = resident_kb()
    choose = mixed(1.0, [("future", 40), ("ahead", 20), ("again", 20), ("oneway", 20)])
    with network.slow_link(_PACE) if network.is_own() else nullcontext():
        load = run.load(client, 100, lambda random: Ask(mode=choose(random).mode, padding=4 * _KIB))
        ends = time.monotonic() + run.seconds
        while time.monotonic() < ends:
            most = max(most, resident_kb())
            time.sleep(0.05)
        load.stop()
        client.wait()
    rejected = sum(call.kind == "rejected" for call in run.books().calls.values())
    run.note("link", "tc tbf" if network.is_own() else f"a proxy, for {network.missing()}")
    run.note("limit", f"{limit // _KIB} KiB")
    run.note("memory grew by", f"{(most - before) / _KIB:.1f} MiB")
    run.require((most - before) / _KIB <= 20, f"memory grew by {(most - before) / _KIB:.1f} MiB")
    run.require(rejected > 0, "nothing was rejected")


def slow_and_full(run: Round) -> None:
    """Carry as little, and bound what is pending: let each policy say what becomes of the rest."""
    limit = 16 * _KIB
    run.allow(run.carrier.late_s)
    provider = run.provider()
    for policy in POLICIES:
        proxy = run.proxy(provider, lambda: Slow(_PACE))
        client = run.client(
            provider.url_at(proxy.port), by=f"{policy}-", timeout=1000, retries=0, max_pending_bytes=limit,
            when_full=policy, max_delayed=20,
        )  # fmt: skip
        before = most = resident_kb()
        load = run.load(client, 100, lambda _: Ask(padding=4 * _KIB))
        ends = time.monotonic() + run.seconds / len(POLICIES)
        while time.monotonic() < ends:
            most = max(most, resident_kb())
            time.sleep(0.05)
        load.stop()
        client.wait()
        own = [call for call in run.books().calls.values() if call.issue.get("by") == client.by]
        seen = [call.id for call in own if call.outcome.get("fate") == "not_sent" and call.of("received")]
        run.note(policy, f"{sum(call.kind == 'ok' for call in own)} of {len(own)} ok")
        run.require((most - before) / _KIB <= 20, f"{policy}: memory grew by {(most - before) / _KIB:.1f} MiB")
        run.require(not seen, f"{policy}: not sent, and seen by the provider: {seen[:3]}")


def damaged(run: Round) -> None:
    """Damage one answer in a hundred so that it can be told; and turn a bit over anywhere, which cannot always be."""
    provider = run.provider()
    assert run.carrier.framing is not None
    framing, random, done, flips = run.carrier.framing, run.random, Counter[str](), Counter[str]()
    told = run.proxy(provider, lambda: Damaging(framing, 0.03, framing.damages, random, done))
    untold = run.proxy(provider, lambda: Damaging(framing, 0.03, {"flip": flip}, random, flips))
    client = run.client(provider.url_at(told.port), timeout=500, **run.carrier.alert)
    run.run_load(client, run.seconds / 2)
    other = run.client(provider.url_at(untold.port), by="flip", timeout=500, **run.carrier.alert)
    run.waive(other, "L3", "L4", "L5", "L6")  # a flipped bit of an answer is another answer, and may be a lie
    run.run_load(other, run.seconds / 2)
    run.note("frames", f"{done.pop('frames', 0):,} and {flips['frames']:,}")
    run.note("damaged", dict(sorted(done.items())))
    run.note("flipped", flips["flip"])


def reordered(run: Round) -> None:
    """Let answers come in any order, and where a protocol allows for it one in a hundred twice."""
    framing, done = run.carrier.framing, Counter[str]()
    if framing is not None and framing.doubles:
        provider = run.provider()
        proxy = run.proxy(provider, lambda: Shuffling(framing, 0.01, run.random, done))
        client = run.client(provider.url_at(proxy.port))
        run.run_load(client, choose=mixed(20))
        run.note("frames that came twice", f"{done['twice']} of {done['frames']:,}")
        run.note("answers that nobody waited for", client.unknown_answers)
        run.require((client.unknown_answers or 0) >= done["twice"], "a double was not counted")
    else:  # a frame out of order breaks HTTP/2 itself, or there is none: only the provider can answer in another order
        run.run_load(run.client(run.place().url), choose=mixed(20))
