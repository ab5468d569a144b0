"""Names and paths of Dubbo's nodes in ZooKeeper.

Source: Dubbo ``ZookeeperRegistry``: ``/<group>/<interface>/<category>/<URL>``, each part by Java's ``URLEncoder``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from urllib.parse import quote_plus, unquote_plus

from ..catalogue import Catalogue
from ..errors import ProviderDataError
from ..models import Endpoint, ServiceKey
from ..url import Url, endpoint_of

# What Dubbo keeps beside the interfaces.
_NO_INTERFACES = frozenset({"config", "mapping", "metadata"})

Entry = tuple[ServiceKey, Endpoint]


def folder_of(root: str, interface: str, category: str) -> str:
    """Name the folder of *interface* for ``providers`` or ``consumers``."""
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


def _entries(interface: str, children: Iterable[str], faults: dict[str, str]) -> Iterator[Entry]:
    for child in children:
        try:
            url = Url.parse(unquote_plus(child, errors="strict"))
            endpoint = endpoint_of(url)
        except UnicodeDecodeError:
            faults[child] = "a node's name is not UTF-8"
        except ProviderDataError as error:
            faults[child] = str(error)
        else:
            if endpoint is not None:
                yield ServiceKey(interface, url.parameter("group"), url.parameter("version")), endpoint


def _age(entry: Entry) -> int:
    text = entry[1].parameters.get("timestamp", "")
    return -int(text) if text.isascii() and text.isdecimal() else 0
