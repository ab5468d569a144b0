"""What one revision of an application provides."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, NamedTuple, Protocol

from callahead.config.values.secret import masked

from ..errors import ProviderDataError
from ..instance import ServiceInstance, loaded
from ..models import ANY, ServiceKey
from ..url import DEFAULT_WEIGHT, Url, weight_of

MAX_BYTES: Final = 8 * 1024 * 1024
"""More than that no metadata have, whoever gives them."""

_MOST_SERVICES: Final = 10_000
_MOST_SHOWN: Final = 3


class MetadataSource(Protocol):
    """Asks instances for their metadata; it is given from above, for a registry makes no calls."""

    def ask(self, instance: ServiceInstance, /) -> Mapping[str, Any]:
        """Ask the ``MetadataService`` of *instance* for the metadata of its revision.

        It may block, for some seconds at most. Any thread.

        Returns:
            Dubbo's ``MetadataInfo``: ``services`` maps each key to ``name``, ``group``, ``version``, ``protocol``,
            ``port``, ``path`` and ``params``.

        Raises:
            RegistryError: The instance cannot be asked, or does not know its revision.
        """

    def close(self) -> None:
        """End whoever asks, with a `RegistryError`. Idempotent."""


class Provided(NamedTuple):
    """One service over one protocol.

    Attributes:
        service: What is provided.
        protocol: Lower case.
        port: Where, unless an instance says otherwise; 0 where that is not told.
        path: Without its first slash.
        parameters: As a provider's URL has them.
    """

    service: ServiceKey
    protocol: str
    port: int
    path: str
    parameters: Mapping[str, str]


class Metadata:
    """What a revision provides, found by interface.

    Attributes:
        faults: What of it made no sense, for the log; "" where all did.
    """

    def __init__(self, provided: Iterable[Provided], faults: str = "") -> None:
        self.faults = faults
        self._services: dict[str, tuple[Provided, ...]] = {}
        for each in provided:
            interface = each.service.interface
            self._services[interface] = (*self._services.get(interface, ()), each)

    def of(self, key: ServiceKey) -> Iterator[Provided]:
        """Give what may be had by one who asks for *key*."""
        interfaces = tuple(self._services) if key.interface == ANY else (key.interface,)
        for interface in interfaces:
            yield from (each for each in self._services.get(interface, ()) if key.accepts(each.service))

    def __len__(self) -> int:
        return sum(map(len, self._services.values()))


def read_text(text: str, source: str) -> Metadata:
    """Read the JSON of a metadata centre; *source* is named in errors.

    Raises:
        ProviderDataError: It makes no sense as a whole.
    """
    if len(text) > MAX_BYTES:
        raise ProviderDataError(f"{source}: they have {len(text)} characters, and may have {MAX_BYTES}")
    return read_metadata(loaded(text, source), source)


def read_metadata(found: Any, source: str) -> Metadata:
    """Read a ``MetadataInfo``; a service that makes no sense is passed over.

    Raises:
        ProviderDataError: It makes no sense as a whole; the message begins with *source*.
    """
    services = found.get("services") if isinstance(found, Mapping) else None
    if not isinstance(services, Mapping):
        raise ProviderDataError(f"{source}: they have no mapping of services")
    if len(services) > _MOST_SERVICES:
        raise ProviderDataError(f"{source}: they have {len(services)} services, and may have {_MOST_SERVICES}")
    faults: list[str] = []
    return Metadata(list(_each(services, faults)), _joined(faults))


def _each(services: Mapping[Any, Any], faults: list[str]) -> Iterator[Provided]:
    for key, said in services.items():
        try:
            provided = _provided(said)
            _require_sense(provided)
            yield provided
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            faults.append(masked(f"{str(key)[:100]} ({type(error).__name__}: {str(error)[:100]})"))


def _provided(said: Mapping[str, Any]) -> Provided:
    params = {str(name): str(value) for name, value in (said.get("params") or {}).items() if value is not None}
    name = str(said["name"])
    asked = {key: str(value) for key in ("group", "version") if (value := said.get(key))}  # a call has to name them
    return Provided(
        service=ServiceKey(name, asked.get("group", ""), asked.get("version", "")),
        protocol=str(said["protocol"]).lower(),
        port=int(said.get("port") or 0),
        path=str(said.get("path") or name).removeprefix("/"),
        parameters={**asked, **params},
    )


def _require_sense(provided: Provided) -> None:
    """Refuse what can be at no instance; raises `ValueError`."""
    url = Url(
        protocol=provided.protocol, host="h", port=provided.port, path=provided.path, parameters=provided.parameters
    )
    weight_of(url.parameter("weight", str(DEFAULT_WEIGHT)))


def _joined(faults: list[str]) -> str:
    more = f" and {len(faults) - _MOST_SHOWN} more" if len(faults) > _MOST_SHOWN else ""
    return ", ".join(faults[:_MOST_SHOWN]) + more
