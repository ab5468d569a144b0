"""Lists, sets, maps, references, and bodies of several values."""

from __future__ import annotations

import copy
import pickle
from collections import OrderedDict, defaultdict
from types import MappingProxyType
from typing import Any

import pytest

from callahead.consumer.codec.hessian2 import (
    Decoder,
    Encoder,
    JavaEntries,
    JavaObject,
    Long,
    TypedList,
    TypedMap,
    TypedSet,
    dumps,
    java_array,
    loads,
)
from callahead.consumer.errors import SerializationError


def test_lists_and_maps_without_a_length_are_read() -> None:
    """Typed and untyped, up to their end byte."""
    assert loads(b"W\x91\x92Z") == [1, 2]
    assert loads(b"U\x14java.util.LinkedList\x91Z") == TypedList([1], "java.util.LinkedList")
    assert loads(b"WZ") == []


def test_typed_array_lists_and_hash_maps_are_plain() -> None:
    """Other hessians name the classes that lists and dicts stand for."""
    assert type(loads(b"q\x13java.util.ArrayList\x91")) is list
    assert type(loads(b"M\x11java.util.HashMap\x01a\x91Z")) is dict


def test_inside_an_unbound_object_they_keep_their_class() -> None:
    """So that the object is written back as it came, with longs and the order of sets."""
    data = (
        b"C\x03a.A\x92\x04list\x03set\x60q\x13java.util.ArrayList\xe1"
        b"r\x11java.util.HashSet\x01z\x01a"
    )  # fmt: skip
    value = loads(data)
    assert value["list"] == TypedList([Long(1)], "java.util.ArrayList")
    assert type(value["list"][0]) is Long
    assert list(value["set"]) == ["z", "a"]
    assert dumps(value) == data


def test_a_tuple_is_a_list_and_never_a_reference() -> None:
    """Python may share equal tuples; two fields must not become one list in Java."""
    same = (1,)
    first, second = loads(dumps([same, same]))
    assert first == second == [1]
    assert first is not second


def test_references_count_what_was_written_between() -> None:
    """Tuples, dates and objects take their numbers."""
    same = [1]
    value = [(1,), JavaObject("a.A"), {"k": (2,)}, {3}, same, same]
    again = loads(dumps(value))
    assert again[4] is again[5]
    assert again[4] == [1]


def test_one_body_shares_references_classes_and_types() -> None:
    """Later values point to earlier ones, as in Dubbo's bodies."""
    shared = TypedMap({"a": 1}, "java.util.TreeMap")
    encoder = Encoder()
    for value in ("path", shared, shared, JavaObject("a.A"), JavaObject("a.A"), TypedMap({}, "java.util.TreeMap")):
        encoder.write(value)
    data = encoder.getvalue()
    assert data.endswith(b"Q\x90C\x03a.A\x90\x60\x60M\x90Z")
    decoder = Decoder(data)
    assert decoder.read() == "path"
    assert decoder.read() is decoder.read()
    assert [decoder.read() for _ in range(3)] == [JavaObject("a.A"), JavaObject("a.A"), TypedMap()]
    assert decoder.at_end


def test_temporary_values_are_not_taken_for_earlier_ones() -> None:
    """An encoder keeps what it wrote, so that no new object can have the address of an old one."""
    encoder = Encoder()
    for number in range(100):
        encoder.write([number])
    decoder = Decoder(encoder.getvalue())
    assert [decoder.read() for _ in range(100)] == [[number] for number in range(100)]


@pytest.mark.parametrize(
    "value",
    [defaultdict(int, a=1), OrderedDict(a=1), MappingProxyType({"a": 1})],
)
def test_other_mappings_are_maps(value: Any) -> None:
    """A subclass of dict and any other mapping are written as a HashMap."""
    assert loads(dumps(value)) == {"a": 1}


def test_subclasses_of_builtins_are_their_base() -> None:
    """A str or list with methods of its own is still one in Java."""

    class Name(str):
        __slots__ = ()

    class Names(list[str]):
        pass

    assert loads(dumps(Names([Name("a")]))) == ["a"]


def test_sets() -> None:
    """A set is a HashSet; other set classes keep name and order."""
    assert loads(dumps({1})) == {1}
    assert type(loads(dumps(frozenset({1})))) is set
    ordered = loads(dumps(TypedSet(["b", "a"], "java.util.LinkedHashSet")))
    assert (list(ordered), ordered.java_type) == (["b", "a"], "java.util.LinkedHashSet")
    assert ordered == {"a", "b"}


def test_a_typed_set_is_a_mutable_set() -> None:
    """Adding, removing and printing."""
    value = TypedSet(["b"])
    value.add("a")
    value.add("b")
    value.discard("x")
    assert (list(value), "a" in value, len(value)) == (["b", "a"], True, 2)
    value.discard("b")
    assert repr(value) == "TypedSet(['a'], 'java.util.LinkedHashSet')"


def test_a_set_that_python_cannot_hold_is_a_list() -> None:
    """Its items have no hash, or are equal in Python but not in Java."""
    name = "java.util.HashSet"
    assert loads(dumps(TypedList([[1], [2]], name))) == TypedList([[1], [2]], name)
    assert loads(dumps(TypedList([1, True], name))) == TypedList([1, True], name)


