"""The instances of one service in Nacos, and the names of all services."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar

from ..errors import ProviderDataError
from ..passed_over import PassedOver
from .instances import Instance, read_hosts, read_instance
from .payload import Body
from .session import Session
from .settings import Settings
from .watched import Watched

T = TypeVar("T")

_KEPT = "none is listed since the connection was lost; the last good list stays until one is"
_PAGE = 1000
_MOST_PAGES = 100
_LIST_S = 5.0


class Service(Watched, Generic[T]):
    """What is made of the instances of one service that are to be called.

    A list that has become empty is taken when it is still empty ``settle`` later: the servers may have lost the
    providers' connections, and providers take some seconds to come back. One that is empty since the connection was
    lost is not taken before an instance is listed again.

    Args:
        name: Of the service.
        settings: Where in the servers it stands.
        understand: Makes of an instance what is wanted, or None where it is nothing of that kind; may raise
            `ProviderDataError`.

    Attributes:
        found: What was made of the instances taken last.
        passed_over: Those of which nothing could be made.
    """

    def __init__(self, name: str, settings: Settings, understand: Callable[[Instance], T | None]) -> None:
        super().__init__(settings.address, name)
        self.found: tuple[T, ...] = ()
        self._settings = settings
        self._understand = understand
        self._empty_since: float | None = None
        self.passed_over = PassedOver("an instance")

    def read(self, session: Session, now: float) -> None:
        """Take over the list that was told last, or ask for it and be told of each later one."""
        said, self.pushed = self.pushed, None
        self._take(said if said is not None else self._ask(session), now)

    def renew(self) -> None:
        """Be read again, on another connection."""
        super().renew()
        self._empty_since = None

    def _ask(self, session: Session) -> Body:
        return session.ask(
            "SubscribeServiceRequest",
            namespace=self._settings.naming_namespace,
            groupName=self._settings.group,
            serviceName=self.name,
            subscribe=True,
            clusters="",
        )

    def _take(self, said: Body, now: float) -> None:
        """Take over a list, unless it is none or is empty for a reason that may not be the providers'."""
        try:
            hosts = read_hosts(said.get("serviceInfo"))
        except ProviderDataError as error:
            self.fail(str(error), now)
            return
        instances, found = self._read(hosts)
        if found or not self.found or any(each.is_off for each in instances) or self._is_empty_for_good(now):
            self.found, self.is_known, self.problem = found, True, ""
            self.is_guarded, self._empty_since = False, None

    def _is_empty_for_good(self, now: float) -> bool:
        if self.is_guarded:
            self.fail(_KEPT, now)
            return False
        self._empty_since = self._empty_since or now
        if now - self._empty_since < self._settings.settle_s:
            self.due_at = self._empty_since + self._settings.settle_s
            return False
        return True

    def _read(self, hosts: list[Any]) -> tuple[list[Instance], tuple[T, ...]]:
        instances, found, faults = [], [], {}
        for host in hosts:
            try:
                instance = read_instance(host)
                instances.append(instance)
                made = self._understand(instance) if instance.is_offered else None
            except ProviderDataError as error:
                faults[str(error)] = str(error)
            else:
                found += [made] if made is not None else []
        self.passed_over.tell(f"{self.source}: {self.name}", faults)
        return instances, tuple(found)


def service_named_in(push: Body) -> str:
    """Take the name of the service of which *push* tells, without the group that some servers set before it."""
    info = push.get("serviceInfo")
    name = str(info.get("name")) if isinstance(info, dict) else ""
    return name.rpartition("@@")[2]


class Names(Watched):
    """The names of all services of a group, of which the servers tell no change: they are asked every 5 s.

    Args:
        settings: Where in the servers they stand.
        found: Told of all of them each time, before this is answered.
    """

    def __init__(self, settings: Settings, found: Callable[[list[str]], None]) -> None:
        super().__init__(settings.address, "the list of services")
        self._settings = settings
        self._found = found

    def read(self, session: Session, now: float) -> None:
        """Ask for them, page by page."""
        names: list[str] = []
        for number in range(1, _MOST_PAGES + 1):
            page = self._page(session, number)
            names += page
            if len(page) < _PAGE:
                break
        self._found(names)
        self.is_known, self.problem = True, ""
        self.due_at = now + _LIST_S

    def _page(self, session: Session, number: int) -> list[str]:
        answer = session.ask(
            "ServiceListRequest",
            namespace=self._settings.naming_namespace,
            groupName=self._settings.group,
            pageNo=number,
            pageSize=_PAGE,
        )
        said = answer.get("serviceNames")
        return [name for name in said[:_PAGE] if isinstance(name, str)] if isinstance(said, list) else []
