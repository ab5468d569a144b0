"""What editors are told of the names that installed distributions offer: looked up when the schema is made."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pydantic import GetJsonSchemaHandler
from pydantic.config import JsonDict
from pydantic_core import CoreSchema

from ..extension import INTERCEPTOR, REGISTRY, ROUTER, TRANSPORT, available
from ..settings import PLACEHOLDER, or_placeholder

_PATH = r"[A-Za-z_][\w.]*:[A-Za-z_][\w.]*"
_SCHEME = r"[A-Za-z][\w+.-]*://"


class Described:
    """Marks a type of which *describe* makes the JSON Schema, anew each time."""

    def __init__(self, describe: Callable[[], JsonDict]) -> None:
        self._describe = describe

    def __get_pydantic_json_schema__(self, core: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        del core, handler
        return self._describe()


def one_of(group: str) -> Described:
    """Describe one of the names that *group* offers."""
    return Described(lambda: or_placeholder(enum=list(available(group))).json_schema or {})


def _interceptors() -> JsonDict:
    known = available(INTERCEPTOR)
    names = "|".join([_PATH, *known])
    item: JsonDict = {
        "type": "string",
        "pattern": rf"^(-default|-?({names}))$|{PLACEHOLDER}",
        "examples": [*known, "package.module:Class"],
        "description": "A name, package.module:Class, or either with - before it",
    }
    return {"type": ["string", "array"], "items": item}


def _registry() -> JsonDict:
    known = available(REGISTRY)
    return {
        "type": "string",
        "pattern": rf"^({'|'.join(known)}):|{PLACEHOLDER}",
        "examples": [f"{name}:" for name in known],
    }


def _urls() -> JsonDict:
    known = "|".join("".join(f"[{char.lower()}{char.upper()}]" for char in name) for name in available(TRANSPORT))
    item: JsonDict = {
        "type": "string",
        "pattern": rf"^\s*(({known})://|{_SCHEME}/|(?!{_SCHEME}))|{PLACEHOLDER}",
        "description": "protocol://host:port",
    }
    return {**item, "type": ["string", "array"], "items": item}


def _routers() -> JsonDict:
    rule: JsonDict = {"type": ["object", "array"], "description": "A rule, or a list of rules"}
    return {"type": "object", "properties": dict.fromkeys(available(ROUTER), rule), "additionalProperties": False}


INTERCEPTORS = Described(_interceptors)
ROUTERS = Described(_routers)
REGISTRY_ADDRESS = Described(_registry)
URLS = Described(_urls)
