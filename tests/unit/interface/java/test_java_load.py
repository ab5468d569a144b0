"""Java interfaces out of stub classes, out of the YAML, and out of nothing but a name."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, Any, NewType, Protocol, overload

import pytest

from callahead.config import ConfigError, MethodPolicy, ReferencePolicy
from callahead.consumer.codec.hessian2 import Long, Short, TypedList, java_array, java_type
from callahead.consumer.errors import SerializationError
from callahead.consumer.interface.java import (
    JavaInterface,
    JavaMethod,
    JavaName,
    convert_answer,
    java_method,
    load_interface,
)

if TYPE_CHECKING:
    from elsewhere import Unseen

UserId = NewType("UserId", int)


@java_type("com.example.javaface.load.Foo")
@dataclass
class Foo:
    id: str


@java_type("com.example.javaface.load.Color")
class Color(enum.Enum):
    RED = 1


@dataclass
class Unbound:
    id: str


class Parent(Protocol):
    def inherited(self) -> None: ...


class FooService(Parent, Protocol):
    def find_foo(self, id: str, delay_ms: int = 7) -> Foo: ...  # as Java names it
    def plain(self, a: bool, b: float, c: bytes, d: Any) -> int: ...
    def forced(self, a: Long, b: Annotated[int, Short], c: Long | None, d: UserId) -> None: ...
    def named(self, a: Annotated[list[int], JavaName("short[]")], b: Annotated[Any, JavaName("a.B")]) -> None: ...
    def items(self, a: list[Long], b: dict[str, Foo], c: Annotated[list[Long], JavaName("java.util.LinkedList")]): ...  # type: ignore[no-untyped-def]
    def import_(self, color: Color) -> None: ...
    def ids(self) -> tuple[int, ...]: ...

    @staticmethod
    def counted(key: str) -> int: ...

    @java_method("sum")
    @staticmethod
    def total(values: Annotated[list[int], JavaName("int[]")]) -> int: ...

    @overload
    def of(self, value: int) -> str: ...
    @overload
    def of(self, value: Long) -> str: ...
    @java_method("of")
    def of_integer(self, value: int | None) -> str: ...

    def _private(self, x) -> None: ...  # type: ignore[no-untyped-def]

    constant = 5


class Broken:
    def no_annotation(self, x): ...  # type: ignore[no-untyped-def]
    def star(self, *xs: int) -> None: ...
    def unseen(self, x: Unseen) -> None: ...
    def unbound(self, x: Unbound) -> None: ...
    def unbound_items(self, x: list[Unbound]) -> None: ...
    def unbound_answer(self) -> Unbound: ...
    def union(self, x: int | str) -> None: ...
    def misspelt(self, x: Annotated[int, JavaName("Strin")]) -> None: ...

    @java_method("twice")
    def twice_a(self, x: int) -> None: ...

    @overload
    def again(self, x: int) -> None: ...
    @overload
    def again(self, x: Annotated[int, JavaName("int")]) -> None: ...
    def again(self, x: int) -> None: ...


class Empty:
    pass


def policy(stub: str | None = "FooService", methods: Mapping[str, Any] | None = None, **more: Any) -> ReferencePolicy:
    named = {
        name: MethodPolicy(reference="foo", method=name, parameter_types=types, origins={"parameter_types": "c.yml:9"})
        for name, types in (methods or {}).items()
    }
    return ReferencePolicy(
        id="foo",
        interface="com.example.javaface.load.FooService",
        stub=None if stub is None else f"{__name__}:{stub}",
        default=MethodPolicy(reference="foo", method="*"),
        methods=MappingProxyType(named),
        origins={"stub": "c.yml:4"},
        **more,
    )


def found(interface: JavaInterface, name: str) -> JavaMethod:
    method = interface.find(name)
    assert method is not None
    return method


FOO = load_interface(policy())


@pytest.mark.parametrize(
    ("name", "types"),
    [
        ("findFoo", ("java.lang.String", "int")),
        ("plain", ("boolean", "double", "byte[]", "java.lang.Object")),
        ("forced", ("long", "short", "java.lang.Long", "int")),
        ("named", ("short[]", "a.B")),
        ("items", ("java.util.List", "java.util.Map", "java.util.LinkedList")),
        ("import", ("com.example.javaface.load.Color",)),
        ("inherited", ()),
        ("counted", ("java.lang.String",)),
    ],
)
def test_annotations_stand_for_java_types(name: str, types: tuple[str, ...]) -> None:
    """A plain int is Java's int; everything else can be said."""
    assert FOO.methods[name].signatures[0].parameter_types == types


