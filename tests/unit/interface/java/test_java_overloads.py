"""Which overload a call means: those of the OverloadService that the real Java providers of tests/interop serve."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Any

import pytest

from callahead.consumer.codec.hessian2 import (
    Byte,
    Float,
    Int,
    JavaObject,
    JavaThrowable,
    Long,
    java_array,
    java_type,
)
from callahead.consumer.errors import SerializationError
from callahead.consumer.interface.java import JavaMethod, JavaSignature


@java_type("com.example.javaface.overloads.Address")
@dataclass
class Address:
    street: str


HOME, PERSON, TENANT, COLOR = (
    f"com.example.javaface.overloads.{name}" for name in ("Home", "Person", "Tenant", "Color")
)
ADDRESS = "com.example.javaface.overloads.Address"


@java_type(HOME)
@dataclass
class HomeAddress(Address):
    bell: str


@java_type(PERSON)
@dataclass
class Person:
    name: str


@java_type(TENANT)
@dataclass
class Tenant:
    """A subclass of Person in Java, though not in Python."""

    name: str
    flat: int


@java_type(COLOR)
class Color(enum.Enum):
    RED = 1


LISTS = [
    *([], ["boolean"], ["int"], ["long"], ["java.lang.Integer"], ["double"], ["java.lang.String"]),
    *(["java.lang.Object"], ["java.lang.String", "int"], ["int", "java.lang.String"], ["java.lang.String[]"]),
    *(["java.util.List<java.lang.String>"], ["java.util.Map"], [ADDRESS]),
]
OF = JavaMethod(name="of", signatures=tuple(JavaSignature.of_names("of", names) for names in LISTS))


def chosen(*args: Any) -> str:
    return ",".join(OF.select(args, {})[0].parameter_types)


@pytest.mark.parametrize(
    ("args", "types"),
    [
        ((), ""),
        ((True,), "boolean"),
        ((5,), "int"),
        ((5_000_000_000,), "long"),
        ((2**70,), "double"),
        ((Int(5),), "int"),
        ((Long(5),), "long"),
        ((Byte(5),), "java.lang.Object"),
        ((Float(5),), "java.lang.Object"),
        ((0.5,), "double"),
        (("a",), "java.lang.String"),
        ((b"a",), "java.lang.Object"),
        ((["a"],), "java.util.List"),
        ((java_array("java.lang.String", ["a"]),), "java.lang.String[]"),
        (([1],), "java.lang.Object"),
        (({"a": "b"},), "java.util.Map"),
        ((Address("a"),), ADDRESS),
        ((JavaObject(ADDRESS, {}),), ADDRESS),
        ((HomeAddress("a", "b"),), ADDRESS),
        ((JavaObject(HOME, {}),), ADDRESS),
        ((Person("a"),), "java.lang.Object"),
        ((JavaObject(PERSON, {}),), "java.lang.Object"),
        ((Color.RED,), "java.lang.Object"),
        ((JavaObject(COLOR, {"name": "RED"}),), "java.lang.Object"),
        (("a", 1), "java.lang.String,int"),
        ((1, "a"), "int,java.lang.String"),
    ],
)
def test_the_overload_is_the_one_that_a_java_literal_would_mean(args: tuple[Any, ...], types: str) -> None:
    """Count first, then the exact type, then what the value can become, then Object."""
    assert chosen(*args) == types


def test_null_for_unrelated_classes_is_ambiguous() -> None:
    """The error lists the candidates and says how to choose."""
    method = JavaMethod(
        name="of", signatures=tuple(JavaSignature.of_names("of", [name]) for name in ("int", "String", "Integer"))
    )
    with pytest.raises(SerializationError) as caught:
        method.select((None,), {})
    assert str(caught.value) == (
        "of: (None) is ambiguous, it fits of(java.lang.String), of(java.lang.Integer); force one by the type of an "
        "argument, such as Int(1), Long(1), java_array(...) or a bound class whose Python base stands for its Java "
        "superclass, or declare it in the stub under a name of its own with @java_method"
    )


def overloads(*types: str) -> JavaMethod:
    return JavaMethod(name="of", signatures=tuple(JavaSignature.of_names("of", [name]) for name in types))


@pytest.mark.parametrize(
    ("types", "value"),
    [
        ((PERSON, "Object"), Tenant("a", 1)),
        ((PERSON, "a.Named"), Tenant("a", 1)),
        (("a.Named", "Object"), Person("a")),
        (("a.Named", "Object"), Color.RED),
        ((PERSON, "Object"), JavaObject("a.Other", {})),
        ((COLOR, "Object"), JavaObject("a.Other", {})),
        (("a.Named", "a.Aged"), JavaObject(PERSON, {})),
    ],
)
def test_what_only_java_knows_the_relation_of_is_ambiguous(types: tuple[str, str], value: Any) -> None:
    """An interface, an unbound class, or a bound one that may be a subclass since it has all the fields."""
    with pytest.raises(
        SerializationError, match=r"^of: \(.*\) is ambiguous, it fits of\(.*\), of\(.*\); force"
    ) as caught:
        overloads(*types).select((value,), {})
    assert caught.value.not_sent


@pytest.mark.parametrize(
    ("types", "value", "chosen"),
    [
        ((PERSON, "String"), Tenant("a", 1), PERSON),
        (("a.Named", "int"), Person("a"), "a.Named"),
        (("a.Named", PERSON, "Object"), Person("a"), PERSON),
        (("a.Named", TENANT, PERSON), JavaObject(TENANT, {}), TENANT),
        ((ADDRESS, "a.Named", "Object"), HomeAddress("a", "b"), ADDRESS),
        ((ADDRESS, HOME), HomeAddress("a", "b"), HOME),
        ((HOME, "Object"), Address("a"), "java.lang.Object"),
        (("Throwable", "Object"), JavaThrowable("a.Failed"), "java.lang.Throwable"),
        (("Throwable", "a.Failed"), JavaThrowable("a.Failed"), "a.Failed"),
    ],
)
def test_an_object_goes_where_it_fits_alone_or_best(types: tuple[str, ...], value: Any, chosen: str) -> None:
    """Its own class first, then a base that Python knows; the one that it may fit where no other takes it."""
    assert overloads(*types).select((value,), {})[0].parameter_types == (chosen,)


def test_an_unrelated_class_fits_no_overload() -> None:
    """The fields that it lacks tell; nothing is sent."""
    with pytest.raises(SerializationError, match=r"Person\); there are of\(.*Address\), of\(java.lang.String\)$"):
        overloads(ADDRESS, "String").select((Person("a"),), {})


def test_null_prefers_the_class_to_object() -> None:
    """As the Java compiler prefers the more specific of the two."""
    signatures = tuple(JavaSignature.of_names("of", [name]) for name in ("Object", "String", "int"))
    chosen, values = JavaMethod(name="of", signatures=signatures).select((None,), {})
    assert (chosen.parameter_types, values) == (("java.lang.String",), [None])


def test_two_overloads_that_are_each_better_in_one_argument_are_ambiguous() -> None:
    """Neither covers the other."""
    signatures = tuple(JavaSignature.of_names("of", names) for names in (["Object", "String"], ["String", "Object"]))
    with pytest.raises(SerializationError, match=r"^of: \(str, str\) is ambiguous, it fits of\(java.lang.Object, java"):
        JavaMethod(name="of", signatures=signatures).select(("a", "b"), {})


def test_arguments_that_no_overload_takes_are_told_with_all_overloads() -> None:
    """Who calls sees what there is."""
    method = JavaMethod(name="of", signatures=tuple(JavaSignature.of_names("of", [name]) for name in ("int", "long")))
    for args, text in (
        (("a",), "of: no overload takes (str); there are of(int), of(long)"),
        ((1, 2), "of: no overload takes 2 arguments; there are of(int), of(long)"),
    ):
        with pytest.raises(SerializationError) as caught:
            method.select(args, {})
        assert (str(caught.value), caught.value.not_sent) == (text, True)


def test_one_candidate_by_count_is_told_with_its_own_reason() -> None:
    """Where the number of arguments leaves one overload, the error names the parameter."""
    method = JavaMethod(
        name="of", signatures=(JavaSignature.of_names("of", ["int"]), JavaSignature.of_names("of", ["int", "int"]))
    )
    with pytest.raises(SerializationError) as caught:
        method.select((1, "a"), {})
    assert str(caught.value) == "of(int, int), parameter 2: expected a Java int, got str"
