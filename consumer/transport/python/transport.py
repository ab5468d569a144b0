"""The `python` transport: methods of a client in this process, which knows nothing of calls.

Loading a configuration imports this module for the settings, so whatever carries calls is imported when it is made.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from .settings import PythonSettings

if TYPE_CHECKING:
    from callahead.config.policy import ReferencePolicy
    from callahead.config.settings import TransportSettings

    from ...call.provider import Provider
    from ..api import ConnectionCounts, Providers, TransportParts
    from .reference import PythonReference


class PythonTransport:
    """Carries calls to threads of this process; a `Transport`. Each reference has threads of its own."""

    settings: ClassVar[type[TransportSettings]] = PythonSettings

    def __init__(self, parts: TransportParts) -> None:
        self._parts = parts
        self._references: list[PythonReference] = []

    def open(self, policy: ReferencePolicy, providers: Providers) -> PythonReference:
        """Import the target and make a client, to see what can be called; see `Transport.open`.

        Raises:
            ConfigError: The target cannot be imported or made, or lacks what the configuration names.
            ConnectFailed: Making the client failed.
        """
        del providers  # there is one, and it is here
        from .reference import PythonReference

        reference = PythonReference(policy, self._parts)
        self._references.append(reference)
        return reference

    def connections(self) -> tuple[ConnectionCounts, ...]:
        """Tell how many threads of each reference calls hold that were given up; see `Transport.connections`."""
        return tuple(reference.counts() for reference in self._references)

    def refresh(self, provider: Provider) -> None:
        """Do nothing: no registry says anything of the one provider; see `Transport.refresh`."""

    def release(self, provider: Provider) -> None:
        """Keep all: the one provider never leaves; see `Transport.release`."""

    def close(self) -> None:
        """End every thread that no call holds, and close the clients; see `Transport.close`."""
        for reference in self._references:
            reference.close()

    def after_fork(self) -> None:
        """Forget the parent's threads, and the clients that can be made anew; see `Transport.after_fork`."""
        for reference in self._references:
            reference.after_fork()
