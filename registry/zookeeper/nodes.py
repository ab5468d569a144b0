"""Names and paths of Dubbo's nodes in ZooKeeper.

Source: Dubbo ``ZookeeperRegistry``: ``/<group>/<interface>/<category>/<URL>``, each part by Java's ``URLEncoder``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from urllib.parse import quote_plus, unquote_plus

from ..errors import ProviderDataError
from ..models import Endpoint, ServiceKey
from ..url import Url, endpoint_of

# What Dubbo keeps beside the interfaces.
_NO_INTERFACES = frozenset({"config", "mapping", "metadata"})

Entry = tuple[ServiceKey, Endpoint]


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


def url_of(name: str) -> Url:
    """Read the URL that a node's *name* is.

    Raises:
        ProviderDataError: It is none.
    """
    try:
        return Url.parse(unquote_plus(name, errors="strict"))
    except UnicodeDecodeError:
        raise ProviderDataError("a node's name is not UTF-8") from None


def provider_of(interface: str, name: str) -> Entry | None:
    """Read the provider of *interface* that a node's *name* is; None where it is something else, or switched off.

    Raises:
        ProviderDataError: It cannot be understood.
    """
    url = url_of(name)
    endpoint = endpoint_of(url)
    return (
        None
        if endpoint is None
        else (ServiceKey(interface, url.parameter("group"), url.parameter("version")), endpoint)
    )


def newest_first(entries: Iterable[Entry]) -> list[Entry]:
    """Sort *entries*: a provider that was started again may stand beside its former self, at the same address."""
    return sorted(entries, key=_age)


def _age(entry: Entry) -> int:
    text = entry[1].parameters.get("timestamp", "")
    return -int(text) if text.isascii() and text.isdecimal() else 0
