"""What stands between a call and its attempts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Any, Protocol, runtime_checkable

from ..call.attempt import AttemptStage
from ..call.invocation import Done, Invocation, Outcome
from ..loadbalance.api import LoadBalance
from ..router.routing import Routing
from ..runtime.callbacks import CallbackExecutor
from ..runtime.deadline import Clock
from ..runtime.timer import Timer
from .budget import RetryBudget
from .directory import Directory
from .health import Health


class Following(Protocol):
    """Something that goes on after the end of its call, whose consumer waits for it as it does for calls."""

    def tell(self, outcome: Outcome, /) -> None:
        """Give it up; the interpreter exits."""

    def forget(self) -> None:
        """Drop it without a word: this is the copy of a forked child."""


class Afterwards(Protocol):
    """What goes on after the end of calls, as the consumer keeps it; from any thread."""

    def follow(self, one: Following, /) -> None:
        """Wait for *one* before the consumer is closed."""

    def followed(self, one: Following, /) -> None:
        """Wait for *one* no more; it is over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterParts:
    """What a cluster works with.

    Attributes:
        directory: The providers, at any moment.
        health: Says which of those that were passed over may be asked.
        routing: Which of them a call may go to.
        loadbalance: Chooses among them.
        attempt: The attempt chain and, beneath it, the transport.
        budget: Says whether one more attempt is affordable.
        clock: Monotonic seconds.
        random: The one source of chance.
        timer: Calls back later, for pauses between attempts and attempts that follow unless one has ended.
        empty: Makes the answer that has nothing in it, of the type of the method's answers where that is known.
        afterwards: Keeps what goes on after the end of calls.
        callbacks: Where a repeated attempt must begin, since users' interceptors stand in *attempt*; None where
            any thread will do.
    """

    directory: Directory
    health: Health
    loadbalance: LoadBalance
    attempt: AttemptStage
    budget: RetryBudget
    clock: Clock
    random: Random
    timer: Timer
    empty: Callable[[], Any]
    afterwards: Afterwards
    routing: Routing = field(default_factory=lambda: Routing(Random()))  # noqa: S311 - without rules it needs none
    callbacks: CallbackExecutor | None = None


class Cluster(Protocol):
    """Turns one call into attempts; the one owner of retries. One instance serves one method of one reference.

    Implementations are found in the entry-point group ``callahead.cluster`` and act on the completion of an attempt,
    never on the return of a pending one, so that asynchronous calls are repeated too (unlike Dubbo's: dubbo#6965).
    Attempts are made by `callahead.consumer.cluster.attempt.begin_attempt`; several may run at once, then with
    ``waits`` false. The attempt whose outcome is handed up is told to ``decide``, and others that still run to
    ``cancel``; what these report after that is nobody's.

    A class may say of itself, by attributes that are true, what is then found when a configuration is loaded or a
    method is bound: ``asks_several``, where a call may run at more than one provider though none has failed, so that
    methods must be ``idempotent``; ``refuses_streams``, where it cannot serve a method that streams.
    """

    def __init__(self, parts: ClusterParts) -> None: ...

    def __call__(self, invocation: Invocation, done: Done) -> None:
        """Bring *invocation* to an outcome by its deadline."""


@runtime_checkable
class Counting(Protocol):
    """A `Cluster` that counts something."""

    def counts(self) -> Mapping[str, int]:
        """Return what was counted, by name; a number of what runs or waits is not there once nothing does."""


@runtime_checkable
class Lasting(Protocol):
    """A `Cluster` of which something goes on after its calls have ended; from any thread."""

    def hurry(self) -> None:
        """Do now what was to be done later: the consumer is about to close, and waits."""

    def close(self) -> None:
        """Give up what is left."""
