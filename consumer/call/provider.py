"""One provider as a reference's directory keeps it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from callahead.registry.models import Endpoint


class Provider:
    """One provider of a reference; the same object from snapshot to snapshot, hashed by identity.

    Attributes:
        endpoint: What the registry says of it.
        name: ``protocol://host:port``, as errors and records show it.
        weight: 0..10000.
        unhealthy_until: Monotonic second until which it is passed over while there are others.
        suspicion: What is kept of one that has failed, by `callahead.consumer.cluster.health`; else None.
        is_watched: It is passed over, or suspected, so that its answers matter.
        is_read_only: It said that it is about to stop, so it takes no new calls.
    """

    __slots__ = (
        "_changed", "endpoint", "is_read_only", "is_watched", "name", "suspicion", "unhealthy_until", "weight",
    )  # fmt: skip

    def __init__(self, endpoint: Endpoint, changed: Callable[[Provider], None]) -> None:
        self.endpoint = endpoint
        self.name = str(endpoint)
        self.weight = endpoint.weight
        self.unhealthy_until = 0.0
        self.is_read_only = self.is_watched = False
        self.suspicion: Any = None
        self._changed = changed

    def pass_over(self, until: float) -> None:
        """Pass it over until the monotonic second *until*; 0 for no longer."""
        self.unhealthy_until = until
        self.is_watched = until > 0 or self.suspicion is not None
        self._changed(self)

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
