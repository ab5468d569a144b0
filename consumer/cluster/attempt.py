"""What every cluster does to make one attempt."""

from __future__ import annotations

from collections.abc import Sequence

from ..call.attempt import Attempt
from ..call.invocation import CallRecord, Invocation, blame
from ..call.provider import Provider
from ..errors import LocalProtocolError, NoProviderAvailable, RpcError
from ..router.routing import Routing
from .api import ClusterParts
from .directory import Directory


def candidates_for(
    directory: Directory, routing: Routing, invocation: Invocation, tried: Sequence[Provider] = ()
) -> tuple[Provider, ...]:
    """List the providers that an attempt may choose from: the one place between the directory and the choice.

    Rules come first, so that a call goes nowhere else only because those that it may go to have been tried.
    """
    if not routing.concerns(invocation):
        return directory.candidates(tried)
    providers = directory.providers
    return directory.candidates_among(routing.narrow(providers, invocation), tried) if providers else ()


def why_none(directory: Directory, routing: Routing, invocation: Invocation) -> str:
    """Say why `candidates_for` is empty."""
    providers = directory.providers
    if providers and routing.concerns(invocation) and not routing.narrow(providers, invocation):
        return routing.why_none(providers, invocation)
    return directory.why_none()


def begin_attempt(
    parts: ClusterParts, invocation: Invocation, tried: Sequence[Provider] = (), *, alone: bool = True
) -> Attempt | RpcError:
    """Choose a provider, one not *tried* where there is any, and make the attempt that asks it.

    Where the attempt is not *alone*, since others of the same call run beside it, nothing may block the caller for it.

    Returns:
        The attempt, or the error of a call that nobody can be asked for.
    """
    record = invocation.record
    providers = candidates_for(parts.directory, parts.routing, invocation, tried)
    if not providers:
        why = why_none(parts.directory, parts.routing, invocation)
        unknown = NoProviderAvailable(f"no provider: {why}", not_sent=True)
        blame(unknown, record, parts.clock)
        return unknown
    try:
        provider = providers[0] if len(providers) == 1 else parts.loadbalance.select(providers, invocation)
    except Exception as error:  # a load balancer may be anybody's
        return _unchosen(parts, record, error)
    return Attempt(invocation, provider, waits=alone and invocation.blocking)


def _unchosen(parts: ClusterParts, record: CallRecord, error: Exception) -> LocalProtocolError:
    name = type(parts.loadbalance).__name__
    ours = LocalProtocolError(f"no provider was chosen: {name} raised {error!r}", not_sent=True)
    ours.__cause__ = error
    blame(ours, record, parts.clock)
    return ours
