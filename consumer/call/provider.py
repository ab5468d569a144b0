"""One provider as a reference's directory keeps it."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from callahead.registry.models import MAX_WEIGHT, Endpoint

WARM_UP_MS = 600_000
"""How long a provider warms up that does not say it, in milliseconds. Source: Dubbo ``DEFAULT_WARMUP``."""

_NUMBER = re.compile(r"[0-9]{1,18}")


class Provider:
    """One provider of a reference; the same object from snapshot to snapshot, hashed by identity.

    Attributes:
        endpoint: What the registry says of it now.
        name: ``protocol://host:port``, as errors and records show it.
        weight: 0..10000, for calls of any method, and once it is warm.
        warm_ms: How long it warms up, in milliseconds.
        warm_at: Monotonic second at which it is warm; 0 where it does not say when it started.
        unhealthy_until: Monotonic second until which it is passed over while there are others.
        suspicion: What is kept of one that has failed, by `callahead.consumer.cluster.health`; else None.
        is_watched: It is passed over, or suspected, so that its answers matter.
        is_read_only: It said that it is about to stop, so it takes no new calls.
        has_left: It is in the registry no more, and will not come back as this object.
    """

    __slots__ = (
        "_changed", "_is_unreachable", "endpoint", "has_left", "is_read_only", "is_watched", "name", "suspicion",
        "unhealthy_until", "warm_at", "warm_ms", "weight",
    )  # fmt: skip

    def __init__(
        self, endpoint: Endpoint, changed: Callable[[Provider], None], now_ms: float = 0, now: float = 0
    ) -> None:
        self.name = str(endpoint)
        self.unhealthy_until = 0.0
        self.is_read_only = self.is_watched = self.has_left = self._is_unreachable = False
        self.suspicion: Any = None
        self._changed = changed
        self.take(endpoint, now_ms, now)

    def take(self, endpoint: Endpoint, now_ms: float, now: float) -> None:
        """Take over what the registry says of it.

        Args:
            endpoint: Of the same protocol and address.
            now_ms: Milliseconds since 1970, by which ``timestamp`` tells for how long it has run.
            now: The same moment in monotonic seconds, since no clock that is set may move a weight.
        """
        self.endpoint = endpoint
        self.weight = max(0, min(endpoint.weight, MAX_WEIGHT))  # a registry of another distribution may say anything
        parameters = endpoint.parameters
        self.warm_ms, self.warm_at = WARM_UP_MS, 0.0
        if "timestamp" in parameters:
            self.warm_ms = _number(parameters.get("warmup"), WARM_UP_MS)
            started_ms = _number(parameters["timestamp"], 0)
            if started_ms and self.warm_ms:
                self.warm_at = now + (started_ms + self.warm_ms - now_ms) / 1000

    def weight_of(self, key: str) -> int:
        """Return the weight that it has once it is warm, where *key* is ``<method>.weight``."""
        parameters = self.endpoint.parameters
        return _weight(parameters[key], self.weight) if key in parameters else self.weight

    def pass_over(self, until: float) -> None:
        """Pass it over until the monotonic second *until*; 0 for no longer."""
        self._is_unreachable = False
        self.unhealthy_until = until
        self.is_watched = until > 0 or self.suspicion is not None
        self._changed(self)

    def miss(self, until: float) -> None:
        """Pass it over until the monotonic second *until*, or until it is `reached`: no connection to it came about."""
        self.pass_over(until)
        self._is_unreachable = True

    def reached(self) -> None:
        """Note that a connection to it is there; it stays passed over where that was for anything else."""
        if self._is_unreachable:
            self.pass_over(0.0)

    def suspect(self, suspicion: Any) -> None:
        """Keep *suspicion*, None for none."""
        self.suspicion = suspicion
        self.is_watched = suspicion is not None or self.unhealthy_until > 0

    def set_read_only(self, value: bool) -> None:
        """Note whether it takes new calls."""
        if self.is_read_only != value:
            self.is_read_only = value
            self._changed(self)

    @property
    def is_at_risk(self) -> bool:
        """It is not to be chosen without a look at the other attributes."""
        return self.is_read_only or self.unhealthy_until > 0

    def __repr__(self) -> str:
        return f"<Provider {self.name} weight {self.weight}>"


def _number(text: str | None, otherwise: int) -> int:
    """Read a whole number >= 0; *otherwise* for what is none, for one parameter that is wrong takes no provider out."""
    return int(text) if text is not None and _NUMBER.fullmatch(text) else otherwise


def _weight(text: str, otherwise: int) -> int:
    """Read the weight for one method; below 0 it is 0, as in Dubbo."""
    return 0 if text.startswith("-") and _NUMBER.fullmatch(text, 1) else min(_number(text, otherwise), MAX_WEIGHT)
