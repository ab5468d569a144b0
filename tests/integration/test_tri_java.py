"""Java interfaces on ``tri`` against a gRPC server in this process that speaks Dubbo's wrappers."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError, ThreadPoolExecutor
from typing import Any, Protocol, overload
from urllib.parse import quote

import grpc
import pytest

from callahead.consumer import (
    CallTimeout,
    Consumer,
    RemoteError,
    RemoteProtocolError,
    RpcContext,
    SerializationError,
)
from callahead.consumer.codec.dubbo import make_throwable
from callahead.consumer.codec.triple import decode_request, encode_response
from callahead.consumer.interface.java import java_method

CARRIERS = ("grpcio", "http2")

Consume = Callable[..., Consumer]
STUB = f"{__name__}:ShopService"
SHOP = "org.example.ShopService"


class ShopService(Protocol):
    """What the server serves."""

    def find(self, name: str, count: int = 1) -> str: ...
    def clear(self) -> None: ...
    @overload
    def of(self, value: int) -> tuple[str, ...]: ...
    @overload
    def of(self, value: str) -> list[str]: ...
    @java_method("of")
    def of_any(self, value: object) -> list[str]: ...
    def fail(self, message: str) -> str: ...
    def refuse(self) -> None: ...
    def hang(self) -> None: ...
    def busy(self) -> str: ...
    def full(self) -> str: ...
    def missing(self) -> None: ...
    def touch(self) -> None: ...


def _field(number: int, data: bytes) -> bytes:
    """One field of a protobuf message, up to 127 bytes long."""
    return bytes((number << 3 | 2, len(data))) + data


class Shop(grpc.GenericRpcHandler):
    """Answers as Dubbo does, and keeps what it heard."""

    def __init__(self) -> None:
        self.paths: list[str] = []
        self.heard: list[tuple[str, tuple[str, ...], tuple[Any, ...]]] = []
        self.headers: dict[str, Any] = {}
        self.touched = threading.Event()
        self.ended = threading.Event()
        self.failures = 0

    def service(self, details: grpc.HandlerCallDetails) -> Any:
        """Serve every path."""
        self.paths.append(details.method)
        method = details.method.rpartition("/")[2]
        return grpc.unary_unary_rpc_method_handler(lambda data, context: self._answer(method, data, context))

    def _answer(self, method: str, data: bytes, context: grpc.ServicerContext) -> bytes:
        request = decode_request(data)
        self.heard.append((method, request.types, request.args))
        self.headers = dict(context.invocation_metadata())
        answer: bytes = getattr(self, f"_{method.lstrip('$')}")(context, *request.args)
        return answer

    def _find(self, context: grpc.ServicerContext, name: str, count: int) -> bytes:
        spelled = quote('{"x-reply": "X-Reply"}')
        context.set_trailing_metadata((("x-reply", "r"), ("tri-header-convert", spelled)))
        return encode_response(name * count, "java.lang.String")

    def _clear(self, context: grpc.ServicerContext) -> bytes:
        return encode_response(None, "void")

    def _of(self, context: grpc.ServicerContext, value: Any) -> bytes:
        return encode_response([type(value).__name__], "java.util.List")

    def _fail(self, context: grpc.ServicerContext, message: str) -> bytes:
        context.send_initial_metadata((("tri-exception-code", "3"),))
        return encode_response(make_throwable("org.example.Failed", message, fields={"code": 7}), "java.lang.String")

    def _refuse(self, context: grpc.ServicerContext) -> bytes:
        debug = _field(1, b"org.example.Refused: not me") + _field(2, b"not me")
        detail = _field(1, b"type.googleapis.com/google.rpc.DebugInfo") + _field(2, debug)
        status = b"\x08\x02" + _field(3, detail)
        context.set_trailing_metadata((("grpc-status-details-bin", status),))
        context.abort(grpc.StatusCode.UNKNOWN, "not me")

    def _hang(self, context: grpc.ServicerContext) -> bytes:
        context.add_callback(self.ended.set)
        self.ended.wait(10)
        return encode_response(None, "void")

    def _busy(self, context: grpc.ServicerContext) -> bytes:
        self.failures += 1
        if self.failures < 3:
            context.abort(grpc.StatusCode.UNAVAILABLE, "later")
        return encode_response("at last", "java.lang.String")

    def _full(self, context: grpc.ServicerContext) -> bytes:
        self.failures += 1
        if self.failures > 1:
            return encode_response("room", "java.lang.String")
        context.send_initial_metadata((("tri-exception-code", "3"), ("x-full", "yes")))
        thrown = make_throwable("org.apache.dubbo.rpc.RpcException", "full", fields={"code": 7})
        return encode_response(thrown, "java.lang.String")

    def _missing(self, context: grpc.ServicerContext) -> bytes:
        context.abort(grpc.StatusCode.UNKNOWN, "unimplemented method:missing")

    def _touch(self, context: grpc.ServicerContext) -> bytes:
        self.touched.set()
        return encode_response(None, "void")

    def _echo(self, context: grpc.ServicerContext, value: Any) -> bytes:
        return encode_response(value)

    def _invoke(self, context: grpc.ServicerContext, name: str, types: Any, values: list[Any]) -> bytes:
        return encode_response([name, None if types is None else list(types), list(values)])


@pytest.fixture
def shop() -> Shop:
    """The handler."""
    return Shop()


@pytest.fixture
def url(shop: Shop) -> Iterator[str]:
    """Where it serves."""
    with ThreadPoolExecutor(4) as pool:
        server = grpc.server(pool, handlers=[shop])
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        yield f"tri://127.0.0.1:{port}"
        shop.ended.set()
        server.stop(0).wait()


@pytest.fixture
def refer(consume: Consume, url: str) -> Callable[..., Any]:
    """Make a reference to the shop; keywords are its settings."""

    def make(parameters: str = "", **settings: Any) -> Any:
        given = {"interface": SHOP, "url": url + parameters, "timeout": 10000, "retries": 0, **settings}
        return consume({"application": {"name": "web"}, "references": {"shop": given}}).reference("shop")

    return make


def test_a_stub_class_calls_by_the_wrapper(refer: Callable[..., Any], shop: Shop) -> None:
    """Arguments by position, by keyword and by default; void answers None."""
    service = refer(stub=STUB)
    assert service.find("a", 2) == "aa"
    assert service.find(name="b") == "b"
    assert service.clear() is None
    assert shop.heard == [
        ("find", ("java.lang.String", "int"), ("a", 2)),
        ("find", ("java.lang.String", "int"), ("b", 1)),
        ("clear", (), ()),
    ]


def test_overloads_share_a_path_and_differ_in_types(refer: Callable[..., Any], shop: Shop) -> None:
    """And each has the answer that it declares."""
    service = refer(stub=STUB)
    assert service.of(1) == ("int",)
    assert service.of("x") == ["str"]
    assert service.of_any("x") == ["str"]
    assert shop.heard == [
        ("of", (java,), (value,)) for java, value in (("int", 1), ("java.lang.String", "x"), ("java.lang.Object", "x"))
    ]


def test_a_generic_call_names_the_overload_as_java_does(refer: Callable[..., Any], shop: Shop) -> None:
    """By whichever name the stub has for it."""
    assert refer(stub=STUB, generic=True).of_any("x") == ["of", ["java.lang.Object"], ["x"]]


def test_parameter_types_do_without_a_stub(refer: Callable[..., Any], shop: Shop) -> None:
    """Methods that have none go through $invoke."""
    service = refer(methods={"find": {"parameter_types": ["String", "int"]}})
    assert service.find("a", 3) == "aaa"
    assert service.clear(5) == ["clear", None, [5]]
    assert "generic" in shop.headers


def test_generic_needs_nothing(refer: Callable[..., Any], shop: Shop) -> None:
    """Method and types travel as arguments, and a header says so."""
    assert refer(generic=True).find_all("a", 1) == ["findAll", None, ["a", 1]]
    assert (shop.heard[0][0], shop.headers["generic"]) == ("$invoke", "true")


def test_echo_asks_whether_a_provider_is_there(refer: Callable[..., Any]) -> None:
    """Every Java interface has it."""
    assert getattr(refer(stub=STUB), "$echo")("hi") == "hi"


@pytest.mark.parametrize("sent", [False, True])
def test_an_exception_is_raised(refer: Callable[..., Any], sent: bool) -> None:
    """With its class, message and fields, whether or not the call waits for its sending."""
    service = refer(stub=STUB, sent=sent)
    with pytest.raises(RemoteError) as caught:
        service.fail("no")
    assert (caught.value.type_name, caught.value.message) == ("org.example.Failed", "org.example.Failed: no")
    assert caught.value.details["fields"] == {"code": 7}
    with pytest.raises(RemoteError, match=r"org\.example\.Failed: later"):
        service.fail.future("later").result(10)


def test_a_repeated_attempt_stands_for_itself(refer: Callable[..., Any], shop: Shop) -> None:
    """Neither the mark of an exception nor the attachments of the attempt before reach it."""
    assert refer(stub=STUB, retries=1).full() == "room"
    assert shop.failures == 2
    assert RpcContext.get_context().response_attachments == {}


def test_a_status_keeps_what_the_provider_said_for_debugging(refer: Callable[..., Any]) -> None:
    """Beside the trailers."""
    with pytest.raises(RemoteError, match="UNKNOWN: not me") as caught:
        refer(stub=STUB).refuse()
    assert caught.value.details["debug_info"] == {
        "stack_entries": ("org.example.Refused: not me",),
        "detail": "not me",
    }


def test_a_method_that_the_provider_lacks(refer: Callable[..., Any]) -> None:
    """Dubbo has no status of its own for it."""
    with pytest.raises(RemoteProtocolError, match="does not have this method, or not with these parameter types"):
        refer(stub=STUB).missing()


def test_a_provider_that_does_not_have_the_service_yet_is_passed_over(consume: Consume, url: str) -> None:
    """As Dubbo 3.3 while it starts, whose port is open by then; a method of Java cannot have said so."""
    with ThreadPoolExecutor(1) as pool:
        starting = grpc.server(pool)
        port = starting.add_insecure_port("127.0.0.1:0")
        starting.start()
        urls = [f"tri://127.0.0.1:{port}", url]
        given = {"interface": SHOP, "stub": STUB, "url": urls, "timeout": 10000, "loadbalance": "roundrobin"}
        shop = consume({"references": {"shop": given}}).reference("shop")
        first = [shop.find.future("a"), shop.find.future("a")]
        assert [future.result(10) for future in first] == ["a"] * 2
        assert sorted(future.attempts for future in first) == [1, 2]
        starting.stop(0).wait()


def test_attachments_go_both_ways(refer: Callable[..., Any], shop: Shop) -> None:
    """Those of the call, version, group, application and the provider's token are headers; trailers come back."""
    service = refer("?token=s3", stub=STUB, group="blue", version="2.0.0")
    RpcContext.get_context().attachments["x-trace"] = "t-1"
    service.find("a")
    assert RpcContext.get_context().response_attachments == {"X-Reply": "r"}
    told = {"x-trace", "token", "tri-service-group", "tri-service-version", "tri-consumer-appname"}
    assert {key: value for key, value in shop.headers.items() if key in told} == {
        "x-trace": "t-1",
        "token": "s3",
        "tri-service-group": "blue",
        "tri-service-version": "2.0.0",
        "tri-consumer-appname": "web",
    }