def test_map_keys_that_python_cannot_hold_become_pairs() -> None:
    """All entries are there, in order, also those before; and they are written back."""
    pairs = JavaEntries([("a", 1), ([1], 2), ("b", 3)], "java.util.TreeMap")
    again = loads(dumps(pairs))
    assert (again, type(again), again.java_type) == (pairs, JavaEntries, "java.util.TreeMap")
    assert dumps(again) == dumps(pairs)


def test_keys_that_are_one_in_python_become_pairs() -> None:
    """Java's 1, 1L, 1.0 and true are four keys."""
    pairs = JavaEntries([(1, "int"), (1.0, "double"), (True, "boolean")])
    assert loads(dumps(pairs)) == pairs


def test_a_reference_to_pairs_is_the_pairs() -> None:
    """Later references find what the map became."""
    pairs = JavaEntries([([1], 2)])
    first, second = loads(dumps([pairs, pairs]))
    assert first is second


def test_a_map_in_itself_with_unhashable_keys_is_refused() -> None:
    """What already points to the dict cannot be made to point to the pairs."""
    with pytest.raises(SerializationError) as caught:
        loads(b"H\x01aQ\x90\x78\x91Z")
    assert str(caught.value) == "hessian2: byte 7: a map that refers to itself has keys without a hash"


def test_typed_values_can_be_copied_pickled_and_printed() -> None:
    """With their Java class."""
    values = [
        java_array("int", [1]),
        TypedMap({"a": 1}, "java.util.TreeMap"),
        TypedSet([1]),
        JavaEntries([(1, 2)], "t"),
    ]
    for made in (copy.deepcopy(values), pickle.loads(pickle.dumps(values))):
        assert made == values
        assert [one.java_type for one in made] == ["[int", "java.util.TreeMap", "java.util.LinkedHashSet", "t"]
    assert repr(values) == (
        "[TypedList([1], '[int'), TypedMap({'a': 1}, 'java.util.TreeMap'), "
        "TypedSet([1], 'java.util.LinkedHashSet'), JavaEntries([(1, 2)], 't')]"
    )


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ("51 90", "hessian2: reference to value 0, of 0 so far"),
        ("79 51 91", "hessian2: reference to value 1, of 1 so far"),
        ("51 8f", "hessian2: byte 1: the number of a reference is expected here, not 0x8f"),
        ("51 4e", "hessian2: byte 1: the number of a reference is expected here, not 0x4e"),
        ("60", "hessian2: class 0 is used, 0 are defined"),
        ("4f 95", "hessian2: class 5 is used, 0 are defined"),
        ("43 90", "hessian2: byte 1: a class name is expected here, not 0x90"),
        ("43 0161 01", "hessian2: byte 3: a number of fields is expected here, not 0x01"),
        ("43 0161 91 90", "hessian2: byte 4: a field name is expected here, not 0x90"),
        ("43 0161 cfff", "hessian2: the data ends after 5 bytes, inside the value that begins at 0"),
        ("70 90", "hessian2: type 0 is used, 0 are known"),
        ("56 0161 8f", "hessian2: byte 3: a length is expected here, not 0x8f"),
        ("58 49 7fffffff", "hessian2: the data ends after 6 bytes, inside the value that begins at 0"),
        ("58 93 90 90", "hessian2: the data ends after 4 bytes, inside the value that begins at 0"),
        ("7a 90", "hessian2: the data ends after 2 bytes, inside the value that begins at 0"),
        ("57 90", "hessian2: the data ends after 2 bytes, inside the value that begins at 0"),
        ("48 90", "hessian2: the data ends after 2 bytes, inside the value that begins at 0"),
        ("48 90 5a", "hessian2: byte 2: 0x5a begins no value"),
        ("79 5a", "hessian2: byte 1: 0x5a begins no value"),
    ],
)
def test_broken_containers(data: str, message: str) -> None:
    """The error says where and what."""
    with pytest.raises(SerializationError) as caught:
        loads(bytes.fromhex(data))
    assert str(caught.value) == message


def test_a_reference_to_a_value_that_is_not_yet_is_refused() -> None:
    """A number cannot be inside itself."""
    with pytest.raises(SerializationError) as caught:
        loads(b"C\x14java.math.BigDecimal\x91\x05value\x60Q\x90")
    assert str(caught.value) == "hessian2: reference to value 0 inside itself, which cannot be"


def test_after_an_error_nothing_more_is_read() -> None:
    """What comes next would be nonsense."""
    decoder = Decoder(b"\x40\x90")
    with pytest.raises(SerializationError):
        decoder.read()
    with pytest.raises(SerializationError, match="an earlier value of this stream could not be read"):
        decoder.read()


def test_after_an_error_nothing_more_is_written() -> None:
    """The stream may hold half a value."""
    encoder = Encoder()
    with pytest.raises(SerializationError):
        encoder.write([1, 1j])
    with pytest.raises(SerializationError, match="an earlier value of this stream could not be written") as caught:
        encoder.write(1)
    assert caught.value.not_sent


def test_an_empty_type_name_is_refused() -> None:
    """Java refuses it too."""
    with pytest.raises(SerializationError, match="a Java type name is empty"):
        dumps(TypedList([], ""))


@pytest.mark.parametrize("make", [bytes, bytearray, memoryview])
def test_any_buffer_is_read(make: Any) -> None:
    """A body may be a slice of a larger buffer."""
    assert loads(make(b"\x7a\x91\x92")) == [1, 2]
