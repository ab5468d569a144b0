"""What transports keep of a provider while it is in the registry: prepared methods, and connections that are shared."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable
from typing import Any, Generic, Protocol, TypeVar
from weakref import WeakValueDictionary

from ..call.provider import Provider
from .api import Providers
from .shortage import preparing

BoundT = TypeVar("BoundT")


class Bound(dict[Provider, BoundT]):
    """What one method has prepared for each provider; made when it is first asked for, by `SharedConnections.bound`.

    A dict, so that a call which finds what it asks for enters no function of ours.

    Args:
        bind: Prepares the method for a provider; may raise, and then nothing is kept.
        release: Forgets a provider that has left, here too, and gives back what is open for it.
        providers: Returns those that are known now.
    """

    def __init__(
        self, bind: Callable[[Provider], BoundT], release: Callable[[Provider], None], providers: Providers
    ) -> None:
        super().__init__()
        self._bind = bind
        self._release = release
        self._providers = providers

    def __missing__(self, provider: Provider) -> BoundT:
        with preparing():
            bound = self._made(provider)
        if provider not in self._providers():  # it left meanwhile, and nobody will release it any more
            self._release(provider)
        return bound

    def _made(self, provider: Provider) -> BoundT:
        while True:
            endpoint = provider.endpoint
            bound = self[provider] = self._bind(provider)
            if provider.endpoint is endpoint:  # else the registry said something else of it meanwhile
                return bound


class Shared(Protocol):
    """A connection that may serve several references; its methods may be called from any thread.

    Attributes:
        providers: Those that share it, one for each reference.
    """

    providers: set[Provider]

    @property
    def closed(self) -> bool:
        """It takes no call any more."""

    def drain(self) -> None:
        """Close it once its last running call has ended."""

    def close(self) -> None:
        """Close it now."""


KeyT = TypeVar("KeyT", bound=Hashable)
SharedT = TypeVar("SharedT", bound=Shared)


class SharedConnections(Generic[KeyT, SharedT]):
    """The connections of a transport: one for each key, as long as a provider uses it; of any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        # By id, since a dict has no hash; as long as somebody else has them, such as a method of a reference.
        self._bound: WeakValueDictionary[int, Bound[Any]] = WeakValueDictionary()
        self._open: dict[KeyT, SharedT] = {}
        self._used: dict[Provider, set[KeyT]] = {}
        self._draining: list[SharedT] = []
        self._closed = False

    def bound(self, bind: Callable[[Provider], BoundT], providers: Providers) -> Bound[BoundT]:
        """Make what keeps *bind*'s work for each of *providers*, until that is released."""
        made = Bound(bind, self.release, providers)
        self._bound[id(made)] = made
        return made

    def _all_bound(self) -> list[Bound[Any]]:
        return [bound for reference in self._bound.valuerefs() if (bound := reference()) is not None]

    def get(self, key: KeyT, provider: Provider, make: Callable[[], SharedT]) -> SharedT | None:
        """Return the connection of *key*, made where there is none, and note its user; None once all are closed."""
        with self._lock:
            if self._closed:
                return None
            connection = self._open.get(key)
            if connection is None:
                connection = self._open[key] = make()
            connection.providers.add(provider)
            self._used.setdefault(provider, set()).add(key)
            return connection

    def open(self) -> tuple[SharedT, ...]:
        """Return those that have users."""
        with self._lock:
            return tuple(self._open.values())

    def refresh(self, provider: Provider) -> None:
        """Forget what was bound to *provider*, for it is bound anew by its next call; its connections stay."""
        for bound in self._all_bound():
            bound.pop(provider, None)

    def release(self, provider: Provider) -> None:
        """Forget what was bound to *provider*, and drain every connection of which it was the last user."""
        self.refresh(provider)
        with self._lock:
            used = self._used.pop(provider, ())
            unused = [key for key in used if _leave(self._open.get(key), provider)]
            idle = [self._open.pop(key) for key in unused]
            self._draining = [one for one in self._draining if not one.closed] + idle
        for connection in idle:
            connection.drain()

    def close(self) -> None:
        """Close all, those that drain too, and give none any more. Idempotent."""
        with self._lock:
            self._closed = True
            connections = self._take_all()
        for connection in connections:
            connection.close()

    def after_fork(self) -> list[SharedT]:
        """Forget the parent's connections and what was bound to them, and return them."""
        self._lock = threading.Lock()
        for bound in self._all_bound():
            bound.clear()
        return self._take_all()

    def _take_all(self) -> list[SharedT]:
        taken = [*self._open.values(), *self._draining]
        self._open, self._used, self._draining = {}, {}, []
        return taken

    def __len__(self) -> int:
        return len(self._open)


def _leave(connection: Shared | None, provider: Provider) -> bool:
    """Take *provider* from the users of *connection*; True where it was the last one."""
    if connection is None or provider not in connection.providers:
        return False
    connection.providers.discard(provider)
    return not connection.providers
