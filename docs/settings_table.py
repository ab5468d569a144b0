"""The tables of the settings, made from the models themselves: a page says ``.. settings:: call`` and gets one.

The keys, types, defaults and sentences are those of `callahead.config`; only the names that Dubbo gives to the same
thing stand here, and tests/unit/test_docs.py sees that each key has one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, fields
from functools import cache
from typing import Any

from callahead.config import (
    ConsumerConfig,
    MethodPolicy,
    ReferencePolicy,
    SslPolicy,
    json_schema,
)
from callahead.config.attempts import Backoff, Hedge, Outlier
from callahead.config.check import models as m
from callahead.config.check.declared import DeclaredSetting
from callahead.config.check.listing import listing
from callahead.config.check.refused import REFUSED
from callahead.config.policy import RegistryPolicy

# A page's word for a table, the model that has its keys, the model whose keys are another table's, the policy that has
# the defaults.
TABLES: Mapping[str, tuple[type[Any], type[Any] | None, tuple[type[Any], ...]]] = {
    "call": (m.CallModel, None, (MethodPolicy,)),
    "method": (m.MethodModel, m.CallModel, (MethodPolicy,)),
    "interface": (m.InterfaceModel, m.CallModel, (ReferencePolicy,)),
    "reference": (m.ReferenceModel, m.InterfaceModel, (ReferencePolicy,)),
    "consumer": (m.ConsumerModel, m.InterfaceModel, (ConsumerConfig,)),
    "ssl": (m.SslModel, None, (SslPolicy,)),
    **{key: (model, None, (model.policy_class,)) for key, model in m.GROUPS.items()},
    "registry": (m.RegistryModel, None, (RegistryPolicy,)),
    "application": (m.ApplicationModel, None, (ConsumerConfig,)),
}
SAME = "the same"
NONE = "none"
# What Dubbo calls the setting, by table and key; keys that are not here have the same name there.
DUBBO: Mapping[str, Mapping[str, str]] = {
    "call": {
        "total_timeout": f"{NONE}; ``enable-timeout-countdown`` is the nearest",
        "idempotent": NONE,
        "retry_on": NONE,
        "retry_backoff": NONE,
        "hedge": NONE,
        "broadcast_fail_percent": "``broadcast.fail.percent``",
        "failback_tasks": "``failbacktasks``",
        "failback_period": f"{NONE}; it is five seconds",
        "merger": "``merger``, also ``true`` and ``.method``",
        "interceptors": "``filter``",
        "when_full": f"{NONE}; Dubbo blocks",
        "max_delayed": NONE,
        "max_delayed_bytes": NONE,
        "oninvoke": "``oninvoke`` and ``oninvoke-method``",
        "onreturn": "``onreturn`` and ``onreturn-method``",
        "onthrow": "``onthrow`` and ``onthrow-method``",
        "unobserved": NONE,
        "mock": "``mock``, as text",
        "validation": "``validation``, a switch",
        "cache": "``cache``; ``lru`` and ``expiring``",
        "cache_size": "``cache.size``",
        "cache_ttl": "``cache.seconds``",
        "batch": NONE,
        "hash_nodes": "``hash.nodes``, which is accepted too",
        "hash_arguments": "``hash.arguments``, likewise",
    },
    "method": {
        "parameter_types": f"{NONE}; Java has the interface",
        "max_pending": f"{NONE}; ``actives`` is the nearest",
        "max_pending_bytes": NONE,
    },
    "interface": {
        "routers": f"{NONE}; rules stand in the configuration centre",
        "lazy": "the same; false unless set",
        "ssl": "``ssl`` at the root, for all",
        "max_request_bytes": "``payload``",
        "max_response_bytes": "``payload``",
        "keepalive": NONE,
        "keepalive_timeout": NONE,
        "max_metadata_bytes": "``triple.max-header-list-size``",
        "max_frame_bytes": "``triple.max-frame-size``",
        "http_proxy": NONE,
        "connect_timeout": "``connect.timeout``",
        "max_queued_requests": NONE,
        "max_queued_bytes": NONE,
        "threads": NONE,
        "queue": NONE,
        "outlier": NONE,
    },
    "reference": {
        "stub": f"{NONE}; Dubbo's ``stub`` is a Java class and another thing",
        "module": NONE,
        "proto": NONE,
        "proto_path": NONE,
        "target": NONE,
        "arguments": f"{NONE}; Dubbo's ``arguments`` are callbacks among the parameters",
        "clients": NONE,
        "close": NONE,
        "max_pending": NONE,
        "max_pending_bytes": NONE,
    },
    "consumer": {
        "callback_executor": f"{NONE}; ``threads`` sizes a JVM's pool",
        "max_pending": NONE,
        "max_pending_bytes": NONE,
    },
    "ssl": {
        "enabled": NONE,
        "ca": "``client-trust-cert-collection-path``",
        "cert": "``client-key-cert-chain-path``",
        "key": "``client-private-key-path``",
        "server_name": NONE,
    },
    **{group: dict.fromkeys(m.yaml_keys(model).values(), NONE) for group, model in m.GROUPS.items()},
    "registry": {"ssl": "``ssl`` at the root, for all"},
    "application": {"shutdown_timeout": "``shutwait``, which is accepted too"},
}
# A consumer refuses what a reference refuses, and a reference what a method does.
_LISTED_BEFORE: Mapping[str, str] = {"reference": "method", "consumer": "reference"}
_LINE = re.compile(r"^\.\. (settings|refused):: (\w+)$", re.MULTILINE)
_REST = re.compile(r"(, [0-9]+ to [0-9]+)?[;,] default[^;]*$")


def expand(page: str) -> str:
    """Replace each ``.. settings:: table`` and ``.. refused:: section`` in the text of *page* by what it asks for."""
    makers = {"settings": settings_table, "refused": refused_list}
    return _LINE.sub(lambda match: makers[match[1]](match[2]), page)


def own_keys(table: str) -> dict[str, str]:
    """Give the keys that *table* shows, each with the name that a policy or a transport has for it."""
    model, above, _ = TABLES[table]
    inherited = set() if above is None else set(m.yaml_keys(above).values())
    ours = {key: name for name, key in m.yaml_keys(model).items() if key not in inherited}
    theirs = _declared(table)
    order = listing("reference") if theirs else ours
    return {key: theirs[key].attribute if key in theirs else ours[key] for key in order if key in theirs or key in ours}


def _declared(table: str) -> dict[str, DeclaredSetting]:
    """Take what transports declare: in both sections it is a row of the table of both."""
    common = listing("consumer")
    return {
        key: settings[0]
        for key, settings in listing("reference").items()
        if settings and table == ("interface" if key in common else "reference")
    }


def settings_table(table: str) -> str:
    """Make the reST of one table."""
    lines = [".. list-table::", "   :header-rows: 1", "   :widths: 20 20 14 18 28", "   :class: settings", ""]
    lines += _row("key", "type", "default", "in Dubbo", "meaning")
    for key, name in own_keys(table).items():
        dubbo = DUBBO[table].get(key, SAME)
        meaning = _meaning(_schema(table)[key]["description"])
        lines += _row(f"``{key}``", type_of(table, key), default_of(table, name), dubbo, meaning)
    return "\n".join(lines)


def _row(*cells: str) -> Iterator[str]:
    for number, cell in enumerate(cells):
        yield f"   {'*' if number == 0 else ' '} - {cell}"


def _meaning(description: str) -> str:
    """Leave out of the schema's sentence what has a column of its own."""
    return _REST.sub("", description).replace("*", r"\*")


