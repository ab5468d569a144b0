"""What only ``tri`` does for Java interfaces, against a real Dubbo 3.3 provider; the rest is in the matrix."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Protocol, overload

import pytest

from callahead.consumer import Consumer, RemoteError, RemoteProtocolError, RpcContext
from callahead.consumer.codec.hessian2 import JavaObject, StackFrame
from callahead.consumer.errors import CallTimeout, LimitExceeded, Rejected, RpcError, TransportError
from tests.interop.provider import TOKEN, JavaProvider

pytestmark = pytest.mark.slow

INTEROP = "org.callahead.interop"
Refer = Callable[..., Any]


class FooService(Protocol):
    """FooService of the provider."""

    def find_foo(self, id: str | None, delay_ms: int = 0) -> Any: ...  # as Java names it


class ExceptionService(Protocol):
    """ExceptionService, and a method that it lacks."""

    def declared(self, code: int, message: str) -> str: ...
    def nested(self, message: str) -> str: ...
    def foreign(self, message: str) -> str: ...
    def rpc(self, code: int, message: str) -> str: ...
    def unserializable(self) -> Any: ...
    def no_such_method(self, message: str) -> str: ...


class VoidService(Protocol):
    """VoidService."""

    def run(self) -> None: ...
    def run_after(self, text: str, delay_ms: int) -> None: ...


class OverloadService(Protocol):
    """Some of the overloads, and one that Java lacks."""

    @overload
    def of(self) -> str: ...
    @overload
    def of(self, value: int) -> str: ...
    @overload
    def of(self, value: str) -> str: ...
    @overload
    def of(self, text: str, number: int) -> str: ...
    @overload
    def of(self, number: int, text: str) -> str: ...
    @overload
    def of(self, value: bytes) -> str: ...


@pytest.fixture(scope="module")
def provider(java: None) -> Iterator[JavaProvider]:
    """One JVM for this file."""
    with JavaProvider("3.3") as running:
        yield running


@pytest.fixture(params=["grpcio", "http2"])
def refer(provider: JavaProvider, request: pytest.FixtureRequest) -> Iterator[Refer]:
    """Make a reference to *interface* at the provider, over either carrier; keywords are its settings."""
    opened: list[Consumer] = []

    def make(interface: str, parameters: str = "", **settings: Any) -> Any:
        url = f"tri://127.0.0.1:{provider.tri_port}{parameters}"
        own = {"interface": interface, "url": url, "carrier": request.param}
        reference = {**own, "timeout": 10000, "retries": 0, **settings}
        opened.append(Consumer({"references": {"it": reference}}))
        return opened[-1].reference("it")

    yield make
    for consumer in opened:
        consumer.close()


def stub(cls: type[Any]) -> str:
    return f"{__name__}:{cls.__name__}"


def test_objects_and_null(refer: Refer) -> None:
    """There and back."""
    foo = refer("com.alibaba.foo.FooService", stub=stub(FooService))
    assert foo.find_foo("7") == JavaObject("com.alibaba.foo.Foo", {"delayMs": 0, "name": "foo-7", "id": "7"})
    assert foo.find_foo(None) is None


def test_void(refer: Refer) -> None:
    """Without arguments, and with some."""
    service = refer(f"{INTEROP}.VoidService", stub=stub(VoidService))
    assert (service.run(), service.run_after("x", 1)) == (None, None)


@pytest.mark.parametrize(
    ("args", "called"),
    [
        ((), "of()"),
        ((1,), "of(int)"),
        (("x",), "of(java.lang.String)"),
        (("x", 1), "of(java.lang.String,int)"),
        ((1, "x"), "of(int,java.lang.String)"),
    ],
)
def test_overloads(refer: Refer, args: tuple[Any, ...], called: str) -> None:
    """The types in the wrapper choose."""
    assert refer(f"{INTEROP}.OverloadService", stub=stub(OverloadService)).of(*args) == called


def test_an_overload_that_java_lacks(refer: Refer) -> None:
    """Dubbo says UNKNOWN."""
    with pytest.raises(RemoteProtocolError, match="or not with these parameter types: unimplemented method:of"):
        refer(f"{INTEROP}.OverloadService", stub=stub(OverloadService)).of(b"x")


def test_a_method_that_java_lacks(refer: Refer) -> None:
    """Dubbo fails with a NullPointerException of its own."""
    with pytest.raises(RemoteProtocolError, match="the provider does not have this method"):
        refer(f"{INTEROP}.ExceptionService", stub=stub(ExceptionService)).no_such_method("x")


def test_a_service_that_nobody_serves(refer: Refer) -> None:
    """Dubbo says UNIMPLEMENTED."""
    with pytest.raises(RemoteProtocolError, match="Invoker for gRPC not found"):
        refer(f"{INTEROP}.NoSuchService", generic=True).echo("x")


@pytest.mark.parametrize("sent", [False, True])
def test_a_declared_exception(refer: Refer, sent: bool) -> None:
    """Class, message, fields and stack, as over dubbo."""
    with pytest.raises(RemoteError) as caught:
        refer(f"{INTEROP}.ExceptionService", stub=stub(ExceptionService), sent=sent).declared(5, "no")
    error = caught.value
    assert (error.type_name, error.details["message"]) == (f"{INTEROP}.BusinessException", "no")
    assert error.details["fields"] == {"details": {"where": "provider", "why": "asked for"}, "code": 5}
    frame = error.details["stack"][0]
    assert isinstance(frame, StackFrame)
    assert (frame.java_class, frame.method) == (f"{INTEROP}.service.ExceptionProvider", "declared")


def test_causes(refer: Refer) -> None:
    """One below the other."""
    with pytest.raises(RemoteError) as caught:
        refer(f"{INTEROP}.ExceptionService", stub=stub(ExceptionService)).nested("no")
    names = []
    error: BaseException | None = caught.value
    while isinstance(error, RemoteError):
        names.append(error.type_name)
        error = error.__cause__
    assert names == [
        "java.lang.IllegalStateException",
        "java.lang.IllegalArgumentException",
        f"{INTEROP}.BusinessException",
    ]


def test_a_foreign_exception_is_replaced_by_the_provider(refer: Refer) -> None:
    """By its ExceptionFilter."""
    with pytest.raises(RemoteError, match="ForeignException: no") as caught:
        refer(f"{INTEROP}.ExceptionService", stub=stub(ExceptionService)).foreign("no")
    assert caught.value.type_name == "java.lang.RuntimeException"


@pytest.mark.parametrize(
    ("code", "kind"),
    [(0, RemoteError), (1, TransportError), (2, CallTimeout), (4, Rejected), (7, LimitExceeded)],
)
def test_an_rpc_exception(refer: Refer, code: int, kind: type[RpcError]) -> None:
    """Means what its code says."""
    with pytest.raises(RpcError, match="no") as caught:
        refer(f"{INTEROP}.ExceptionService", stub=stub(ExceptionService)).rpc(code, "no")
    assert type(caught.value) is kind


def test_an_answer_that_java_cannot_write(refer: Refer) -> None:
    """A status without particulars."""
    with pytest.raises(RemoteError, match="UNKNOWN: Internal Server Error"):
        refer(f"{INTEROP}.ExceptionService", stub=stub(ExceptionService)).unserializable()


def test_generic(refer: Refer) -> None:
    """With types and without; answers are maps, exceptions are those that were thrown."""
    found = {"delayMs": 0, "name": "foo-7", "id": "7", "class": "com.alibaba.foo.Foo"}
    typed = {"findFoo": {"parameter_types": ["String", "int"]}}
    assert refer("com.alibaba.foo.FooService", generic=True).find_foo("7", 0) == found
    assert refer("com.alibaba.foo.FooService", generic=True, methods=typed).find_foo("7", 0) == found
    with pytest.raises(RemoteError) as caught:
        refer(f"{INTEROP}.ExceptionService", generic=True).declared(5, "no")
    assert (caught.value.type_name, caught.value.details["message"]) == (f"{INTEROP}.BusinessException", "no")


def test_parameter_types(refer: Refer) -> None:
    """In place of a stub."""
    methods = {"of": {"parameter_types": ["java.lang.String[]"]}}
    assert refer(f"{INTEROP}.OverloadService", methods=methods).of(["a"]) == "of(java.lang.String[])"


def test_echo(refer: Refer) -> None:
    """Which every service answers."""
    assert getattr(refer(f"{INTEROP}.EchoService", generic=True), "$echo")("hi") == "hi"


def test_attachments(refer: Refer) -> None:
    """Headers there, trailers back."""
    service = refer(f"{INTEROP}.AttachmentService", methods={"seen": {"parameter_types": []}})
    RpcContext.get_context().attachments["x-trace"] = "t-1"
    assert service.seen() == {"x-trace": "t-1"}
    assert RpcContext.get_context().response_attachments["reply-x-trace"] == "t-1"


def test_the_token_of_the_provider(refer: Refer) -> None:
    """Travels with each call; without it the call is refused."""
    assert refer(f"{INTEROP}.TokenService", f"?token={TOKEN}", generic=True).secret() == "open"
    with pytest.raises(Rejected, match="incorrect token is null"):
        refer(f"{INTEROP}.TokenService", generic=True).secret()


@pytest.mark.parametrize(
    ("settings", "name"),
    [({}, "/"), ({"version": "2.0.0"}, "/2.0.0"), ({"group": "blue", "version": "2.0.0"}, "blue/2.0.0")],
)
def test_group_and_version(refer: Refer, settings: dict[str, str], name: str) -> None:
    """Choose among services of one interface."""
    service = refer(f"{INTEROP}.VariantService", methods={"whoAmI": {"parameter_types": []}}, **settings)
    assert service.who_am_i() == name
