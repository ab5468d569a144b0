"""A registry inside this process, for tests and demonstrations.

A test harness publishes providers into a named space; a consumer whose YAML says ``address: memory://shop`` sees them::

    shop = MemoryRegistry.named("shop")
    shop.publish("com.alibaba.foo.FooService", ["tri://127.0.0.1:50051"])
    shop.write("com.alibaba.foo.FooService::.condition-router", "conditions: ['method=find* => port=50051']")
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from types import TracebackType
from typing import Self

from callahead.config.policy import RegistryPolicy
from callahead.config.values.secret import masked

from .api import NotifyListener, Subscription
from .catalogue import Catalogue, Providers, TextKey
from .errors import ProviderDataError, RegistryUnavailable
from .forking import fork_safe_lock
from .models import Endpoint, ServiceKey, unique
from .notify import NotifyQueue
from .serial import SerialQueue
from .settings import location_of, reject_unknown
from .url import Url, endpoint_of
from .url_lists import MOST_URLS, UrlsKey


class MemorySpace:
    """The providers and rules that every `MemoryRegistry` of one name sees; get it with `MemoryRegistry.named`.

    When a method that changes something returns, all subscribers have been told, unless it was called from a listener.
    Every method may be called from any thread. As a context manager it is emptied at the end of the block, so that a
    test leaves nothing for the next.

    A service is a `ServiceKey` or its text, ``[group/]interface[:version]``. A provider is an `Endpoint`, or a `Url` or
    its text, where ``disabled=true``, ``weight=50`` and the like mean what they mean in any registry.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self._lock = fork_safe_lock()
        self._catalogue = Catalogue(f"memory://{name}")
        self._urls: dict[UrlsKey, tuple[Url, ...]] = {}
        self._queues: list[_Queue] = []
        self._outage: str | None = None

    def publish(self, service: ServiceKey | str, providers: Iterable[str | Url | Endpoint]) -> None:
        """Make *providers* the full list of *service*; an empty list is announced as such.

        Raises:
            ProviderDataError: A provider's URL cannot be understood; nothing was changed.
        """
        self._change(_key(service), [_endpoint(provider) for provider in providers], drop=lambda _: True)

    def register(self, service: ServiceKey | str, provider: str | Url | Endpoint) -> None:
        """Add *provider* to those of *service*, in place of the one with its protocol and address.

        Raises:
            ProviderDataError: The provider's URL cannot be understood; nothing was changed.
        """
        new = _endpoint(provider)
        self._change(_key(service), [new], drop=lambda old: str(old) == str(new))

    def withdraw(self, service: ServiceKey | str, provider: str | Url | Endpoint | None = None) -> None:
        """Take out the provider of *service* with the protocol and address of *provider*; without one, all of them."""
        gone = None if provider is None else _endpoint(provider)
        self._change(_key(service), [], drop=lambda old: gone is None or str(old) == str(gone))

    def write(self, key: str, text: str | None, *, group: str = "dubbo") -> None:
        """Keep *text* under *group* and *key*, as a `ConfigurationCentre` does; None takes it away."""
        with self._lock:
            known = {**self._catalogue.texts, TextKey(group, key): text}
            texts = {name: one for name, one in known.items() if one is not None}
            self._catalogue = replace(self._catalogue, texts=texts)
        self._announce()

    def list_urls(self, interface: str, category: str, urls: Iterable[str | Url]) -> None:
        """Make *urls* the full list of *interface* in *category*, as `UrlLists` tells it.

        Raises:
            ProviderDataError: One of them cannot be understood, or they are too many; nothing was changed.
        """
        listed = tuple(Url.parse(one) if isinstance(one, str) else one for one in urls)
        if len(listed) > MOST_URLS:
            raise ProviderDataError(f"{interface} has {len(listed)} URLs in {category}, and may have {MOST_URLS}")
        with self._lock:
            self._urls[UrlsKey(interface, category)] = listed
        self._announce()

    def clear(self) -> None:
        """Withdraw every provider of every service, and take every text and URL away."""
        with self._lock:
            self._catalogue = Catalogue(self._catalogue.source)
            self._urls = {}
        self._announce()

    @contextmanager
    def outage(self, why: str = "an outage was asked for") -> Iterator[None]:
        """Let each new subscription fail with `RegistryUnavailable` inside the block; the existing ones live on."""
        self._outage = why
        try:
            yield
        finally:
            self._outage = None

    def providers(self, service: ServiceKey | str) -> tuple[Endpoint, ...]:
        """List what one who subscribes to *service* sees now."""
        return self.find(_key(service)).endpoints

    @property
    def subscriptions(self) -> int:
        """How many subscriptions to providers are open, over all registries of this name."""
        with self._lock:
            return sum(len(queue) for queue in self._queues if isinstance(queue, NotifyQueue))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.clear()

    def __repr__(self) -> str:
        return f"<MemorySpace {self.name}: {len(self._catalogue)} providers, {self.subscriptions} subscriptions>"

    def find(self, key: ServiceKey) -> Providers:
        """Collect the providers of *key*, as a `NotifyQueue` asks for them."""
        return self._catalogue.find(key)

    def text(self, key: TextKey) -> str | None:
        """Give what was last written under *key*, as a queue asks for it."""
        return self._catalogue.texts.get(key)

    def urls(self, key: UrlsKey) -> tuple[Url, ...]:
        """Give what was last listed under *key*, as a queue asks for it."""
        return self._urls.get(key, ())

    def attach(self, *queues: _Queue) -> None:
        """Announce every change on *queues* too, until they are detached."""
        with self._lock:
            self._queues += queues

    def detach(self, *queues: _Queue) -> None:
        """Announce nothing on *queues* any more. Idempotent."""
        with self._lock:
            self._queues = [other for other in self._queues if other not in queues]

    def require_up(self) -> None:
        """Raise `RegistryUnavailable` during an `outage`."""
        why = self._outage
        if why is not None:
            raise RegistryUnavailable(f"memory://{self.name}: {why}")

    def _change(self, key: ServiceKey, new: list[Endpoint | None], drop: Callable[[Endpoint], bool]) -> None:
        added = [endpoint for endpoint in new if endpoint is not None]
        with self._lock:
            kept = [endpoint for endpoint in self._catalogue.services.get(key, ()) if not drop(endpoint)]
            services = {**self._catalogue.services, key: unique([*kept, *added])}
            self._catalogue = replace(self._catalogue, services={k: v for k, v in services.items() if v})
        self._announce()

    def _announce(self) -> None:
        with self._lock:
            queues = tuple(self._queues)
        for queue in queues:
            queue.announce()


