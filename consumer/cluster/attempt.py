"""What every cluster does to make one attempt."""

from __future__ import annotations

from collections.abc import Sequence

from ..call.attempt import Attempt
from ..call.invocation import CallRecord, Invocation, blame
from ..call.provider import Provider
from ..errors import LocalProtocolError, NoProviderAvailable, RpcError
from .api import ClusterParts


def begin_attempt(
    parts: ClusterParts, invocation: Invocation, tried: Sequence[Provider] = (), *, alone: bool = True
) -> Attempt | RpcError:
    """Choose a provider, one not *tried* where there is any, and make the attempt that asks it.

    This is the one place between the directory and the choice, where whatever narrows the list belongs. Where the
    attempt is not *alone*, since others of the same call run beside it, nothing may block the caller for it.

    Returns:
        The attempt, or the error of a call that nobody can be asked for.
    """
    record = invocation.record
    providers = parts.directory.candidates(tried)
    if not providers:
        unknown = NoProviderAvailable(f"no provider: {parts.directory.why_none()}", not_sent=True)
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
