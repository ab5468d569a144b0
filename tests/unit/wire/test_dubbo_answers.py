"""Bodies of answers, both ways, and the errors that they mean."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callahead.consumer.call.invocation import NO_ATTACHMENTS
from callahead.consumer.codec.dubbo import (
    EXCEPTION,
    NULL,
    VALUE,
    decode_response,
    encode_response,
    encode_text_body,
    error_of_thrown,
    make_throwable,
    status_error,
    throwable_of,
    to_generic,
)
from callahead.consumer.codec.dubbo.attachments import DUBBOS_OWN
from callahead.consumer.codec.hessian2 import (
    JavaObject,
    JavaThrowable,
    Limits,
    StackFrame,
    TypedList,
    dumps,
    java_array,
    java_type,
    loads,
)
from callahead.consumer.errors import (
    CallTimeout,
    ConnectionLost,
    LimitExceeded,
    NoProviderAvailable,
    Rejected,
    RemoteError,
    RemoteProtocolError,
    RpcError,
    SerializationError,
    TransportError,
)

RPC_EXCEPTION = "org.apache.dubbo.rpc.RpcException"


@java_type("com.example.answers.OutOfStock")
@dataclass
class OutOfStock:
    detail_message: str
    left: int = 0


@java_type("com.example.answers.Color")
class Color(enum.Enum):
    RED = 1


@java_type("com.example.answers.Box")
@dataclass
class Box:
    inner_box: Any = None
    color: Color | None = None


scalars = st.one_of(st.text(max_size=1200), st.integers(-(2**63), 2**63 - 1), st.booleans(), st.floats(allow_nan=False))
names = st.text(max_size=20).filter(lambda name: name not in DUBBOS_OWN)


@given(scalars, st.dictionaries(names, st.text(max_size=20), max_size=4))
def test_a_value_comes_back(value: Any, attachments: dict[str, str]) -> None:
    """With its attachments, but for the protocol version that every provider adds."""
    body = encode_response(value, attachments)

    assert body.endswith(b"\x05dubbo\x052.0.2Z")
    assert (VALUE, value, attachments) == decode_response(body)


@given(st.text(alphabet=st.characters(codec="ascii"), max_size=1100))
def test_plain_strings_are_read_quickly_and_right(text: str) -> None:
    """The quick way gives what the decoder gives, around the lengths where their form changes."""
    assert (VALUE, text, {}) == decode_response(encode_response(text))


@pytest.mark.parametrize("value", ["text", "caf\u00e9", None, 5, [1]])
def test_the_protocols_own_entry_is_no_attachment(value: Any) -> None:
    """Whatever the value and the version, and one empty mapping is shared by all answers that have nothing else."""
    assert decode_response(encode_response(value))[2] is NO_ATTACHMENTS
    assert decode_response(encode_response(value).replace(b"2.0.2Z", b"2.0.9Z"))[2] is NO_ATTACHMENTS


@pytest.mark.parametrize("length", [0, 1, 31, 32, 255, 256, 1023, 1024])
@pytest.mark.parametrize("letter", ["x", "é", "😀"])
def test_strings_of_every_form_are_read(letter: str, length: int) -> None:
    """Short, ten-bit and sixteen-bit lengths, in one to three bytes per unit."""
    assert letter * length == decode_response(encode_response(letter * length))[1]


def test_null_and_old_answers_are_read() -> None:
    """Kinds without attachments come from before protocol 2.0.2."""
    assert (NULL, None, {}) == decode_response(encode_response(None))
    assert (NULL, None, {}) == decode_response(encode_response(None, None))
    assert (VALUE, "x", {}) == decode_response(encode_response("x", None))
    assert (VALUE, [1], {}) == decode_response(b"\x94" + dumps([1]) + b"N")


def test_a_string_that_looks_like_the_end_is_a_string() -> None:
    """The commonest attachments as the last bytes of a value."""
    tail = "H\x05dubbo\x052.0.2Z"

    assert (VALUE, tail, {}) == decode_response(b"\x91" + dumps(tail))
    assert (VALUE, "a" + tail, {}) == decode_response(encode_response("a" + tail))


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "dubbo answer: nothing where a kind is expected, 90 to 95"),
        (b"\x96", "dubbo answer: 96 where a kind is expected, 90 to 95"),
        (b"\x91", "hessian2: the data ends after 1 bytes, inside the value that begins at 1"),
        (b"\x95\x90", "dubbo answer: the attachments are no map of names"),
        (b"\x95H\x90\x91Z", "dubbo answer: the attachments are no map of names"),
        (b"\x94\x03abH\x05dubbo\x052.0.2Z", "dubbo answer: the attachments are no map of names"),
        (b"\x91\x40", "hessian2: byte 1: 0x40 begins no value"),
    ],
)
def test_what_is_no_answer_is_refused(body: bytes, message: str) -> None:
    """The call has run, so it is in doubt."""
    with pytest.raises(SerializationError) as caught:
        decode_response(body)

    assert (message, True) == (caught.value.message, caught.value.in_doubt)


def test_an_answer_beyond_a_limit_is_refused() -> None:
    """A bomb fails its call."""
    body = encode_response([[[[[1]]]]])

    with pytest.raises(SerializationError, match=r"the limit is 3 \(limits\.depth\)") as caught:
        decode_response(body, limits=Limits(depth=3))

    assert caught.value.in_doubt


@pytest.mark.parametrize(
    ("status", "cls", "name", "in_doubt"),
    [
        (25, SerializationError, "SERIALIZATION_ERROR", True),
        (30, CallTimeout, "CLIENT_TIMEOUT", True),
        (31, CallTimeout, "SERVER_TIMEOUT", True),
        (35, ConnectionLost, "CHANNEL_INACTIVE", True),
        (40, RemoteProtocolError, "BAD_REQUEST", False),
        (50, RemoteProtocolError, "BAD_RESPONSE", True),
        (60, NoProviderAvailable, "SERVICE_NOT_FOUND", False),
        (70, RemoteError, "SERVICE_ERROR", True),
        (80, RemoteError, "SERVER_ERROR", True),
        (90, RemoteProtocolError, "CLIENT_ERROR", True),
        (100, LimitExceeded, "SERVER_THREADPOOL_EXHAUSTED_ERROR", False),
        (77, RemoteProtocolError, "unknown status", True),
    ],
)
def test_a_status_is_an_error(status: int, cls: type[RpcError], name: str, in_doubt: bool) -> None:
    """Class, number, text, and whether the method may have run; the bytes were sent in every case."""
    text = "it broke\n\tat a.B.c(B.java:1)"

    error = status_error(status, encode_text_body(text))

    assert cls is type(error)
    assert error.message.startswith(f"{name} ({status}): it broke")
    assert "\n" not in error.message
    assert (str(status), text) == (error.status, error.status_text)
    assert (True, False, in_doubt) == (error.is_remote, error.not_sent, error.in_doubt)


@pytest.mark.parametrize("body", [b"", b"N", b"\x91", b"\xff\xfe", b"S\xff\xffab"])
def test_a_status_without_a_text_shows_the_bytes(body: bytes) -> None:
    """Some peer may send anything."""
    error = status_error(80, body)

    assert f"SERVER_ERROR (80): (no text, but {len(body)} bytes: {body.hex()})" == error.message


def test_a_failing_filter_is_named_by_its_class() -> None:
    """The text begins with the Java exception, whose own message is told apart."""
    error = status_error(70, encode_text_body("com.x.QuotaException: too much\ncom.x.QuotaException: too much\n\tat x"))

    assert isinstance(error, RemoteError)
    assert ("com.x.QuotaException", "too much") == (error.type_name, error.details["message"])
    assert "SERVICE_ERROR (70): com.x.QuotaException: too much" == error.message


@pytest.mark.parametrize(
    ("text", "type_name", "message"),
    [
        ("java.lang.NullPointerException\n\tat x", "java.lang.NullPointerException", None),
        ("it broke: a.B.c", "", "it broke: a.B.c"),
        ("a.Bad: ", "a.Bad", ""),
    ],
)
def test_a_failing_filter_may_have_no_class_or_no_message(text: str, type_name: str, message: str | None) -> None:
    """As with an exception in an answer, None is no message."""
    error = status_error(80, encode_text_body(text))

    assert isinstance(error, RemoteError)
    assert (type_name, message) == (error.type_name, error.details["message"])


@pytest.mark.parametrize("package", ["org.apache.dubbo.rpc", "com.alibaba.dubbo.rpc"])
@pytest.mark.parametrize("opening", ["", "Invalid token! "])
def test_a_refused_token_is_rejected(package: str, opening: str) -> None:
    """By the words of Dubbo's filter, before the method; status 70 is any filter's."""
    text = f"{package}.RpcException: {opening}Forbid invoke remote service interface com.x.Foo method of() from x"

    error = status_error(70, encode_text_body(f"{text}\n{text}\n\tat x"))

    assert (Rejected, f"SERVICE_ERROR (70): {text}", "70") == (type(error), error.message, error.status)
    assert (True, False, False) == (error.is_remote, error.not_sent, error.in_doubt)


@pytest.mark.parametrize(
    "text",
    [
        "com.x.RpcExceptions: Forbid invoke remote service interface com.x.Foo",
        "org.apache.dubbo.rpc.RpcException: because: Forbid invoke remote service interface com.x.Foo",
        "org.apache.dubbo.rpc.RpcException: the filter failed",
    ],
)
def test_other_failing_filters_are_not_rejected(text: str) -> None:
    """A filter of the user's may say much the same for another reason."""
    assert type(status_error(70, encode_text_body(text))) is RemoteError


