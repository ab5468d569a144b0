"""Classes bound by `java_type`, and objects of classes that nobody bound."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Optional, Self

import pytest

from callahead.consumer.codec.hessian2 import (
    Decoder,
    Encoder,
    Float,
    JavaObject,
    JavaThrowable,
    Long,
    dumps,
    java_type,
    loads,
)
from callahead.consumer.errors import SerializationError

if TYPE_CHECKING:
    from decimal import Context as OnlyForTheChecker


@java_type("com.example.Kind")
class Kind(enum.Enum):
    SMALL = 1
    LARGE = 2


@java_type("com.example.Item")
@dataclass
class Item:
    unit_price: float
    kind: Kind = Kind.SMALL
    class_: str = "a"
    home_url: str | None = field(default=None, metadata={"java": "homeURL"})
    counted: ClassVar[int] = 0


@java_type("com.example.Tree")
@dataclass(eq=False)
class Tree:
    name: str
    parent: Tree | None = None
    branches: list[Tree] = field(default_factory=list)


@java_type("com.example.Frozen")
@dataclass(frozen=True, slots=True)
class Frozen:
    a: int
    b: int = 7


@java_type("com.example.Forced")
@dataclass
class Forced:
    plain: int
    one: Long | int
    two: Annotated[int, Long]
    three: Optional[Annotated[int, Long]]  # noqa: UP045 - both spellings are read
    four: Annotated[int, Long] | None
    many: list[Annotated[int, Long]]
    by_name: dict[str, Annotated[int, Long]]
    unique: set[Annotated[int, Long]]
    ratio: float
    small: Annotated[float, Float]
    hidden: OnlyForTheChecker | None = None


@java_type("com.example.Checked")
@dataclass
class Checked:
    amount: int

    def __post_init__(self) -> None:
        if self.amount < 0:
            raise ValueError(f"amount {self.amount} is negative")


@java_type("com.example.ShopException")
@dataclass
class ShopError(Exception):
    code: int
    detail_message: str | None = None


def fields_of(value: Any) -> dict[str, Any]:
    """Decode what was encoded under a name that nobody bound, to see the fields as they went."""
    data = dumps(value).replace(b"com.example.", b"org.unbound.")
    decoded = loads(data)
    assert isinstance(decoded, JavaObject)
    return decoded.fields


def test_fields_are_spelled_as_java_does() -> None:
    """Camel case, a trailing underscore dropped, or the name that the metadata gives."""
    assert list(fields_of(Item(1.5))) == ["unitPrice", "kind", "class", "homeURL"]


def test_a_bound_object_comes_back() -> None:
    """Values, enum members and None."""
    item = Item(9.5, Kind.LARGE, "b", "http://x")
    assert loads(dumps(item)) == item


def test_enum_members_are_themselves() -> None:
    """Decoding gives the very member; a second occurrence is a reference."""
    kinds = loads(dumps([Kind.LARGE, Kind.LARGE, Kind.SMALL]))
    assert kinds == [Kind.LARGE, Kind.LARGE, Kind.SMALL]
    assert dumps([Kind.LARGE, Kind.LARGE]).endswith(b"Q\x91")


def test_circles_of_bound_objects() -> None:
    """A child's parent is the parent itself."""
    root = Tree("root")
    root.branches.append(Tree("leaf", root))
    again = loads(dumps(root))
    assert again.branches[0].parent is again
    assert again.branches[0].name == "leaf"


def test_frozen_classes_with_slots() -> None:
    """They are filled although they forbid it, and take their defaults."""
    assert loads(dumps(Frozen(1, 2))) == Frozen(1, 2)
    assert loads(dumps(JavaObject("com.example.Frozen", {"a": 3}))) == Frozen(3)


def test_fields_that_java_lacks_get_their_defaults() -> None:
    """A default, what the factory makes, or None."""
    tree = loads(dumps(JavaObject("com.example.Tree", {})))
    assert (tree.name, tree.parent, tree.branches) == (None, None, [])


def test_fields_that_python_lacks_are_ignored() -> None:
    """The value is read, and dropped."""
    item = loads(dumps(JavaObject("com.example.Item", {"unitPrice": 1.0, "other": [1, 2], "kind": Kind.LARGE})))
    assert item == Item(1.0, Kind.LARGE)


def test_fields_by_their_python_names_are_taken() -> None:
    """A peer in Python may not spell in camel case."""
    assert loads(dumps(JavaObject("com.example.Item", {"unit_price": 2.0}))) == Item(2.0)


