"""A registry that finds providers by interface and by application."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Final, Literal

from ..api import ApplicationRegistry, NotifyListener, Subscription
from ..catalogue import Providers
from ..errors import RegistryError
from ..forking import fork_safe_lock
from ..models import ServiceKey, Snapshot, unique
from ..notify import NotifyQueue
from ..url import Url
from ..url_lists import watch_urls
from .discovery import Discovery

Step = Literal["APPLICATION_FIRST", "FORCE_APPLICATION", "FORCE_INTERFACE"]
"""Dubbo's ``MigrationStep``."""

_MAPPING: Final = "mapping"
# What stands in the mapping is part of a path.
_NAME: Final = re.compile(r"[^\s/,\x00-\x1f]{1,200}")
_MOST_APPLICATIONS: Final = 1000


class DiscoveringRegistry:
    """The providers of a reference, by interface and by application.

    Source: Dubbo's ``MigrationInvoker``. Differs: with ``APPLICATION_FIRST`` a provider that is registered only by
    interface is told too, where Dubbo leaves it out as soon as there is one by application, so that no provider is lost
    while an estate migrates. One that is registered in both ways is told once, as its application says.

    Args:
        registry: It stays its owner's, as *discovery* does: `close` ends only the subscriptions made here.
        discovery: Of that registry.
        step: Which of the two ways are gone; ``FORCE_`` is one of them alone.
        provided_by: Applications that provide what is asked for; empty where the registry's mapping says that.
        timeout_s: How long a subscription waits for what the applications provide; where there are providers by
            interface, a third of that.
    """

    def __init__(
        self,
        registry: ApplicationRegistry,
        discovery: Discovery,
        *,
        step: Step = "APPLICATION_FIRST",
        provided_by: Iterable[str] = (),
        timeout_s: float = 9.0,
    ) -> None:
        self._registry = registry
        self._discovery = discovery
        self._step = step
        self._provided_by = tuple(provided_by)
        self._timeout_s = timeout_s
        self._lock = fork_safe_lock()
        self._searches: set[_Search] = set()
        self._closed = False

    def subscribe(self, key: ServiceKey, listener: NotifyListener) -> Subscription:
        """Tell *listener* of the providers of *key*, as `Registry.subscribe` promises.

        Raises:
            RegistryError: The registry cannot be read, or is closed; nothing stays subscribed.
        """
        self._discovery.require_open()
        search = _Search(key, self._discovery, self._forget)
        with self._lock:
            if self._closed:
                raise RegistryError("the registry is closed")
            self._searches.add(search)
        try:
            self._begin(search, key)
            search.wait_for(self._timeout_s)
            search.tell(listener)
        except BaseException:
            search.close()
            raise
        return search

    def watch(self, group: str, key: str, listener: Callable[[str | None], None], /) -> Subscription:
        """Tell *listener* of a text, as `ConfigurationCentre.watch` promises."""
        return self._registry.watch(group, key, listener)

    def watch_urls(self, interface: str, category: str, listener: Callable[[tuple[Url, ...]], None], /) -> Subscription:
        """Tell *listener* of what the registry lists, if it does, as `UrlLists.watch_urls` promises."""
        return watch_urls(self._registry, interface, category, listener)

    def close(self) -> None:
        """End every subscription made here. Idempotent."""
        with self._lock:
            self._closed = True
            searches = tuple(self._searches)
        for search in searches:
            search.close()

    def _begin(self, search: _Search, key: ServiceKey) -> None:
        if self._step != "FORCE_APPLICATION":
            search.add(self._registry.subscribe(key, search.hear_interface))
        if self._step == "FORCE_INTERFACE" or self._provided_by:
            search.follow(() if self._step == "FORCE_INTERFACE" else self._provided_by)
        else:
            search.add(self._registry.watch(_MAPPING, key.interface, search.hear_mapping))

    def _forget(self, search: _Search) -> None:
        with self._lock:
            self._searches.discard(search)

    def __repr__(self) -> str:
        return f"<DiscoveringRegistry {self._step} {self._registry!r}>"


class _Search:
    """One subscription: what the interface's folder and its applications last said."""

    def __init__(self, key: ServiceKey, discovery: Discovery, forget: Callable[[_Search], None]) -> None:
        self._key = key
        self._discovery = discovery
        self._forget = forget
        self._lock = fork_safe_lock()
        self._subscriptions: list[Subscription] = []
        self._interface: Snapshot | None = None
        self._applications: tuple[str, ...] = ()
        self._is_mapped = False
        self._closed = False
        self._queue = NotifyQueue(f"discovery of {key}", self._find)

    def add(self, subscription: Subscription) -> None:
        """Close *subscription* with this."""
        self._subscriptions.append(subscription)

    def hear_interface(self, snapshot: Snapshot, /) -> None:
        """Take over what is registered by interface."""
        self._interface = snapshot
        self.announce()

    def hear_mapping(self, text: str | None, /) -> None:
        """Take over which applications provide the interface; where that is lost, those that are known stay."""
        self._is_mapped = True
        if text is not None:
            self.follow(_names_in(text))
        self.announce()

    def follow(self, applications: Iterable[str]) -> None:
        """Ask for *applications*, and for no others."""
        with self._lock:
            if self._closed:
                return
            self._is_mapped = True
            old, self._applications = self._applications, tuple(dict.fromkeys(applications))
            for name in set(self._applications) - set(old):
                self._discovery.follow(name, self.announce)
            for name in set(old) - set(self._applications):
                self._discovery.leave(name, self.announce)

    def wait_for(self, timeout_s: float) -> None:
        """Wait until the applications have said what they provide."""
        patience = timeout_s / 3 if self._interface is not None and self._interface.endpoints else timeout_s
        self._discovery.wait_for(self._applications, lambda: bool(self._find(self._key).endpoints), patience)

    def tell(self, listener: NotifyListener) -> None:
        """Begin to tell *listener*."""
        self._queue.subscribe(self._key, listener)

    def announce(self) -> None:
        """Tell what is new."""
        self._queue.announce(wait=False)  # two registries that waited for each other's queue would lock up

    def close(self) -> None:
        """End it, as `Subscription.close` promises."""
        self._forget(self)
        self._queue.close()
        for subscription in self._subscriptions:
            subscription.close()
        self.follow(())
        self._closed = True

    def _find(self, key: ServiceKey) -> Providers:
        found = [self._discovery.find(name, key) for name in self._applications]
        if not self._is_mapped:
            found.append(Providers((), f"no answer yet which applications provide {key.interface}", is_known=False))
        if self._interface is not None:
            snapshot = self._interface
            found.append(Providers(snapshot.endpoints, snapshot.reason, snapshot.is_known))
        return _joined(found) if found else Providers((), f"no application provides {key.interface}")


def _joined(found: list[Providers]) -> Providers:
    """Join what was *found*; of one protocol and address the first counts."""
    endpoints = unique(each for one in found for each in one.endpoints)
    return Providers(endpoints, "; ".join(one.reason for one in found), all(one.is_known for one in found))


def _names_in(text: str) -> list[str]:
    names = [name.strip() for name in text.split(",")]
    return [name for name in names if _NAME.fullmatch(name)][:_MOST_APPLICATIONS]
