"""Names and paths of Dubbo's nodes in ZooKeeper.

Source: Dubbo ``ZookeeperRegistry``: ``/<group>/<interface>/<category>/<URL>``, each part by Java's ``URLEncoder``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TypeVar
from urllib.parse import quote_plus, unquote_plus

from ..catalogue import Catalogue
from ..errors import ProviderDataError
from ..models import Endpoint, ServiceKey
from ..url import Url, endpoint_of

# What Dubbo keeps beside the interfaces.
_NO_INTERFACES = frozenset({"config", "mapping", "metadata"})

Entry = tuple[ServiceKey, Endpoint]
T = TypeVar("T")


def folder_of(root: str, interface: str, category: str) -> str:
    """Name the folder of *interface* for ``providers``, ``consumers``, ``configurators`` or ``routers``."""
    return f"{root}/{quote_plus(interface)}/{category}"


def text_path(root: str, group: str, key: str) -> str:
    """Name the node of the text that a configuration centre keeps under *group* and *key*; no part is escaped."""
    return f"{root}/mapping/{key}" if group == "mapping" else f"{root}/config/{group}/{key}"


def application_path(top: str, application: str) -> str:
    """Name the folder of the instances of *application*; it does not stand under the group."""
    return f"{top}/services/{application}"


def metadata_path(root: str, application: str, revision: str) -> str:
    """Name the node that says what *revision* of *application* provides."""
    return f"{root}/metadata/{application}/{revision}"


def interfaces_in(children: Iterable[str]) -> list[str]:
    """Read the names of the folders under the root."""
    return [unquote_plus(child) for child in children if child not in _NO_INTERFACES]


def consumer_node(key: ServiceKey, host: str, told: Mapping[str, str]) -> str:
    """Name the node by which a consumer of *key* on *host* is known; *told* is what it says of itself."""
    asked = {"interface": key.interface, "group": key.group, "version": key.version}
    said = {"category": "consumers", "check": "false", **asked, "side": "consumer", **told}
    parameters = {name: value for name, value in sorted(said.items()) if value}
    return quote_plus(Url(protocol="consumer", host=host, path=key.interface, parameters=parameters).format())


def read_providers(source: str, interface: str, children: Iterable[str]) -> tuple[Catalogue, dict[str, str]]:
    """Read the names of the nodes under ``providers``.

    Of one address the newest is kept: a provider that was started again may stand beside its former self.

    Returns:
        What they say, and for each name that cannot be understood why.
    """
    faults: dict[str, str] = {}
    entries = sorted(_entries(interface, sorted(children), faults), key=_age)
    return Catalogue.of(source, entries), faults


def read_urls(children: Iterable[str]) -> tuple[tuple[Url, ...], dict[str, str]]:
    """Read the names of the nodes under ``configurators`` or ``routers``.

    Returns:
        The URLs that they are, by name, and for each name that cannot be understood why.
    """
    faults: dict[str, str] = {}
    urls = (_read(child, lambda url: url, faults) for child in sorted(children))
    return tuple(url for url in urls if url is not None), faults


def _entries(interface: str, children: Iterable[str], faults: dict[str, str]) -> Iterator[Entry]:
    def entry_of(url: Url) -> Entry | None:
        endpoint = endpoint_of(url)
        service = ServiceKey(interface, url.parameter("group"), url.parameter("version"))
        return None if endpoint is None else (service, endpoint)

    entries = (_read(child, entry_of, faults) for child in children)
    yield from (entry for entry in entries if entry is not None)


def _read(child: str, made: Callable[[Url], T | None], faults: dict[str, str]) -> T | None:
    """Give what is *made* of the URL that a node's name is; None where there is a fault in it, which is then noted."""
    try:
        return made(Url.parse(unquote_plus(child, errors="strict")))
    except UnicodeDecodeError:
        faults[child] = "a node's name is not UTF-8"
    except ProviderDataError as error:
        faults[child] = str(error)
    return None


def _age(entry: Entry) -> int:
    text = entry[1].parameters.get("timestamp", "")
    return -int(text) if text.isascii() and text.isdecimal() else 0
