"""Load balancers by themselves: providers, what they are made with, and attempts that a test begins and ends."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from random import Random
from typing import Any

from callahead.config.policy import MethodPolicy
from callahead.consumer.call.attempt import Attempt
from callahead.consumer.call.invocation import CallRecord, Invocation, Outcome
from callahead.consumer.call.provider import Provider
from callahead.consumer.loadbalance.api import LoadBalanceParts
from callahead.consumer.loadbalance.weights import Weights
from callahead.registry.models import Endpoint

from .clock import FakeClock


def parts(
    random: Random | int = 7, clock: Callable[[], float] | None = None, *, method: str = "find", **policy: Any
) -> LoadBalanceParts:
    """Make what a load balancer is made with; *random* may be a seed."""
    time = FakeClock() if clock is None else clock
    return LoadBalanceParts(
        policy=MethodPolicy(reference="foo", method=method, **policy),
        random=Random(random) if isinstance(random, int) else random,
        clock=time,
        weights=Weights(method, time),
    )


def unwatched(provider: Provider) -> None:
    """Hear that *provider* changed, which nobody here needs to."""


def providers(*weights: int, **parameters: str) -> tuple[Provider, ...]:
    """Make a provider of each weight, ``tri://h0:1`` and so on."""
    return tuple(
        Provider(Endpoint(protocol="tri", host=f"h{number}", port=1, weight=weight, parameters=parameters), unwatched)
        for number, weight in enumerate(weights)
    )


def asked(*args: Any, **kwargs: Any) -> Invocation:
    """Make a call with these arguments."""
    policy = MethodPolicy(reference="foo", method="find")
    record = CallRecord(policy, "find", 0.0)
    return Invocation(policy, "find", args, kwargs, {}, 3.0, lambda: 0.0, record, blocking=False)


def shares(balance: Any, listed: Sequence[Provider], turns: int) -> list[float]:
    """Choose *turns* times, and return which share each provider got."""
    invocation = asked()
    counts = Counter(balance.select(listed, invocation) for _ in range(turns))
    return [counts[provider] / turns for provider in listed]


def begin(balance: Any, provider: Provider, clock: Callable[[], float], timeout: float = 1.0) -> Attempt:
    """Begin an attempt at *provider*, as the last stage does before it asks the transport."""
    attempt = Attempt(asked(), provider, waits=False)
    attempt.timeout, attempt.ends = timeout, clock() + timeout
    balance.attempt_began(attempt)
    return attempt


def end(balance: Any, attempt: Attempt, error: BaseException | None = None) -> None:
    """End it, by *error* where that is not None."""
    balance.attempt_ended(attempt, Outcome(error=error))


def take(
    balance: Any, provider: Provider, clock: FakeClock, seconds: float, error: BaseException | None = None
) -> None:
    """Let an attempt at *provider* take so long."""
    attempt = begin(balance, provider, clock)
    clock.advance(seconds)
    end(balance, attempt, error)