def test_a_service_that_is_not_exported_is_no_provider() -> None:
    """The words of a 2.7 that stops, or of a group that nobody serves: status 70 as any failing filter has it."""
    reason = "Not found exported service: com.x.Foo:20880 in [com.x.Bar:20880], may be version or group mismatch "

    error = status_error(70, encode_text_body(f"org.apache.dubbo.remoting.RemotingException: {reason}\n\tat x"))

    assert (NoProviderAvailable, "70") == (type(error), error.status)
    assert (True, False, False) == (error.is_remote, error.not_sent, error.in_doubt)
    hint = "; does the provider have this service in this group and version, or is it about to stop?"
    assert f"SERVICE_ERROR (70): org.apache.dubbo.remoting.RemotingException: {reason}{hint}" == error.message


def test_an_exception_is_an_error_with_all_that_java_said() -> None:
    """Through the wire: class, message, fields, stack, causes."""
    frame = StackFrame("com.x.Shop", "buy", "Shop.java", 12)
    cause = make_throwable("java.io.IOException", None)
    thrown = make_throwable("com.x.NoMoney", "none left", fields={"left": 3}, cause=cause, stack=[frame])

    kind, decoded, _ = decode_response(encode_response(thrown, thrown=True))
    error = error_of_thrown(decoded)

    assert kind == EXCEPTION
    assert isinstance(error, RemoteError)
    assert ("com.x.NoMoney: none left", "com.x.NoMoney", True, False, False) == (
        error.message,
        error.type_name,
        error.is_remote,
        error.not_sent,
        error.in_doubt,
    )
    assert ("none left", (frame,), {"left": 3}, decoded) == tuple(
        error.details[key] for key in ("message", "stack", "fields", "thrown")
    )
    cause_error = error.details["cause"]
    assert ("java.io.IOException", None) == (str(cause_error), cause_error.details["message"])
    assert error.__cause__ is cause_error


