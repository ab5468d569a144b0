"""Calls to the ``MetadataService`` that a provider of Dubbo 3 exports beside its own services."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import asdict
from typing import Any, Final, Protocol

from callahead.config.policy import SslPolicy
from callahead.registry.discovery.metadata import MAX_BYTES
from callahead.registry.errors import ProviderDataError, RegistryError, RegistryUnavailable
from callahead.registry.forking import fork_safe_lock
from callahead.registry.instance import ServiceInstance
from callahead.registry.models import bracketed

from ..errors import CallaheadError

_V1: Final = "org.apache.dubbo.metadata.MetadataService"
_V2: Final = "org.apache.dubbo.metadata.MetadataServiceV2"
# The first call to a JVM that has just been started may take seconds.
_TIMEOUT_MS: Final = 5000
_CONNECT_TIMEOUT_MS: Final = 2000
_REFERENCE: Final = "metadata"


class Caller(Protocol):
    """What of a `Consumer` is used here."""

    def reference(self, name: str, /) -> Any:
        """Give the stand-in of a service."""

    def channel(self, name: str, /) -> Any:
        """Give a `grpc.Channel` to it."""

    def close(self, timeout: float | None = None, /) -> None:
        """End it."""


class CalledMetadata:
    """Asks by a consumer of its own for each question, so that no limit, count or interceptor of the program's is met.

    A revision is asked for once, so that little is gained by keeping a connection.

    Args:
        consumer: Makes a `Consumer` of settings.
        application: Name of this program, "" where it has none.
        ssl: TLS towards the instances, as their other services are called; None for plain TCP.
    """

    def __init__(
        self, consumer: Callable[[Mapping[str, Any]], Caller], application: str, ssl: SslPolicy | None = None
    ) -> None:
        self._consumer = consumer
        self._application = application
        self._ssl = False if ssl is None else {name: value for name, value in asdict(ssl).items() if value is not None}
        self._lock = fork_safe_lock()
        self._asking: Caller | None = None
        self._closed = False

    def ask(self, instance: ServiceInstance, /) -> Mapping[str, Any]:
        """Ask *instance*, as `MetadataSource.ask` promises: by version 2, over ``tri``, where it has that, else 1."""
        reference = _reference_to(instance)
        settings = {
            "application": {"name": self._application} if self._application else {},
            "references": {_REFERENCE: {**reference, "ssl": self._ssl}},
        }
        try:
            with closing(self._begun(settings)) as consumer:
                found = (_ask_v2 if reference["interface"] == _V2 else _ask_v1)(consumer, instance)
        except CallaheadError as error:
            if isinstance(error, RegistryError):
                raise
            raise RegistryUnavailable(f"{instance} does not tell its metadata: {error}") from error
        return found

    def close(self) -> None:
        """Ask nobody any more; a question that runs fails. Idempotent."""
        with self._lock:
            self._closed = True
            asking = self._asking
        if asking is not None:
            asking.close(0)

    def _begun(self, settings: Mapping[str, Any]) -> Caller:
        with self._lock:
            if self._closed:
                raise RegistryError("the registry is closed")
            self._asking = self._consumer(settings)
            return self._asking


def _reference_to(instance: ServiceInstance) -> dict[str, Any]:
    said = instance.metadata_service
    protocol, port, version = (said.get(name, "") for name in ("protocol", "port", "version"))
    if protocol not in {"dubbo", "tri"} or not port.isdecimal():
        text = f"dubbo.metadata-service.url-params of {instance} do not say how to ask it: {dict(said)}"[:300]
        raise ProviderDataError(text)
    is_new = protocol == "tri" and version.startswith("2")
    return {
        "interface": _V2 if is_new else _V1,
        "protocol": protocol,
        "url": f"{protocol}://{bracketed(instance.host)}:{port}",
        "group": instance.application,
        "version": version or "1.0.0",
        "timeout": _TIMEOUT_MS,
        "connect_timeout": _CONNECT_TIMEOUT_MS,
        "retries": 0,
        "max_response_bytes": MAX_BYTES,
        **({} if is_new else {"methods": {"getMetadataInfo": {"parameter_types": ["java.lang.String"]}}}),
    }


def _ask_v1(consumer: Caller, instance: ServiceInstance) -> Mapping[str, Any]:
    found = consumer.reference(_REFERENCE).getMetadataInfo.sync(instance.revision)
    if found is None:
        raise ProviderDataError(f"{instance} does not know its revision {instance.revision}")
    try:
        return {"services": {key: service.fields for key, service in found["services"].items()}}
    except (AttributeError, KeyError, TypeError) as error:
        text = f"{instance} answers no metadata, but {type(found).__name__} ({type(error).__name__})"
        raise ProviderDataError(text) from None


def _ask_v2(consumer: Caller, instance: ServiceInstance) -> Mapping[str, Any]:
    from .messages import messages

    request, answer = messages()
    call = consumer.channel(_REFERENCE).unary_unary(
        f"/{_V2}/GetMetadataInfo", request.SerializeToString, answer.FromString
    )
    found = call(request(revision=instance.revision))
    return {"services": {key: _fields(service) for key, service in found.services.items()}}


def _fields(service: Any) -> dict[str, Any]:
    texts = {name: getattr(service, name) for name in ("name", "group", "version", "protocol", "path", "port")}
    return {**texts, "params": dict(service.params)}
