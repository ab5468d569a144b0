"""One call, from a configuration file to what is known of its end."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from types import NoneType
from typing import Any

import click

from callahead.config.errors import ConfigError
from callahead.config.extension import nearest

from ..bootstrap import Consumer
from ..call.context import LastCall, RpcContext
from ..errors import RpcError, SerializationError
from ..interface.description import MethodDescription
from ..reference.reference import Method
from ..runtime.shown import shown
from .json_values import as_json


@dataclass(frozen=True, slots=True, kw_only=True)
class OneCall:
    """What is asked for.

    Attributes:
        file: Configuration.
        reference: Id of the reference.
        method: In any of its spellings.
        values: Arguments, as JSON gave them.
        options: For `Method.with_options`.
    """

    file: str
    reference: str
    method: str
    values: tuple[Any, ...]
    options: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """How the call ended.

    Attributes:
        call: What was asked for.
        value: As JSON can carry it; None where the call failed.
        error: What went wrong, or None.
        last: The trace of the call, or None where it never began.
        response_attachments: What came back beside the value.
    """

    call: OneCall
    value: Any = None
    error: Exception | None = None
    last: LastCall | None = None
    response_attachments: Mapping[str, Any]

    @property
    def status(self) -> str:
        """``ok`` or ``failed``."""
        return "ok" if self.error is None else "failed"

    @property
    def elapsed_ms(self) -> float:
        """Milliseconds from begin to end, 0 for a call that never began."""
        return 0.0 if self.last is None or self.last.elapsed_ms is None else self.last.elapsed_ms

    @property
    def attempts(self) -> int:
        """Attempts begun."""
        return 0 if self.last is None else self.last.attempts

    @property
    def provider(self) -> str | None:
        """Of the last attempt."""
        return None if self.last is None else self.last.provider

    def document(self) -> dict[str, Any]:
        """Make what ``--json`` prints."""
        return {
            "status": self.status,
            "value": self.value,
            "error": None if self.error is None else _error_document(self.error),
            "provider": self.provider,
            "attempts": self.attempts,
            "elapsed_ms": round(self.elapsed_ms, 3),
            "response_attachments": {name: _attachment(one) for name, one in self.response_attachments.items()},
        }

    def status_line(self) -> str:
        """Make what goes to stderr; with the error, where there is one, on lines before it."""
        name = f"{self.call.reference}.{self.call.method if self.last is None else self.last.method}"
        where = "no provider asked" if self.provider is None else self.provider
        tries = f"{self.attempts} attempt{'' if self.attempts == 1 else 's'}"
        line = f"{self.status}: {name}, {where}, {tries}, {self.elapsed_ms:.1f} ms"
        return line if self.error is None else f"{type(self.error).__name__}: {self.error}\n{line}"


def _attachment(value: Any) -> Any:
    return value if isinstance(value, str | bytes | int | float | NoneType) else shown(value)


def _error_document(error: Exception) -> dict[str, Any]:
    return {
        "type": type(error).__name__,
        "message": error.message if isinstance(error, RpcError) else str(error),
        "not_sent": bool(getattr(error, "not_sent", False)),
        "in_doubt": bool(getattr(error, "in_doubt", False)),
    }


def ask(call: OneCall) -> Answer:
    """Make *call* and wait for its end, whatever its configuration says of ``async``.

    Raises:
        ConfigError: The file, the reference or the method is wrong.
        click.UsageError: The arguments or the options are.
    """
    dropped: list[BaseException] = []
    value: Any = None
    error: Exception | None = None
    with _unlogged(), Consumer.from_file(call.file, on_drop=lambda _, error: dropped.append(error)) as consumer:
        try:
            value = _value(consumer, call)
        except (ConfigError, click.UsageError):
            raise
        except SerializationError as unfit:
            if unfit.not_sent:
                raise click.UsageError(f"the arguments do not fit: {unfit.message}") from unfit
            error = unfit
        except Exception as failure:  # an interceptor of the user's may raise anything
            error = failure
    # Closing has waited for a call whose return is false, and for the news of its failure.
    if error is None and dropped and isinstance(dropped[0], Exception):
        error = dropped[0]
    context = RpcContext.get_context()
    return Answer(
        call=call,
        value=value,
        error=error,
        last=context.last_call,
        response_attachments=context.response_attachments,
    )


@contextmanager
def _unlogged() -> Iterator[None]:
    """Keep the failure of a call whose return is false out of the log: the answer tells it."""
    log = logging.getLogger("callahead.consumer.call")
    log.addFilter(_none)
    try:
        yield
    finally:
        log.removeFilter(_none)


def _none(record: logging.LogRecord) -> bool:
    del record
    return False


def _value(consumer: Consumer, call: OneCall) -> Any:
    consumer.reference(call.reference)  # which finds out whether there are providers and types
    pipeline = consumer._pipeline(call.reference)
    policy = pipeline.policy
    try:
        method = pipeline.method(call.method)
    except LookupError as error:
        key = f"references.{policy.id}"
        place = policy.origin("protocol" if policy.is_local else "interface")
        raise ConfigError.at(place, key, str(error.args[0])) from error
    if not isinstance(method, Method):
        text = f'"{call.method}" is a streaming method; callahead call makes calls of one request and one answer'
        raise ConfigError.at(policy.origin("interface"), f"references.{policy.id}", text)
    described = pipeline.transport.describe().find(call.method)
    method = _with_options(method, call.options)
    args, kwargs = _given(policy.is_local, described, call.values)
    return _plain(method.sync(*args, **kwargs) if method.policy.returns else method(*args, **kwargs))


def _with_options(method: Method, options: Mapping[str, Any]) -> Method:
    for name, value in options.items():
        try:
            method = method.with_options(**{name: value})
        except ConfigError as error:
            problem = error.problems[0]
            hint = f" ({problem.hint})" if problem.hint else ""
            raise click.BadParameter(f"{problem.text}{hint}", param_hint=f"--{name}") from error
    return method


def _given(
    is_local: bool, described: Sequence[MethodDescription], values: tuple[Any, ...]
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Make the arguments of the call: of a client in this process, one JSON object is the keywords."""
    if is_local and len(values) == 1 and isinstance(values[0], dict):
        return (), values[0]
    return _arguments(described, values), {}