def test_a_signature_knows_its_descriptor_and_names() -> None:
    """What the wire asks for, and what keywords and messages need."""
    signature = FOO.methods["findFoo"].signatures[0]
    assert (signature.descriptor, signature.wire_method) == ("Ljava/lang/String;I", "findFoo")
    assert (signature.parameter_names, signature.return_type) == (("id", "delay_ms"), Foo)
    assert (str(signature), dict(signature.attachments)) == ("findFoo(java.lang.String id, int delay_ms)", {})


def test_items_of_collections_are_converted_by_their_annotation() -> None:
    """The wire has no generics, but a Long in a list is a Long."""
    _, values = FOO.methods["items"].select(([1], {"a": {"id": "x"}}, [2]), {})
    assert values == [[Long(1)], {"a": Foo("x")}, TypedList([Long(2)], "java.util.LinkedList")]
    assert (type(values[0][0]), type(values[2]), type(values[2][0])) == (Long, TypedList, Long)


@pytest.mark.parametrize("name", ["findFoo", "find_foo", "FindFoo"])
def test_a_method_is_found_in_every_spelling(name: str) -> None:
    """Python's, Java's and gRPC's."""
    assert found(FOO, name).name == "findFoo"


def test_what_is_not_there_is_told_with_the_nearest() -> None:
    """A typing error costs no search."""
    assert (FOO.find("findFop"), FOO.nearest("findFop")) == (None, 'did you mean "findFoo"?')
    assert (FOO.find("_private"), FOO.find("constant"), FOO.is_generic) == (None, None, False)


def test_two_methods_of_one_folded_name_must_be_spelt_out() -> None:
    """Neither is guessed."""
    interface = JavaInterface(name="a.B", methods={name: JavaMethod(name=name) for name in ("getURL", "getUrl")})
    assert (interface.find("get_url"), interface.nearest("get_url")) == (None, "one of: getURL, getUrl")
    assert found(interface, "getUrl").name == "getUrl"


def test_keywords_and_defaults_are_those_of_the_stub() -> None:
    """A stub may be called as the plain class that it is."""
    find = found(FOO, "find_foo")
    assert find.select((), {"delay_ms": 5, "id": "a"})[1] == ["a", 5]
    assert find.select(("a",), {})[1] == ["a", 7]


@pytest.mark.parametrize(
    ("args", "kwargs", "text"),
    [
        ((), {}, 'takes 2 arguments, got 0; "id" is missing'),
        (("a", 1, 2), {}, "takes 2 arguments, got 3"),
        (("a",), {"ib": 1}, 'has no parameter "ib"'),
        (("a",), {"id": "b"}, 'got "id" by position and by keyword'),
        ((1,), {}, ", parameter 1 (id): expected a Java java.lang.String, got int"),
    ],
)
def test_arguments_that_do_not_fit_are_told_by_name(args: tuple[Any, ...], kwargs: Any, text: str) -> None:
    """As Python says it of its own functions, with the Java types beside."""
    with pytest.raises(SerializationError) as caught:
        found(FOO, "findFoo").select(args, kwargs)
    joint = "" if text.startswith(",") else " "
    assert (str(caught.value), caught.value.not_sent) == (
        f"findFoo(java.lang.String id, int delay_ms){joint}{text}",
        True,
    )


def test_an_overload_under_its_own_name_is_reached_by_both_names() -> None:
    """@java_method forces an overload that no value can mean."""
    assert found(FOO, "of_integer").select((5,), {})[0].descriptor == "Ljava/lang/Integer;"
    assert found(FOO, "of_integer").signatures[0].wire_method == "of"
    assert found(FOO, "ofInteger").name == "of_integer"
    of = found(FOO, "of")
    assert {one.descriptor for one in of.signatures} == {"I", "J", "Ljava/lang/Integer;"}
    assert of.select((Long(5),), {})[0].descriptor == "J"


