"""What a file of providers says: YAML bytes to entries.

Either a list of provider URLs, whose paths or ``interface`` parameters name the service, or a mapping from each service
(``[group/]interface[:version]``) to its list. In place of a URL may stand ``{url: ..., weight: ...}``. Beside services
``rules`` may map keys, such as ``demo.Greeting::.condition-router``, to rules of Dubbo, as mappings or as texts; a key
of another group than ``dubbo`` has that and a ``/`` before it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TypeGuard

import yaml

from callahead.config.errors import ConfigError
from callahead.config.extension import nearest
from callahead.config.read.yaml_text import compose, decode
from callahead.config.values.secret import masked

from .catalogue import Catalogue, TextKey
from .errors import ProviderDataError
from .models import Endpoint, ServiceKey
from .url import Url, endpoint_of

MAX_BYTES = 1024 * 1024

_KEYS = ("url", "weight")
_RULES = "rules"
_RULES_GROUP = "dubbo"


def read_listing(data: bytes, path: str) -> Catalogue:
    """Make a catalogue from the content of the file at *path*.

    Raises:
        ProviderDataError: Something in it cannot be understood; the message begins with path and line. A file without
            a list is such a fault, since half-written files look like that: no providers is ``[]``.
    """
    root = _compose(data, path)
    listing = _Listing(path)
    return replace(Catalogue.of(path, listing.entries(root)), texts=dict(listing.texts(root)))


def _fault(path: str, line: int, problem: str) -> ProviderDataError:
    return ProviderDataError(f"{path}:{line}: {problem}")


def _compose(data: bytes, path: str) -> yaml.Node:
    if len(data) > MAX_BYTES:
        raise ProviderDataError(f"{path}: is larger than {MAX_BYTES} bytes, the most that a list may have")
    try:
        root = compose(decode(data, path), path)
    except ConfigError as error:
        raise ProviderDataError(str(error)) from error
    if root is None:
        raise _fault(path, 1, "it is empty; write [] for no providers")
    return root


def _filled(named: ServiceKey | None, own: ServiceKey) -> ServiceKey:
    """Take group and version from the URL where the key over its list does not say them."""
    if named is None:
        return own
    return ServiceKey(named.interface, named.group or own.group, named.version or own.version)


def _is_mapping(node: yaml.Node) -> TypeGuard[yaml.MappingNode]:
    return isinstance(node, yaml.MappingNode)


class _Listing:
    def __init__(self, path: str) -> None:
        self._path = path

    def entries(self, root: yaml.Node) -> Iterator[tuple[ServiceKey, Endpoint]]:
        if isinstance(root, yaml.SequenceNode):
            yield from self._list(root, None)
        elif isinstance(root, yaml.MappingNode):
            for key, value in self._pairs(root):
                if key.value != _RULES:
                    yield from self._list(value, self._service(key))
        else:
            raise self._fault(root, "it is neither a list of provider URLs nor a mapping from services to such lists")

    def texts(self, root: yaml.Node) -> Iterator[tuple[TextKey, str]]:
        """Give the rules, which are not judged here: whoever watches one knows its form."""
        rules = [value for key, value in self._pairs(root) if key.value == _RULES] if _is_mapping(root) else []
        for node in rules:
            if not _is_mapping(node):
                raise self._fault(node, "the rules are not a mapping from keys to rules")
            for key, rule in self._pairs(node):
                group, slash, name = key.value.partition("/")
                yield TextKey(group, name) if slash else TextKey(_RULES_GROUP, key.value), self._rule(rule)

    def _rule(self, node: yaml.Node) -> str:
        if _is_mapping(node):
            return str(yaml.serialize(node, Dumper=yaml.SafeDumper, allow_unicode=True, width=MAX_BYTES))
        if isinstance(node, yaml.ScalarNode) and node.style:  # quoted, and perhaps empty
            return str(node.value)
        return self._text(node, "a rule is neither a mapping nor the text of one")

    def _list(self, node: yaml.Node, service: ServiceKey | None) -> Iterator[tuple[ServiceKey, Endpoint]]:
        if not isinstance(node, yaml.SequenceNode):
            raise self._fault(node, f"the providers of {masked(str(service))} are not a list; write [] for none")
        for item in node.value:
            text, weight = self._written(item)
            try:
                written = Url.parse(text)
                url = replace(written, parameters={**written.parameters, **weight})
                endpoint = endpoint_of(url)
            except (ProviderDataError, ValueError) as error:
                raise self._fault(item, str(error)) from error
            if endpoint is not None:
                yield _filled(service, url.service), endpoint

    def _written(self, node: yaml.Node) -> tuple[str, dict[str, str]]:
        """Take a provider's URL, and the weight that stands beside it if one does."""
        if not isinstance(node, yaml.MappingNode):
            return self._text(node, "a provider is not a URL or a mapping with url and weight"), {}
        found = {key.value: self._text(value, f"{key.value} is not one value") for key, value in self._pairs(node)}
        unknown = next((key for key in found if key not in _KEYS), None)
        if unknown is not None:
            raise self._fault(node, f'a provider has no key "{masked(unknown)}"; {nearest(unknown, _KEYS)}')
        if "url" not in found:
            raise self._fault(node, "a provider has no url")
        return found.pop("url"), found

    def _service(self, key: yaml.Node) -> ServiceKey:
        service = ServiceKey.parse(self._text(key, "a service is not text"))
        if not service.interface:
            raise self._fault(key, f'"{masked(str(service))}" names no interface')
        return service

    def _pairs(self, node: yaml.MappingNode) -> Iterator[tuple[yaml.Node, yaml.Node]]:
        lines: dict[str, int] = {}
        for key, value in node.value:
            name = self._text(key, "a key is not text")
            if name in lines:
                raise self._fault(key, f'"{masked(name)}" stands there twice, first on line {lines[name]}')
            lines[name] = key.start_mark.line + 1
            yield key, value

    def _text(self, node: yaml.Node, problem: str) -> str:
        if isinstance(node, yaml.ScalarNode) and node.value:
            return str(node.value)
        raise self._fault(node, problem)

    def _fault(self, node: yaml.Node, problem: str) -> ProviderDataError:
        return _fault(self._path, node.start_mark.line + 1, problem)
