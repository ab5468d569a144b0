"""The providers of a reference as its calls see them: for people and programs that wonder where calls go."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from callahead.config.policy import MethodPolicy

from ..call.invocation import CallRecord, Invocation
from ..call.provider import Provider
from ..cluster.directory import Directory
from ..router.routing import Routing
from ..runtime.deadline import Clock


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenProvider:
    """One provider at one moment.

    Attributes:
        provider: ``protocol://host:port``.
        weight: 0..10000, as rules have it.
        health: ``ok``; ``unreachable`` or ``ejected`` while it is passed over, since no connection came about or for
            its failures; ``stopping`` where it has said that it is about to.
        running: Calls of the reference whose newest attempt asks it and that have not ended.
        dropped_by: The rule that keeps calls away, with where it was written; "" for none.
    """

    provider: str
    weight: int
    health: str
    running: int
    dropped_by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenProviders:
    """All providers of a reference at one moment.

    Attributes:
        providers: By name.
        reason: Why the list is what it is, as the registry says.
        problems: What is wrong with rules of the registry, which are therefore not obeyed.
        policy: What calls of the method that was asked about obey, rules of the registry included.
    """

    providers: tuple[SeenProvider, ...]
    reason: str
    problems: tuple[str, ...]
    policy: MethodPolicy


def seen(
    directory: Directory, routing: Routing, invocation: Invocation, running: Iterable[CallRecord], clock: Clock
) -> tuple[SeenProvider, ...]:
    """Look at the providers as *invocation* would choose among them.

    Args:
        directory: Has them.
        routing: Narrows them.
        invocation: Not a call, but what one would be.
        running: Calls of the reference.
        clock: Monotonic seconds.
    """
    providers = directory.providers
    dropped = {one: told.router for told in routing.explain(providers, invocation) for one in told.dropped}
    counts = Counter(record.endpoint for record in running)
    now = clock()
    found = (
        SeenProvider(
            provider=one.name,
            weight=one.weight,
            health=_health(one, now),
            running=counts[one.name],
            dropped_by=dropped.get(one, ""),
        )
        for one in providers
    )
    return tuple(sorted(found, key=lambda one: one.provider))


def _health(provider: Provider, now: float) -> str:
    if provider.is_read_only:
        return "stopping"
    if provider.unhealthy_until <= now:
        return "ok"
    suspicion = provider.suspicion
    return "ejected" if suspicion is not None and suspicion.ejected_until > now else "unreachable"
