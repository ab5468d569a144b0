"""Rules of Dubbo 2.6, each of which is a URL: ``override://`` for settings, ``condition://`` or ``route://`` for calls.

Source: Dubbo's ``AbstractConfigurator``, ``Configurator.compareTo`` and ``RegistryDirectory.toRouters``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from callahead.config.errors import ConfigError
from callahead.config.extension import ROUTER, load
from callahead.config.read.tree import Entry
from callahead.config.rules import rule_at
from callahead.config.values.line import one_line
from callahead.config.values.quantity import show
from callahead.registry.models import ANY, ServiceKey, bracketed
from callahead.registry.url import Url

from .configurators import Effect, Item, effect_of_items

CONFIGURATORS: Final = "configurators"
_CONSUMER: Final = "consumer"
_CONDITION: Final = "condition"
_NUMBER: Final = re.compile(r"[+-]?[0-9]{1,9}")
_SHOWN: Final = 200
# What says which rule it is and whom it is for; all else is what it changes.
_OF_RULE: Final = frozenset(
    {
        *("anyhost", "application", "category", "check", "classifier", "compatible_config", "configVersion", "dynamic"),
        *("enabled", "group", "interface", "name", "priority", "providerAddresses", "runtime", "side", "timestamp"),
        *("version",),
    }
)
_OF_PROVIDER: Final = "~"


def is_for(url: Url, service: ServiceKey, category: str) -> bool:
    """Tell whether the rule is switched on, is one of *category* and speaks of *service*.

    Source: Dubbo's ``UrlUtils.isMatch``, for which a URL that names no interface speaks of none.
    """
    is_on = url.parameter("enabled", "true").lower() == "true"
    is_ours = bool(url.path or url.parameter("interface")) and service.accepts(url.service)
    return is_on and is_ours and url.parameter("category", category) == category


def origin_of(url: Url) -> str:
    """Name the rule for people, without secrets and bounded."""
    text = one_line(str(url))
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."


def rank_of(url: Url, category: str) -> tuple[str, int]:
    """Give what rules are sorted by: those of hosts come after those of 0.0.0.0, and so go before them.

    Raises:
        ConfigError: Its ``priority`` is no number.
    """
    written = url.parameter("priority", "0")
    if not _NUMBER.fullmatch(written):
        raise ConfigError.one(f"must be a whole number, not {show(written)}", file=origin_of(url), key="priority")
    return url.host if category == CONFIGURATORS else "", int(written)


def effect_of_url(url: Url, caller: Mapping[str, str]) -> Effect:
    """Say what an ``override://`` URL does for *caller*.

    Raises:
        ConfigError: It is another URL, or a value does not fit.
    """
    origin = origin_of(url)
    if url.protocol != "override":
        raise ConfigError.one(f"{url.protocol}:// is not obeyed here", file=origin, hint="write override://")
    parameters = {key: _unspaced(key, value) for key, value in url.parameters.items() if _is_change(key)}
    if not parameters:
        return Effect()
    entry = _entry({**_meant(url), "parameters": parameters})
    return effect_of_items([(rule_at(Item, entry, origin), entry.section["parameters"])], caller, origin)


def condition_of_url(url: Url) -> Any:
    """Make the rule of the kind ``condition`` that a ``condition://`` or ``route://`` URL is.

    Raises:
        ConfigError: It is of another kind, such as ``script``, or its rule makes no sense.
    """
    origin = origin_of(url)
    kind = url.parameter("router") or url.protocol
    if kind != _CONDITION:
        raise ConfigError.one(f"rules of the kind {show(kind)} are not obeyed here", file=origin, key="router")
    rule = _entry([_unspaced("rule", url.parameter("rule"))], "rule")
    written = Entry({"conditions": rule, "force": _entry(url.parameter("force", "false"), "force")})
    return rule_at(load(ROUTER, _CONDITION).rule, written, origin)


def _is_change(key: str) -> bool:
    return key not in _OF_RULE and not key.startswith(_OF_PROVIDER)


def _unspaced(key: str, value: str) -> str:
    """Read the spaces of what consoles have escaped once more, as Java's ``URLEncoder`` does that."""
    return value.replace("+", " ") if key.rpartition(".")[2] in ("mock", "rule") else value


def _meant(url: Url) -> dict[str, Any]:
    """Say whom the rule is for, as an item of configurators does.

    A host with a port is a provider, one without a consumer; since 2.7, which writes ``configVersion``, it is always a
    consumer, and the side has to be said.
    """
    is_new = bool(url.parameter("configVersion"))
    side = url.parameter("side", "" if is_new else _CONSUMER)
    named = [one.strip() for one in url.parameter("providerAddresses").split(",") if one.strip()]
    providers = named if is_new else [f"{bracketed(url.host)}:{url.port}"] if url.port else []
    said = url.parameters.items()
    matches = [
        {"key": key[1:], "value": {"exact": value}}
        for key, value in said
        if key.startswith(_OF_PROVIDER) and value != ANY
    ]
    application = url.parameter("application") or url.username
    return {
        "side": _CONSUMER if side == ANY else side,
        "addresses": [] if url.port and not is_new else [url.host],
        "provider_addresses": providers,
        "applications": [application] if application else [],
        **({"match": {"param": matches}} if matches else {}),
    }


def _entry(value: Any, path: str = "") -> Entry:
    if isinstance(value, dict):
        return Entry({key: _entry(one, key) for key, one in value.items()}, path=path)
    return Entry([_entry(one, path) for one in value] if isinstance(value, list) else value, path=path)
