"""Several registries for one reference, as one."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial

from .api import ConfigurationCentre, NotifyListener, Registry, Subscription, UrlLists
from .attempts import Attempts
from .catalogue import Providers, TextKey
from .errors import ProviderDataError, RegistryError, RegistryUnavailable
from .forking import fork_safe_lock
from .models import Endpoint, Origin, ServiceKey, Snapshot, unique
from .notify import NotifyQueue
from .serial import SerialQueue
from .url import Url
from .url_lists import UrlsKey

_log = logging.getLogger("callahead.registry")

TextQueue = SerialQueue[TextKey, "str | None"]
UrlQueue = SerialQueue[UrlsKey, tuple[Url, ...]]


class MergedRegistry:
    """The union of what several registries know; a provider that more than one of them knows is told once.

    Of one protocol and address the endpoint of the registry given first is kept. The order of the endpoints is that of
    the registries, not that of their answers. A listener hears first when all of them have answered. One that cannot be
    read costs nothing that another lists: it is logged, and asked again, after half a second and up to half a minute.

    Args:
        registries: They stay their owner's, so `close` ends only the subscriptions made here.
        origins: What each endpoint then has as its ``origin``, in the same order; none has one without.
    """

    def __init__(self, registries: Sequence[Registry], origins: Sequence[Origin] = ()) -> None:
        self._registries = tuple(registries)
        self._origins = tuple(origins)
        self._lock = fork_safe_lock()
        self._unions: set[_Joined] = set()
        self._attempts = Attempts("merged")
        self._closed = False

    def subscribe(self, key: ServiceKey, listener: NotifyListener) -> Subscription:
        """Tell *listener* of the providers of *key* in any of the registries, as `Registry.subscribe` promises.

        Raises:
            RegistryError: None of the registries can be read, or this one is closed; nothing stays subscribed.
        """
        union = _Union(key, self._origins, self._attempts, self._forget)
        self._begin(union, lambda: union.begin(self._registries, listener))
        return union

    def watch(self, group: str, key: str, listener: Callable[[str | None], None], /) -> Subscription:
        """Tell *listener* of a text, as `ConfigurationCentre.watch` promises: that of the first registry with one.

        Raises:
            RegistryError: As for `subscribe`.
        """
        texts = _Texts(TextKey(group, key), self._forget)
        centres = [registry for registry in self._registries if isinstance(registry, ConfigurationCentre)]
        self._begin(texts, lambda: texts.begin(centres, listener))
        return texts

    def watch_urls(self, interface: str, category: str, listener: Callable[[tuple[Url, ...]], None], /) -> Subscription:
        """Tell *listener* of the URLs of all the registries, as `UrlLists.watch_urls` promises.

        Raises:
            RegistryError: As for `subscribe`.
        """
        urls = _Urls(UrlsKey(interface, category), self._forget)
        lists = [registry for registry in self._registries if isinstance(registry, UrlLists)]
        self._begin(urls, lambda: urls.begin(lists, listener))
        return urls

    def _begin(self, joined: _Joined, begin: Callable[[], None]) -> None:
        with self._lock:
            if self._closed:
                raise RegistryError("the merged registries are closed")
            self._unions.add(joined)
        try:
            begin()
        except BaseException:
            joined.close()
            raise

    def close(self) -> None:
        """End every subscription made here. Idempotent."""
        with self._lock:
            self._closed = True
            unions = tuple(self._unions)
        for union in unions:
            union.close()
        self._attempts.close()

    def _forget(self, joined: _Joined) -> None:
        with self._lock:
            self._unions.discard(joined)

    def __repr__(self) -> str:
        return f"<MergedRegistry {', '.join(map(repr, self._registries))}>"


class _Joined:
    """What is subscribed to at several registries, and a queue of its own for the one who wants the sum."""

    def __init__(self, queue: NotifyQueue | TextQueue | UrlQueue, forget: Callable[[_Joined], None]) -> None:
        self._forget = forget
        self._subscriptions: list[Subscription] = []
        self._told = queue
        self._lock = fork_safe_lock()
        self._closed = False

    def close(self) -> None:
        self._forget(self)
        self._told.close()
        with self._lock:
            self._closed = True
            subscriptions = tuple(self._subscriptions)
        for subscription in subscriptions:
            subscription.close()

    def _keep(self, subscription: Subscription) -> None:
        """Close *subscription* with this, and at once where that is closed already."""
        with self._lock:
            self._subscriptions.append(subscription)
            closed = self._closed
        if closed:
            subscription.close()


class _Union(_Joined):
    """What each registry last said of one service."""

    def __init__(
        self, key: ServiceKey, origins: Sequence[Origin], attempts: Attempts, forget: Callable[[_Joined], None]
    ) -> None:
        self._key = key
        self._origins = origins
        self._attempts = attempts
        self._parts: list[Snapshot] = []
        self._queue = NotifyQueue(f"union of {key}", self._find)
        super().__init__(self._queue, forget)

    def begin(self, registries: Sequence[Registry], listener: NotifyListener) -> None:
        failed: dict[int, RegistryError] = {}
        for place, registry in enumerate(registries):
            self._parts.append(Snapshot(0, ()))
            try:
                self._subscriptions.append(registry.subscribe(self._key, self._hearing(place)))
            except (RegistryUnavailable, ProviderDataError) as error:
                failed[place] = error
        if len(failed) == len(registries) > 0:
            raise next(iter(failed.values()))
        for place, why in failed.items():
            self._go_on_without(place, why)
            self._attempts.add(partial(self._is_joined, place, registries[place]))
        self._queue.subscribe(self._key, listener)

    def _go_on_without(self, place: int, error: RegistryError) -> None:
        _log.warning("%s is not had from one of its registries, and the others are asked: %s", self._key, error)
        self._parts[place] = Snapshot(0, (), str(error), is_known=False)

    def _is_joined(self, place: int, registry: Registry) -> bool:
        """Ask again one that could not be read; True where that is done with."""
        if self._closed:
            return True
        try:
            subscription = registry.subscribe(self._key, self._hearing(place))
        except Exception as error:  # whatever it is, the others go on
            self._parts[place] = Snapshot(0, (), str(error), is_known=False)
            return False
        self._keep(subscription)
        return True

    def _hearing(self, place: int) -> NotifyListener:
        def hear(snapshot: Snapshot, /) -> None:
            self._parts[place] = snapshot
            self._queue.announce(wait=False)  # two registries that waited for each other's queue would lock up

        return hear

    def _marked(self, parts: Sequence[Snapshot]) -> Iterator[Endpoint]:
        """Give the endpoints of *parts*, each with the registry that it comes from."""
        for place, part in enumerate(parts):
            origin = self._origins[place] if self._origins else None
            yield from part.endpoints if origin is None else (replace(one, origin=origin) for one in part.endpoints)

    def _find(self, _key: ServiceKey) -> Providers:
        parts = tuple(self._parts)
        endpoints = unique(self._marked(parts))
        is_known = all(part.is_known for part in parts)
        return Providers(endpoints, "; ".join(part.reason for part in parts), is_known)


class _Texts(_Joined):
    """What each registry last said of one text."""

    def __init__(self, key: TextKey, forget: Callable[[_Joined], None]) -> None:
        self._key = key
        self._parts: list[str | None] = []
        self._queue = TextQueue(f"union of {key.group}/{key.key}", self._find)
        super().__init__(self._queue, forget)

    def begin(self, centres: Sequence[ConfigurationCentre], listener: Callable[[str | None], None]) -> None:
        for place, centre in enumerate(centres):
            self._parts.append(None)
            self._subscriptions.append(centre.watch(*self._key, self._hearing(place)))
        self._queue.subscribe(self._key, listener)

    def _hearing(self, place: int) -> Callable[[str | None], None]:
        def hear(text: str | None, /) -> None:
            self._parts[place] = text
            self._queue.announce(wait=False)

        return hear

    def _find(self, _key: TextKey) -> str | None:
        return next((text for text in tuple(self._parts) if text is not None), None)


class _Urls(_Joined):
    """What each registry last listed in one category."""

    def __init__(self, key: UrlsKey, forget: Callable[[_Joined], None]) -> None:
        self._key = key
        self._parts: list[tuple[Url, ...]] = []
        self._queue = UrlQueue(f"union of {key.interface}/{key.category}", self._find)
        super().__init__(self._queue, forget)

    def begin(self, lists: Sequence[UrlLists], listener: Callable[[tuple[Url, ...]], None]) -> None:
        for place, one in enumerate(lists):
            self._parts.append(())
            self._subscriptions.append(one.watch_urls(*self._key, self._hearing(place)))
        self._queue.subscribe(self._key, listener)

    def _hearing(self, place: int) -> Callable[[tuple[Url, ...]], None]:
        def hear(urls: tuple[Url, ...], /) -> None:
            self._parts[place] = urls
            self._queue.announce(wait=False)

        return hear

    def _find(self, _key: UrlsKey) -> tuple[Url, ...]:
        return tuple(url for part in tuple(self._parts) for url in part)
