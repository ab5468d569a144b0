"""ZooKeeper as a registry: sessions come and go, the lists stay."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

from callahead.config.policy import RegistryPolicy

from ..api import NotifyListener, Subscription
from ..catalogue import Catalogue, Providers
from ..errors import ProviderDataError, RegistryUnavailable
from ..forking import fork_safe_lock
from ..instance import Instances
from ..models import ANY, ServiceKey
from ..notify import NotifyQueue
from ..serial import UNKNOWN, Unknown
from ..settings import named_at
from ..url import Url
from ..url_lists import UrlsKey
from ..watches import Watches
from .application import Application
from .category import Category
from .enrolment import Enrolment
from .folder import Folder, Root, together
from .keeper import Keeper
from .nodes import metadata_path, text_path
from .session import FAILURES
from .settings import Settings
from .text import Text
from .watched import Watched


class ZookeeperRegistry:
    """Providers that Dubbo registers in Apache ZooKeeper, by interface and by application, and the texts beside them.

    A daemon thread, which the first subscription starts, keeps a session by kazoo, reads each folder of providers that
    somebody has asked for, and reads it again after every event in it and whenever the session was interrupted. While
    there is no session the last lists stay, for as long as that takes, and `problem`, the log and each snapshot's
    reason say why. Nor is a list taken that is empty after an interruption: a server whose data are gone shows the
    same. Servers that cannot be reached are no error of `subscribe`: its first snapshot is then empty, and the list
    comes when they can. A forked child has a session of its own.

    Args:
        policy: Address ``zookeeper://[user:password@]host:port?backup=host:port,...``; settings ``group``, default
            ``dubbo``, ``username``, ``password``, ``timeout``, default 5 s, ``session``, default 10 s, and
            ``register``, default true.

    Raises:
        ConfigError: The address names no server, or a setting is unknown or wrong.
    """

    def __init__(self, policy: RegistryPolicy) -> None:
        self._named_at = named_at(policy)
        self._settings = Settings.of(policy)
        self._lock = fork_safe_lock()
        self._queue = NotifyQueue(policy.id, self._find)
        self._enrolment = Enrolment(policy.id, self._settings.root, policy.application)
        self._keeper = Keeper(policy.id, self._settings, self._enrolment, self._announce, self._announce_all)
        self._folders: dict[str, Folder] = {}
        self._texts: Watches[str, Text, str | None] = Watches(policy.id, self._keeper, self._new_text, _text_of)
        self._applications: Watches[str, Application, Instances] = Watches(
            policy.id, self._keeper, self._new_application, self._instances_of
        )
        self._categories: Watches[UrlsKey, Category, tuple[Url, ...]] = Watches(
            policy.id, self._keeper, self._new_category, _urls_of
        )

    @property
    def problem(self) -> str | None:
        """Why there is no session now; None while there is one, or before the first subscription."""
        return self._keeper.session.trouble or None if self._keeper.thread.is_started else None

    def subscribe(self, key: ServiceKey, listener: NotifyListener) -> Subscription:
        """Tell *listener* of the providers of *key*, as `Registry.subscribe` promises.

        The first subscriptions wait for a session up to ``timeout``, counted from the first of them.

        Raises:
            RegistryUnavailable: The system has no thread left.
            RegistryError: The registry is closed.
        """
        if self._settings.registers and key.interface != ANY:
            self._enrolment.add(key)
        self._keeper.thread.begin()
        self._keeper.wait_for([self._folder(key.interface)])
        return self._queue.subscribe(key, listener)

    def watch(self, group: str, key: str, listener: Callable[[str | None], None], /) -> Subscription:
        """Tell *listener* of a text, as `ConfigurationCentre.watch` promises.

        Raises:
            RegistryUnavailable: The system has no thread left.
            RegistryError: The registry is closed.
        """
        return self._texts.watch(text_path(self._settings.root, group, key), listener)

    def watch_urls(self, interface: str, category: str, listener: Callable[[tuple[Url, ...]], None], /) -> Subscription:
        """Tell *listener* of the nodes of a folder, as `UrlLists.watch_urls` promises.

        Raises:
            RegistryUnavailable: The system has no thread left.
            RegistryError: The registry is closed.
        """
        return self._categories.watch(UrlsKey(interface, category), listener)

    def watch_application(self, application: str, listener: Callable[[Instances], None], /) -> Subscription:
        """Tell *listener* of instances, as `ApplicationRegistry.watch_application` promises.

        Raises:
            RegistryUnavailable: The system has no thread left.
            RegistryError: The registry is closed.
        """
        return self._applications.watch(application, listener)

    def read_metadata(self, application: str, revision: str, /) -> str | None:
        """Read what a revision provides, as `ApplicationRegistry.read_metadata` promises.

        Raises:
            RegistryUnavailable: There is no session, or no permission.
            ProviderDataError: What stands there is no text.
        """
        path = metadata_path(self._settings.root, application, revision)
        try:
            found = self._keeper.session.peek(path)
        except FAILURES as error:
            why = str(error) or type(error).__name__
            raise RegistryUnavailable(f"{self._settings.address}: {path} cannot be read: {why}") from error
        try:
            return None if found is None else found.decode()
        except UnicodeDecodeError as error:
            raise ProviderDataError(f"{self._settings.address}: {path} is not UTF-8: {error.reason}") from None

    def close(self) -> None:
        """End every subscription, the session and its threads. Idempotent."""
        for queue in (self._queue, self._texts, self._categories, self._applications):
            queue.close()
        self._keeper.thread.close()

    def __repr__(self) -> str:
        return f"<ZookeeperRegistry {self._settings.address}{': ' + self.problem if self.problem else ''}>"

    def _folder(self, interface: str) -> Folder:
        with self._lock:
            folder = self._folders.get(interface)
            if folder is None:
                folder = self._new_folder(interface)
                self._keeper.add(folder)
        return folder

    def _new_folder(self, interface: str) -> Folder:
        outdated = self._keeper.outdated
        folder = (
            Root(self._settings, outdated, self._found)
            if interface == ANY
            else Folder(interface, self._settings, outdated)
        )
        self._folders = {**self._folders, interface: folder}
        return folder

    def _found(self, interfaces: list[str]) -> None:
        """Read those of *interfaces* that nobody has asked for yet; on the keeper's thread."""
        with self._lock:
            new = [self._new_folder(each) for each in interfaces if each not in self._folders]
        for folder in new:
            self._keeper.add_now(folder)

    def _find(self, key: ServiceKey) -> Providers:
        folder, source = self._folders.get(key.interface), self._settings.address
        problem = self._keeper.thread.trouble or (folder.problem if folder is not None else "")
        if folder is not None and not folder.is_answered:
            text = f"{source}: {problem or 'there is no answer yet'}{self._named_at}"
            return Providers((), text, is_known=False)
        # Where there is none, the reason names what comes near in the folders of others.
        services = folder.services if folder is not None else {}
        known = Catalogue(source, services) if services else together(source, self._folders.values())
        found = known.find(key)
        note = folder.passed_over.note if folder is not None else ""
        renewed = f"; not renewed: {problem}{self._named_at}" if problem else ""
        return found._replace(reason=f"{found.reason}{note}{renewed}") if note or renewed else found

    def _new_text(self, path: str) -> Text:
        return Text(self._settings.address, path, self._keeper.outdated)

    def _new_category(self, key: UrlsKey) -> Category:
        return Category(key, self._settings, self._keeper.outdated)

    def _new_application(self, name: str) -> Application:
        return Application(name, self._settings, self._keeper.outdated)

    def _instances_of(self, application: Application) -> Instances | Literal[Unknown.UNKNOWN]:
        return application.told(self._keeper.thread.trouble) if application.is_known else UNKNOWN

    def _announce(self, read: Sequence[Watched]) -> None:
        interfaces = {each.name for each in read if isinstance(each, Folder)}
        self._queue.announce(interfaces, wait=False)  # a listener may be closing this, which waits for this thread
        for watches in (self._texts, self._categories, self._applications):
            watches.announce(read)

    def _announce_all(self) -> None:
        """Say in the reasons that the session came or went."""
        self._queue.announce(wait=False)
        self._applications.announce_all()


def _text_of(text: Text) -> str | Literal[Unknown.UNKNOWN] | None:
    return text.text if text.is_known else UNKNOWN


def _urls_of(category: Category) -> tuple[Url, ...] | Literal[Unknown.UNKNOWN]:
    return category.urls if category.is_known else UNKNOWN