def test_circles_of_causes_end() -> None:
    """Java cannot make them by hand, a peer can."""
    first = make_throwable("a.First", "1")
    second = make_throwable("a.Second", "2", cause=first)
    first.fields["cause"] = second

    error = error_of_thrown(second)

    assert "a.First: 1" == str(error.__cause__)
    assert error.__cause__ is not None
    assert error.__cause__.__cause__ is None


def test_long_chains_of_causes_end() -> None:
    """A chain that no reader would read."""
    thrown = make_throwable("a.B", "0")
    for number in range(200):
        thrown = make_throwable("a.B", str(number), cause=thrown)
    length = 0
    error: BaseException | None = error_of_thrown(thrown)
    while error is not None:
        error, length = error.__cause__, length + 1

    assert 64 == length


def test_a_bound_class_is_an_error_too() -> None:
    """A dataclass of the user's may stand for a Java exception."""
    error = error_of_thrown(OutOfStock("none", left=3))

    assert isinstance(error, RemoteError)
    assert "com.example.answers.OutOfStock: none" == error.message
    assert {"left": 3} == error.details["fields"]


@pytest.mark.parametrize(
    ("thrown", "name", "message"),
    [
        ("text", "java.lang.String", "java.lang.String: text"),
        (None, "null", "null"),
        (5, "java.lang.Integer", "java.lang.Integer: 5"),
        (1 << 40, "java.lang.Long", "java.lang.Long: 1099511627776"),
        ([1], "java.util.ArrayList", "java.util.ArrayList: [1]"),
        (TypedList(["a"], "[string"), "[string", "[string: TypedList(['a'], '[string')"),
        (Decimal("1.5"), "java.math.BigDecimal", "java.math.BigDecimal: Decimal('1.5')"),
    ],
)
def test_what_is_no_exception_is_an_error_all_the_same(thrown: Any, name: str, message: str) -> None:
    """A peer may send anything as one, and it is named as Java knows it."""
    error = error_of_thrown(thrown)
    assert isinstance(error, RemoteError)
    assert (name, message) == (error.type_name, error.message)


