"""A peer's word that it is about to stop, and who must hear of it."""

from __future__ import annotations

from ...call.provider import Provider


class StopNotice:
    """Tells those who share one connection whether its peer takes new calls; of any thread.

    Args:
        providers: The providers, one for each reference, that share it.
    """

    def __init__(self, providers: set[Provider]) -> None:
        self._providers = providers
        self._is_given = False

    def tell(self, provider: Provider) -> None:
        """Tell *provider*, which has just begun to share the connection, what the others know."""
        # Looked at after it was added, as the other side is told after it was noted: one of the two sees the other.
        if self._is_given:
            provider.set_read_only(True)

    def give(self, is_stopping: bool) -> None:
        """Tell all of them, where that has changed."""
        if self._is_given != is_stopping:
            self._is_given = is_stopping
            for provider in list(self._providers):
                provider.set_read_only(is_stopping)

    def end(self, until: float) -> bool:
        """Note that the connection is lost: a peer that was about to stop is passed over *until* that monotonic second.

        Returns whether it was.

        It may close its connections before it stops to listen, and would take a new one only to drop it.
        """
        was_given = self._is_given
        if was_given:
            for provider in list(self._providers):
                provider.pass_over(until)
        self.give(False)
        return was_given
