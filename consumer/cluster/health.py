"""Providers that cannot be reached are passed over for a while."""

from __future__ import annotations

from ..errors import ConnectFailed
from ..invocation import Invocation, Outcome
from ..provider import Provider
from .directory import Directory


class HealthWatch:
    """Tells the directory which attempts found no connection; an `Observer` of the ATTEMPT chain.

    Source: Finagle's ``FailFast``.
    """

    inline = True

    def __init__(self, directory: Directory) -> None:
        self._directory = directory

    def on_start(self, invocation: Invocation) -> Provider:
        """Keep whom the attempt asks."""
        return invocation.provider

    def on_end(self, token: Provider, outcome: Outcome) -> None:
        """Pass the verdict on."""
        if isinstance(outcome.error, ConnectFailed):
            self._directory.mark(token, healthy=False)
        elif token.unhealthy_until and (outcome.error is None or getattr(outcome.error, "is_remote", False)):
            self._directory.mark(token, healthy=True)
