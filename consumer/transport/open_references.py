"""The references that a transport has opened, to tell them what they need not remember."""

from __future__ import annotations

from typing import Protocol
from weakref import WeakValueDictionary

from ..call.provider import Provider


class Forgetful(Protocol):
    """A `ReferenceTransport` that prepares something for each provider."""

    def forget(self, provider: Provider | None) -> None:
        """Drop what was prepared for *provider*, or for all."""


class OpenReferences:
    """Holds references weakly; of any thread.

    One whose providers could not be looked up is dropped by whoever asked for it, and asked for again.
    """

    def __init__(self) -> None:
        self._known: WeakValueDictionary[int, Forgetful] = WeakValueDictionary()

    def add(self, reference: Forgetful) -> None:
        """Remember *reference* as long as somebody else does."""
        self._known[id(reference)] = reference

    def forget(self, provider: Provider | None) -> None:
        """Let every reference drop what it prepared for *provider*, or for all."""
        for known in self._known.valuerefs():
            reference = known()
            if reference is not None:
                reference.forget(provider)

    def __len__(self) -> int:
        return len(self._known)
