"""What every cluster does to make one attempt."""

from __future__ import annotations

from ..errors import NoProviderAvailable
from ..invocation import Invocation
from ..provider import Provider
from .api import ClusterParts


def begin_attempt(parts: ClusterParts, invocation: Invocation, providers: tuple[Provider, ...]) -> None:
    """Choose one of *providers*, of which there is at least one, and note it on the invocation and its record."""
    provider = providers[0] if len(providers) == 1 else parts.loadbalance.select(providers, invocation)
    invocation.provider = provider
    record = invocation.record
    record.attempts += 1
    record.endpoint = provider.name


def no_provider(parts: ClusterParts, invocation: Invocation) -> NoProviderAvailable:
    """Make the error of a call for which no provider is known, saying where it was looked for."""
    policy = invocation.policy
    error = NoProviderAvailable(f"no provider is known: {parts.directory.reason}", not_sent=True)
    error.reference, error.method = policy.reference, invocation.method
    error.elapsed_ms = (parts.clock() - invocation.record.started) * 1000
    return error
