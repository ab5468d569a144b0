"""Types of the settings: how each is converted, and what an editor is told of it."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator, Field, PlainValidator, WithJsonSchema

from . import extension, quantity, text
from .quantity import Unfit, show
from .tree import Broken

# Where the JSON Schema of a setting names the one protocol that honours it.
ONLY = "x-only-protocol"

_PLACEHOLDER = {"type": "string", "pattern": r"\$\{"}


def only(protocol: str, description: str, alias: str | None = None) -> Any:
    """Make the field of a setting that of our protocols only *protocol* honours."""
    return Field(None, alias=alias, description=f"Only {protocol}: {description}", json_schema_extra={ONLY: protocol})


def _or_placeholder(**schema: Any) -> WithJsonSchema:
    return WithJsonSchema({"anyOf": [schema, _PLACEHOLDER]})


def _count(least: int, most: int) -> tuple[PlainValidator, WithJsonSchema]:
    schema = _or_placeholder(type="integer", minimum=least, maximum=most)
    return PlainValidator(quantity.count(least, most)), schema


def _amount(least: int, most: int, units: str) -> WithJsonSchema:
    number = {"type": "number", "minimum": least, "maximum": most}
    worded = {"type": "string", "pattern": rf"^[0-9]+(\.[0-9]+)? ?({units})$"}
    return WithJsonSchema({"anyOf": [number, worded, _PLACEHOLDER]})


def _entry_point(group: str) -> PlainValidator:
    what = group.removeprefix("callahead.").replace("transport", "protocol")

    def convert(value: Any) -> str:
        name = text.text(value)
        known = extension.available(group)
        if name not in known:
            raise Unfit(f"unknown {what} {show(name)}", extension.nearest(name, known))
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


_TEXT = {"type": "string"}
_WORDS = WithJsonSchema({"anyOf": [_TEXT, {"type": "array", "items": _TEXT}]})
_UNITS_MS = "[mM]?[sS]|[mMhH]"
_UNITS_BYTES = "[bB]|[kKmMgG][iI]?[bB]"

Flag = Annotated[bool | None, PlainValidator(quantity.flag), _or_placeholder(type="boolean")]
Retries = Annotated[int | None, *_count(0, quantity.MOST_RETRIES)]
Actives = Annotated[int | None, *_count(0, 1_000_000)]
Connections = Annotated[int | None, *_count(0, 1000)]
Queued = Annotated[int | None, *_count(1, 10_000_000)]
Threads = Annotated[int | None, *_count(1, 1000)]
Duration = Annotated[int | None, PlainValidator(quantity.duration_ms(1)), _amount(1, quantity.LONGEST_MS, _UNITS_MS)]
DurationOrZero = Annotated[
    int | None, PlainValidator(quantity.duration_ms(0)), _amount(0, quantity.LONGEST_MS, _UNITS_MS)
]
Size = Annotated[int | None, PlainValidator(quantity.size_bytes), _amount(1, quantity.LARGEST_BYTES, _UNITS_BYTES)]
Serialization = Annotated[str | None, PlainValidator(text.serialization), _or_placeholder(enum=[text.HESSIAN2])]
Text = Annotated[str | None, PlainValidator(text.text), WithJsonSchema(_TEXT)]
Word = Annotated[str | None, PlainValidator(text.word), WithJsonSchema(_TEXT)]
Words = Annotated[tuple[str, ...] | None, PlainValidator(text.words), _WORDS]
Urls = Annotated[tuple[str, ...] | None, PlainValidator(text.urls), _WORDS]
Module = Annotated[str | None, PlainValidator(text.module_path), WithJsonSchema(_TEXT)]
Function = Annotated[str | None, PlainValidator(text.function_path), WithJsonSchema(_TEXT)]
Stub = Annotated[str | None, PlainValidator(text.stub_path), WithJsonSchema(_TEXT)]
Parameter = Annotated[str, PlainValidator(text.parameter), WithJsonSchema({"type": ["string", "number", "boolean"]})]
Protocol = Annotated[str | None, _entry_point(extension.TRANSPORT), WithJsonSchema(_TEXT)]
Cluster = Annotated[str | None, _entry_point(extension.CLUSTER), WithJsonSchema(_TEXT)]
LoadBalance = Annotated[str | None, _entry_point(extension.LOADBALANCE), WithJsonSchema(_TEXT)]

OrEmpty = BeforeValidator(_or_empty)
OrSwitch = BeforeValidator(_ssl)
