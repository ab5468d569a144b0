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


def candidates(parts: ClusterParts, invocation: Invocation, tried: Sequence[Provider] = ()) -> tuple[Provider, ...]:
    """List the providers that an attempt may choose from; see `candidates_for`."""
    return candidates_for(parts.directory, parts.routing, invocation, tried)


def allowed(parts: ClusterParts, invocation: Invocation) -> tuple[Provider, ...]:
    """List the providers that rules let the call go to, whatever is known of their health."""
    providers = parts.directory.providers
    return parts.routing.narrow(providers, invocation) if parts.routing.concerns(invocation) else providers


def why_none(directory: Directory, routing: Routing, invocation: Invocation) -> str:
    """Say why `candidates_for` is empty."""
    providers = directory.providers
    if providers and routing.concerns(invocation) and not routing.narrow(providers, invocation):
        return routing.why_none(providers, invocation)
    return directory.why_none()


def begin_attempt(
    parts: ClusterParts,
    invocation: Invocation,
    tried: Sequence[Provider] = (),
    *,
    among: tuple[Provider, ...] = (),
    alone: bool = True,
) -> Attempt | RpcError:
    """Choose a provider, one not *tried* where there is any, and make the attempt that asks it.

    Who has narrowed the list further gives those that are left as *among*. Where the attempt is not *alone*, since
    others of the same call run beside it, nothing may block the caller for it.

    Returns:
        The attempt, or the error of a call that nobody can be asked for.
    """
    record = invocation.record
    if among or parts.routing.is_active or invocation.attachments:
        providers = among or candidates(parts, invocation, tried)
    else:  # no rule concerns it, and three calls are spared
        providers = parts.directory.candidates(tried)
    if not providers:
        return nobody(parts, invocation)
    try:
        provider = providers[0] if len(providers) == 1 else parts.loadbalance.select(providers, invocation)
        if provider.unhealthy_until and not parts.health.admits(provider, invocation.policy.timeout_ms):
            provider = _another(parts, invocation, tried, among, provider)
    except Exception as error:  # a load balancer may be anybody's
        return _unchosen(parts, record, error)
    return Attempt(invocation, provider, waits=alone and invocation.blocking)


def _another(
    parts: ClusterParts,
    invocation: Invocation,
    tried: Sequence[Provider],
    among: tuple[Provider, ...],
    provider: Provider,
) -> Provider:
    """Choose once more, for another call tries *provider* just now; it is the choice where there is no other."""
    others = tuple(one for one in among or candidates(parts, invocation, tried) if one is not provider)
    if len(others) > 1:
        return parts.loadbalance.select(others, invocation)
    return others[0] if others else provider


def everyone(parts: ClusterParts, invocation: Invocation) -> tuple[Provider, ...]:
    """List all that take the call, even those that are passed over at the moment, for who asks each of them."""
    return tuple(provider for provider in allowed(parts, invocation) if not provider.is_read_only)


def nobody(parts: ClusterParts, invocation: Invocation) -> NoProviderAvailable:
    """Make the error of a call that nobody can be asked for."""
    why = why_none(parts.directory, parts.routing, invocation)
    unknown = NoProviderAvailable(f"no provider: {why}", not_sent=True)
    blame(unknown, invocation.record, parts.clock)
    return unknown


def _unchosen(parts: ClusterParts, record: CallRecord, error: Exception) -> LocalProtocolError:
    name = type(parts.loadbalance).__name__
    ours = LocalProtocolError(f"no provider was chosen: {name} raised {error!r}", not_sent=True)
    ours.__cause__ = error
    blame(ours, record, parts.clock)
    return ours