@pytest.mark.parametrize(
    ("code", "cls", "in_doubt"),
    [
        (0, RemoteError, False),
        (1, TransportError, True),
        (2, CallTimeout, True),
        (3, RemoteError, False),
        (4, Rejected, False),
        (5, SerializationError, True),
        (6, RemoteError, False),
        (7, LimitExceeded, False),
        (8, CallTimeout, True),
        (9, RemoteError, False),
        (10, RemoteError, False),
        (11, RemoteProtocolError, False),
        (12, Rejected, False),
        (13, Rejected, False),
        (99, RemoteError, False),
        (None, RemoteError, False),
    ],
)
@pytest.mark.parametrize("name", [RPC_EXCEPTION, "com.alibaba.dubbo.rpc.RpcException"])
def test_dubbos_own_exception_is_what_its_code_means(
    code: int | None, cls: type[RpcError], in_doubt: bool, name: str
) -> None:
    """With the exception itself as the cause."""
    error = error_of_thrown(make_throwable(name, "why", fields={"code": code}))

    assert (cls, True, False, in_doubt) == (type(error), error.is_remote, error.not_sent, error.in_doubt)
    assert error.message.endswith(f"{name}: why")
    if cls is not RemoteError:
        assert isinstance(error.__cause__, RemoteError)
        assert (f"RpcException {code}", "why") == (error.status, error.status_text)


def test_only_dubbos_own_exception_is_looked_at_for_a_code() -> None:
    """A field named code is common."""
    assert isinstance(error_of_thrown(make_throwable("com.x.Failed", "why", fields={"code": 2})), RemoteError)


def test_a_generic_call_names_the_real_class() -> None:
    """GenericException stands for another."""
    thrown = make_throwable(
        "org.apache.dubbo.rpc.service.GenericException",
        "wrapper text",
        fields={"exceptionClass": "com.x.NoMoney", "exceptionMessage": "none left"},
    )

    error = error_of_thrown(thrown)

    assert isinstance(error, RemoteError)
    assert ("com.x.NoMoney", "com.x.NoMoney: none left") == (error.type_name, error.message)


def test_a_python_error_becomes_an_exception() -> None:
    """For a provider: a `RemoteError` keeps its class, others are RuntimeException; causes go along."""
    error = RemoteError("com.x.NoMoney: none left", type_name="com.x.NoMoney", details={"fields": {"left": 3}})
    error.__cause__ = KeyError("k")

    thrown = throwable_of(error)

    assert ("com.x.NoMoney", "com.x.NoMoney: none left", 3) == (thrown.java_class, thrown.message, thrown["left"])
    assert isinstance(thrown.cause, JavaThrowable)
    assert ("java.lang.RuntimeException", "KeyError: 'k'") == (thrown.cause.java_class, thrown.cause.message)
    assert thrown.cause.cause is None


def test_circles_and_long_chains_of_python_errors_end() -> None:
    """``__cause__`` can be set to anything."""
    first, second = ValueError("1"), ValueError("2")
    first.__cause__, second.__cause__ = second, first
    chain: BaseException = ValueError("0")
    for _ in range(2000):
        longer = ValueError("n")
        longer.__cause__ = chain
        chain = longer

    assert "ValueError: 2" == throwable_of(first).cause.message
    assert throwable_of(first).cause.cause is None
    assert 64 == len(causes_of(throwable_of(chain)))


def causes_of(thrown: JavaThrowable | None) -> list[JavaThrowable]:
    return [] if thrown is None else [thrown, *causes_of(thrown.cause)]


def test_an_error_goes_through_both_sides_and_is_the_same() -> None:
    """What one callahead provider passes on, another consumer sees as it was."""
    first = error_of_thrown(make_throwable("com.x.NoMoney", "none left", fields={"left": 3}))

    again = error_of_thrown(loads(dumps(throwable_of(first))))

    assert (first.message, first.status) == (again.message, again.status)
    assert isinstance(again, RemoteError)
    assert ("com.x.NoMoney", {"left": 3}) == (again.type_name, again.details["fields"])


def test_objects_become_maps_for_a_generic_call() -> None:
    """With their class beside the fields, at any depth; other values stay."""
    foo = JavaObject("com.x.Foo", {"id": 1, "tags": ["a"]})
    value = {"box": Box(Box(), Color.RED), "foos": (foo,), "array": java_array("com.x.Foo", [foo]), "n": 1}

    generic = to_generic(value)

    foo_map = {"class": "com.x.Foo", "id": 1, "tags": ["a"]}
    box = {"class": "com.example.answers.Box"}
    assert {
        "box": {**box, "innerBox": {**box, "innerBox": None, "color": None}, "color": "RED"},
        "foos": [foo_map],
        "array": TypedList([foo_map], "[com.x.Foo"),
        "n": 1,
    } == generic
    assert generic["foos"][0] is generic["array"][0]


def test_objects_that_are_too_deep_for_python_are_refused() -> None:
    """Before hessian2's own limit is asked."""
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]

    with pytest.raises(SerializationError) as caught:
        to_generic(deep)

    assert "a generic argument is nested more deeply than Python's recursion limit allows" == caught.value.message
    assert caught.value.not_sent


def test_circles_of_objects_become_circles_of_maps() -> None:
    """An object inside itself."""
    box = Box()
    box.inner_box = [box]

    generic = to_generic(box)

    assert generic is generic["innerBox"][0]