def type_of(table: str, key: str) -> str:
    """Say what may be written, in the words of the JSON Schema that editors use."""
    return _words(_schema(table)[key])


def _schema(table: str) -> Mapping[str, Any]:
    name = TABLES[table][0].__name__
    home = {"CallModel": "MethodModel", "InterfaceModel": "ConsumerModel"}.get(name, name)
    properties: Mapping[str, Any] = _sections()[home]["properties"]
    return properties


@cache
def _sections() -> Mapping[str, Any]:
    sections: Mapping[str, Any] = json_schema()["$defs"]
    return sections


def _words(schema: Mapping[str, Any]) -> str:
    names = schema.get("else", {}).get("enum")
    if names:
        return " or ".join(_shown("", value) for value in names)
    if "$ref" in schema and "type" not in schema:
        return "mapping"
    kinds = [kind for one in schema.get("anyOf", [schema]) for kind in _types(one.get("type", "object"))]
    pattern = schema.get("pattern", "")
    if "p[5-9]" in pattern:
        return "duration, more than 0, or ``p50`` to ``p99``"
    if "[mM]?[sS]" in pattern:
        return f"duration, {'0 or more' if schema['minimum'] == 0 else 'more than 0'}"
    if "[iI]?[bB]" in pattern:
        return "size"
    if "integer" in kinds:
        return f"whole number, {schema['minimum']:,} to {schema['maximum']:,}"
    if "boolean" in kinds:
        return "true, false or a mapping" if "object" in kinds else "true or false"
    if "array" in kinds:
        return "mapping or list" if "object" in kinds else "list, or one text"
    return "text" if "string" in kinds else "mapping"


def _types(written: Any) -> list[str]:
    return written if isinstance(written, list) else [written]


def default_of(table: str, name: str) -> str:
    """Say what holds where no level says anything, as the policies and the transports have it."""
    for setting in _declared(table).values():
        if setting.attribute == name:
            return _shown(name, setting.default)
    if name == "total_timeout_ms":
        return "``timeout`` x (``retries`` + 1)"
    if name == "enabled":
        return "true"
    found = [field for policy in TABLES[table][2] for field in fields(policy) if field.name == name]
    if not found:
        return {"urls": "none", "methods": "none", "name": '``""``', "address": "required"}.get(name, "none")
    default = found[0].default
    if name == "protocol":
        return f"what ``url`` says, else ``{default}``"
    if name == "registries":
        return "all, where there is no ``url``"
    if default is MISSING:
        return "none" if found[0].default_factory is not MISSING else "required"
    return _shown(name, default)


def _shown(name: str, value: Any) -> str:
    if value is None or value == () or value == Hedge(most=0):
        return "none"
    if isinstance(value, Backoff | Outlier):
        return "see below"
    if isinstance(value, bool):
        return "true" if value else "false"
    if name.startswith("max_pending"):
        return "no limit"
    if name.endswith("_bytes"):
        return f"{value // 1024**2} MiB"
    if name.endswith("_ms") and isinstance(value, int):
        return f"{value:,} ms" if value else "0"
    if isinstance(value, int):
        return f"{value:,}"
    return f"``{value}``" if value else '``""``'


def refused_list(section: str) -> str:
    """Make the reST of what *section* refuses by name, by reason; without what the section listed before it has."""
    listed = REFUSED.get(_LISTED_BEFORE.get(section, ""), {})
    reasons: dict[str, list[str]] = {}
    for key, reason in sorted(REFUSED[section].items()):
        if key not in listed:
            reasons.setdefault(reason, []).append(f"``{key}``")
    return "\n\n".join(f"*{reason}*:\n    {', '.join(keys)}." for reason, keys in reasons.items())