def _arguments(described: Sequence[MethodDescription], values: tuple[Any, ...]) -> tuple[Any, ...]:
    """Make a message of one JSON object, whose 64-bit integers and bytes are text; other values are passed as they are.

    A method that several overloads describe, or none, has no messages.
    """
    if len(described) != 1:
        return values
    [method] = described
    if method.request_class is not None and len(values) == 1 and isinstance(values[0], dict):
        _check_fields(method.request_class.DESCRIPTOR, values[0])
    return method.from_json(values)


def _check_fields(descriptor: Any, fields: Mapping[str, Any]) -> None:
    """Say which field was probably meant; protobuf's own JSON parser, which checks the rest, does not."""
    known = {field.name for field in descriptor.fields}
    names = known | {field.json_name for field in descriptor.fields}
    unknown = [] if descriptor.file.package == "google.protobuf" else [key for key in fields if key not in names]
    if unknown:
        hint = nearest(unknown[0], known) or "it has none"
        raise click.UsageError(f'{descriptor.full_name} has no field "{unknown[0]}" ({hint})')


def _plain(value: Any) -> Any:
    """Make of the answer what JSON can carry.

    Raises:
        SerializationError: It holds a packed message whose type is not known here, or has no JSON form of a length that
            can be printed.
    """
    from ..interface.proto.arguments import to_plain

    try:
        plain = to_plain(value)
        as_json(plain)
        return plain
    except Exception as error:  # protobuf raises TypeError, KeyError and its own
        raise SerializationError(f"the call was answered, but the answer has no JSON form: {error}") from error
