"""Bodies of requests, both ways."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.dubbo_bodies import request_body, signature_of

from callahead.consumer.codec.dubbo import (
    ECHO,
    INVOKE,
    INVOKE_ATTACHMENTS,
    ArgumentsEncoder,
    Envelope,
    decode_request,
    invoke_arguments,
)
from callahead.consumer.codec.dubbo.attachments import encode_entries
from callahead.consumer.codec.dubbo.request import END
from callahead.consumer.codec.hessian2 import (
    Encoder,
    Limits,
)
from callahead.consumer.errors import SerializationError
from callahead.consumer.interface.java.signature import ECHO_SIGNATURE, INVOKE_SIGNATURE

MOMENT = dt.datetime(2024, 5, 6, 7, 8, 9, tzinfo=dt.UTC)


def encoder(*types: str) -> ArgumentsEncoder:
    return ArgumentsEncoder("call", signature_of("call", types).wire)


def argument(name: str, value: Any) -> bytes:
    """The bytes of one argument of a declared type."""
    return encoder(name).encode(signature_of("call", [name]).convert([value]))


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("int", 1, "91"),
        ("int", 100_000, "d586a0"),
        ("long", 1, "e1"),
        ("long", 2**40, "4c0000010000000000"),
        ("java.lang.Long", 1, "e1"),
        ("java.lang.Long", None, "4e"),
        ("short", 1, "91"),
        ("byte", -1, "8f"),
        ("float", 0.5, "5f000001f4"),
        ("double", 1, "5c"),
        ("char", "x", "0178"),
        ("boolean", True, "54"),
        ("java.lang.Boolean", None, "4e"),
        ("java.lang.String", "é", "01c3a9"),
        ("java.lang.String", "x" * 0x40, "3040" + "78" * 0x40),
        ("java.lang.String", None, "4e"),
        ("byte[]", b"ab", "226162"),
        ("int[]", [1], "71045b696e7491"),
        ("long[]", [1], "71055b6c6f6e67e1"),
        ("java.lang.String[]", ["a"], "71075b737472696e670161"),
        ("java.util.List<Long>", [1], "79e1"),
        ("java.util.Map<String, java.util.List<Long>>", {"a": [1]}, "48016179e15a"),
        ("java.util.Set<Short>", {1}, "71116a6176612e7574696c2e4861736853657491"),
        ("java.util.List", [1], "7991"),
        ("java.lang.Object", 2**40, "4c0000010000000000"),
    ],
)
def test_an_argument_is_written_by_its_declared_type(name: str, value: Any, expected: str) -> None:
    """``int`` and ``long`` above all, which one Python type stands for; at any depth of a generic type."""
    assert expected == argument(name, value).hex()


def test_an_argument_without_a_java_form_is_refused() -> None:
    """Which argument of which method, its Java type and what came."""
    with pytest.raises(SerializationError) as caught:
        encoder("int", "java.lang.Object").encode((1, object()))

    assert (
        "argument 2 of call, java.lang.Object: hessian2: a value of type object has no Java form"
        == caught.value.message
    )  # fmt: skip
    assert caught.value.not_sent


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ((), "call(int, java.util.List) takes 2 arguments, 0 given"),
        ((1, [], 2), "call(int, java.util.List) takes 2 arguments, 3 given"),
    ],
)
def test_too_few_and_too_many_arguments_are_refused(args: tuple[Any, ...], message: str) -> None:
    """With the signature."""
    with pytest.raises(SerializationError) as caught:
        encoder("int", "java.util.List<Long>").encode(args)

    assert message == caught.value.message


def test_arguments_share_what_is_the_same_object() -> None:
    """One stream: a list that two arguments hold arrives as one."""
    shared = [1]

    read = decode_request(request_body("a.B", "call", ["java.util.List", "java.util.List"], (shared, shared)))

    assert read.args[0] is read.args[1]


def test_what_a_user_class_raises_is_our_error() -> None:
    """A property or an iterator of the user's may raise anything."""

    class Strange(dict[str, int]):
        def items(self) -> Any:
            raise OSError("disk")

    with pytest.raises(SerializationError) as caught:
        encoder("java.lang.Object").encode((Strange(),))

    assert "argument 1 of call, java.lang.Object: OSError: disk" == caught.value.message
    assert isinstance(caught.value.__cause__, OSError)


def test_too_deep_a_value_is_refused() -> None:
    """The limit is the encoder's."""
    deep: list[Any] = []
    for _ in range(20):
        deep = [deep]
    made = ArgumentsEncoder("call", signature_of("call", ["java.lang.Object"]).wire, limits=Limits(depth=10))

    with pytest.raises(SerializationError, match=r"the limit is 10 \(limits\.depth\)"):
        made.encode((deep,))


texts = st.text(max_size=40)
scalars = st.one_of(texts, st.binary(max_size=10), st.booleans(), st.none(), st.integers(-(2**31), 2**31 - 1))


@given(
    texts, texts, texts, st.lists(texts, max_size=3), st.dictionaries(texts, scalars), st.dictionaries(texts, scalars)
)
def test_a_request_comes_back(
    path: str, version: str, method: str, args: list[str], constant: dict[str, Any], extra: dict[str, Any]
) -> None:
    """Who is called, arguments and attachments; of an attachment that is there twice the later counts."""
    signature = signature_of(method, ["java.lang.String"] * len(args))
    before, after = Envelope.of(path, version, method, signature.descriptor, constant)
    arguments = ArgumentsEncoder(method, signature.wire).encode(args)

    read = decode_request(before + arguments + after + encode_entries(extra) + END)

    assert ("2.0.2", path, version or "0.0.0", method) == read[:4]
    assert (signature.descriptor, tuple(args), {**constant, **extra}, 0) == read[4:]


