"""What somebody watches in a registry whose thread reads it, by key."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from typing import Generic, Literal, Protocol, TypeVar

from .api import Subscription
from .keeping import KeeperThread
from .serial import SerialQueue, Unknown

K = TypeVar("K", bound=Hashable)
W = TypeVar("W", bound=Hashable)
V = TypeVar("V")
R_contra = TypeVar("R_contra", bound=Hashable, contravariant=True)


class Reader(Protocol[R_contra]):
    """Reads what is watched, on a thread."""

    @property
    def thread(self) -> KeeperThread:
        """Does the reading."""

    def add(self, watched: R_contra, /) -> None:
        """Watch one more, which is read soon."""

    def wait_for(self, watched: Iterable[R_contra], /) -> None:
        """Wait until all have been read, for a bounded time."""


class Watches(Generic[K, W, V]):
    """All of one kind that is watched, such as texts, and the queue on which listeners hear of it.

    Args:
        registry: Its id, for errors and the log.
        reader: Reads what *make* makes.
        make: Makes what stands for one key; it is called from any thread, and what it makes may be thrown away.
        value: Gives what is known of one of them, or `UNKNOWN`.
    """

    def __init__(
        self,
        registry: str,
        reader: Reader[W],
        make: Callable[[K], W],
        value: Callable[[W], V | Literal[Unknown.UNKNOWN]],
    ) -> None:
        self._reader = reader
        self._make = make
        self._watched: dict[K, W] = {}
        self._keys: dict[object, K] = {}
        self._queue: SerialQueue[K, V] = SerialQueue(registry, lambda key: value(self._watched[key]))

    def watch(self, key: K, listener: Callable[[V], None]) -> Subscription:
        """Tell *listener* of what *key* stands for, now, if it can be read in time, and on each change.

        Raises:
            RegistryUnavailable: The system has no thread left.
            RegistryError: The registry is closed.
        """
        self._reader.thread.begin()
        self._reader.wait_for([self.get(key) or self._added(key)])
        return self._queue.subscribe(key, listener)

    def get(self, key: K) -> W | None:
        """Give what stands for *key*; None where nobody watches it."""
        return self._watched.get(key)

    def announce(self, read: Iterable[object]) -> None:
        """Tell of those among what was *read* that are of this kind."""
        keys = [self._keys[each] for each in read if each in self._keys]
        if keys:
            self._queue.announce(keys, wait=False)  # a listener may be closing the registry, which waits for its thread

    def announce_all(self) -> None:
        """Tell of all, for what is known of each may be told in other words."""
        self._queue.announce(wait=False)

    def close(self) -> None:
        """End every subscription. Idempotent."""
        self._queue.close()

    def _added(self, key: K) -> W:
        made = self._make(key)
        found = self._watched.setdefault(key, made)
        if found is made:
            self._keys[made] = key
            self._reader.add(made)
        return found