def test_post_init_runs_and_may_refuse() -> None:
    """Its error becomes ours, and names the class."""
    assert loads(dumps(JavaObject("com.example.Checked", {"amount": 3}))) == Checked(3)
    with pytest.raises(SerializationError) as caught:
        loads(dumps(JavaObject("com.example.Checked", {"amount": -3})))
    assert str(caught.value) == "hessian2: Checked refused the values: amount -3 is negative"


def test_a_class_that_cannot_be_made_without_arguments() -> None:
    """Its own __new__ is not fed; the error names the class."""

    @java_type("com.example.Needy")
    @dataclass
    class Needy:
        x: int

        def __new__(cls, x: int) -> Self:
            return object.__new__(cls)

    with pytest.raises(SerializationError, match=r"Needy refused the values: .*__new__\(\) missing 1 required"):
        loads(dumps(Needy(1)))


def test_an_exception_can_be_bound() -> None:
    """The value is then an instance of the user's own class."""
    error = loads(dumps(JavaObject("com.example.ShopException", {"detailMessage": "no", "code": 4, "cause": None})))
    assert isinstance(error, ShopError)
    assert (error.code, error.detail_message) == (4, "no")


def test_annotations_force_java_types() -> None:
    """At any depth; an annotation that only a type checker sees forces nothing."""
    value = Forced(1, Long(1), 1, 1, None, [1], {"a": 1}, {1}, 2, 1.1)
    fields = fields_of(value)
    longs = (fields["one"], fields["two"], fields["three"], fields["many"][0], fields["byName"]["a"])
    assert [type(one) for one in longs] == [Long] * 5
    assert [type(one) for one in fields["unique"]] == [Long]
    assert type(fields["plain"]) is int
    assert fields["four"] is None
    assert (type(fields["ratio"]), fields["small"]) == (float, 1.1)
    assert fields["hidden"] is None


def test_annotated_containers_keep_their_identity() -> None:
    """The same list in two fields is one list."""
    same = [1]
    value = Forced(1, 1, 1, 1, 1, same, {}, set(), 1.0, 1.0)
    encoder = Encoder()
    encoder.write(value)
    encoder.write(same)
    decoder = Decoder(encoder.getvalue())
    first = decoder.read()
    assert decoder.read() is first.many


def test_a_wrong_value_for_a_forced_field() -> None:
    """The error names the value and the type."""
    with pytest.raises(SerializationError) as caught:
        dumps(Forced(1, 1, "2", 1, 1, [], {}, set(), 1.0, 1.0))  # type: ignore[arg-type]
    assert str(caught.value) == "hessian2: '2' is declared as a Java long"


def test_an_unknown_constant_of_a_bound_enum() -> None:
    """The error names it, and those that there are."""
    with pytest.raises(SerializationError) as caught:
        loads(dumps(JavaObject("com.example.Kind", {"name": "HUGE"})))
    assert str(caught.value) == "hessian2: com.example.Kind constant 'HUGE' is not in Kind: SMALL, LARGE"


def test_objects_as_maps_of_hessian_1() -> None:
    """The map form of an object of a bound class is that class."""
    data = b"M\x10com.example.Item\x09unitPrice\x5c\x04kindM\x10com.example.Kind\x04name\x05LARGEZZ"
    assert loads(data) == Item(1.0, Kind.LARGE)


def test_a_class_that_is_no_dataclass_cannot_be_bound() -> None:
    """The error says how to write it."""
    with pytest.raises(TypeError, match=r"Plain is neither a dataclass nor an enum; write @java_type above"):

        @java_type("com.example.Plain")
        class Plain:
            pass


def test_a_name_that_is_no_class_cannot_be_bound() -> None:
    """The error shows what a name looks like."""
    with pytest.raises(ValueError, match=r"^'no name' is not the full name of a Java class, such as '"):
        java_type("no name")


def test_one_java_class_cannot_be_two_python_classes() -> None:
    """The error names both."""
    with pytest.raises(ValueError, match=r"^com\.example\.Item is bound to .*\.Item already, it cannot st"):

        @java_type("com.example.Item")
        @dataclass
        class Other:
            x: int


def test_one_python_class_cannot_be_two_java_classes() -> None:
    """The error names both."""
    with pytest.raises(
        ValueError, match=r"\.Item is bound to com\.example\.Item already, it cannot stand for com\.example\.B"
    ):
        java_type("com.example.B")(Item)


def test_two_fields_cannot_have_one_java_name() -> None:
    """The error names both, and the Java name."""
    with pytest.raises(ValueError, match=r"Twice: a_b and aB are both Java's aB$"):

        @java_type("com.example.Twice")
        @dataclass
        class Twice:
            a_b: int
            aB: int  # noqa: N815 - the point of the test


@dataclass
class Unbound:
    x: int = 1


