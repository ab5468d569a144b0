"""Attempts by themselves, as a cluster makes them, for what is beneath it."""

from __future__ import annotations

from typing import Any

from callahead.config.policy import MethodPolicy
from callahead.consumer.call.attempt import Attempt
from callahead.consumer.call.invocation import CallRecord, Invocation
from callahead.consumer.call.provider import Provider
from callahead.registry.models import Endpoint


def provider_at(protocol: str = "tri", host: str = "127.0.0.1", port: int = 50051, **fields: Any) -> Provider:
    """Make a provider that no directory hears of."""
    return Provider(Endpoint(protocol=protocol, host=host, port=port, **fields), lambda _: None)


def attempt_of(
    policy: MethodPolicy, *args: Any, provider: Provider | None = None, request: Any = None, **fields: Any
) -> Attempt:
    """Make the first attempt of a call with *args*; *fields* are its invocation's, but for the record's ``on_sent``."""
    record = CallRecord(policy, policy.method, 0.0)
    invocation = Invocation(policy, policy.method, args, {}, {}, 0.0, lambda: 0.0, record, blocking=False)
    invocation.request = request
    record.on_sent = fields.pop("on_sent", None)
    for name, value in fields.items():
        setattr(invocation, name, value)
    return Attempt(invocation, provider_at() if provider is None else provider, waits=False)
