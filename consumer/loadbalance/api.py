"""How one provider is chosen among several."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Protocol, runtime_checkable

from callahead.config.policy import MethodPolicy

from ..call.attempt import Attempt
from ..call.invocation import Invocation, Outcome
from ..call.provider import Provider
from ..runtime.deadline import Clock
from .weights import Weights


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadBalanceParts:
    """What a load balancer works with; it takes time and chance from nowhere else.

    Attributes:
        policy: Of its method.
        random: The one source of chance.
        clock: Monotonic seconds.
        weights: Of providers for calls of its method, as they are at the moment: those that have just started are
            given less, and ``<method>.weight`` goes before ``weight``.
    """

    policy: MethodPolicy
    random: Random
    clock: Clock
    weights: Weights


class LoadBalance(Protocol):
    """Chooses the provider of one attempt; one instance serves one method of one reference.

    Implementations are found in the entry-point group ``callahead.loadbalance``.
    """

    def __init__(self, parts: LoadBalanceParts) -> None: ...

    def select(self, providers: Sequence[Provider], invocation: Invocation) -> Provider:
        """Return a member of *providers*, of which there are at least two.

        Args:
            providers: The same tuple object as long as nothing changes, so that work may be kept per list; their
                order carries no meaning. A weight of 0 is never chosen while another is above 0; where all are 0, all
                are equal.
            invocation: What is asked.

        Called from any thread, and must not block.
        """


@runtime_checkable
class AttemptWatcher(Protocol):
    """A `LoadBalance` that also hears of the attempts of its method, such as one that counts those that run.

    Both methods are called from any thread, and must not block; what they raise ends the attempt.
    """

    def attempt_began(self, attempt: Attempt) -> None:
        """Note that the transport is about to be asked."""

    def attempt_ended(self, attempt: Attempt, outcome: Outcome) -> None:
        """Note how *attempt* ended; called exactly once for each that began."""
