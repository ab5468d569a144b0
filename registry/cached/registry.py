"""A registry whose last good lists outlive it."""

from __future__ import annotations

from collections.abc import Callable

from ..api import ConfigurationCentre, NotifyListener, Registry, Subscription
from ..catalogue import Providers, counted
from ..errors import RegistryError, RegistryUnavailable
from ..forking import fork_safe_lock
from ..models import ServiceKey, Snapshot
from ..notify import NotifyQueue
from ..url import Url
from ..url_lists import watch_urls
from .store import ListStore


class CachedRegistry:
    """Tells the list that a file keeps, until the registry has answered for the first time.

    Source: Dubbo's ``file`` of a registry. Differs: an empty list is never kept, only the owner may read the file, and
    a list of it is told only while the registry cannot be asked.

    Args:
        registry: It stays its owner's, as *store* does: `close` ends only the subscriptions made here.
        store: Of that registry.
    """

    def __init__(self, registry: Registry, store: ListStore) -> None:
        self._registry = registry
        self._store = store
        self._lock = fork_safe_lock()
        self._cached: set[_Cached] = set()
        self._closed = False

    def subscribe(self, key: ServiceKey, listener: NotifyListener) -> Subscription:
        """Tell *listener* of the providers of *key*, as `Registry.subscribe` promises.

        Raises:
            RegistryError: The registry cannot be read and no list is kept, or it is closed; nothing stays subscribed.
        """
        cached = _Cached(key, self._registry, self._store, self._forget)
        with self._lock:
            if self._closed:
                raise RegistryError("the registry is closed")
            self._cached.add(cached)
        try:
            cached.begin(listener)
        except BaseException:
            cached.close()
            raise
        return cached

    def close(self) -> None:
        """End every subscription made here. Idempotent."""
        with self._lock:
            self._closed = True
            cached = tuple(self._cached)
        for each in cached:
            each.close()

    def _forget(self, cached: _Cached) -> None:
        with self._lock:
            self._cached.discard(cached)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._store.path} of {self._registry!r}>"


class CachedCentre(CachedRegistry):
    """One that also keeps texts and rules, of which the file knows nothing.

    Args:
        registry: As of `CachedRegistry`; a `ConfigurationCentre`, too.
        store: As of `CachedRegistry`.
    """

    def __init__(self, registry: Registry, store: ListStore, centre: ConfigurationCentre) -> None:
        super().__init__(registry, store)
        self._centre = centre

    def watch(self, group: str, key: str, listener: Callable[[str | None], None], /) -> Subscription:
        """Tell *listener* of a text, as `ConfigurationCentre.watch` promises."""
        return self._centre.watch(group, key, listener)

    def watch_urls(self, interface: str, category: str, listener: Callable[[tuple[Url, ...]], None], /) -> Subscription:
        """Tell *listener* of what the registry lists, if it does, as `UrlLists.watch_urls` promises."""
        return watch_urls(self._centre, interface, category, listener)


def cached(registry: Registry, store: ListStore) -> Registry:
    """Let the lists of *registry* outlive it in *store*."""
    if isinstance(registry, ConfigurationCentre):
        return CachedCentre(registry, store, registry)
    return CachedRegistry(registry, store)


class _Cached:
    """One subscription: what the registry said last, or the file in its place."""

    def __init__(
        self, key: ServiceKey, registry: Registry, store: ListStore, forget: Callable[[_Cached], None]
    ) -> None:
        self._key = key
        self._registry = registry
        self._store = store
        self._forget = forget
        self._lock = fork_safe_lock()
        self._newest: Snapshot | None = None
        self._problem = ""
        self._subscription: Subscription | None = None
        self._closed = False
        self._queue = NotifyQueue(f"cache of {key}", self._find)

    def begin(self, listener: NotifyListener) -> None:
        """Subscribe, or try that again later where a list is kept meanwhile."""
        try:
            self._subscribe()
        except RegistryUnavailable as error:
            if self._store.get(self._key) is None:
                raise
            self._problem = str(error)
            self._store.attempts.add(self._attempt)
        self._queue.subscribe(self._key, listener)

    def close(self) -> None:
        """End it, as `Subscription.close` promises."""
        self._forget(self)
        self._queue.close()
        with self._lock:
            self._closed = True
            subscription = self._subscription
        if subscription is not None:
            subscription.close()

    def _subscribe(self) -> None:
        subscription = self._registry.subscribe(self._key, self._hear)
        with self._lock:
            self._subscription = subscription
            closed = self._closed
        if closed:
            subscription.close()

    def _attempt(self) -> bool:
        if self._closed:
            return True
        try:
            self._subscribe()
        except Exception as error:  # whatever it is, the file is told meanwhile
            self._problem = str(error)
            return False
        return True

    def _hear(self, snapshot: Snapshot, /) -> None:
        self._newest = snapshot
        if snapshot.is_known:
            self._store.put(self._key, snapshot.endpoints)
        self._queue.announce(wait=False)  # two registries that waited for each other's queue would lock up

    def _find(self, key: ServiceKey) -> Providers:
        newest = self._newest
        if newest is not None and (newest.is_known or newest.endpoints):
            return Providers(newest.endpoints, newest.reason, newest.is_known)
        why = self._problem if newest is None else newest.reason
        kept = self._store.get(key)
        if kept is None:
            return Providers((), why, is_known=False)
        text = f"{self._store.path}: {counted(len(kept.endpoints))} of {key} as of {kept.time}, in place of {why}"
        return Providers(kept.endpoints, text, is_known=False)