def test_a_java_name_holds_above_staticmethod_too() -> None:
    """The order of the two decorators does not matter."""
    assert [(one.wire_method, one.parameter_types) for one in found(FOO, "total").signatures] == [("sum", ("int[]",))]
    assert found(FOO, "sum").name == "sum"


def test_answers_follow_the_return_annotation() -> None:
    """The signature that select chose knows what the stub promises."""
    signature, _ = found(FOO, "ids").select((), {})
    assert convert_answer(signature, [1, 2]) == (1, 2)
    assert convert_answer(found(FOO, "inherited").signatures[0], [1]) == [1]


def test_every_fault_of_a_stub_comes_in_one_report() -> None:
    """At the line of the YAML that names the stub."""
    with pytest.raises(ConfigError) as caught:
        load_interface(policy("Broken"))
    head = f"c.yml:4: references.foo.stub: {__name__}:Broken."
    lines = [line.removeprefix(head) for line in str(caught.value).splitlines()]
    advice = f'{__name__}.Unbound is bound to no Java class; decorate it with @java_type("full.name.OfUnbound")'
    assert lines[:6] == [
        'noAnnotation: parameter "x" has no annotation, so its Java type is not known',
        'star: parameter "xs" has a star, and Java has no such parameters; an array or list is one argument',
        "unseen: an annotation cannot be evaluated: name 'Unseen' is not defined",
        f'unbound: parameter "x": {advice}',
        f'unboundItems: parameter "x": {advice}',
        f"unboundAnswer: {advice}",
    ]
    assert [line.partition(":")[0] for line in lines[6:]] == ["union", "misspelt", "again"]
    assert lines[-1] == (
        "again: two functions declare again(int x) (one of them needs other types; a plain int is Java's int)"
    )


@pytest.mark.parametrize(
    ("stub", "text"),
    [
        ("Empty", f'"{__name__}:Empty" declares no method (write one function for each method)'),
        ("FOO", f'"{__name__}:FOO" is not a class (give a class with one annotated function for each method)'),
        ("Foos", f'"{__name__}:Foos": {__name__} has no "Foos"; did you mean "Foo"?'),
    ],
)
def test_a_stub_that_is_none_is_refused(stub: str, text: str) -> None:
    """At its line."""
    with pytest.raises(ConfigError) as caught:
        load_interface(policy(stub))
    assert str(caught.value) == f"c.yml:4: references.foo.stub: {text}"


def test_a_module_that_cannot_be_imported_is_a_configuration_error() -> None:
    """Whatever the module raises stays inside."""
    with pytest.raises(ConfigError, match=r'stub: cannot import "no\.such:Foo": ModuleNotFoundError'):
        load_interface(ReferencePolicy(id="foo", interface="a.B", stub="no.such:Foo", default=FOO_DEFAULT))


FOO_DEFAULT = MethodPolicy(reference="foo", method="*")


def test_parameter_types_win_over_the_stub_and_keep_its_names() -> None:
    """The YAML says the Java types of one method, in any spelling of its name."""
    method = found(load_interface(policy(methods={"find_foo": ("java.lang.Object", "long")})), "findFoo")
    assert [one.parameter_types for one in method.signatures] == [("java.lang.Object", "long")]
    assert method.select((), {"id": "a"})[1] == ["a", Long(7)]


def test_parameter_types_leave_one_overload() -> None:
    """Those that the stub declares, under the same name or apart, are not added to it."""
    interface = load_interface(policy(methods={"of": ("double",)}))
    assert [one.descriptor for one in found(interface, "of").signatures] == ["D"]
    assert [one.descriptor for one in found(interface, "of_integer").signatures] == ["Ljava/lang/Integer;"]


def test_parameter_types_may_add_a_method_that_the_stub_lacks() -> None:
    """And repair one whose annotations say nothing."""
    interface = load_interface(policy(methods={"other_one": ("int[]",)}))
    assert found(interface, "otherOne").select(([1],), {})[1] == [java_array("int", [1])]


def test_parameter_types_replace_annotations_that_cannot_be_read() -> None:
    """Only what nobody explains is a fault."""
    with pytest.raises(ConfigError) as caught:
        load_interface(policy("Broken", methods={"unseen": ("int",)}))
    assert "unseen" not in str(caught.value)


