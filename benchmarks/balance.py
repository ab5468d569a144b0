"""Load balancers against providers of which some are slow and some fail: a simulation, the same on every machine.

Calls come by chance, one after the other at a steady rate, and are answered by the scripted clock: nothing is measured,
and nobody waits. Each provider works on one call at a time, in the order in which they come. The load balancers are the
real ones, and so are the attempts that they hear of.
"""

from __future__ import annotations

import heapq
import itertools
import math
import statistics
from collections.abc import Sequence
from random import Random
from typing import Any, NamedTuple

from callahead.config.extension import LOADBALANCE, load
from callahead.config.policy import MethodPolicy
from callahead.consumer.call.attempt import Attempt
from callahead.consumer.call.invocation import CallRecord, Invocation, Outcome
from callahead.consumer.call.provider import Provider
from callahead.consumer.errors import CallTimeout, LimitExceeded, RpcError
from callahead.consumer.loadbalance.adaptive import ATTACHMENT
from callahead.consumer.loadbalance.api import LoadBalanceParts
from callahead.consumer.loadbalance.weights import Weights

from .directory import directory_of, endpoints
from .measure import Row
from .report import Report

BALANCES = ("random", "roundrobin", "leastactive", "shortestresponse", "p2c", "adaptive", "consistenthash")
TIMEOUT_S = 1.0
WORK_S = 0.05
BUSY = 0.6
"""So much of their time all providers work, if all of them are well."""

_REFUSE_S = 0.0005
_LOAD_AVERAGE_S = 60.0
_USERS = 100_000
_POLICY = MethodPolicy(reference="foo", method="find", timeout_ms=round(TIMEOUT_S * 1000))


class Scene(NamedTuple):
    """Which providers are ill.

    Attributes:
        slow: Share of those that take ten times as long.
        refusing: Share of those that refuse whatever they are asked, at once.
        frozen: Share of those that never answer.
    """

    slow: float = 0.0
    refusing: float = 0.0
    frozen: float = 0.0


SCENES = {
    "all are well": Scene(),
    "4 % are slow": Scene(slow=0.04),
    "1 % refuse, 1 % are frozen": Scene(refusing=0.01, frozen=0.01),
}


def run(providers: int, calls: int, rounds: int) -> Report:
    """Simulate each load balancer in each scene; each round has a chance of its own."""
    notes = (
        f"{providers:,} providers, {calls:,} calls in each round, of which the first fifth does not count",
        "ms by the scripted clock; a failed call counts as its timeout, 1,000 ms; ill: calls at who is not well",
    )
    seeds = range(rounds)
    parts = {
        title: [median([simulate(name, scene, providers, calls, seed) for seed in seeds]) for name in BALANCES]
        for title, scene in SCENES.items()
    }
    return Report(parts, rounds, notes)


def median(rows: Sequence[Row]) -> Row:
    """Return the medians of all columns but the first."""
    name, *columns = rows[0]
    medians = {column: statistics.median(row[column] for row in rows) for column in columns}
    return {name: rows[0][name], **{column: round(float(value), 2) for column, value in medians.items()}}


