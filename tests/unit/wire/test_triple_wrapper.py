"""The protobuf messages around the calls of Java interfaces on ``tri``."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.dubbo_bodies import signature_of

from callahead.consumer.codec import triple
from callahead.consumer.codec.dubbo import (
    error_of_thrown,
    invoke_arguments,
    make_throwable,
)
from callahead.consumer.codec.hessian2 import TypedList
from callahead.consumer.errors import RemoteProtocolError, SerializationError
from callahead.consumer.interface.java.signature import INVOKE_SIGNATURE

# As a Dubbo 3.3.6 provider sent it: FooService.findFoo("7", 0), and null of a void method.
FOUND = (
    b"\n\x08hessian4\x120C\x13com.alibaba.foo.Foo\x93\x07delayMs\x04name\x02id`\x90\x05foo-7\x017"
    b"\x1a\x13com.alibaba.foo.Foo"
)
NOTHING = b"\n\x08hessian4\x12\x01N\x1a\x04void"


def field(number: int, data: bytes) -> bytes:
    return bytes((number << 3 | 2, len(data))) + data


def test_a_request_is_byte_for_byte() -> None:
    """Each argument is a stream of its own; types are named as Java's reflection names them."""
    signature = signature_of("find", ["String", "int", "String[]", "java.util.List<Long>"])
    made = triple.TripleRequestEncoder("find", signature.wire)

    assert field(1, b"hessian4") + field(2, b"\x017") + field(2, b"\x90") + field(2, b"q\x07[string\x01a") + field(
        2, b"y\xe1"
    ) + field(3, b"java.lang.String") + field(3, b"int") + field(3, b"[Ljava.lang.String;") + field(
        3, b"java.util.List"
    ) == made.encode(signature.convert(("7", 0, ["a"], [1])))


@given(st.lists(st.text(max_size=20), max_size=4))
def test_a_request_comes_back(args: list[str]) -> None:
    """As a provider reads it."""
    made = triple.TripleRequestEncoder("m", signature_of("m", ["String"] * len(args)).wire)

    assert (("java.lang.String",) * len(args), tuple(args)) == triple.decode_request(made.encode(args))


def test_a_generic_request_comes_back() -> None:
    """Arrays are arrays again."""
    made = triple.TripleRequestEncoder("$invoke", INVOKE_SIGNATURE.wire)

    read = triple.decode_request(made.encode(invoke_arguments("findFoo", ["int"], (1,))))

    assert ("java.lang.String", "java.lang.String[]", "java.lang.Object[]") == read.types
    assert ("findFoo", TypedList(["int"], "[string"), TypedList([1], "[object")) == read.args


def test_recorded_answers_are_read() -> None:
    """From a Java provider."""
    found = triple.decode_response(FOUND)

    assert ("com.alibaba.foo.Foo", "foo-7") == (found.java_class, found["name"])
    assert triple.decode_response(NOTHING) is None


@pytest.mark.parametrize(("value", "java_type"), [("x", "String"), (None, "void"), ([1], "java.util.List<Integer>")])
def test_an_answer_comes_back(value: Any, java_type: str) -> None:
    """What this side's provider sends."""
    assert value == triple.decode_response(triple.encode_response(value, java_type))


def test_the_answer_of_a_void_method_is_javas() -> None:
    """Byte for byte."""
    assert NOTHING == triple.encode_response(None, "void")


def test_an_exception_is_read() -> None:
    """It is an answer, told apart by a header."""
    thrown = make_throwable("com.x.NoMoney", "none")

    read = triple.decode_response(triple.encode_response(thrown))

    assert "com.x.NoMoney: none" == error_of_thrown(read).message


def test_an_answer_without_data_is_null() -> None:
    """An empty field is no field in protobuf."""
    assert triple.decode_response(field(1, b"hessian4")) is None


def test_another_serialization_is_refused_by_name() -> None:
    """With what to set."""
    with pytest.raises(RemoteProtocolError) as caught:
        triple.decode_response(field(1, b"fastjson2") + field(2, b"x"))

    assert (
        'a value is serialized by "fastjson2", this side reads hessian2; set "prefer.serialization: hessian2" at the '
        "provider"
    ) == caught.value.message
    assert caught.value.in_doubt


def test_what_is_no_such_message_is_refused() -> None:
    """A method of a protobuf service answers with its own message."""
    with pytest.raises(
        RemoteProtocolError, match=r"^3 bytes are no TripleResponseWrapper: .*protobuf service\?$"
    ) as caught:
        triple.decode_response(b"\x0a\xffx")

    assert caught.value.in_doubt


def test_data_that_is_no_hessian_is_refused() -> None:
    """The method has run."""
    with pytest.raises(SerializationError) as caught:
        triple.decode_response(field(1, b"hessian4") + field(2, b"\x40"))

    assert ("hessian2: byte 0: 0x40 begins no value", True) == (caught.value.message, caught.value.in_doubt)


def test_arguments_without_types_are_refused() -> None:
    """One type for each."""
    with pytest.raises(RemoteProtocolError) as caught:
        triple.decode_request(field(1, b"hessian4") + field(2, b"N"))

    assert "a triple request has 1 arguments of 0 types" == caught.value.message


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ((object(),), "argument 1 of m, int: hessian2: a value of type object has no Java form"),
        ((), "m(int) takes 1 argument, 0 given"),
    ],
)
def test_arguments_that_cannot_be_written_are_refused(args: tuple[Any, ...], message: str) -> None:
    """As on the dubbo protocol."""
    with pytest.raises(SerializationError) as caught:
        triple.TripleRequestEncoder("m", signature_of("m", ["int"]).wire).encode(args)

    assert (message, True) == (caught.value.message, caught.value.not_sent)
