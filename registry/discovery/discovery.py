"""The applications that somebody asks for: their instances, and what these provide."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from random import Random
from threading import Thread, current_thread
from typing import Final

from ..api import ApplicationRegistry, Subscription
from ..catalogue import Providers, counted
from ..errors import ProviderDataError, RegistryError
from ..forking import fork_safe_condition, go_on_in_child
from ..instance import Instances, ServiceInstance
from ..models import Endpoint, ServiceKey
from ..url import Url, endpoint_of
from .metadata import MetadataSource, Provided
from .revisions import Revisions

_log = logging.getLogger("callahead.registry")

_RETRY_S: Final = 5.0


class _Application:
    """One that is followed; `Discovery` holds the lock.

    Attributes:
        told: Its instances, as the registry told them last; None while it has not.
        used: Those whose services are told, see `adopt`; None before that is known of any.
        is_settled: Nothing more of *told* will be used in the next moment.
        subscription: At the registry; None before there is one.
        problem: Why there is none; "" where nothing is wrong.
        listeners: Called after each change.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.told: Instances | None = None
        self.used: Instances | None = None
        self.is_settled = False
        self.subscription: Subscription | None = None
        self.problem = ""
        self.listeners: list[Callable[[], None]] = []

    def adopt(self, revisions: Revisions) -> None:
        """Use what was told, as far as *revisions* knows what it provides.

        Of an instance that was replaced in place its former self stays until that is known; and all stay where nothing
        else would: asking a new one takes a moment, in which no list may be empty that was not, and will not be.
        """
        if self.told is None:
            return
        used = self.used.instances if self.used is not None else ()
        former = {each.address: each for each in used if revisions.get(each) is not None}
        found = (_usable(each, former, revisions) for each in self.told.instances)
        kept = tuple(each for each in found if each is not None)
        self.is_settled = all(map(revisions.is_settled, self.told.instances))
        if kept or self.is_settled:
            self.used = Instances(kept, self.told.reason)


def _usable(
    instance: ServiceInstance, former: Mapping[str, ServiceInstance], revisions: Revisions
) -> ServiceInstance | None:
    """Give *instance*, or what was at its address; None where it is still being asked."""
    if revisions.get(instance) is not None:
        return instance
    return former.get(instance.address) or (instance if revisions.is_settled(instance) else None)


