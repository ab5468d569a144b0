"""The addresses that a reference gives itself, as a registry: one pipeline for both.

Source: Dubbo's direct connection (``url``); differs: such calls skip no interceptor and keep their attachments
(apache/dubbo#8738).
"""

from __future__ import annotations

from typing import Self

from callahead.config.errors import ConfigError
from callahead.config.policy import ReferencePolicy
from callahead.config.values.text import is_target

from .api import NotifyListener, Subscription
from .catalogue import Providers, counted
from .errors import ProviderDataError
from .models import Endpoint, ServiceKey, unique
from .notify import NotifyQueue
from .url import endpoint_of, parse_urls


def _endpoints(text: str, protocol: str) -> list[Endpoint | None]:
    if is_target(text):
        return [Endpoint(protocol=protocol, host=text, port=0)]
    return list(map(endpoint_of, parse_urls(text, default_protocol=protocol)))


class DirectRegistry:
    """A list of endpoints, told to whoever subscribes, whatever the service; it changes when `adopt` says so.

    Interface, group and version of the URLs are not compared: who writes an address means it.

    Args:
        endpoints: Of one protocol and address only the first is kept.
        source: Where they were given, for the snapshots' reason.
    """

    def __init__(self, endpoints: tuple[Endpoint, ...], source: str) -> None:
        kept = unique(endpoints)
        providers = Providers(kept, f"{source}: {counted(len(kept))}")
        self._providers = providers
        self._queue = NotifyQueue(source, lambda _key: self._providers)

    @property
    def endpoints(self) -> tuple[Endpoint, ...]:
        """Those of the moment."""
        return self._providers.endpoints

    def adopt(self, other: DirectRegistry) -> None:
        """Have the endpoints of *other* from now on; who has subscribed was told of them when this returns."""
        self._providers = other._providers
        self._queue.announce()

    @classmethod
    def of(cls, policy: ReferencePolicy) -> Self:
        """Read the ``url`` of a reference: URLs that may be lists; its ``protocol`` where a URL has none.

        One without any has its one provider in this process. One that the transport resolves by itself, such as
        ``dns:///host:port``, is one provider, whose host is the whole.

        Raises:
            ConfigError: A URL cannot be understood, or has no host or port.
        """
        if not policy.urls:
            return cls((Endpoint(protocol=policy.protocol, host=policy.id, port=0),), "this process")
        key = f"references.{policy.id}.url"
        origin = policy.origins.get("urls", "")
        try:
            found = tuple(one for text in policy.urls for one in _endpoints(text, policy.protocol))
        except ProviderDataError as error:
            raise ConfigError.at(origin, key, str(error)) from error
        endpoints = tuple(endpoint for endpoint in found if endpoint is not None)
        return cls(endpoints, f"{key} ({origin})" if origin else key)

    def subscribe(self, key: ServiceKey, listener: NotifyListener) -> Subscription:
        """Tell *listener* of the endpoints once, as `Registry.subscribe` promises."""
        return self._queue.subscribe(key, listener)

    def close(self) -> None:
        """End every subscription. Idempotent."""
        self._queue.close()

    def __repr__(self) -> str:
        return f"<DirectRegistry {', '.join(map(str, self.endpoints))}>"
