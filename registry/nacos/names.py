"""Names of Dubbo's services in Nacos.

Source: Dubbo ``NacosServiceName``: ``providers:<interface>:<version>:<group>``, with the colons of what is empty.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

from ..models import ANY, ServiceKey

_CATEGORY = "providers"
_PARTS = 4


def name_of(key: ServiceKey) -> str:
    """Name the service of *key*, in which nothing is left open."""
    return f"{_CATEGORY}:{key.interface}:{key.version}:{key.group}"


def is_open(key: ServiceKey) -> bool:
    """Tell whether a list of all services is needed to know which of them *key* means."""
    return ANY in (key.interface, key.group, key.version)


def meant_by(key: ServiceKey) -> Iterator[ServiceKey]:
    """List the services of a *key* that is not open: each pair of its groups and versions."""
    for group, version in product(_parts(key.group), _parts(key.version)):
        yield ServiceKey(key.interface, group, version)


def key_of(name: str) -> ServiceKey | None:
    """Read a service's *name*; None where it is none of an interface's providers, or might be taken for a question."""
    parts = name.split(":")
    if len(parts) != _PARTS or parts[0] != _CATEGORY or not parts[1] or ANY in parts or "," in name:
        return None
    return ServiceKey(parts[1], parts[3], parts[2])


def _parts(text: str) -> list[str]:
    return [part.strip() for part in text.split(",")]
