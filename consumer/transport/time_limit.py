"""Which setting made the time of an attempt what it was, for the error of one whose time is over."""

from __future__ import annotations

from callahead.config.policy import MethodPolicy


def time_limit(timeout: float, policy: MethodPolicy) -> str:
    """Name a time of *timeout* seconds and its setting: ``300 ms (timeout 300 ms, shop.yml:7)``.

    What the call itself took is no cut; on a busy machine that is much. Where both settings are one time, as without
    retries, nothing else can have cut it.
    """
    is_one = policy.total_timeout_ms == policy.timeout_ms
    if is_one or abs(timeout * 1000 - policy.timeout_ms) <= max(5, policy.timeout_ms / 100):
        return f"{policy.timeout_ms} ms (timeout {policy.timeout_ms} ms, {policy.origin('timeout_ms')})"
    setting = f"total_timeout {policy.total_timeout_ms} ms, {policy.origin('total_timeout_ms')}"
    return f"{timeout * 1000:.0f} ms ({setting})"
