"""What every cluster does to make one attempt."""

from __future__ import annotations

from collections.abc import Sequence

from ..call.attempt import Attempt
from ..call.invocation import CallRecord, Invocation, blame
from ..call.provider import Provider
from ..errors import LocalProtocolError, NoProviderAvailable, RpcError
from .api import ClusterParts


def begin_attempt(
    parts: ClusterParts,
    invocation: Invocation,
    tried: Sequence[Provider] = (),
    *,
    among: tuple[Provider, ...] = (),
    alone: bool = True,
) -> Attempt | RpcError:
    """Choose a provider, one not *tried* where there is any, and make the attempt that asks it.

    This is the one place between the directory and the choice, where whatever narrows the list belongs. Who has
    narrowed it further gives those that are left as *among*. Where the attempt is not *alone*, since others of the same
    call run beside it, nothing may block the caller for it.

    Returns:
        The attempt, or the error of a call that nobody can be asked for.
    """
    record = invocation.record
    providers = among or parts.directory.candidates(tried)
    if not providers:
        return nobody(parts, record)
    try:
        provider = providers[0] if len(providers) == 1 else parts.loadbalance.select(providers, invocation)
    except Exception as error:  # a load balancer may be anybody's
        return _unchosen(parts, record, error)
    return Attempt(invocation, provider, waits=alone and invocation.blocking)


def everyone(parts: ClusterParts) -> tuple[Provider, ...]:
    """List all that take calls, even those that are passed over at the moment, for who asks each of them."""
    return tuple(provider for provider in parts.directory.providers if not provider.is_read_only)


def nobody(parts: ClusterParts, record: CallRecord) -> NoProviderAvailable:
    """Make the error of a call that nobody can be asked for."""
    unknown = NoProviderAvailable(f"no provider: {parts.directory.why_none()}", not_sent=True)
    blame(unknown, record, parts.clock)
    return unknown


def _unchosen(parts: ClusterParts, record: CallRecord, error: Exception) -> LocalProtocolError:
    name = type(parts.loadbalance).__name__
    ours = LocalProtocolError(f"no provider was chosen: {name} raised {error!r}", not_sent=True)
    ours.__cause__ = error
    blame(ours, record, parts.clock)
    return ours