def test_the_same_arguments_go_to_any_provider() -> None:
    """One that has the service under another path, in another version, is only told so around them."""
    arguments = encoder("java.util.List<int>").encode(([1],))
    around = [Envelope.of(path, version, "call", "Ljava/util/List;") for path, version in (("a.B", "1"), ("b", "2"))]

    read = [decode_request(before + arguments + after + END) for before, after in around]

    assert [("a.B", "1", ([1],)), ("b", "2", ([1],))] == [(one.path, one.version, one.args) for one in read]


def test_the_size_of_an_envelope_is_that_of_a_request_without_arguments() -> None:
    """So that a limit can be checked before a provider is chosen."""
    around = Envelope.of("a.B", "", "call", "", {"path": "a.B"})

    assert len(around.before + around.after + END) == around.size


@pytest.mark.parametrize(("name", "value", "shown"), [("a", [1], "list"), ("a", object(), "object"), (1, "x", "str")])
def test_an_attachment_that_is_no_scalar_is_refused(name: Any, value: Any, shown: str) -> None:
    """It would need a number in the stream, which a part of a body has not."""
    with pytest.raises(SerializationError) as caught:
        Envelope.of("a.B", "", "call", "", {name: value})

    assert (
        f"the attachment {name!r} is a {shown}; names are text, values are text, bytes, numbers, booleans or None"
        == caught.value.message
    )  # fmt: skip
    assert caught.value.not_sent


def test_a_generic_call_is_the_recorded_one() -> None:
    """``$invoke`` of findFoo, byte for byte as Java sends it up to its attachments."""
    body = request_body(
        "com.alibaba.foo.FooService",
        INVOKE,
        INVOKE_SIGNATURE.parameter_types,
        invoke_arguments("findFoo", ["String", "int"], ("7", 0)),
        INVOKE_ATTACHMENTS,
    )

    assert (
        b"\x052.0.2\x1acom.alibaba.foo.FooService\x050.0.0\x07$invoke08Ljava/lang/String;[Ljava/lang/String;"
        b"[Ljava/lang/Object;\x07findFoor\x07[string\x10java.lang.String\x03intr\x07[object\x017\x90"
        b"H\x07generic\x04trueZ"
    ) == body


def test_an_echo_takes_anything() -> None:
    """Every service answers it."""
    read = decode_request(request_body("a.B", ECHO, ECHO_SIGNATURE.parameter_types, ("ping",)))

    assert ("$echo", "Ljava/lang/Object;", ("ping",)) == (read.method, read.descriptor, read.args)


def stream(*values: Any) -> bytes:
    written = Encoder()
    for value in values:
        written.write(value)
    return written.getvalue()


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "hessian2: the data ends after 0 bytes, inside the value that begins at 0"),
        (stream("2.0.2", 7), "dubbo request: the path is a int, not a string"),
        (stream("2.0.2", "p", "v", "m", "X"), "dubbo request: 'X' is no JVM descriptor from character 0 on"),
        (stream("2.0.2", "p", "v", "m", "", "no map"), "dubbo request: the attachments are no map of names"),
        (stream("2.0.2", "p", "v", "m", "", {1: 2}), "dubbo request: the attachments are no map of names"),
        (
            stream("2.0.2", "p", "v", "m", "I" * 1000, {}),
            "hessian2: the data ends after 1016 bytes, inside the value that begins at 1016",
        ),
    ],
)
def test_what_is_no_request_is_refused(body: bytes, message: str) -> None:
    """A provider answers it with status 40."""
    with pytest.raises(SerializationError) as caught:
        decode_request(body)

    assert message == caught.value.message


def test_java_may_leave_versions_and_attachments_out() -> None:
    """Null is written for what is not there."""
    read = decode_request(stream(None, "p", None, "m", "", None))

    assert ("2.0.2", "0.0.0", {}) == (read.protocol, read.version, read.attachments)


def is_plain_value(value: Any) -> bool:
    if isinstance(value, str):
        return value.isascii() and len(value) < 1024
    return isinstance(value, bool) or (isinstance(value, int) and -2048 <= value <= 2047)


@given(st.lists(st.one_of(st.text(max_size=1100), st.integers(-3000, 3000), st.booleans(), st.none()), max_size=4))
def test_plain_values_are_written_as_all_others(args: list[Any]) -> None:
    """The short way through the encoder makes the bytes that the long way makes, or leaves the values to that."""
    names = {str: "java.lang.String", int: "int", bool: "boolean", type(None): "java.lang.String"}
    made = encoder(*[names[type(one)] for one in args])
    plain = made.encode_plain(args)
    is_plain = all(is_plain_value(one) for one in args)
    assert (plain is not None) is is_plain
    assert plain in (None, made.encode(args))


@pytest.mark.parametrize(
    ("names", "args"),
    [(["int"], [True]), (["boolean"], [1]), (["java.lang.String"], [5]), (["int"], []), (["long"], [5]), ([], [1])],
)
def test_values_of_another_type_are_not_plain(names: list[str], args: list[Any]) -> None:
    """What must be converted, refused or counted first is left to the long way."""
    assert encoder(*names).encode_plain(args) is None
