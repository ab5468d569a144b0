"""How a Java provider can fail, and what of it arrives: class, message, cause, fields and stack, or the status."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from callahead.consumer import (
    CallTimeout,
    LimitExceeded,
    NoProviderAvailable,
    Reference,
    Rejected,
    RemoteError,
    RemoteProtocolError,
    RpcContext,
    RpcError,
    SerializationError,
    TransportError,
)
from callahead.consumer.codec.hessian2 import JavaObject
from tests.interop.conftest import Consume, Providers
from tests.interop.provider import TOKEN
from tests.interop.wires import DUBBO_27, DUBBO_33, PROTOBUF_33, PROTOBUF_HTTP2_33, Wire, java_name

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("bound")]

Refer = Callable[..., Reference]
BUSINESS = "org.callahead.interop.BusinessException"
PROVIDER = "org.callahead.interop.service.ExceptionProvider"


@pytest.fixture
def failing(refer: Refer) -> Reference:
    """ExceptionService over each wire; retries are allowed, so that a repetition would show."""
    return refer("ExceptionService", retries=2)


def error_of(method: Any, *args: Any) -> RemoteError:
    """The exception that the provider's code throws, after one attempt."""
    with pytest.raises(RemoteError) as caught:
        method(*args)
    error = caught.value
    assert (error.is_remote, error.not_sent, error.attempt) == (True, False, 1)
    return error


def test_declared(failing: Reference) -> None:
    """A declared exception brings its class, message, own fields and stack."""
    error = error_of(failing.declared, 7, "sold out")
    assert (error.type_name, error.message) == (BUSINESS, f"{BUSINESS}: sold out")
    assert error.details["message"] == "sold out"
    assert error.details["fields"] == {"code": 7, "details": {"where": "provider", "why": "asked for"}}
    assert error.details["cause"] is None
    assert error.__cause__ is None
    frame = error.details["stack"][0]
    assert (frame.java_class, frame.method, frame.file) == (PROVIDER, "declared", "ExceptionProvider.java")
    assert frame.line > 0
    assert len(error.details["stack"]) > 5
    assert not error.in_doubt


def test_str_names_call_and_provider(failing: Reference) -> None:
    """The text of the error says which call at which provider, and what was thrown."""
    error = error_of(failing.declared, 7, "sold out")
    assert str(error).startswith(f"service.declared at {error.endpoint}: {BUSINESS}: sold out (")


def test_declared_without_message(failing: Reference) -> None:
    """A null message is None, and the error is named by its class alone."""
    error = error_of(failing.declared, 0, None)
    assert (error.message, error.details["message"]) == (BUSINESS, None)


def test_emoji_in_message(failing: Reference) -> None:
    """The message comes as it was written."""
    assert error_of(failing.declared, 0, "\u5356\u5b8c\u4e86 \N{CRYING FACE}").details["message"] == (
        "\u5356\u5b8c\u4e86 \N{CRYING FACE}"
    )


def test_undeclared(failing: Reference) -> None:
    """An undeclared exception of the JDK travels as it is."""
    error = error_of(failing.undeclared, "not now")
    assert (error.type_name, error.message) == (
        "java.lang.IllegalStateException",
        "java.lang.IllegalStateException: not now",
    )
    assert error.details["stack"][0].method == "undeclared"


def test_foreign(failing: Reference) -> None:
    """Dubbo replaces an unknown class by a RuntimeException with the printed stack as its message."""
    error = error_of(failing.foreign, "inside")
    assert error.type_name == "java.lang.RuntimeException"
    lines = error.details["message"].splitlines()
    assert lines[0] == "org.callahead.interop.service.ForeignException: inside"
    assert any(line.strip().startswith(f"at {PROVIDER}.foreign(") for line in lines)


def test_nested(failing: Reference) -> None:
    """Causes come as __cause__, one after another, each with its own class, message, fields and stack."""
    error = error_of(failing.nested, "outer")
    cause = error.__cause__
    assert isinstance(cause, RemoteError)
    root = cause.__cause__
    assert isinstance(root, RemoteError)
    assert [one.type_name for one in (error, cause, root)] == [
        "java.lang.IllegalStateException",
        "java.lang.IllegalArgumentException",
        BUSINESS,
    ]
    assert [one.details["message"] for one in (error, cause, root)] == ["outer", "cause of outer", "root of outer"]
    assert root.details["fields"]["code"] == 7
    assert all(one.details["stack"][0].method == "nested" for one in (error, cause, root))
    assert error.details["cause"] is cause
    assert root.__cause__ is None


