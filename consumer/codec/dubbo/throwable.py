"""Java exceptions made in Python, for a provider that answers with one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ...errors import RemoteError
from ..hessian2 import Int, JavaObject, JavaThrowable, StackFrame, TypedList

_FRAME = "java.lang.StackTraceElement"
_MAX_CAUSES = 64


def make_throwable(
    java_class: str,
    message: str | None,
    *,
    fields: Mapping[str, Any] | None = None,
    cause: JavaThrowable | None = None,
    stack: Iterable[StackFrame] = (),
) -> JavaThrowable:
    """Make an exception with the fields of ``java.lang.Throwable`` in the order in which Java writes them.

    Args:
        java_class: Full name; a Java consumer that lacks the class cannot read the answer.
        message: What ``getMessage()`` gives.
        fields: Of the class itself, by Java name.
        cause: The exception underneath.
        stack: Innermost frame first.
    """
    made = JavaThrowable(java_class)
    made.fields = {
        "suppressedExceptions": TypedList((), "java.util.Collections$EmptyList"),
        "stackTrace": TypedList([_element(frame) for frame in stack], f"[{_FRAME}"),
        "cause": made if cause is None else cause,  # Java's own mark of "none"
        "detailMessage": message,
        **({} if fields is None else fields),
    }
    return made


def throwable_of(error: BaseException) -> JavaThrowable:
    """Make the exception that stands for a Python one: a `RemoteError` keeps its Java class, causes go along.

    Not more than 64 causes, and none twice.
    """
    made: JavaThrowable | None = None
    for each in reversed(_chain(error)):
        made = _one(each, made)
    assert made is not None
    return made


def _chain(error: BaseException) -> list[BaseException]:
    chain: list[BaseException] = []
    below: BaseException | None = error
    while below is not None and len(chain) < _MAX_CAUSES and not any(below is known for known in chain):
        chain.append(below)
        below = below.__cause__
    return chain


def _one(error: BaseException, cause: JavaThrowable | None) -> JavaThrowable:
    if isinstance(error, RemoteError) and error.type_name:
        text = error.details.get("message", error.message)
        fields = error.details.get("fields")
        return make_throwable(error.type_name, text, fields=fields, cause=cause)
    return make_throwable("java.lang.RuntimeException", f"{type(error).__qualname__}: {error}", cause=cause)


def _element(frame: StackFrame) -> JavaObject:
    return JavaObject(
        _FRAME,
        {
            "declaringClass": frame.java_class,
            "methodName": frame.method,
            "fileName": frame.file,
            "lineNumber": Int(frame.line),
        },
    )
