"""Who uses a connection, and hears that its peer is about to stop."""

from __future__ import annotations

from ...provider import Provider


class Users:
    """The providers, one for each reference, that share one connection; of any thread, `remove` of one at a time."""

    def __init__(self) -> None:
        self._providers: set[Provider] = set()
        self._are_read_only = False

    def add(self, provider: Provider) -> None:
        """Let *provider* know, now and later, when the peer takes no new calls."""
        self._providers.add(provider)
        # Looked at after it was added, as the other side is told after it was noted: one of the two sees the other.
        if self._are_read_only:
            provider.set_read_only(True)

    def remove(self, provider: Provider) -> bool:
        """Forget *provider*; True where it was the last one."""
        if provider not in self._providers:
            return False
        self._providers.discard(provider)
        return not self._providers

    def lost(self, until: float) -> None:
        """Note that the connection is lost: a peer that was about to stop is passed over *until* that monotonic second.

        It may close its connections before it stops to listen, and would take a new one only to drop it.
        """
        if self._are_read_only:
            for provider in list(self._providers):
                provider.pass_over(until)
        self.set_read_only(False)

    def set_read_only(self, value: bool) -> None:
        """Tell all of them whether the peer takes new calls, where that has changed."""
        if self._are_read_only != value:
            self._are_read_only = value
            for provider in list(self._providers):
                provider.set_read_only(value)