class Discovery:
    """Follows the applications of one registry by a daemon thread, which the first of them starts.

    The thread does all that may block: it asks the registry for instances, and them for their metadata. What is known
    stays while neither can be asked. In a forked child it is another thread.

    Args:
        name: Id of the registry, for the thread and the log.
        registry: Knows the instances.
        source: Asks instances for their metadata; closed with this.
        clock: Monotonic seconds.
        random: The one source of chance.
    """

    def __init__(
        self,
        name: str,
        registry: ApplicationRegistry,
        source: MetadataSource,
        *,
        clock: Callable[[], float] = time.monotonic,
        random: Random | None = None,
    ) -> None:
        self._name = name
        self._registry = registry
        self._source = source
        self._revisions = Revisions(registry, source, clock, random or Random())  # noqa: S311 - it spreads questions
        self._changed = fork_safe_condition()
        self._applications: dict[str, _Application] = {}
        self._is_stale = False
        self._closing = False
        self._thread: Thread | None = None
        go_on_in_child(self._go_on_after_fork)

    def follow(self, application: str, changed: Callable[[], None]) -> None:
        """Call *changed* after each change of what instances of *application* provide; it does not block.

        Raises:
            RegistryError: This is closed, or the system has no thread left.
        """
        with self._changed:
            self.require_open()
            followed = self._applications.setdefault(application, _Application(application))
            followed.listeners = [*followed.listeners, changed]
            self._wake()

    def require_open(self) -> None:
        """Raise `RegistryError` once closed."""
        if self._closing:
            raise RegistryError(f"registry {self._name} is closed")

    def leave(self, application: str, changed: Callable[[], None]) -> None:
        """Call *changed* no more for *application*."""
        with self._changed:
            followed = self._applications[application]
            followed.listeners = [each for each in followed.listeners if each != changed]
            self._is_stale = True
            self._changed.notify_all()

    def wait_for(self, applications: Iterable[str], is_enough: Callable[[], bool], timeout_s: float) -> None:
        """Wait until what *applications* provide is known, up to *timeout_s*.

        What could not be had at once is waited for, too, while what there is is not *is_enough*: the first call to a
        process that has just been started may take longer than it has.
        """
        names = tuple(applications)

        def is_done() -> bool:
            if self._closing or not any(self._may_come(name) for name in names):
                return True
            return all(map(self._is_settled, names)) and is_enough()

        with self._changed:
            self._changed.wait_for(is_done, timeout_s)

    def find(self, application: str, key: ServiceKey) -> Providers:
        """Collect the endpoints of *key* that instances of *application* provide."""
        followed = self._applications.get(application)
        if followed is None or followed.told is None or followed.used is None:
            problem = followed.problem if followed is not None else ""
            return Providers((), f"{application}: {problem or 'there is no answer yet'}", is_known=False)
        instances, reason = followed.used
        endpoints = tuple(each for instance in instances for each in self._endpoints(instance, key))
        failed = [problem for each in followed.told.instances if (problem := self._revisions.problem_of(each))]
        but = f", of which {len(failed)} cannot be used: {failed[0]}" if failed else ""
        return Providers(endpoints, f"{reason}{but}: {counted(len(endpoints))} of {key}", is_known=not failed)

    def close(self) -> None:
        """Follow nothing any more, and end the thread. Idempotent."""
        with self._changed:
            self._closing = True
            thread = self._thread
            self._changed.notify_all()
        self._source.close()
        if thread is not None and thread is not current_thread():
            thread.join()

    def _endpoints(self, instance: ServiceInstance, key: ServiceKey) -> Iterator[Endpoint]:
        metadata = self._revisions.get(instance)
        for provided in metadata.of(key) if metadata is not None else ():
            endpoint = _endpoint(instance, provided)
            if endpoint is not None:
                yield endpoint

    def _is_settled(self, name: str) -> bool:
        followed = self._applications.get(name)
        return followed is not None and followed.is_settled

    def _may_come(self, name: str) -> bool:
        """Tell whether more of the application *name* may be known soon."""
        followed = self._applications.get(name)
        if followed is None or followed.told is None:  # a registry that did not answer in its time is not waited for
            return followed is None or (followed.subscription is None and not followed.problem)
        return not followed.is_settled or any(map(self._revisions.problem_of, followed.told.instances))

    def _wake(self) -> None:
        self._is_stale = True
        if self._thread is None:
            self._start()
        self._changed.notify_all()

    def _start(self) -> None:
        thread = Thread(target=self._run, name=f"callahead-registry-{self._name}-applications", daemon=True)
        try:
            thread.start()
        except RuntimeError as error:  # the system has no thread left: whoever asks next tries again
            raise RegistryError(f"the applications of registry {self._name} cannot be followed: {error}") from None
        self._thread = thread

    def _run(self) -> None:
        while not self._closing:
            pause = self._work()
            with self._changed:
                self._changed.wait_for(lambda: self._closing or self._is_stale, self._pause(pause))
                self._is_stale = False
        for followed in self._applications.values():
            if followed.subscription is not None:
                followed.subscription.close()

    def _work(self) -> float | None:
        """Do what is to be done, and give the pause until the next try; the thread goes on whatever comes up."""
        try:
            pause = self._follow_all()
            self._fetch_all()
        except Exception:
            _log.exception("registry %s: its applications cannot be followed now", self._name)
            return _RETRY_S
        return pause

    def _pause(self, other: float | None) -> float | None:
        pauses = [each for each in (other, self._revisions.pause()) if each is not None]
        return min(pauses) if pauses else None

    def _follow_all(self) -> float | None:
        """Subscribe to what is new, and end what nobody asks for any more; give the pause until the next try."""
        with self._changed:
            followed = list(self._applications.values())
        for application in followed:
            if not application.listeners:
                self._end(application)
            elif application.subscription is None:
                self._subscribe(application)
        return _RETRY_S if any(each.listeners and each.subscription is None for each in followed) else None

    def _subscribe(self, application: _Application) -> None:
        def hear(told: Instances) -> None:
            with self._changed:
                application.told = told
                application.adopt(self._revisions)
                self._wake()
            self._tell(application)

        try:
            application.subscription = self._registry.watch_application(application.name, hear)
        except RegistryError as error:
            application.problem = str(error)
        with self._changed:
            self._changed.notify_all()

    def _end(self, application: _Application) -> None:
        if application.subscription is not None:
            application.subscription.close()
        with self._changed:
            if application.listeners:  # somebody has come meanwhile
                application.subscription = None
            else:
                del self._applications[application.name]

    def _fetch_all(self) -> None:
        with self._changed:
            told = [each.told for each in self._applications.values() if each.told is not None]
            used = [each.used for each in self._applications.values() if each.used is not None]
            self._revisions.keep(instance for one in (*told, *used) for instance in one.instances)
        for revision, those in self._revisions.due(instance for one in told for instance in one.instances).items():
            if self._closing:
                return
            self._revisions.fetch(revision, those)
            application = self._applications[revision.application]
            with self._changed:
                application.adopt(self._revisions)
                self._changed.notify_all()
            self._tell(application)

    def _tell(self, application: _Application) -> None:
        for changed in application.listeners:
            changed()

    def _go_on_after_fork(self) -> None:
        if self._thread is not None and self._thread is not current_thread() and not self._closing:
            self._is_stale = True
            self._start()

    def __repr__(self) -> str:
        return f"<Discovery of {', '.join(sorted(self._applications)) or 'nothing'} in registry {self._name}>"


def _endpoint(instance: ServiceInstance, provided: Provided) -> Endpoint | None:
    """Make the endpoint of a service at *instance*; None where it is switched off, or makes no sense there."""
    timestamp = instance.metadata.get("timestamp", "")
    told = {"timestamp": timestamp} if timestamp.isdecimal() else {}
    try:
        url = Url(
            protocol=provided.protocol,
            host=instance.host,
            port=instance.port_of(provided.protocol, provided.port or instance.port),
            path=provided.path,
            parameters={**told, **provided.parameters},
        )
        return endpoint_of(url)
    except (ProviderDataError, ValueError) as error:
        _log.debug("%s: %s is passed over: %s", instance, provided.service, error)
        return None
