"""Java type names, JVM descriptors and Python annotations."""

from __future__ import annotations

import datetime as dt
import enum
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, Any, Optional

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callahead.consumer.codec.dubbo import (
    JavaName,
    JavaType,
    descriptor,
    java_type_of,
    parse_type,
    type_of_class_name,
    types_of_descriptor,
)
from callahead.consumer.codec.hessian2 import Byte, Char, Float, Instant, JavaThrowable, Long, Short, java_type


@java_type("com.example.signature.Order")
@dataclass
class Order:
    number: int


@java_type("com.example.signature.State")
class State(enum.Enum):
    OPEN = 1


class Unbound:
    pass


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("int", "I"),
        ("boolean", "Z"),
        ("byte[]", "[B"),
        ("long[][]", "[[J"),
        ("java.lang.String", "Ljava/lang/String;"),
        ("String", "Ljava/lang/String;"),
        ("Integer...", "[Ljava/lang/Integer;"),
        ("com.x.Foo[]", "[Lcom/x/Foo;"),
        ("com.x.Outer$Inner", "Lcom/x/Outer$Inner;"),
        ("java.util.List<java.lang.Long>", "Ljava/util/List;"),
        (" java.util.Map < String , java.util.List<? extends com.x.Foo> > [ ] ", "[Ljava/util/Map;"),
        ("java.util.List<?>", "Ljava/util/List;"),
        ("java.util.List<? super Integer>", "Ljava/util/List;"),
    ],
)
def test_a_type_name_has_a_descriptor(name: str, expected: str) -> None:
    """Primitives, arrays, java.lang without its package, inner classes; generics are erased."""
    assert expected == descriptor([name])


def test_a_parameter_list_is_put_together() -> None:
    """As the wire has it."""
    assert "" == descriptor([])
    assert "ILjava/lang/String;[J" == descriptor(["int", "String", "long[]"])


@pytest.mark.parametrize(
    "name",
    ["", " ", "int[", "[]", "java.util.List<", "java.util.List<>", "java.util.List<int", "a.B>", "a.B C", "1.x", "a..B",
     "java.util.Map<a.B;a.C>", "a.B[]<a.C>", "java.util.List<a.B,>"],
)  # fmt: skip
def test_what_is_no_type_name_is_refused(name: str) -> None:
    """With an example of what is one."""
    with pytest.raises(ValueError) as caught:
        parse_type(name)

    assert (
        f'"{name}" is no Java type; write such as int, java.lang.String, com.alibaba.foo.Foo[] or '
        "java.util.List<java.lang.Long>"
    ) == str(caught.value)


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("List", '; write "java.util.List"'),
        ("BigDecimal", '; write "java.math.BigDecimal"'),
        ("Foo", "; write the package before it, or a primitive such as int"),
    ],
)
def test_a_class_needs_its_package(name: str, hint: str) -> None:
    """Only java.lang goes without."""
    with pytest.raises(ValueError) as caught:
        parse_type(name)

    assert f'the Java type "{name}": "{name}" is not the full name of a class{hint}' == str(caught.value)


java_types = st.builds(
    JavaType,
    st.sampled_from(["int", "boolean", "java.lang.String", "com.x.Foo$Bar", "Bare", "a.b_c.Ünder"]),
    st.just(()),
    st.integers(0, 3),
)


@given(st.lists(java_types, max_size=6))
def test_a_descriptor_is_taken_apart_again(types: list[JavaType]) -> None:
    """Types to descriptor and back."""
    assert tuple(types) == types_of_descriptor("".join(each.descriptor for each in types))


@pytest.mark.parametrize("text", ["X", "L;", "Ljava/lang/String", "[", "IV", "Ljava.lang.String;", "La//B;", "I I"])
def test_what_is_no_descriptor_is_refused(text: str) -> None:
    """A provider reads it from the wire."""
    with pytest.raises(ValueError, match="is no JVM descriptor from character"):
        types_of_descriptor(text)


@given(java_types)
def test_class_names_are_those_of_java_reflection(java: JavaType) -> None:
    """Class.getName() has brackets in front, and dots."""
    assert java.erased == type_of_class_name(java.class_name)
    assert ("[Ljava.lang.String;", "[[I", "int") == tuple(
        parse_type(name).class_name for name in ("String[]", "int[][]", "int")
    )


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
        (Order, "com.example.signature.Order"),
        (Order | None, "com.example.signature.Order"),
        (State, "com.example.signature.State"),
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