def test_exception_of_a_void_method(refer: Refer) -> None:
    """A method without a value fails like any other."""
    error = error_of(refer("VoidService").fail, "no")
    assert error.message == "java.lang.IllegalStateException: no"


def test_attachments_beside_an_exception(refer: Refer, wire: Wire) -> None:
    """What the provider attached before it threw arrives over dubbo; over tri Java drops it."""
    error_of(refer("AttachmentService").reply_then_fail, "no")
    failed = RpcContext.get_context().response_attachments.get("x-failed")
    assert failed == (None if wire.protocol == "tri" else "yes")


def test_error(failing: Reference, wire: Wire) -> None:
    """An Error travels on 2.7; 3.3 refuses to serialize it, on dubbo as status 50 and on tri as UNKNOWN."""
    with pytest.raises(RpcError) as caught:
        failing.error("broken")
    error = caught.value
    assert error.is_remote
    if wire is DUBBO_27:
        assert isinstance(error, RemoteError)
        assert error.message == "java.lang.AssertionError: broken"
    elif wire is DUBBO_33:
        assert isinstance(error, RemoteProtocolError)
        assert (error.status, error.in_doubt) == ("50", True)
        assert "java.lang.AssertionError" in error.status_text
    else:
        assert isinstance(error, RemoteError)
        assert error.status == "UNKNOWN"


RPC_CODES: list[tuple[int, type[RpcError], bool]] = [
    (0, RemoteError, False),
    (1, TransportError, True),
    (2, CallTimeout, True),
    (3, RemoteError, False),
    (4, Rejected, False),
    (5, SerializationError, True),
    (7, LimitExceeded, False),
    (8, CallTimeout, True),
    (11, RemoteProtocolError, False),
    (12, Rejected, False),
    (13, Rejected, False),
]


@pytest.mark.parametrize(("code", "cls", "in_doubt"), RPC_CODES, ids=[f"code {code}" for code, _, _ in RPC_CODES])
def test_rpc_exception(refer: Refer, code: int, cls: type[RpcError], in_doubt: bool) -> None:
    """Dubbo's own exception becomes the error that its code means, with the Java exception as its cause."""
    with pytest.raises(cls) as caught:
        refer("ExceptionService").rpc(code, "says Dubbo")
    error = caught.value
    assert type(error) is cls
    assert (error.is_remote, error.not_sent, error.in_doubt) == (True, False, in_doubt)
    java = error if isinstance(error, RemoteError) else error.__cause__
    assert isinstance(java, RemoteError)
    assert java.type_name == "org.apache.dubbo.rpc.RpcException"
    assert java.details["message"] == "says Dubbo"
    assert java.details["fields"] == {"code": code}


def test_unserializable_answer(failing: Reference, wire: Wire) -> None:
    """An answer that the provider cannot write: the method has run, so it is in doubt; the connection goes on."""
    with pytest.raises(RpcError) as caught:
        failing.unserializable()
    error = caught.value
    assert error.is_remote
    if wire.protocol == "tri":
        assert (type(error), error.status) == (RemoteError, "UNKNOWN")
    else:
        assert (type(error), error.status, error.in_doubt) == (RemoteProtocolError, "50", True)
        assert "org.callahead.interop.Opaque" in error.status_text
    error_of(failing.undeclared, "still there")


def test_unreadable_request(refer: Refer, wire: Wire) -> None:
    """A field of the wrong type: 3.3 refuses the request, 2.7 makes null of it; the connection goes on."""
    types = refer("TypesService")
    wrong = JavaObject("org.callahead.interop.Address", {"street": 5, "zipCode": "x"})
    if wire is DUBBO_27:
        assert types.echo_object(wrong) is None
    else:
        with pytest.raises(RemoteProtocolError if wire is DUBBO_33 else RemoteError) as caught:
            types.echo_object(wrong)
        assert caught.value.is_remote
        assert not caught.value.not_sent
    assert types.echo_int(5) == 5


def test_class_that_java_lacks(refer: Refer) -> None:
    """A class that the provider does not know is a map for it."""
    unknown = JavaObject("org.callahead.interop.NoSuchClass", {"a": 1})
    assert refer("TypesService").echo_object(unknown) == {"a": 1}


def test_value_without_a_java_form(refer: Refer) -> None:
    """What cannot become hessian2 fails before anything is sent."""
    with pytest.raises(SerializationError, match="object") as caught:
        refer("TypesService").echo_object(object())
    assert (caught.value.not_sent, caught.value.is_remote) == (True, False)


