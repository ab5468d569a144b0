"""Types of the settings of callahead itself; those that transports may use too are in `callahead.config.settings`."""

from __future__ import annotations

from types import NoneType
from typing import Annotated, Any, TypeVar, Union, get_args

from pydantic import BeforeValidator, GetCoreSchemaHandler, PlainValidator, WithJsonSchema
from pydantic.config import JsonDict
from pydantic_core import CoreSchema

from ..extension import CLUSTER, LOADBALANCE, MERGER, TRANSPORT, available, unknown
from ..policy import LAZY, MIGRATION_STEPS
from ..read.tree import Broken
from ..settings import (
    TEXTS,
    Duration,
    DurationOrZero,
    Flag,
    Size,
    Text,
    Word,
    Words,
    amount_of_time,
    choice,
    count,
    or_placeholder,
)
from ..values import mock, text
from ..values.quantity import MOST_RETRIES, Unfit, flag_or, percentile_or_duration, show, written_value
from . import installed

__all__ = [
    "Actives",
    "After",
    "Async",
    "BatchCount",
    "CacheKind",
    "CacheSize",
    "CallbackQueue",
    "Cluster",
    "Connections",
    "Delayed",
    "Duration",
    "DurationOrZero",
    "Errors",
    "Flag",
    "Forks",
    "Function",
    "HashArguments",
    "HashNodes",
    "Hedges",
    "Interceptors",
    "LoadBalance",
    "Merger",
    "MigrationStep",
    "Mock",
    "OrEmpty",
    "OrSwitch",
    "Overflow",
    "Parameter",
    "Percent",
    "PercentOrZero",
    "Positive",
    "Protocol",
    "Queued",
    "RegistryAddress",
    "Retries",
    "Routers",
    "Serialization",
    "Size",
    "Stub",
    "Text",
    "Threads",
    "Unobserved",
    "Urls",
    "Weight",
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
    def convert(value: Any) -> str:
        name = text.text(value)
        if name not in available(group):
            raise Unfit(*unknown(group, name))
        return name

    return PlainValidator(convert)


def _or_empty(value: Any) -> Any:
    return {} if value is None else value


def _routers(value: Any) -> Any:
    """Leave the rules as they are written, to their kinds."""
    written = written_value(value)
    if not isinstance(written, dict):
        raise Unfit(f"must be a mapping from kinds of rules to rules, not {show(written)}")
    return written


def _switch(value: Any) -> Any:
    written = getattr(value, "typed", value)
    if isinstance(written, bool):
        return {"enabled": written}
    if isinstance(written, dict | Broken):
        return written
    raise Unfit(f"must be true, false or a mapping, not {show(written)}")


_PARAMETER = {"type": ["string", "number", "boolean"], "description": "A value, which becomes text"}
_TEXT = WithJsonSchema({"type": "string"})
_PLACE: JsonDict = {"type": ["string", "number"], "description": "A place from 0, or a name"}
_PLACES = WithJsonSchema({"type": ["string", "number", "array"], "items": _PLACE})

Async = Annotated[bool | str, PlainValidator(flag_or(LAZY)), or_placeholder(enum=[True, False, LAZY])]
Retries = Annotated[int, *count(0, MOST_RETRIES)]
Actives = Annotated[int, *count(0, 1_000_000)]
Delayed = Annotated[int, *count(0, 10_000_000)]
Forks = Annotated[int, *count(0, 1000)]
Hedges = Annotated[int, *count(0, 10)]
Positive = Annotated[int, *count(1, 1_000_000)]
Weight = Annotated[int, *count(0, 10_000)]
Percent = Annotated[int, *count(1, 100)]
PercentOrZero = Annotated[int, *count(0, 100)]
After = Annotated[int | str, PlainValidator(percentile_or_duration), amount_of_time("p[5-9][0-9]")]
Connections = Annotated[int, *count(0, 1000)]
Queued = Annotated[int, *count(1, 10_000_000)]
Threads = Annotated[int, *count(1, 1000)]
CallbackQueue = Annotated[int, *count(0, 10_000_000)]
Overflow = Annotated[str, *choice("block", "reject")]
BatchCount = Annotated[int, *count(1, 1_000_000)]
Serialization = Annotated[str, PlainValidator(text.serialization), or_placeholder(enum=[text.HESSIAN2])]
MigrationStep = Annotated[str, *choice(*MIGRATION_STEPS)]
Unobserved = Annotated[str, *choice("log", "raise", "ignore")]
WhenFull = Annotated[str, *choice("block", "reject", "delay", "shed_oldest")]
CacheKind = Annotated[str, *choice("none", "lru")]
CacheSize = Annotated[int, *count(1, 10_000_000)]
HashNodes = Annotated[int, *count(4, 10_000)]
HashArguments = Annotated[tuple[str, ...], PlainValidator(text.places), _PLACES]
Mock = Annotated[tuple[str, ...], PlainValidator(mock.mock), WithJsonSchema({"type": ["string", "object"]})]
Urls = Annotated[tuple[str, ...], PlainValidator(text.urls), installed.URLS]
Interceptors = Annotated[Words, installed.INTERCEPTORS]
RegistryAddress = Annotated[Text, installed.REGISTRY_ADDRESS]
Routers = Annotated[dict[str, Any], PlainValidator(_routers), installed.ROUTERS]
Function = Annotated[str, PlainValidator(text.function_path), _TEXT]
Errors = Annotated[tuple[str, ...], PlainValidator(text.object_paths), TEXTS]
Stub = Annotated[str, PlainValidator(text.stub_path), _TEXT]
Parameter = Annotated[str, PlainValidator(text.parameter), WithJsonSchema(_PARAMETER)]
Protocol = Annotated[str, _entry_point(TRANSPORT), installed.one_of(TRANSPORT)]
Cluster = Annotated[str, _entry_point(CLUSTER), installed.one_of(CLUSTER)]
Merger = Annotated[str, _entry_point(MERGER), installed.one_of(MERGER)]
LoadBalance = Annotated[str, _entry_point(LOADBALANCE), installed.one_of(LOADBALANCE)]

OrEmpty = BeforeValidator(_or_empty)
OrSwitch = BeforeValidator(_switch)
