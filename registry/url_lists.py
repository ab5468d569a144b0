"""URLs of other categories than providers, from registries that may have none."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple

from .api import Subscription, UrlLists
from .url import Url

MOST_URLS: Final = 1000
"""More of one interface and category are not taken; the last good list stays."""


class UrlsKey(NamedTuple):
    """Which list is meant, as `UrlLists` names it."""

    interface: str
    category: str


class _Nothing:
    def close(self) -> None:
        pass


def watch_urls(
    registry: object, interface: str, category: str, listener: Callable[[tuple[Url, ...]], None]
) -> Subscription:
    """Tell *listener* of what *registry* lists, as `UrlLists.watch_urls` promises; of nothing where it is none."""
    if isinstance(registry, UrlLists):
        return registry.watch_urls(interface, category, listener)
    return _Nothing()
