"""The limits that every transport holds its requests to."""

from __future__ import annotations

from dataclasses import dataclass

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


@dataclass(frozen=True, slots=True)
class Room:
    """How much may be begun and not ended on one connection: queued, written, or waiting for its answer.

    Attributes:
        requests: By count; ``max_queued_requests``.
        size: By bytes; ``max_queued_bytes``. A single request of any size has room where there is no other.
    """

    requests: int
    size: int

    @property
    def copies(self) -> int:
        """By bytes, with what is held only in case that it has to be sent again: requests need the rest."""
        return self.size // 2

    @classmethod
    def of(cls, policy: ReferencePolicy) -> Room:
        """Take what *policy* allows."""
        return cls(policy.max_queued_requests, policy.max_queued_bytes)

    def refusal(self, name: str, count: int, size: int, more: int) -> LimitExceeded:
        """Make the error of a request of *more* bytes to *name*, beside *count* others of *size* bytes."""
        if count < self.requests:
            return self.too_large(name, size, more)
        text = f"{count} requests to {name} have begun and not ended, the most that max_queued_requests allows"
        return LimitExceeded(text, not_sent=True)

    def too_large(self, name: str, size: int, more: int) -> LimitExceeded:
        """Make the error of one that bytes alone leave no room for."""
        text = f"requests of {size} bytes to {name} have begun and not ended, and {more} more would pass the"
        return LimitExceeded(f"{text} {self.size} that max_queued_bytes allows", not_sent=True)
