"""Types of the settings of callahead itself; those that transports may use too are in `callahead.config.settings`."""

from __future__ import annotations

from types import NoneType
from typing import Annotated, Any, TypeVar, Union, get_args

from pydantic import BeforeValidator, GetCoreSchemaHandler, PlainValidator, WithJsonSchema
from pydantic_core import CoreSchema

from ..extension import CLUSTER, LOADBALANCE, TRANSPORT, available, nearest
from ..read.tree import Broken
from ..settings import TEXTS, Duration, DurationOrZero, Flag, Size, Text, Word, Words, count, or_placeholder
from ..values import mock, text
from ..values.quantity import MOST_RETRIES, Unfit, show

__all__ = [
    "Actives",
    "CacheKind",
    "CacheSize",
    "Cluster",
    "Connections",
    "Delayed",
    "Duration",
    "DurationOrZero",
    "Flag",
    "Function",
    "LoadBalance",
    "Mock",
    "OrEmpty",
    "OrSwitch",
    "Parameter",
    "Protocol",
    "Queued",
    "Retries",
    "Serialization",
    "Size",
    "Stub",
    "Text",
    "Threads",
    "Unobserved",
    "Urls",
    "WhenFull",
    "Word",
    "Words",
    "Written",
]

T = TypeVar("T")


class _AsWritten:
    """Leaves a key without a value to the type, which refuses it; pydantic would take it for "not set"."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        kinds = tuple(kind for kind in get_args(source) if kind is not NoneType)
        return handler.generate_schema(Union[kinds])  # noqa: UP007 - made of a tuple


Written = Annotated[T | None, _AsWritten()]
"""A setting as one level writes it, or None where it does not."""


def _entry_point(group: str) -> PlainValidator:
    what = group.removeprefix("callahead.").replace("transport", "protocol")

    def convert(value: Any) -> str:
        name = text.text(value)
        known = available(group)
        if name not in known:
            raise Unfit(f"unknown {what} {show(name)}", nearest(name, known))
        return name

    return PlainValidator(convert)


def _or_empty(value: Any) -> Any:
    return {} if value is None else value


def _ssl(value: Any) -> Any:
    written = getattr(value, "typed", value)
    if isinstance(written, bool):
        return {"enabled": written}
    if isinstance(written, dict | Broken):
        return written
    raise Unfit(f"must be true, false or a mapping, not {show(written)}")


_UNOBSERVED = ("log", "raise", "ignore")
_CACHES = ("none", "lru")
_WHEN_FULL = ("block", "reject", "delay", "shed_oldest")
_TEXT = WithJsonSchema({"type": "string"})

Retries = Annotated[int, *count(0, MOST_RETRIES)]
Actives = Annotated[int, *count(0, 1_000_000)]
Delayed = Annotated[int, *count(0, 10_000_000)]
Connections = Annotated[int, *count(0, 1000)]
Queued = Annotated[int, *count(1, 10_000_000)]
Threads = Annotated[int, *count(1, 1000)]
Serialization = Annotated[str, PlainValidator(text.serialization), or_placeholder(enum=[text.HESSIAN2])]
Unobserved = Annotated[str, PlainValidator(text.one_of(*_UNOBSERVED)), or_placeholder(enum=list(_UNOBSERVED))]
WhenFull = Annotated[str, PlainValidator(text.one_of(*_WHEN_FULL)), or_placeholder(enum=list(_WHEN_FULL))]
CacheKind = Annotated[str, PlainValidator(text.one_of(*_CACHES)), or_placeholder(enum=list(_CACHES))]
CacheSize = Annotated[int, *count(1, 10_000_000)]
Mock = Annotated[tuple[str, ...], PlainValidator(mock.mock), WithJsonSchema({"type": ["string", "object"]})]
Urls = Annotated[tuple[str, ...], PlainValidator(text.urls), TEXTS]
Function = Annotated[str, PlainValidator(text.function_path), _TEXT]
Stub = Annotated[str, PlainValidator(text.stub_path), _TEXT]
Parameter = Annotated[str, PlainValidator(text.parameter), WithJsonSchema({"type": ["string", "number", "boolean"]})]
Protocol = Annotated[str, _entry_point(TRANSPORT), _TEXT]
Cluster = Annotated[str, _entry_point(CLUSTER), _TEXT]
LoadBalance = Annotated[str, _entry_point(LOADBALANCE), _TEXT]

OrEmpty = BeforeValidator(_or_empty)
OrSwitch = BeforeValidator(_ssl)
