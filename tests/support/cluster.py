"""A cluster by itself: providers, attempts that a test ends, and calls."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

from callahead.config.attempts import Backoff, Outlier
from callahead.config.policy import MethodPolicy
from callahead.consumer.call.attempt import Attempt
from callahead.consumer.call.invocation import CallRecord, Done, Invocation, Outcome
from callahead.consumer.call.provider import Provider
from callahead.consumer.cluster.api import Cluster, ClusterParts
from callahead.consumer.cluster.budget import RetryBudget
from callahead.consumer.cluster.directory import Directory
from callahead.consumer.cluster.health import Health
from callahead.consumer.loadbalance.random import RandomLoadBalance
from callahead.consumer.runtime.callbacks import CallbackExecutor
from callahead.registry.models import Endpoint, Snapshot

from .balance import parts
from .clock import FakeClock, FakeTimer

EMPTY = "nothing"
"""The answer that has nothing in it."""


def endpoints(count: int, **fields: Any) -> tuple[Endpoint, ...]:
    """Make *count* endpoints, ``tri://h1:1`` and so on."""
    return tuple(Endpoint(protocol="tri", host=f"h{number}", port=1, **fields) for number in range(1, count + 1))


class Rich(RetryBudget):
    """A budget that never ends, for tests of something else."""

    def __init__(self) -> None:
        super().__init__(lambda: 0, lambda: 0.0)

    def withdraw(self) -> bool:
        """Allow it."""
        return True


class Following:
    """What goes on after the end of calls, as a set."""

    def __init__(self) -> None:
        self.running: set[Any] = set()

    def follow(self, one: Any) -> None:
        """Take it in."""
        self.running.add(one)

    def followed(self, one: Any) -> None:
        """Take it out."""
        self.running.discard(one)


class Bench:
    """One cluster of class *kind*, with its surroundings.

    Args:
        kind: The class.
        providers: How many there are.
        attempt: Takes each attempt; without it the attempts wait in ``attempts`` as ``(attempt, done)``.
        budget: In place of one that never ends.
        loadbalance: In place of a random one with a fixed seed.
    """

    def __init__(
        self,
        kind: Callable[[ClusterParts], Cluster],
        providers: int = 3,
        attempt: Callable[[Attempt, Done], None] | None = None,
        *,
        budget: RetryBudget | None = None,
        loadbalance: Any = None,
        callbacks: CallbackExecutor | None = None,
    ) -> None:
        self.clock = FakeClock()
        self.released: list[Provider] = []
        self.directory = Directory("tri", self.released.append, self.clock)
        self.publish(*endpoints(providers))
        self.health = Health(self.directory, Outlier(), self.clock)
        self.attempts: list[tuple[Attempt, Done]] = []
        self.asked: list[str] = []
        self._take = attempt if attempt is not None else lambda *given: self.attempts.append(given)
        self.timer: Any = FakeTimer(self.clock)
        self.afterwards = Following()
        self.cluster: Any = kind(
            ClusterParts(
                directory=self.directory,
                health=self.health,
                loadbalance=RandomLoadBalance(parts()) if loadbalance is None else loadbalance,
                attempt=self._attempt,
                budget=Rich() if budget is None else budget,
                clock=self.clock,
                random=Random(7),
                timer=self.timer,
                empty=lambda: EMPTY,
                afterwards=self.afterwards,
                callbacks=callbacks,
            )
        )

    def publish(self, *listed: Endpoint) -> None:
        """Let the registry say so."""
        self.directory.notify(Snapshot(1, listed, "the test"))

    def _attempt(self, attempt: Attempt, done: Done) -> None:
        self.asked.append(attempt.provider.name)
        self._take(attempt, done)

    def invocation(self, **policy: Any) -> Invocation:
        """Make a call."""
        policy.setdefault("retry_backoff", Backoff(base_ms=0))  # whoever tests pauses asks for them
        made = MethodPolicy(reference="foo", method="find", **policy)
        record = CallRecord(made, "find", self.clock())
        ends = self.clock() + made.total_timeout_ms / 1000
        return Invocation(made, "find", (), {}, {}, ends, self.clock, record, blocking=False)

    def call(self, invocation: Invocation | None = None, **policy: Any) -> list[Outcome]:
        """Begin a call and return the list that its outcome will be in."""
        outcomes: list[Outcome] = []
        self.cluster(self.invocation(**policy) if invocation is None else invocation, outcomes.append)
        return outcomes

    def end(self, error: BaseException | None = None, value: Any = None) -> None:
        """End the attempt that has waited longest."""
        _, done = self.attempts.pop(0)
        done(Outcome(value, error))
