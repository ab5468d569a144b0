"""Which failures may be tried again."""

from __future__ import annotations

from functools import cache

from callahead.config.extension import load_object
from callahead.config.policy import MethodPolicy

from ..errors import CallTimeout, LimitExceeded, NoProviderAvailable, RemoteProtocolError, RpcError, TransportError


def may_repeat(error: BaseException | None, policy: MethodPolicy) -> bool:
    """Tell whether *error* allows another attempt.

    Never after an answer of the method itself, unless ``retry_on`` lists it. Where the provider may have run the
    method, only for one that is ``idempotent``. A provider that has no room for the call, not the service, or could
    make no call of the request, has not run it. Source: Ice's at-most-once rule; differs from Dubbo, which repeats
    whatever is not a business error, timeouts of writes included (dubbo#6546).
    """
    if isinstance(error, RpcError) and error.reference not in ("", policy.reference):
        return policy.idempotent and is_listed(error, policy)  # a method of this process made that call, and failed
    if isinstance(error, TransportError | CallTimeout):
        return error.not_sent or policy.idempotent
    if isinstance(error, LimitExceeded | NoProviderAvailable) and error.is_remote:
        return not error.in_doubt or policy.idempotent
    if isinstance(error, RemoteProtocolError) and error.is_remote and not error.in_doubt:
        return error.not_run or policy.idempotent
    return policy.idempotent and is_listed(error, policy)


def is_listed(error: BaseException | None, policy: MethodPolicy) -> bool:
    """Tell whether *error* is one of those that ``retry_on`` lists."""
    return bool(policy.retry_on) and isinstance(error, _classes(policy.retry_on))


def check_listed(policy: MethodPolicy) -> None:
    """Make sure that ``retry_on`` lists exceptions.

    Raises:
        ConfigError: It lists what is none, or cannot be imported.
    """
    try:
        found = _classes(policy.retry_on)
    except (LookupError, ImportError) as error:
        raise policy.error("retry_on", str(error)) from error
    for path, one in zip(policy.retry_on, found, strict=True):
        if not (isinstance(one, type) and issubclass(one, Exception)):
            raise policy.error("retry_on", f'"{path}" is no class of exceptions')


@cache
def _classes(paths: tuple[str, ...]) -> tuple[type[BaseException], ...]:
    return tuple(map(load_object, paths))
