"""Whether a call that has failed is tried again, and when."""

from __future__ import annotations

from collections.abc import Sequence

from ..call.invocation import Invocation
from ..call.provider import Provider
from ..errors import NoProviderAvailable, RemoteProtocolError, RpcError, TransportError
from .api import ClusterParts
from .attempt import allowed
from .pause import length_of
from .retry import may_repeat


def counts_for_nothing(parts: ClusterParts, invocation: Invocation, error: BaseException, provider: Provider) -> bool:
    """Tell whether nothing was sent to *provider* because it left the list once it was chosen, and there are others.

    That is an accident of this side, and so no attempt. Source: gRPC's transparent retries.
    """
    if not provider.has_left or not isinstance(error, TransportError) or not error.not_sent:
        return False
    return bool(allowed(parts, invocation))


def pause_before_next(
    parts: ClusterParts,
    invocation: Invocation,
    error: BaseException,
    failures: int,
    tried: Sequence[Provider],
) -> float | None:
    """Return the seconds to wait before the next attempt, 0 for none, or None where there must be no other.

    *error*, the last of so many *failures*, must allow for it, ``retries`` too, the deadline and the budget, from which
    it is taken. What was not sent is sent to a provider not *tried* yet without a pause: nobody was troubled by it.
    Source: gRPC's transparent retries.
    """
    policy = invocation.policy
    if failures > policy.retries or not may_repeat(error, policy):
        return None
    knows_another = any(provider not in tried for provider in allowed(parts, invocation))
    if isinstance(error, NoProviderAvailable | RemoteProtocolError) and not knows_another:
        return None
    is_free = knows_another and isinstance(error, RpcError) and error.not_sent
    pause = 0.0 if is_free else length_of(policy.retry_backoff, failures, parts.random)
    left = invocation.deadline.remaining()
    if pause >= left:
        if left > 0:
            error.add_note(f"not tried again: the deadline would pass in the pause of {pause * 1000:.0f} ms before it")
        return None
    if not parts.budget.withdraw():
        error.add_note("not tried again: the retry budget (20 % of calls, 10 a second) is spent")
        return None
    return pause