class MemoryRegistry:
    """Providers and rules that this process published itself; the fake to test consumers with.

    Closing it leaves the space of its name as it is: the space lives as long as the process.

    Args:
        policy: Address ``memory://name``; no other setting.

    Raises:
        ConfigError: The address names no space, or there is another setting.
    """

    def __init__(self, policy: RegistryPolicy) -> None:
        name = location_of(policy)
        if not name:
            raise policy.error("address", f'"{masked(policy.address)}" names no space', "write it like memory://shop")
        reject_unknown(policy, ())
        self._space = self.named(name)
        self._queue = NotifyQueue(policy.id, self._space.find)
        self._texts = SerialQueue(policy.id, self._space.text)
        self._urls = SerialQueue(policy.id, self._space.urls)
        self._space.attach(self._queue, self._texts, self._urls)

    @staticmethod
    def named(name: str) -> MemorySpace:
        """Get the one space of this *name* in the process; it is made, empty, when first asked for."""
        with _spaces_lock:
            return _spaces.setdefault(name, MemorySpace(name))

    def subscribe(self, key: ServiceKey, listener: NotifyListener) -> Subscription:
        """Tell *listener* of the providers of *key*, as `Registry.subscribe` promises."""
        self._space.require_up()
        return self._queue.subscribe(key, listener)

    def watch(self, group: str, key: str, listener: Callable[[str | None], None], /) -> Subscription:
        """Tell *listener* of the text under *group* and *key*, as `ConfigurationCentre.watch` promises."""
        return self._texts.subscribe(TextKey(group, key), listener)

    def watch_urls(self, interface: str, category: str, listener: Callable[[tuple[Url, ...]], None], /) -> Subscription:
        """Tell *listener* of the URLs of *interface* in *category*, as `UrlLists.watch_urls` promises."""
        return self._urls.subscribe(UrlsKey(interface, category), listener)

    def close(self) -> None:
        """End every subscription. Idempotent."""
        self._space.detach(self._queue, self._texts, self._urls)
        self._queue.close()
        self._texts.close()
        self._urls.close()

    def __repr__(self) -> str:
        return f"<MemoryRegistry {self._space!r}>"


_Queue = NotifyQueue | SerialQueue[TextKey, "str | None"] | SerialQueue[UrlsKey, tuple[Url, ...]]
_spaces: dict[str, MemorySpace] = {}
_spaces_lock = fork_safe_lock()


def _key(service: ServiceKey | str) -> ServiceKey:
    return ServiceKey.parse(service) if isinstance(service, str) else service


def _endpoint(provider: str | Url | Endpoint) -> Endpoint | None:
    if isinstance(provider, Endpoint):
        return provider
    return endpoint_of(Url.parse(provider) if isinstance(provider, str) else provider)