@pytest.mark.parametrize(
    ("methods", "text"),
    [
        ({"findFop": None}, f'findFop: "{__name__}:FooService" has no method "findFop" (did you mean "findFoo"?)'),
        ({"f": ("void",)}, 'f.parameter_types: "void" is no type of a parameter; a method without parameters has an'),
        ({"find_foo": ("int",), "findFoo": None}, 'findFoo: "findFoo" and "find_foo" are one method, "findFoo" (keep'),
    ],
)
def test_methods_of_the_yaml_that_cannot_be_are_refused(methods: Mapping[str, Any], text: str) -> None:
    """At their own lines."""
    with pytest.raises(ConfigError) as caught:
        load_interface(policy(methods=methods))
    assert f"references.foo.methods.{text}" in str(caught.value)


def test_without_types_a_call_is_generic() -> None:
    """The provider finds the method by its name."""
    interface = load_interface(policy(None, methods={"count": ("long",), "touch": ()}))
    signature, values = found(interface, "find_foo").select((Foo("a"), Color.RED, 5), {})
    assert (signature.wire_method, dict(signature.attachments)) == ("$invoke", {"generic": "true"})
    assert signature.descriptor == "Ljava/lang/String;[Ljava/lang/String;[Ljava/lang/Object;"
    assert values == ["findFoo", None, [{"class": "com.example.javaface.load.Foo", "id": "a"}, "RED", 5]]
    assert (found(interface, "find_foo").name, interface.is_generic) == ("findFoo", True)
    assert found(interface, "count").select((5,), {})[0].wire_method == "count"
    assert found(interface, "touch").select((), {})[1] == []


def test_generic_true_sends_known_types_along() -> None:
    """Overloads are told apart by the types that the stub declares."""
    interface = load_interface(policy(generic=True))
    signature, values = found(interface, "of").select((Long(5),), {})
    assert (signature.wire_method, values) == ("$invoke", ["of", ["long"], [5]])
    assert (values[1].java_type, values[2].java_type, type(values[2][0])) == ("[string", "[object", Long)
    assert found(interface, "anything").is_generic


def test_a_generic_interface_leaves_names_that_mean_something_else() -> None:
    """``findFooAsync`` asks for the future of findFoo, and an underscore begins no Java method."""
    interface = load_interface(policy(None))
    for name in ("find_foo_async", "findFooAsync", "_repr_html_", "$invoke", "not a name"):
        assert interface.find(name) is None


def test_a_generic_call_takes_no_keywords() -> None:
    """Nothing is known of the names."""
    with pytest.raises(SerializationError) as caught:
        found(load_interface(policy(None)), "find").select((), {"id": 1})
    assert str(caught.value) == (
        "find takes no keywords, for nothing is known of it and it is called through $invoke; "
        "give the arguments by position, or declare the method in a stub"
    )


def test_a_typed_method_without_names_takes_no_keywords() -> None:
    """The YAML gives types, not names."""
    method = found(load_interface(policy(None, methods={"find": ("int",)})), "find")
    with pytest.raises(SerializationError) as caught:
        method.select((), {"id": 1})
    assert str(caught.value) == (
        "find(int) takes no keywords, for the names of its parameters are not known; "
        "give the arguments by position, or declare them in a stub"
    )


def test_every_interface_has_echo() -> None:
    """Dubbo's own test of a provider."""
    for interface in (FOO, load_interface(policy(None))):
        signature, values = found(interface, "$echo").select(("hello",), {})
        assert (signature.wire_method, signature.descriptor, values) == ("$echo", "Ljava/lang/Object;", ["hello"])
        assert dict(signature.attachments) == {}


def test_the_marks_of_a_stub_are_checked_where_they_are_written() -> None:
    """A wrong name, or a decorator in the wrong place, fails at import."""
    with pytest.raises(ValueError, match=r"^'find foo' is not the name of a Java method$"):
        java_method("find foo")
    with pytest.raises(TypeError, match=r"^write @overload above @java_method, not below it$"):
        java_method("x")(overload(lambda: None))


def test_the_former_place_gives_the_same_names() -> None:
    """Stubs that users wrote against callahead.consumer.codec.javaface still declare what they did."""
    from callahead.consumer.codec import javaface
    from callahead.consumer.interface import java

    assert (java.java_method, java.JavaName) == (javaface.java_method, javaface.JavaName)
