"""Connections that are made with the reference, before a call needs them: ``lazy: false``."""

from __future__ import annotations

import logging
import queue
from collections.abc import Mapping, Sequence

from callahead.config.policy import ReferencePolicy

from ..call.attempt import Attempt
from ..call.invocation import NO_ATTACHMENTS, NO_KWARGS, CallRecord, Invocation, Outcome
from ..call.provider import Provider
from ..errors import CallTimeout, ConnectFailed
from ..runtime.deadline import GRACE_S, Clock
from ..transport.api import ReferenceTransport

_LOG = logging.getLogger("callahead.consumer.connect")
_SHOWN = 3
_CONNECT = "(connect)"

_Ends = queue.SimpleQueue[tuple[Provider, Outcome]]


def connect(
    policy: ReferencePolicy, providers: Sequence[Provider], transport: ReferenceTransport, clock: Clock
) -> None:
    """Bring about the connections to *providers*, all at a time, each within ``connect_timeout``.

    Source: Dubbo ``DubboProtocol.initClient`` and ``AbstractClient``; differs: one that cannot be reached beside others
    is a warning, whether a registry names them or ``url``.

    Raises:
        ConnectFailed: None could be reached, and ``check`` is true. What could not is warned of otherwise.
    """
    failed = _failures(policy, providers, transport, clock)
    if failed and len(failed) == len(providers) and policy.check:
        raise _none_reached(policy, failed)
    for provider, error in failed.items():
        _LOG.warning("%s: no connection to %s yet, calls will try again: %s", policy.id, provider.name, error)


def _failures(
    policy: ReferencePolicy, providers: Sequence[Provider], transport: ReferenceTransport, clock: Clock
) -> Mapping[Provider, BaseException]:
    timeout = policy.connect_timeout_ms / 1000 + GRACE_S  # the transport's own bound comes first, and knows why
    ends: _Ends = queue.SimpleQueue()
    for provider in providers:
        _begin(policy, provider, transport, clock, timeout, ends)
    late = CallTimeout(f"no connection within {policy.connect_timeout_ms} ms (connect_timeout)", not_sent=True)
    failed: dict[Provider, BaseException] = dict.fromkeys(providers, late)
    for _ in providers:
        try:
            provider, outcome = ends.get(timeout=timeout + GRACE_S)
        except queue.Empty:  # a transport that breaks its word
            break
        del failed[provider]
        if outcome.error is not None:
            failed[provider] = outcome.error
    return failed


def _begin(
    policy: ReferencePolicy,
    provider: Provider,
    transport: ReferenceTransport,
    clock: Clock,
    timeout: float,
    ends: _Ends,
) -> None:
    now = clock()
    record = CallRecord(policy.default, _CONNECT, now)
    invocation = Invocation(
        policy.default, _CONNECT, (), NO_KWARGS, NO_ATTACHMENTS, now + timeout, clock, record, blocking=False
    )
    attempt = Attempt(invocation, provider, waits=False)
    attempt.timeout, attempt.ends = timeout, now + timeout
    transport.connect(attempt, lambda outcome: ends.put((provider, outcome)))


def _none_reached(policy: ReferencePolicy, failed: Mapping[Provider, BaseException]) -> ConnectFailed:
    shown = [f"{provider.name}: {_message(error)}" for provider, error in list(failed.items())[:_SHOWN]]
    more = f"; and {len(failed) - _SHOWN} more" if len(failed) > _SHOWN else ""
    hint = f"start without one by check: false (check is true, {policy.origin('check')})"
    origin = f"lazy is false, {policy.origin('lazy')}"
    error = ConnectFailed(f"no provider can be reached ({origin}): {'; '.join(shown)}{more}; {hint}", not_sent=True)
    error.reference, error.method = policy.id, _CONNECT
    return error


def _message(error: BaseException) -> str:
    return str(getattr(error, "message", error))
