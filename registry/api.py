"""The protocols that a registry and its users meet at."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from .models import ServiceKey, Snapshot

if TYPE_CHECKING:  # importing a consumer shall cost next to nothing
    from .instance import Instances
    from .url import Url


class NotifyListener(Protocol):
    """Hears of the providers of one service.

    Contract, after Dubbo's ``NotifyListener``: the first notification is full and so is each later one; an emptied list
    is announced as an empty snapshot; notifications keep their order and never overlap, for they come from the
    registry's one serial queue. An exception is logged and does not reach the registry. Differs: a list equal to the
    one told last is not told again, and of changes that come faster than they are taken only the newest need be told.
    """

    def __call__(self, snapshot: Snapshot, /) -> None:
        """Take over *snapshot*; must not block."""


class Subscription(Protocol):
    """One running interest in a service."""

    def close(self) -> None:
        """End it: once this returns no notification begins. Idempotent, any thread.

        It waits for a notification that is running on another thread, so it must not be called while holding a lock
        that the listener takes; called from the listener itself it returns at once.
        """


class Registry(Protocol):
    """Where providers are found; all methods may be called from any thread."""

    def subscribe(self, key: ServiceKey, listener: NotifyListener) -> Subscription:
        """Tell *listener* of the providers of *key*, now and on each change.

        The first notification has run, on the calling thread or the queue's, before this returns.

        Raises:
            RegistryError: The registry cannot be read and no earlier list is known.
        """

    def close(self) -> None:
        """End every subscription, thread and connection. Idempotent."""


@runtime_checkable
class ConfigurationCentre(Protocol):
    """A `Registry` that also keeps texts, such as rules, which change while programs run.

    Source: Dubbo's ``DynamicConfiguration``. In ZooKeeper the text of group and key is the data of the node
    ``/<root>/config/<group>/<key>``, and that of the group ``mapping`` of ``/<root>/mapping/<key>``; in Nacos they are
    group and dataId.
    """

    def watch(self, group: str, key: str, listener: Callable[[str | None], None], /) -> Subscription:
        """Tell *listener* of the text under *group* and *key*, now and on each change.

        Args:
            group: Such as ``dubbo`` for rules.
            key: Such as ``demo.Greeting::.condition-router``.
            listener: Called with the text, or None where there is none; never two at once, and not again with what
                it was told last. It must not block. While the registry cannot be asked, the last text stays.

        The first notification has run before this returns, where the registry answers within its ``timeout``; else it
        follows when the registry can be read. A text that cannot be taken, being no UTF-8 or larger than 1 MiB, is
        logged and the last one stays.

        Raises:
            RegistryError: The registry is closed.
        """


@runtime_checkable
class UrlLists(Protocol):
    """A `Registry` that lists URLs of other categories than providers: the rules that Dubbo 2.6 and its consoles write.

    Source: Dubbo's ``RegistryDirectory``. In ZooKeeper they are the names of the nodes under
    ``/<root>/<interface>/<category>``.
    """

    def watch_urls(self, interface: str, category: str, listener: Callable[[tuple[Url, ...]], None], /) -> Subscription:
        """Tell *listener* of the URLs of *interface* in *category*, now and on each change.

        Args:
            interface: Its name; groups and versions are for the listener to compare.
            category: ``configurators`` or ``routers``.
            listener: Called with the full list, as the listener of `ConfigurationCentre.watch` is. A URL that makes no
                sense is logged and passed over.

        The first notification has run before this returns, where the registry answers within its ``timeout``; else it
        follows when the registry can be read. While it cannot, the last list stays.

        Raises:
            RegistryError: The registry is closed.
        """


@runtime_checkable
class ApplicationRegistry(Registry, ConfigurationCentre, Protocol):
    """A `ConfigurationCentre` that knows the instances of applications, and what each revision of one provides.

    Source: Dubbo 3's ``ServiceDiscovery`` and ``MetadataReport``. Which applications provide an interface is the text
    of the group ``mapping``.
    """

    def watch_application(self, application: str, listener: Callable[[Instances], None], /) -> Subscription:
        """Tell *listener* of the instances of *application*, now and on each change.

        Args:
            application: Its name.
            listener: Called with the full list, as the listener of `ConfigurationCentre.watch` is. An instance may be
                replaced in place, by one of the same address and another revision; that is a change. An instance that
                cannot be understood is logged and passed over.

        The first notification has run before this returns, where the registry answers within its ``timeout``; else it
        follows when the registry can be read. A list that is empty after an outage is not told.

        Raises:
            RegistryError: The registry is closed.
        """

    def read_metadata(self, application: str, revision: str, /) -> str | None:
        """Read the JSON that says what *revision* of *application* provides; None where there is none.

        It may block, for at most the registry's ``timeout``. It is asked once for each revision, where an instance
        says that its metadata are with the registry: ZooKeeper ``/<root>/metadata/<application>/<revision>``; Nacos
        dataId *application*, group *revision*.

        Raises:
            RegistryError: The registry cannot be asked.
        """
