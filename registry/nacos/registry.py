"""Nacos as a registry: connections come and go, the lists stay."""

from __future__ import annotations

import os
import weakref
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from threading import get_ident
from typing import Literal

from callahead.config.policy import RegistryPolicy

from ..api import NotifyListener, Subscription
from ..catalogue import Catalogue, Providers, TextKey
from ..errors import RegistryError, RegistryUnavailable
from ..forking import fork_safe_lock, free_in_child
from ..instance import Instances, ServiceInstance
from ..models import Endpoint, ServiceKey
from ..notify import NotifyQueue
from ..serial import UNKNOWN, Unknown
from ..settings import named_at
from ..watches import Watches
from .instances import of_application, provider
from .keeper import Keeper
from .names import is_open, key_of, meant_by, name_of
from .payload import Message
from .service import Names, Service, service_named_in
from .settings import Settings
from .text import Text, read_text
from .watched import Watched

_REGISTRIES: weakref.WeakSet[NacosRegistry] = weakref.WeakSet()


class NacosRegistry:
    """Providers that Dubbo registers in Nacos, by interface and by application, and the texts beside them.

    A daemon thread, which the first subscription starts, keeps a connection over gRPC to one of the servers, by which
    they tell of each change; on each new connection all is asked for again. While there is none the last lists stay,
    for as long as that takes, and `problem`, the log and each snapshot's reason say why. Nor is a list taken that is
    empty after an interruption: providers need some seconds to come back to a server that has been started again.
    Servers that cannot be reached are no error of `subscribe`: its first snapshot is then empty, and the list comes
    when they can. The connection is ended before each fork, and both processes make one of their own.

    Args:
        policy: Address ``nacos://[user:password@]host:port?backup=host:port,...``; settings ``namespace``, default
            ``public``, ``group``, default ``DEFAULT_GROUP``, ``username``, ``password``, ``timeout``, default 5 s, and
            ``settle``, default 5 s.

    Raises:
        ConfigError: The address names no server, or a setting is unknown or wrong.
    """

    def __init__(self, policy: RegistryPolicy) -> None:
        self._named_at = named_at(policy)
        self._settings = Settings.of(policy)
        self._lock = fork_safe_lock()
        self._queue = NotifyQueue(policy.id, self._find)
        self._keeper = Keeper(policy.id, self._settings, self._about, self._announce, self._announce_all)
        self._names: dict[ServiceKey, Names] = {}
        self._services: dict[ServiceKey, Service[Endpoint]] = {}
        self._interfaces: dict[Watched, str] = {}
        self._texts: Watches[TextKey, Text, str | None] = Watches(policy.id, self._keeper, self._new_text, _text_of)
        self._applications: Watches[str, Service[ServiceInstance], Instances] = Watches(
            policy.id, self._keeper, self._new_application, self._instances_of
        )
        _REGISTRIES.add(self)

    @property
    def problem(self) -> str | None:
        """Why there is no connection now; None while there is one, or before the first subscription."""
        return self._keeper.session.trouble or None if self._keeper.thread.is_started else None

    def subscribe(self, key: ServiceKey, listener: NotifyListener) -> Subscription:
        """Tell *listener* of the providers of *key*, as `Registry.subscribe` promises.

        The first subscriptions wait for a connection up to ``timeout``, counted from the first of them.

        Raises:
            RegistryUnavailable: The system has no thread left.
            RegistryError: The registry is closed.
        """
        self._keeper.thread.begin()
        self._keeper.wait_for(self._asked_for(key))
        return self._queue.subscribe(key, listener)

    def watch(self, group: str, key: str, listener: Callable[[str | None], None], /) -> Subscription:
        """Tell *listener* of a text, as `ConfigurationCentre.watch` promises.

        Raises:
            RegistryUnavailable: The system has no thread left.
            RegistryError: The registry is closed.
        """
        return self._texts.watch(TextKey(group, key), listener)

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
            RegistryUnavailable: There is no connection, or the server refuses.
        """
        try:
            return read_text(revision, application, self._settings, self._keeper.session)
        except RegistryError as error:
            place = f"{self._settings.address}: the metadata {revision} of {application}"
            raise RegistryUnavailable(f"{place} cannot be read: {error}") from error

    def close(self) -> None:
        """End every subscription, the connection and its threads. Idempotent."""
        for queue in (self._queue, self._texts, self._applications):
            queue.close()
        self._keeper.thread.close()

    def __repr__(self) -> str:
        return f"<NacosRegistry {self._settings.address}{': ' + self.problem if self.problem else ''}>"

    def _asked_for(self, key: ServiceKey) -> list[Watched]:
        """All that is watched for the sake of *key*, which is begun here where nobody has before."""
        with self._lock:
            if is_open(key):
                return [self._names.get(key) or self._new_names(key)]
            return [self._services.get(each) or self._new_service(each) for each in meant_by(key)]

    def _new_names(self, key: ServiceKey) -> Names:
        names = self._names[key] = Names(self._settings, lambda found: self._found(key, found))
        self._interfaces[names] = key.interface
        self._keeper.add(names)
        return names

    def _new_service(self, key: ServiceKey) -> Service[Endpoint]:
        service = Service(name_of(key), self._settings, provider)
        self._services = {**self._services, key: service}
        self._interfaces[service] = key.interface
        self._keeper.add(service)
        return service

    def _found(self, wanted: ServiceKey, names: list[str]) -> None:
        """Read those services that are *wanted* and that nobody has asked for yet; on the keeper's thread."""
        keys = [key for key in map(key_of, names) if key is not None and wanted.accepts(key)]
        with self._lock:
            new = [self._new_service(key) for key in keys if key not in self._services]
        for service in new:
            self._keeper.read(service)

    def _about(self, push: Message) -> Watched | None:
        """Find what *push* tells of."""
        if push.kind == "ConfigChangeNotifyRequest":
            return self._texts.get(TextKey(str(push.body.get("group")), str(push.body.get("dataId"))))
        if push.kind == "NotifySubscriberRequest":
            name = service_named_in(push.body)
            key = key_of(name)
            return self._applications.get(name) if key is None else self._services.get(key)
        return None

    def _find(self, key: ServiceKey) -> Providers:
        source, wanted = self._settings.address, self._wanted(key)
        names = self._names.get(key)
        asked: list[Watched] = [*wanted.values()] if names is None else [names]
        problems = (each.problem for each in (*asked, *wanted.values()) if each.problem)
        problem = self._keeper.thread.trouble or next(problems, "")
        if not all(each.is_answered for each in asked):
            text = f"{source}: {problem or 'there is no answer yet'}{self._named_at}"
            return Providers((), text, is_known=False)
        # Where there is none, the reason names what comes near in other services.
        found = (_catalogue(source, wanted) or _catalogue(source, self._services)).find(key)
        notes = "".join(service.passed_over.note for service in wanted.values())
        reason = f"{found.reason}{notes}; not renewed: {problem}{self._named_at}" if problem else found.reason + notes
        return Providers(found.endpoints, reason, is_known=all(each.is_known for each in asked))

    def _wanted(self, key: ServiceKey) -> dict[ServiceKey, Service[Endpoint]]:
        """Pick the services of *key* from those that are asked for."""
        services = self._services
        if key in services:  # nearly always
            return {key: services[key]}
        return {each: services[each] for each in (services if is_open(key) else meant_by(key)) if key.accepts(each)}

    def _new_text(self, key: TextKey) -> Text:
        return Text(*key, self._settings)

    def _new_application(self, name: str) -> Service[ServiceInstance]:
        return Service(name, self._settings, partial(of_application, application=name))

    def _instances_of(self, service: Service[ServiceInstance]) -> Instances | Literal[Unknown.UNKNOWN]:
        if not service.is_known:
            return UNKNOWN
        count, problem = len(service.found), self._keeper.thread.trouble or service.problem
        told = f"{count or 'no'} instance{'' if count < 2 else 's'} of {service.name}{service.passed_over.note}"
        reason = f"{self._settings.address}: {told}"
        return Instances(service.found, f"{reason}; not renewed: {problem}" if problem else reason)

    def _announce(self, read: Sequence[Watched]) -> None:
        interfaces = {self._interfaces[each] for each in read if each in self._interfaces}
        self._queue.announce(interfaces, wait=False)  # a listener may be closing this, which waits for this thread
        for watches in (self._texts, self._applications):
            watches.announce(read)

    def _announce_all(self) -> None:
        """Say in the reasons that the connection came or went."""
        self._queue.announce(wait=False)
        self._applications.announce_all()

    def before_fork(self) -> None:
        """Leave nothing of gRPC running."""
        self._keeper.before_fork()

    def after_fork_in_parent(self) -> None:
        """Go on."""
        self._keeper.after_fork_in_parent()


def _text_of(text: Text) -> str | Literal[Unknown.UNKNOWN] | None:
    return text.text if text.is_known else UNKNOWN


def _catalogue(source: str, services: Mapping[ServiceKey, Service[Endpoint]]) -> Catalogue:
    return Catalogue(source, {key: service.found for key, service in services.items() if service.found})


# By thread, since two may fork at a time: those that wait for the end of a fork.
_FORKING: dict[int, list[NacosRegistry]] = {}


def _before_fork() -> None:
    _FORKING[get_ident()] = registries = list(_REGISTRIES)
    for registry in registries:
        registry.before_fork()


def _after_fork_in_parent() -> None:
    for registry in _FORKING.pop(get_ident()):
        registry.after_fork_in_parent()


os.register_at_fork(before=_before_fork, after_in_parent=_after_fork_in_parent)
free_in_child(_FORKING.clear)
