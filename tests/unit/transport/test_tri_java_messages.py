"""Requests and answers of one method of a Java interface on ``tri``, without a connection."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from support.attempts import attempt_of
from support.policies import tri_policy

from callahead.config.policy import MethodPolicy
from callahead.consumer.call.attempt import Attempt
from callahead.consumer.call.invocation import Outcome
from callahead.consumer.codec.dubbo import make_throwable
from callahead.consumer.codec.triple import TripleRequest, decode_request, encode_response
from callahead.consumer.errors import LimitExceeded, Rejected, RemoteError, RemoteProtocolError, SerializationError
from callahead.consumer.interface.java import ECHO_METHOD, JavaMethod, JavaSignature
from callahead.consumer.transport.tri.java_messages import JavaMessages, types_of

METHOD = MethodPolicy(reference="foo", method="of")
ONE = JavaSignature.of_names("of", ["int"])
TWO = JavaSignature.of_names("of", ["java.lang.String", "java.lang.String[]"])
SET = JavaSignature(wire_method="of", types=(), return_type=set[str])
OF = JavaMethod(name="of", signatures=(ONE, TWO, SET))


def made(method: JavaMethod = OF, **values: Any) -> JavaMessages:
    policy = tri_policy(id="foo", interface="a.Foo", default=METHOD, origins={"max_request_bytes": "x.yml:3"}, **values)
    return JavaMessages(method, types_of(method, policy), policy)


def attempted(method: JavaMessages, *args: Any) -> Attempt:
    return attempt_of(METHOD, *args, request=method.encode(args, {}))


def sent(method: JavaMessages, *args: Any) -> TripleRequest:
    return decode_request(method.encode(args, {}).message)


def answered(data: bytes, *args: Any, headers: Mapping[str, str] | None = None) -> Outcome:
    method = made()
    return method.decode(data, attempted(method, *args), {} if headers is None else headers)


@pytest.mark.parametrize(
    ("args", "types"),
    [((), ()), ((7,), ("int",)), (("a", ["b"]), ("java.lang.String", "java.lang.String[]"))],
)
def test_the_types_of_the_overload_travel(args: tuple[Any, ...], types: tuple[str, ...]) -> None:
    """The path has no signature, so the provider chooses by them."""
    request = sent(made(), *args)
    assert request.types == types
    assert [list(value) if isinstance(value, list) else value for value in request.args] == list(args)


def test_a_generic_call_is_one_of_invoke() -> None:
    """With the method's name and types as arguments."""
    request = sent(made(JavaMethod(name="of", signatures=(ONE,), is_generic=True)), 7)
    assert request.types == ("java.lang.String", "java.lang.String[]", "java.lang.Object[]")
    name, types, values = request.args
    assert (name, list(types), list(values)) == ("of", ["int"], [7])


def test_echo_takes_any_object() -> None:
    """Its one parameter is an Object."""
    assert sent(made(ECHO_METHOD), "hi") == (("java.lang.Object",), ("hi",))


def test_arguments_that_fit_no_overload_are_not_sent() -> None:
    """The error is the overload's own, not one of gRPC's."""
    with pytest.raises(SerializationError, match=r"of: no overload takes 3 arguments") as caught:
        made().encode((1, 2, 3), {})
    assert caught.value.not_sent


def test_a_request_over_the_limit_is_not_sent() -> None:
    """The limit counts the wrapper, as it goes on the wire."""
    with pytest.raises(LimitExceeded, match=r"^the request has \d+ bytes, more than the 10 .* \(x.yml:3\)"):
        made(max_request_bytes=10).encode((7,), {})


def test_an_answer_becomes_what_the_overload_declares() -> None:
    """Each overload has a return annotation of its own."""
    data = encode_response(["a", "b"], "java.util.List")
    assert answered(data).value == {"a", "b"}
    assert answered(data, 7).value == ["a", "b"]


def test_void_is_none() -> None:
    """An answer without a value."""
    outcome = answered(encode_response(None, "void"))
    assert (outcome.value, outcome.error) == (None, None)


def test_an_exception_is_told_by_its_header() -> None:
    """With class, message and cause as over the dubbo protocol."""
    thrown = make_throwable("a.Failed", "no", cause=make_throwable("a.Why", "because"))
    error = answered(encode_response(thrown, "void"), headers={"tri-exception-code": "3"}).error
    assert isinstance(error, RemoteError)
    assert (error.type_name, error.message) == ("a.Failed", "a.Failed: no")
    assert isinstance(error.__cause__, RemoteError)
    assert error.__cause__.message == "a.Why: because"


@pytest.mark.parametrize("headers", [{}, {"tri-exception-code": "0"}])
def test_an_exception_may_be_a_value(headers: dict[str, str]) -> None:
    """A method may return what another throws."""
    outcome = answered(encode_response(make_throwable("a.Failed", "no"), "java.lang.Exception"), headers=headers)
    assert outcome.error is None
    assert outcome.value.java_class == "a.Failed"


def test_an_exception_of_dubbos_own_means_what_its_code_says() -> None:
    """Code 4 is a refusal."""
    thrown = make_throwable("org.apache.dubbo.rpc.RpcException", "no", fields={"code": 4})
    assert type(answered(encode_response(thrown), headers={"tri-exception-code": "7"}).error) is Rejected


@pytest.mark.parametrize(
    ("data", "kind", "text"),
    [
        (b"\xff", RemoteProtocolError, "1 bytes are no TripleResponseWrapper"),
        (b"\n\x04json\x12\x02{}", RemoteProtocolError, 'a value is serialized by "json"'),
        (b"\n\x08hessian4\x12\x01C", SerializationError, "hessian2"),
    ],
)
def test_an_answer_that_cannot_be_read_is_in_doubt(data: bytes, kind: type[RemoteProtocolError], text: str) -> None:
    """The method has run; the codec's own error is kept."""
    error = answered(data).error
    assert type(error) is kind
    assert text in str(error)
    assert error.in_doubt


def test_its_name_is_the_methods() -> None:
    """And it never streams."""
    types = made().types
    assert (types.name, types.server_streaming) == ("of", False)