def test_a_provider_may_serve_elsewhere(refer: Callable[..., Any], shop: Shop) -> None:
    """The path of its URL stands for the interface, as in Dubbo."""
    refer("/shop/v2", stub=STUB).clear()
    refer(stub=STUB).clear()
    assert shop.paths == ["/shop/v2/clear", f"/{SHOP}/clear"]


def test_the_modes_are_those_of_every_call(refer: Callable[..., Any], shop: Shop) -> None:
    """Async, sent and one-way."""
    methods = {"find": {"async": True}, "touch": {"return": False, "sent": True}}
    service = refer(stub=STUB, methods=methods)
    assert service.find("a", 2) is None
    assert RpcContext.get_context().get_future().result(10) == "aa"
    assert service.touch() is None
    assert shop.touched.wait(10)


def test_a_call_ends_at_its_deadline(refer: Callable[..., Any], shop: Shop) -> None:
    """And the provider hears of it."""
    with pytest.raises(CallTimeout):
        refer(stub=STUB, timeout=200).hang()
    assert shop.ended.wait(10)


def test_a_cancelled_call_is_cancelled_at_the_provider(refer: Callable[..., Any], shop: Shop) -> None:
    """By the future."""
    future = refer(stub=STUB).hang.future()
    assert future.cancel()
    with pytest.raises(CancelledError):
        future.result(10)


def test_a_busy_provider_is_asked_again(refer: Callable[..., Any], shop: Shop) -> None:
    """The request is encoded once and sent three times."""
    assert refer(stub=STUB, retries=2, idempotent=True).busy() == "at last"
    assert [name for name, *_ in shop.heard] == ["busy"] * 3


def test_bad_arguments_never_leave(refer: Callable[..., Any], shop: Shop) -> None:
    """The error names the parameter."""
    with pytest.raises(SerializationError, match=r"parameter 2 \(count\): expected a Java int, got str") as caught:
        refer(stub=STUB).find("a", "b")
    assert caught.value.not_sent
    assert shop.heard == []


def test_an_unknown_method_names_the_nearest(refer: Callable[..., Any]) -> None:
    """The stub says what there is."""
    with pytest.raises(AttributeError, match=r'ShopService has no method "fin"; did you mean "find"\?'):
        refer(stub=STUB).fin()
