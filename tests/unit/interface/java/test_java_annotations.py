"""Which Java type a Python annotation stands for."""

from __future__ import annotations

import datetime as dt
import enum
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, Any, Optional

import pytest

from callahead.consumer.codec.hessian2 import Byte, Char, Float, Instant, JavaThrowable, Long, Short, java_type
from callahead.consumer.interface.java.annotations import JavaName, java_type_of


@java_type("com.example.annotations.Order")
@dataclass
class Order:
    number: int


@java_type("com.example.annotations.State")
class State(enum.Enum):
    OPEN = 1


class Unbound:
    pass


@pytest.mark.parametrize(
    ("hint", "expected"),
    [
        (int, "int"),
        (Long, "long"),
        (Short, "short"),
        (Byte, "byte"),
        (Char, "char"),
        (Float, "float"),
        (float, "double"),
        (bool, "boolean"),
        (int | None, "java.lang.Integer"),
        (Optional[Long], "java.lang.Long"),  # noqa: UP045
        (Char | None, "java.lang.Character"),
        (bool | None, "java.lang.Boolean"),
        (str, "java.lang.String"),
        (str | None, "java.lang.String"),
        (bytes, "byte[]"),
        (bytes | None, "byte[]"),
        (list[Long], "java.util.List"),
        (Sequence[str], "java.util.List"),
        (tuple[int, ...], "java.util.List"),
        (set[str], "java.util.Set"),
        (dict[str, Long], "java.util.Map"),
        (Mapping[str, Any], "java.util.Map"),
        (Any, "java.lang.Object"),
        (object, "java.lang.Object"),
        (None, "void"),
        (dt.datetime, "java.util.Date"),
        (dt.date, "java.time.LocalDate"),
        (dt.timedelta, "java.time.Duration"),
        (Instant, "java.time.Instant"),
        (Decimal, "java.math.BigDecimal"),
        (uuid.UUID, "java.util.UUID"),
        (JavaThrowable, "java.lang.Throwable"),
        (Order, "com.example.annotations.Order"),
        (Order | None, "com.example.annotations.Order"),
        (State, "com.example.annotations.State"),
        (Annotated[int, Long], "long"),
        (Annotated[int | None, "doc"], "java.lang.Integer"),
        (Annotated[list[int], JavaName("int[]")], "int[]"),
        (Annotated[list[int], Long, JavaName("java.util.Collection")], "java.util.Collection"),
    ],
)
def test_an_annotation_stands_for_a_java_type(hint: Any, expected: str) -> None:
    """The table of the documentation."""
    assert expected == java_type_of(hint).erased


@pytest.mark.parametrize(
    ("hint", "shown"),
    [(Unbound, f"{__name__}.Unbound"), (int | str, "int | str"), (Annotated[complex, "x"], "builtins.complex")],
)
def test_other_annotations_are_refused(hint: Any, shown: str) -> None:
    """The message says what to write."""
    with pytest.raises(ValueError) as caught:
        java_type_of(hint)

    assert (
        f"the annotation {shown} stands for no Java type; bind the class by @java_type(...), or write "
        'Annotated[..., JavaName("full.name.OfTheClass")]'
    ) == str(caught.value)
