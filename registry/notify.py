"""The one serial queue on which a registry tells its listeners of providers."""

from __future__ import annotations

from collections.abc import Callable, Collection

from .api import NotifyListener, Subscription
from .catalogue import Providers
from .models import ANY, ServiceKey, Snapshot
from .serial import SerialQueue


class NotifyQueue:
    """Tells each subscription the providers of its service as snapshots, when it is made and after each `announce`.

    Args:
        name: Of the registry, for errors and the log.
        find: Gives the providers of a service as they are now; called from any thread and must not block.
    """

    def __init__(self, name: str, find: Callable[[ServiceKey], Providers]) -> None:
        self._queue = SerialQueue(name, find, topic=lambda key: key.interface)

    def subscribe(self, key: ServiceKey, listener: NotifyListener) -> Subscription:
        """Begin to tell *listener* of *key*; the first notification has run before this returns.

        Raises:
            RegistryError: The queue is closed.
        """
        return self._queue.subscribe(key, _Numbered(listener).tell)

    def announce(self, interfaces: Collection[str] | None = None, *, wait: bool = True) -> None:
        """Tell every subscription for which *find* now says something new, as `SerialQueue.announce` does.

        Args:
            interfaces: Whose providers have changed, all unless given. Who asks for any interface is told as well.
            wait: As for `SerialQueue.announce`.
        """
        self._queue.announce({*interfaces, ANY} if interfaces else interfaces, wait=wait)

    def close(self) -> None:
        """End every subscription and refuse new ones. Idempotent."""
        self._queue.close()

    def __len__(self) -> int:
        return len(self._queue)


class _Numbered:
    """Gives the snapshots of one subscription their versions."""

    def __init__(self, listener: NotifyListener) -> None:
        self._listener = listener
        self._version = 0

    def tell(self, providers: Providers) -> None:
        self._version += 1
        self._listener(Snapshot(self._version, *providers))
