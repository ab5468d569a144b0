"""Which failures may be tried again."""

from __future__ import annotations

from callahead.config.policy import MethodPolicy

from ..errors import CallTimeout, LimitExceeded, NoProviderAvailable, TransportError


def may_repeat(error: BaseException | None, policy: MethodPolicy) -> bool:
    """Tell whether *error* allows another attempt.

    Never after an answer of the method itself. Where the provider may have run the method, only for one that is
    ``idempotent``. A provider that has no room for the call, or not the service, has not run it. Source: Ice's
    at-most-once rule; differs from Dubbo, which repeats whatever is not a business error, timeouts of writes included
    (dubbo#6546).
    """
    if isinstance(error, TransportError | CallTimeout):
        return error.not_sent or policy.idempotent
    if isinstance(error, LimitExceeded | NoProviderAvailable) and error.is_remote:
        return not error.in_doubt or policy.idempotent
    return False