def test_unknown_method(refer: Refer, wire: Wire) -> None:
    """A method that the interface has not: told by the provider, never tried again, connection unharmed."""
    echo = refer("EchoService", stub="tests.interop.services:WrongEchoService", retries=2)
    with pytest.raises(RemoteProtocolError) as caught:
        echo.no_such_method("x")
    error = caught.value
    assert (error.is_remote, error.not_sent, error.attempt) == (True, False, 1)
    if wire.protocol != "tri":
        assert error.status == "40"
        assert "does the provider have this service (group, version) and this method" in error.message


def test_unknown_parameter_types(refer: Refer, wire: Wire) -> None:
    """Over dubbo a method is found by its types too; over tri a method without overloads is found by its name."""
    echo = refer("EchoService", stub="tests.interop.services:WrongEchoService")
    if wire.protocol == "tri":
        assert echo.echo(5) == "5"
        return
    with pytest.raises(RemoteProtocolError) as caught:
        echo.echo(5)
    assert caught.value.status == "40"


def test_unknown_service(refer: Refer, wire: Wire) -> None:
    """A service that the provider does not export."""
    echo = refer("EchoService", interface="org.callahead.interop.NoSuchService")
    with pytest.raises(RemoteProtocolError) as caught:
        echo.echo("x")
    assert caught.value.is_remote
    assert caught.value.status == ("UNIMPLEMENTED" if wire.protocol == "tri" else "40")


def test_unknown_group(refer: Refer, wire: Wire) -> None:
    """A group that nobody serves is refused over dubbo; over tri Java falls back to the service without one."""
    echo = refer("EchoService", group="nobody")
    if wire.protocol == "tri":
        assert echo.echo("x") == "x"
        return
    with pytest.raises(NoProviderAvailable, match="nobody/org.callahead.interop.EchoService") as caught:
        echo.echo("x")
    error = caught.value
    assert (error.status, error.is_remote, error.in_doubt) == ("70", True, False)


@pytest.mark.parametrize("token", [None, "wrong"])
def test_token_refused(refer: Refer, wire: Wire, token: str | None) -> None:
    """Without the token, or with a wrong one, the provider's filter refuses; its text says so."""
    options = {} if token is None else {"attachments": {"token": token}}
    with pytest.raises(Rejected, match="Forbid invoke remote service interface") as caught:
        refer("TokenService").secret.with_options(**options)()
    error = caught.value
    assert (error.is_remote, error.not_sent, error.in_doubt) == (True, False, False)
    assert error.status == ("PERMISSION_DENIED" if wire.protocol == "tri" else "70")


def test_token_as_attachment(refer: Refer) -> None:
    """With the token among the attachments the call is let through."""
    assert refer("TokenService").secret.with_options(attachments={"token": TOKEN})() == "open"


def test_token_of_the_configuration(refer: Refer) -> None:
    """Likewise with the token as a parameter of the reference."""
    assert refer("TokenService", parameters={"token": TOKEN}).secret() == "open"


def test_token_of_the_address(wire: Wire, providers: Providers, consume: Consume) -> None:
    """A registry tells the token with the address; a URL can as well."""
    provider = providers(wire.version)
    url = f"{wire.url(provider)}/{java_name('TokenService')}?token={TOKEN}"
    service = consume({"token": wire.java(provider, "TokenService", url=url)}).reference("token")
    assert service.secret() == "open"


@pytest.fixture(params=[PROTOBUF_33, PROTOBUF_HTTP2_33], ids=lambda wire: wire.name)
def greeter(request: pytest.FixtureRequest, providers: Providers, consume: Consume) -> Reference:
    """The protobuf service."""
    return consume({"greeter": request.param.greeter(providers("3.3"))}, retries=2).reference("greeter")


@pytest.mark.parametrize(
    ("code", "cls"),
    [
        (3, RemoteError),
        (5, RemoteError),
        (7, Rejected),
        (8, LimitExceeded),
        (9, RemoteError),
        (16, Rejected),
    ],
    ids=["INVALID_ARGUMENT", "NOT_FOUND", "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "PRECONDITION", "UNAUTHENTICATED"],
)
def test_protobuf_status(greeter: Reference, code: int, cls: type[RpcError]) -> None:
    """A status that the provider's code gives becomes the error that it means, with its text."""
    with pytest.raises(cls, match="because of this") as caught:
        greeter.fail(kind="STATUS", code=code, message="because of this")
    assert caught.value.is_remote


def test_protobuf_java_exception(greeter: Reference) -> None:
    """A Java exception of a protobuf service is UNKNOWN with its message."""
    with pytest.raises(RemoteError, match="out of stock") as caught:
        greeter.fail(kind="NESTED", message="out of stock")
    assert (caught.value.status, caught.value.attempt) == ("UNKNOWN", 1)
