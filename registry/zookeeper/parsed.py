"""What is made of the nodes of a folder, each made once while it stands there."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Generic, NamedTuple, TypeVar

from ..errors import ProviderDataError

T = TypeVar("T")


class _Node(NamedTuple, Generic[T]):
    """One of them, what was made of it, if anything, and why not; "" where nothing is wrong."""

    data: bytes
    made: T | None
    fault: str


class Parsed(Generic[T]):
    """Of thousands of nodes few change at a time, and making something of one costs more than getting it.

    Args:
        make: Makes something of a node's name and data, or None where it is nothing of the kind; it may raise
            `ProviderDataError`.
    """

    def __init__(self, make: Callable[[str, bytes], T | None]) -> None:
        self._make = make
        self._nodes: dict[str, _Node[T]] = {}

    def take(self, nodes: Mapping[str, bytes]) -> None:
        """Take over what stands there now, by name."""
        old, self._nodes = self._nodes, {}
        for name, data in sorted(nodes.items()):
            known = old.get(name)
            self._nodes[name] = known if known is not None and known.data == data else self._made(name, data)

    @property
    def found(self) -> list[T]:
        """What was made, in the order of the names; of a node that stays as it was, the same object."""
        return [each.made for each in self._nodes.values() if each.made is not None]

    @property
    def faults(self) -> dict[str, str]:
        """Say what is wrong with each that makes no sense, by name."""
        return {name: each.fault for name, each in self._nodes.items() if each.fault}

    def _made(self, name: str, data: bytes) -> _Node[T]:
        try:
            return _Node(data, self._make(name, data), "")
        except ProviderDataError as error:
            return _Node(data, None, str(error))
