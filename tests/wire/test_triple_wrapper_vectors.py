"""What Dubbo 3.3.6 sent on ``tri`` for Java interfaces, read and written by this side."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from support.dubbo_bodies import signature_of

from callahead.consumer.codec.dubbo import error_of_thrown
from callahead.consumer.codec.hessian2 import JavaObject, JavaThrowable, TypedMap
from callahead.consumer.codec.triple import (
    EXCEPTION_HEADER,
    TripleRequestEncoder,
    decode_request,
    decode_response,
    encode_response,
)
from callahead.consumer.errors import Rejected, RemoteError

VECTORS: dict[str, Any] = {
    entry["name"]: entry
    for entry in json.loads((Path(__file__).parent / "vectors" / "triple_wrapper.json").read_text(encoding="utf-8"))
}


def answer_of(name: str) -> bytes:
    return bytes.fromhex(VECTORS[name]["answer"])


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("object", JavaObject("com.alibaba.foo.Foo", {"delayMs": 0, "name": "foo-7", "id": "7"})),
        ("null", None),
        ("void", None),
        ("overload", "of(int,java.lang.String)"),
        ("array", "of(java.lang.String[])"),
        ("attachments", TypedMap({"x-trace": "t-1"}, "java.util.TreeMap")),
        ("echo", "hi"),
        ("generic", {"delayMs": 0, "name": "foo-7", "id": "7", "class": "com.alibaba.foo.Foo"}),
    ],
)
def test_answers_are_read(name: str, value: Any) -> None:
    """Values come without the header of an exception."""
    assert decode_response(answer_of(name)) == value
    assert EXCEPTION_HEADER not in VECTORS[name]["headers"]


@pytest.mark.parametrize("name", ["declared", "nested", "rpc", "generic-declared"])
def test_exceptions_are_marked_by_a_header(name: str) -> None:
    """The message is that of a value; only the header tells."""
    assert VECTORS[name]["headers"][EXCEPTION_HEADER] != "0"
    assert VECTORS[name]["status"] == ["OK", ""]
    assert isinstance(decode_response(answer_of(name)), JavaThrowable)


def test_a_declared_exception_has_class_message_fields_and_stack() -> None:
    """As over the dubbo protocol."""
    error = error_of_thrown(decode_response(answer_of("declared")))
    assert isinstance(error, RemoteError)
    assert error.type_name == "org.callahead.interop.BusinessException"
    assert error.message == "org.callahead.interop.BusinessException: no"
    assert error.details["fields"]["code"] == 5
    assert str(error.details["stack"][0]).startswith("org.callahead.interop.service.ExceptionProvider.declared(")


def test_a_generic_exception_has_the_class_that_was_thrown() -> None:
    """And not GenericException."""
    error = error_of_thrown(decode_response(answer_of("generic-declared")))
    assert isinstance(error, RemoteError)
    assert (error.type_name, error.details["message"]) == ("org.callahead.interop.BusinessException", "no")


def test_an_rpc_exception_means_what_its_code_says() -> None:
    """Code 4 is a refusal."""
    assert type(error_of_thrown(decode_response(answer_of("rpc")))) is Rejected


def test_a_request_is_the_java_consumers() -> None:
    """Byte for byte."""
    made = TripleRequestEncoder("echo", signature_of("echo", ["java.lang.String"]).wire).encode(["xxxxx"])
    assert made.hex() == VECTORS["consumer"]["request"]


@pytest.mark.parametrize(("name", "java_type"), [("void", "void"), ("echo", "java.lang.Object")])
def test_an_answer_is_the_java_providers(name: str, java_type: str) -> None:
    """What this side's provider sends is byte for byte Java's."""
    assert encode_response(decode_response(answer_of(name)), java_type) == answer_of(name)


def test_a_recorded_request_is_read() -> None:
    """As a provider does."""
    read = decode_request(bytes.fromhex(VECTORS["array"]["request"]))
    assert (read.types, len(read.args)) == (("java.lang.String[]",), 1)
