"""An instance of an application, as registries of Dubbo 3 know it: an address, and what it says of itself."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from .errors import ProviderDataError
from .models import bracketed

_ENDPOINTS: Final = "dubbo.endpoints"
_REVISION: Final = "dubbo.metadata.revision"
_STORAGE: Final = "dubbo.metadata.storage-type"
_SERVICE: Final = "dubbo.metadata-service.url-params"
# A revision is an MD5 in hex; this is part of a path, so nothing odd may be in it.
_MOST_REVISION: Final = 128
_LAST_PORT: Final = 0xFFFF
_MOST_KEPT: Final = 16


def _nothing() -> Mapping[str, Any]:
    return MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceInstance:
    """One process of an application that provides services.

    Source: Dubbo ``ServiceInstance`` and ``ServiceInstanceMetadataUtils``.

    Attributes:
        application: Name of the application.
        host: Name or address, IPv6 without brackets.
        port: Of the instance, 1..65535; mostly that of its first protocol.
        endpoints: Port of each protocol that it says it speaks.
        revision: Of what it provides; equal ones of an application provide the same.
        is_remote: Its metadata are with the registry; else the instance itself is asked.
        metadata_service: How it is asked: ``protocol``, ``port``, ``version``. Empty where it says nothing.
        metadata: All that it says of itself, as text.
    """

    application: str
    host: str
    port: int
    endpoints: Mapping[str, int] = field(default_factory=_nothing, hash=False)
    revision: str = ""
    is_remote: bool = False
    metadata_service: Mapping[str, str] = field(default_factory=_nothing, hash=False)
    metadata: Mapping[str, str] = field(default_factory=_nothing, hash=False, repr=False)

    @classmethod
    def of(cls, application: str, host: str, port: int, metadata: Mapping[str, str]) -> ServiceInstance:
        """Read what an instance says of itself, in *metadata*, three values of which are JSON.

        Raises:
            ProviderDataError: It makes no sense; the message says which value.
        """
        if not host or not 0 < port <= _LAST_PORT:
            raise ProviderDataError(f"an instance of {application} has no host and port: {host[:100]}:{port}")
        revision = metadata.get(_REVISION, "")
        if len(revision) > _MOST_REVISION or (not revision.isalnum() and revision):
            raise ProviderDataError(f"{_REVISION} of {host}:{port} is no revision: {revision[:_MOST_REVISION]}")
        return cls(
            application=application,
            host=host,
            port=port,
            endpoints=_endpoints(metadata.get(_ENDPOINTS, "")),
            revision=revision,
            is_remote=metadata.get(_STORAGE, "local") == "remote",
            metadata_service=_texts(metadata.get(_SERVICE, "")),
            metadata=MappingProxyType(dict(metadata)),
        )

    @property
    def address(self) -> str:
        """``host:port``, with brackets around an IPv6 host."""
        return f"{bracketed(self.host)}:{self.port}"

    def port_of(self, protocol: str, default: int) -> int:
        """Say where *protocol* is spoken; *default* where the instance does not say."""
        return self.endpoints.get(protocol, default)

    def __str__(self) -> str:
        return f"{self.application} at {self.address}"


class Instances(NamedTuple):
    """The full list of an application's instances at one moment.

    Attributes:
        instances: No address twice.
        reason: Why the list is what it is; named in errors.
    """

    instances: tuple[ServiceInstance, ...]
    reason: str


def loaded(text: str, what: str) -> Any:
    """Read JSON that a peer has written; *what* is named in the error.

    Raises:
        ProviderDataError: It is none, or is nested too deeply.
    """
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        why = "it is nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise ProviderDataError(f"{what} is not JSON: {why}: {text[:100]}") from None


# Thousands of instances of an application say the same here, and share what is made of it.
@lru_cache(maxsize=_MOST_KEPT)
def _endpoints(text: str) -> Mapping[str, int]:
    found = loaded(text, _ENDPOINTS) if text else []
    try:
        ports = {str(each["protocol"]): int(each["port"]) for each in found}
    except (KeyError, TypeError, ValueError):
        raise ProviderDataError(f"{_ENDPOINTS} is no list of protocols and ports: {text[:100]}") from None
    if not all(0 < port <= _LAST_PORT for port in ports.values()):
        raise ProviderDataError(f"{_ENDPOINTS} has a port outside 1..{_LAST_PORT}: {text[:100]}")
    return MappingProxyType(ports)


@lru_cache(maxsize=_MOST_KEPT)
def _texts(text: str) -> Mapping[str, str]:
    found = loaded(text, _SERVICE) if text else {}
    if not isinstance(found, dict):
        raise ProviderDataError(f"{_SERVICE} is no mapping: {text[:100]}")
    return MappingProxyType({key: str(value) for key, value in found.items()})
