"""What a server says of the instances of a service, and the providers among them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from ..errors import ProviderDataError
from ..instance import ServiceInstance
from ..models import MAX_WEIGHT, Endpoint
from ..url import MAX_CHARACTERS, Url, endpoint_of
from .errors import quoted


@dataclass(frozen=True, slots=True, kw_only=True)
class Instance:
    """One of them.

    Attributes:
        host: Name or address.
        port: Where it listens.
        weight: As set in Nacos, where 1 is what one has of which nothing was said.
        is_offered: It is to be called: neither switched off nor found ill.
        is_off: It was switched off, which somebody did on purpose.
        metadata: What it says of itself.
    """

    host: str
    port: int
    weight: float
    is_offered: bool
    is_off: bool
    metadata: Mapping[str, str] = field(repr=False)


def read_hosts(info: object) -> list[Any]:
    """Take the instances out of a ``serviceInfo``, each still as it was said.

    Raises:
        ProviderDataError: There is no list of them.
    """
    hosts = info.get("hosts") if isinstance(info, dict) else None
    if not isinstance(hosts, list):
        raise ProviderDataError("the server said no list of instances")
    return hosts


def read_instance(said: object) -> Instance:
    """Read one of them.

    Raises:
        ProviderDataError: It makes no sense.
    """
    if not isinstance(said, dict):
        raise ProviderDataError("an instance is no object")
    host, port = said.get("ip"), said.get("port")
    where = f"{quoted(host)}:{quoted(port)}"
    metadata, weight = said.get("metadata") or {}, said.get("weight", 1.0)
    if not isinstance(host, str) or type(port) is not int:
        raise ProviderDataError(f'"{where}" is no address of an instance')
    if not isinstance(metadata, dict) or not all(isinstance(value, str) for value in metadata.values()):
        raise ProviderDataError(f"{where}: its metadata are no mapping of texts")
    size = sum(map(len, metadata)) + sum(map(len, metadata.values()))
    if size > MAX_CHARACTERS:
        raise ProviderDataError(f"{where}: its metadata have {size} characters, and may have {MAX_CHARACTERS}")
    if not isinstance(weight, int | float) or not math.isfinite(weight) or weight < 0:
        raise ProviderDataError(f"{where}: its weight {quoted(weight)} is not a number from 0 on")
    is_off = said.get("enabled") is False
    is_offered = not is_off and said.get("healthy") is not False
    return Instance(host=host, port=port, weight=weight, is_offered=is_offered, is_off=is_off, metadata=metadata)


def provider(instance: Instance) -> Endpoint | None:
    """Make the endpoint of an interface's *instance*, whose metadata are the parameters of a Dubbo URL.

    A weight among them is multiplied with that in Nacos. Source: Dubbo ``NacosRegistry.buildURL``.

    Returns:
        None where it is not of a provider, or says itself that it is switched off.

    Raises:
        ProviderDataError: The metadata name no protocol, or make no URL.
    """
    told = instance.metadata
    try:
        url = Url(
            protocol=told.get("protocol", "").lower(),
            host=instance.host,
            port=instance.port,
            path=told.get("path", ""),
            parameters=told,
        )
    except ValueError as error:
        raise ProviderDataError(f"{quoted(instance.host)}:{instance.port}: {error}") from None
    endpoint = endpoint_of(url)
    return endpoint and replace(endpoint, weight=_weight(endpoint.weight, instance.weight))


def of_application(instance: Instance, application: str) -> ServiceInstance:
    """Make of an *instance* what a registry tells of an *application*, whose metadata are those of Dubbo 3.

    Raises:
        ProviderDataError: They make no sense.
    """
    return ServiceInstance.of(application, instance.host, instance.port, instance.metadata)


def _weight(own: int, factor: float) -> int:
    """Multiply, but let nothing that has a weight lose it."""
    product = own * factor
    return min(MAX_WEIGHT, math.ceil(product) if product < 1 else round(product))
