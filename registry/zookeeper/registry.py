"""ZooKeeper as a registry: sessions come and go, the lists stay."""

from __future__ import annotations

import logging
import os
import time
import weakref
from collections.abc import Iterable
from threading import Condition, Thread, current_thread

from kazoo.exceptions import NoAuthError

from callahead.config.policy import RegistryPolicy

from ..api import NotifyListener, Subscription
from ..catalogue import Catalogue, Providers
from ..errors import RegistryError, RegistryUnavailable
from ..models import ANY, ServiceKey
from ..notify import NotifyQueue
from .folder import Folder, together
from .nodes import consumer_node, folder_of, interfaces_in, read_providers
from .session import FAILURES, Session
from .settings import Settings

_log = logging.getLogger("callahead.registry")

_REGISTRIES: weakref.WeakSet[ZookeeperRegistry] = weakref.WeakSet()

# How often it is looked whether a session came about, and whether what could not be read can be read now.
_TICK_S = 0.2
_RETRY_S = 5.0
# How long a request that runs may hold up the end, before its connection is cut.
_GOODBYE_S = 1.0


class ZookeeperRegistry:
    """Providers that Dubbo's interfaces register in Apache ZooKeeper.

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
        self._id = policy.id
        self._named_at = policy.origins.get("address", "")
        self._settings = Settings.of(policy)
        self._application = policy.application
        self._queue = NotifyQueue(policy.id, self._find)
        self._session = Session(self._settings, f"callahead-registry-{policy.id}-kazoo", self._session_changed)
        self._changed = Condition()
        self._folders: dict[str, Folder] = {}
        self._stale: set[str] = set()
        self._retried_at = self._began_at = 0.0
        self._catalogue = Catalogue(self._settings.address)
        self._asked: set[ServiceKey] = set()
        self._enrolled: dict[ServiceKey, int | None] = {}
        self._reported = ""
        self._closing = False
        self._keeper: Thread | None = None
        _REGISTRIES.add(self)

    @property
    def problem(self) -> str | None:
        """Why there is no session now; None while there is one, or before the first subscription."""
        return self._session.trouble or None if self._keeper is not None else None

    def subscribe(self, key: ServiceKey, listener: NotifyListener) -> Subscription:
        """Tell *listener* of the providers of *key*, as `Registry.subscribe` promises.

        The first subscriptions wait for a session up to ``timeout``, counted from the first of them.

        Raises:
            RegistryUnavailable: The system has no thread left.
            RegistryError: The registry is closed.
        """
        self._await(self._folder(key))
        return self._queue.subscribe(key, listener)

    def close(self) -> None:
        """End every subscription, the session and its threads. Idempotent."""
        with self._changed:
            self._closing = True
            keeper = self._keeper
            self._changed.notify_all()
        self._queue.close()
        if keeper is not None and keeper is not current_thread():
            keeper.join(_GOODBYE_S)
            self._session.cut()
            keeper.join()

    def __repr__(self) -> str:
        return f"<ZookeeperRegistry {self._settings.address}{': ' + self.problem if self.problem else ''}>"

    def _folder(self, key: ServiceKey) -> Folder:
        with self._changed:
            if self._closing:
                raise RegistryError(f"registry {self._id} is closed")
            if self._keeper is None:
                self._start()
                self._began_at = time.monotonic()
            if self._settings.registers and key.interface != ANY:
                self._asked.add(key)
            self._changed.notify_all()
            return self._known(key.interface)

    def _known(self, interface: str) -> Folder:
        folder = self._folders.get(interface)
        if folder is None:
            folder = Folder(interface, self._outdated)
            self._folders = {**self._folders, interface: folder}
            self._stale.add(interface)
        return folder

    def _start(self) -> None:
        keeper = Thread(target=self._keep, name=f"callahead-registry-{self._id}", daemon=True)
        try:
            keeper.start()
        except RuntimeError as error:  # the system has no thread left: the next subscription tries again
            raise RegistryUnavailable(f"{self._settings.address} cannot be watched: {error}") from None
        self._keeper = keeper

    def _await(self, folder: Folder) -> None:
        if current_thread() is self._keeper:  # a listener subscribes: nobody else would read
            if self._session.is_up and not folder.is_answered:
                self._read([folder.interface])
            return
        with self._changed:
            self._changed.wait_for(lambda: folder.is_answered or self._closing, self._patience())

    def _patience(self) -> float:
        since = time.monotonic() if self._session.is_up else self._began_at
        return max(0.0, since + self._settings.timeout_s - time.monotonic())

    def _find(self, key: ServiceKey) -> Providers:
        folder, source = self._folders.get(key.interface), self._settings.address
        problem = self._reported or (folder.problem if folder is not None else "")
        if folder is not None and not folder.is_answered:
            return Providers((), f"{source}: {problem or 'there is no answer yet'}{self._whose()}")
        endpoints, reason = self._catalogue.find(key)
        return Providers(endpoints, f"{reason}; not renewed: {problem}{self._whose()}" if problem else reason)

    def _whose(self) -> str:
        """Tell where the registry was named."""
        return f" (registries.{self._id}.address, {self._named_at})" if self._named_at else ""

    def _keep(self) -> None:
        try:
            while not self._closing:
                self._session.revive()
                self._report()
                self._work()
                with self._changed:
                    self._changed.wait_for(self._has_work, self._pause())
        finally:
            self._session.close()

    def _work(self) -> None:
        if not self._session.is_up:
            return
        with self._changed:
            stale, self._stale = self._stale, set()
        if stale:
            self._read(sorted(stale))
        self._enrol()

    def _has_work(self) -> bool:
        if self._closing or bool(self._session.trouble) != bool(self._reported):
            return True
        return self._session.is_up and bool(self._stale or self._asked - self._enrolled.keys())

    def _pause(self) -> float | None:
        if not self._session.is_up:
            return _TICK_S
        failed = [folder.interface for folder in self._folders.values() if folder.problem]
        if not failed:
            return None
        left = self._retried_at + _RETRY_S - time.monotonic()
        if left <= 0:
            self._retried_at = time.monotonic()
            self._stale.update(failed)
        return max(left, 0.0)

    def _report(self) -> None:
        """Log and tell that the session is up or down, or down for another reason."""
        trouble = self._session.trouble
        if trouble == self._reported:
            return
        self._reported = trouble
        if trouble:
            _log.warning("registry %s: %s: %s; known lists stay", self._id, self._settings.address, trouble)
        else:
            _log.info("registry %s: %s: there is a session", self._id, self._settings.address)
        self._queue.announce(wait=False)

    def _read(self, interfaces: Iterable[str]) -> None:
        for interface in interfaces:
            self._read_folder(self._folders[interface])
        self._catalogue = together(self._settings.address, self._folders.values())
        with self._changed:
            self._changed.notify_all()
        self._queue.announce(wait=False)  # a listener may be closing this registry, which waits for this thread

    def _read_folder(self, folder: Folder) -> None:
        try:
            (self._read_root if folder.interface == ANY else self._read_providers)(folder)
        except NoAuthError:
            folder.fail("there is no permission to read it; set username and password")
        except FAILURES as error:
            folder.fail(f"it cannot be read: {str(error) or type(error).__name__}")
        folder.is_answered = True

    def _read_root(self, root: Folder) -> None:
        found = self._session.children(self._settings.root or "/", root.watch)
        new = set(interfaces_in(found or ())) - self._folders.keys()
        for interface in sorted(new):
            with self._changed:
                folder = self._known(interface)
                self._stale.discard(interface)
            self._read_folder(folder)

    def _read_providers(self, folder: Folder) -> None:
        path = folder_of(self._settings.root, folder.interface, "providers")
        found = self._session.children(path, folder.watch)
        catalogue, faults = read_providers(self._settings.address, folder.interface, found or ())
        folder.complain(self._settings.address, faults)
        folder.take(catalogue)

    def _outdated(self, interface: str) -> None:
        with self._changed:
            self._stale.add(interface)
            self._changed.notify_all()

    def _session_changed(self) -> None:
        with self._changed:
            if self._session.is_up:
                self._stale.update(self._folders)
            else:
                for folder in self._folders.values():
                    folder.is_guarded = True
            self._changed.notify_all()

    def _enrol(self) -> None:
        session = self._session.id
        for key in [key for key in tuple(self._asked) if self._enrolled.get(key) != session]:
            try:
                self._session.enrol(self._consumer(key))
            except (*FAILURES, OSError) as error:
                why = str(error) or type(error).__name__
                _log.warning("registry %s: the consumer of %s is not registered: %s", self._id, key, why)
            self._enrolled[key] = session

    def _consumer(self, key: ServiceKey) -> str:
        told = {"application": self._application, "pid": str(os.getpid())}
        folder = folder_of(self._settings.root, key.interface, "consumers")
        return f"{folder}/{consumer_node(key, self._session.host, told)}"

    def _after_fork(self) -> None:
        self._changed = Condition()
        self._session.abandon()
        self._enrolled = {}
        self._began_at = time.monotonic()
        self._session_changed()
        self._stale.update(self._folders)
        if self._keeper is not None and self._keeper is not current_thread() and not self._closing:
            self._start()


def _after_fork_in_child() -> None:
    for registry in list(_REGISTRIES):
        registry._after_fork()


# The queues have been freed by then: their module, imported above, has registered first.
os.register_at_fork(after_in_child=_after_fork_in_child)
