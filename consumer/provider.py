"""One provider as a reference's directory keeps it."""

from __future__ import annotations

from callahead.registry.models import Endpoint


class Provider:
    """One provider of a reference; the same object from snapshot to snapshot, hashed by identity.

    Attributes:
        endpoint: What the registry says of it.
        name: ``protocol://host:port``, as errors and records show it.
        weight: 0..10000.
    """

    __slots__ = ("endpoint", "name", "unhealthy_until", "weight")

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        self.name = str(endpoint)
        self.weight = endpoint.weight
        self.unhealthy_until = 0.0

    def __repr__(self) -> str:
        return f"<Provider {self.name} weight {self.weight}>"
