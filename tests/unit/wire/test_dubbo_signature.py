"""Java type names and JVM descriptors."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callahead.consumer.codec.dubbo import (
    JavaType,
    Signature,
    parse_type,
    type_of_class_name,
    types_of_descriptor,
)


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
    assert expected == parse_type(name).descriptor


def test_a_parameter_list_is_put_together() -> None:
    """As the wire has it."""
    assert Signature((), "") == Signature.of([])
    assert "ILjava/lang/String;[J" == Signature.of(map(parse_type, ["int", "String", "long[]"])).descriptor


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
