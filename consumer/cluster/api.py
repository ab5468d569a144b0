"""What stands between a call and its attempts."""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random
from typing import Protocol

from ..call.attempt import AttemptStage
from ..call.invocation import Done, Invocation
from ..loadbalance.api import LoadBalance
from ..router.routing import Routing
from ..runtime.callbacks import CallbackExecutor
from ..runtime.deadline import Clock
from ..runtime.timer import Timer
from .budget import RetryBudget
from .directory import Directory


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterParts:
    """What a cluster works with.

    Attributes:
        directory: The providers, at any moment.
        routing: Which of them a call may go to.
        loadbalance: Chooses among them.
        attempt: The attempt chain and, beneath it, the transport.
        budget: Says whether one more attempt is affordable.
        clock: Monotonic seconds.
        random: The one source of chance.
        timer: Calls back later, for pauses between attempts and attempts that follow unless one has ended.
        callbacks: Where a repeated attempt must begin, since users' interceptors stand in *attempt*; None where
            any thread will do.
    """

    directory: Directory
    loadbalance: LoadBalance
    attempt: AttemptStage
    budget: RetryBudget
    clock: Clock
    random: Random
    timer: Timer
    routing: Routing = field(default_factory=lambda: Routing(Random()))  # noqa: S311 - without rules it needs none
    callbacks: CallbackExecutor | None = None


class Cluster(Protocol):
    """Turns one call into attempts; the one owner of retries. One instance serves one method of one reference.

    Implementations are found in the entry-point group ``callahead.cluster`` and act on the completion of an attempt,
    never on the return of a pending one, so that asynchronous calls are repeated too (unlike Dubbo's: dubbo#6965).
    Attempts are made by `callahead.consumer.cluster.attempt.begin_attempt`; several may run at once, then with
    ``waits`` false. The attempt whose outcome is handed up is told to ``decide``, and others that still run to
    ``cancel``; what these report after that is nobody's.
    """

    def __init__(self, parts: ClusterParts) -> None: ...

    def __call__(self, invocation: Invocation, done: Done) -> None:
        """Bring *invocation* to an outcome by its deadline."""