class UnboundKind(enum.StrEnum):
    A = "a"


@dataclass
class SubItem(Item):
    pass


@pytest.mark.parametrize("value", [Unbound(), UnboundKind.A, SubItem(1.0)])
def test_unbound_classes_are_refused(value: Any) -> None:
    """Neither a dataclass nor an enum is written as what it happens to extend; the error says what to write."""
    name = type(value).__name__
    with pytest.raises(SerializationError) as caught:
        dumps(value)
    expected = f'{name} is bound to no Java class; decorate it with @java_type("full.name.Of{name}")'
    assert str(caught.value).endswith(expected)

    with pytest.raises(SerializationError) as inside:
        dumps({"a": value})
    assert str(inside.value).endswith(f"{expected}, at ['a']")


@pytest.mark.parametrize(
    ("value", "place"),
    [
        (2j, ""),
        ([1, 2j], ", at [1]"),
        ({"a": [Tree("x", Tree("y", None, [2j]))]}, ", at ['a'][0].parent.branches[0]"),  # type: ignore[list-item]
        ({2j: 1}, ", at .key(2j)"),
        ((JavaObject("a.A", {"f": {1: 2j}}),), ", at [0].f[1]"),
    ],
)
def test_values_without_a_java_form_are_refused(value: Any, place: str) -> None:
    """The error names the type, and the way to it."""
    with pytest.raises(SerializationError) as caught:
        dumps(value)
    assert str(caught.value) == f"hessian2: a value of type complex has no Java form{place}"
    assert type(caught.value) is SerializationError
    assert caught.value.not_sent


def test_an_unset_slot_is_an_error() -> None:
    """What an object lacks is named, and nothing foreign is raised."""
    empty = object.__new__(Frozen)
    with pytest.raises(SerializationError, match=r"^hessian2: cannot write a .*\.Frozen: .*'a'$"):
        dumps(empty)


def test_unknown_classes_keep_class_fields_and_order() -> None:
    """Access by name, iteration in wire order, equality by value."""
    value = loads(dumps(JavaObject("org.example.A", {"z": 1, "a": None})))
    assert value == JavaObject("org.example.A", {"z": 1, "a": None})
    assert value != JavaObject("org.example.A", {"a": None, "z": 1})
    assert value != JavaObject("org.example.B", {"z": 1, "a": None})
    assert value["z"] == 1
    assert list(value) == ["z", "a"]
    assert repr(value) == "JavaObject('org.example.A', {'z': 1, 'a': None})"


def test_a_circle_can_be_printed() -> None:
    """Printing stops where the object contains itself."""
    value = JavaObject("org.example.A")
    value.fields["self"] = value
    assert repr(value) == "JavaObject('org.example.A', {'self': JavaObject(...)})"


def test_a_class_of_two_shapes_in_one_stream() -> None:
    """Two objects of one class with different fields are defined twice, and both come back."""
    values = [JavaObject("org.example.A", {"x": 1}), JavaObject("org.example.A", {"y": 2})]
    assert loads(dumps(values)) == values


def test_a_throwable_with_nonsense_for_a_stack() -> None:
    """What a hostile peer puts there is left out, not an error."""
    fields = {"detailMessage": 5, "cause": None, "stackTrace": [1, JavaObject("x", {"lineNumber": "?"})]}
    error = loads(dumps(JavaObject("org.example.E", fields)))
    assert isinstance(error, JavaThrowable)
    assert (error.message, error.cause) == (None, None)
    assert [str(frame) for frame in error.stack] == ["None.None(Unknown Source)"]


def test_decoding_uses_only_bound_classes() -> None:
    """A name of a Python class, or of a function, is a name."""
    for name in ("builtins.eval", "os.system", "callahead.consumer.errors.RemoteError", f"{__name__}.Unbound"):
        assert loads(dumps(JavaObject(name, {"x": 1}))) == JavaObject(name, {"x": 1})


def test_a_class_bound_after_it_was_seen() -> None:
    """What was learnt of the class before does not stay."""
    late = JavaObject("com.example.Late", {"x": 1})
    assert loads(dumps(late)) == late

    @java_type("com.example.Late")
    @dataclass
    class Late:
        x: int

    assert loads(dumps(late)) == Late(1)


def test_a_collection_of_the_jdk_that_lost_its_items_is_an_error() -> None:
    """An old hessian-lite writes List.of("a") as an object of one number; as an answer that would be nothing."""
    with pytest.raises(SerializationError, match=r"java\.util\.CollSer came, .* has lost its items at the provider"):
        loads(b"C\x11java.util.CollSer\x91\x03tag\x60\x91")
