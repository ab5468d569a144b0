"""The limit that every transport holds its requests to."""

from __future__ import annotations

from callahead.config.policy import ReferencePolicy

from ..errors import LimitExceeded


def check_request_size(size: int, policy: ReferencePolicy) -> None:
    """Refuse a request of *size* bytes that ``max_request_bytes`` does not allow.

    Raises:
        LimitExceeded: With both numbers and where the limit was set; ``not_sent`` is set.
    """
    limit = policy.max_request_bytes
    if size > limit:
        origin = policy.origin("max_request_bytes")
        text = f"the request has {size} bytes, more than the {limit} that max_request_bytes allows ({origin})"
        raise LimitExceeded(text, not_sent=True)
