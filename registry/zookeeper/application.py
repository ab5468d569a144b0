"""The instances of one application in ZooKeeper."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from ..errors import ProviderDataError
from ..instance import Instances, ServiceInstance, loaded
from .folder import KEPT
from .nodes import application_path
from .parsed import Parsed
from .session import Session
from .settings import Settings
from .watched import Watched

# More than that no instance says of itself; the rest of a node may be anything.
_MOST_BYTES = 256 * 1024


class Application(Watched):
    """The instances of one application, as they were read last.

    Source: Dubbo ``ZookeeperServiceDiscovery``, whose nodes are those of Curator's ``ServiceDiscovery``.

    Attributes:
        instances: What was read last and taken.
        is_known: They were read once.
    """

    def __init__(self, name: str, settings: Settings, outdated: Callable[[Watched], None]) -> None:
        super().__init__(settings.address, f"application {name}", outdated)
        self.instances: tuple[ServiceInstance, ...] = ()
        self.is_known = False
        self._nodes = Parsed(lambda _node, data: _instance(name, data))
        self._application = name
        self._path = application_path(settings.top, name)

    def read(self, session: Session) -> None:
        """Take over the nodes with their data: an instance that was started again has replaced them in place."""
        found = self._read(session.contents(self._path, self.names_in(session, self._path)))
        if self.is_guarded and self.instances and not found:
            self.fail(KEPT)
            return
        self.is_guarded = False
        self.instances, self.problem, self.is_known = found, "", True

    def told(self, trouble: str) -> Instances:
        """Say what is known; *trouble* is why it may be outdated."""
        count = len(self.instances)
        problem = trouble or self.problem
        told = f"{count or 'no'} instance{'' if count < 2 else 's'} of {self._application}{self.passed_over.note}"
        reason = f"{self.source}: {told}"
        return Instances(self.instances, f"{reason}; not renewed: {problem}" if problem else reason)

    def _read(self, nodes: Mapping[str, bytes]) -> tuple[ServiceInstance, ...]:
        self._nodes.take(nodes)
        faults = {name: f"{name[:100]}: {fault}" for name, fault in self._nodes.faults.items()}
        self.passed_over.tell(f"{self.source}: {self.name}", faults)
        return tuple(self._nodes.found)


def _instance(application: str, data: bytes) -> ServiceInstance:
    if len(data) > _MOST_BYTES:
        raise ProviderDataError(f"it holds {len(data)} bytes, and an instance may have {_MOST_BYTES}")
    found = loaded(data.decode(errors="replace"), "what it holds")
    try:
        host, port, metadata = found["address"], int(found["port"]), found["payload"]["metadata"]
    except (KeyError, TypeError, ValueError) as error:
        raise ProviderDataError(f"it is no instance of Curator's: {type(error).__name__} {error}") from None
    if not isinstance(host, str) or not isinstance(metadata, Mapping):
        raise ProviderDataError("it is no instance of Curator's: its address or metadata are of another kind")
    return ServiceInstance.of(application, host, port, {str(key): str(value) for key, value in metadata.items()})