def simulate(name: str, scene: Scene, providers: int, calls: int, seed: int) -> Row:
    """Let the load balancer *name* spread *calls* over *providers*, and return what became of those after the start."""
    world = _World(name, scene, providers, seed)
    ends = world.run(calls)[calls // 5 :]
    times = sorted(TIMEOUT_S if end.error else end.seconds for end in ends)
    return {
        "balancer": name,
        **{f"p{share:g}_ms": _at(times, share) for share in (50, 99, 99.9)},
        "failed_percent": round(100 * sum(end.error is not None for end in ends) / len(ends), 2),
        "ill_percent": round(100 * sum(end.is_ill for end in ends) / len(ends), 2),
    }


def _at(times: Sequence[float], share: float) -> float:
    return round(times[min(len(times) - 1, int(len(times) * share / 100))] * 1000, 1)


class End(NamedTuple):
    """What became of one call."""

    seconds: float
    error: RpcError | None
    is_ill: bool


class _Server:
    """One provider: how long it takes for a call, and until when it has work."""

    def __init__(self, slowness: float, *, refuses: bool = False, is_frozen: bool = False) -> None:
        self.is_ill = slowness > 1 or refuses or is_frozen
        self._slowness = slowness
        self._refuses = refuses
        self._is_frozen = is_frozen
        self._free_at = 0.0
        self._load = BUSY
        self._seen_at = 0.0

    def take(self, now: float, work: float) -> End:
        """Take a call that is *work* for one that is well, and tell its end."""
        if self._refuses:
            return End(_REFUSE_S, LimitExceeded("full", is_remote=True), True)
        waiting = max(0.0, self._free_at - now)
        self._note_load(now, waiting)
        self._free_at = now + waiting + work * self._slowness
        seconds = math.inf if self._is_frozen else self._free_at - now
        if seconds > TIMEOUT_S:  # it goes on working, for nobody
            return End(TIMEOUT_S, CallTimeout("late", in_doubt=True), self.is_ill)
        return End(seconds, None, self.is_ill)

    def _note_load(self, now: float, waiting: float) -> None:
        """Average the length of its queue as Linux does."""
        fading = math.exp((self._seen_at - now) / _LOAD_AVERAGE_S)
        self._load = self._load * fading + waiting / WORK_S * (1 - fading)
        self._seen_at = now

    def said(self, now: float) -> str:
        """Say its load as Dubbo in Java does."""
        return f"curTime:{now * 1000:.0f},load:{self._load * 100:.1f}"


class _World:
    """A load balancer, its providers, and the time."""

    def __init__(self, name: str, scene: Scene, count: int, seed: int) -> None:
        self.now = 0.0
        self._random = Random(seed)
        parts = LoadBalanceParts(
            policy=_POLICY, random=Random(seed), clock=self._clock, weights=Weights("find", self._clock)
        )
        self._balance: Any = load(LOADBALANCE, name)(parts)
        self._watches = hasattr(self._balance, "attempt_began")
        self._listed = directory_of(endpoints(count)).providers
        for provider in self._listed:
            provider.warm_at = 0.0
        self._servers = dict(zip(self._listed, _servers(scene, count), strict=True))
        self._due: list[tuple[float, int, Attempt, End]] = []
        self._numbers = itertools.count()

    def _clock(self) -> float:
        return self.now

    def run(self, calls: int) -> list[End]:
        """Make *calls* calls, and return the end of each in their order."""
        rate = BUSY * len(self._listed) / WORK_S
        ends = []
        at = 0.0
        for _ in range(calls):
            at += self._random.expovariate(rate)
            self._pass_until(at)
            ends.append(self._call())
        self._pass_until(math.inf)
        return ends

    def _pass_until(self, at: float) -> None:
        while self._due and self._due[0][0] <= at:
            self.now, _, attempt, end = heapq.heappop(self._due)
            if self._watches:
                self._balance.attempt_ended(attempt, Outcome(error=end.error))
        self.now = at

    def _call(self) -> End:
        user = self._random.randrange(_USERS)
        work = self._random.expovariate(1 / WORK_S)
        record = CallRecord(_POLICY, "find", self.now)
        invocation = Invocation(_POLICY, "find", (user,), {}, {}, math.inf, self._clock, record, blocking=False)
        provider: Provider = self._balance.select(self._listed, invocation)
        attempt = Attempt(invocation, provider, waits=False)
        attempt.timeout, attempt.ends = TIMEOUT_S, self.now + TIMEOUT_S
        server = self._servers[provider]
        end = server.take(self.now, work)
        if self._watches:
            self._balance.attempt_began(attempt)
            if end.error is None:
                attempt.response_attachments = {ATTACHMENT: server.said(self.now)}
        heapq.heappush(self._due, (self.now + end.seconds, next(self._numbers), attempt, end))
        return end


def _servers(scene: Scene, count: int) -> list[_Server]:
    """Make the servers, the ill ones spread evenly."""
    slow, refusing, frozen = (round(share * count) for share in scene)
    ill = [
        *(_Server(10.0) for _ in range(slow)),
        *(_Server(1.0, refuses=True) for _ in range(refusing)),
        *(_Server(1.0, is_frozen=True) for _ in range(frozen)),
    ]
    servers = [_Server(1.0) for _ in range(count)]
    for number, one in enumerate(ill):
        servers[number * count // len(ill)] = one
    return servers
