"""Overloads, generic calls, echoes, groups and versions, void, attachments, and calls that overlap."""

from __future__ import annotations

import asyncio
import threading
import time
import uuid
from collections.abc import Callable
from typing import Any

import pytest

from callahead.consumer import LimitExceeded, Reference, RemoteError, RpcContext, SerializationError
from callahead.consumer.codec.hessian2 import Int, JavaObject, Long, java_array
from tests.interop.conftest import Consume, Providers
from tests.interop.peers import until
from tests.interop.services import Address, Bar, Color, Foo, Person
from tests.interop.wires import DUBBO_27, JAVA_WIRES, Wire, java_name

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("bound")]

Refer = Callable[..., Reference]
DUBBO_WIRES = [wire for wire in JAVA_WIRES if wire.protocol == "dubbo"]

OVERLOADS: list[tuple[tuple[Any, ...], str]] = [
    ((), ""),
    ((True,), "boolean"),
    ((5,), "int"),
    ((Int(5),), "int"),
    ((Long(5),), "long"),
    ((2**40,), "long"),
    ((2.5,), "double"),
    (("text",), "java.lang.String"),
    ((("text"), 1), "java.lang.String,int"),
    ((1, "text"), "int,java.lang.String"),
    ((java_array("java.lang.String", ["a"]),), "java.lang.String[]"),
    ((["a"],), "java.util.List"),
    (({"a": "b"},), "java.util.Map"),
    ((Address("x", 1),), "org.callahead.interop.Address"),
    ((JavaObject("org.callahead.interop.Address", {"street": "x"}),), "org.callahead.interop.Address"),
    ((Color.RED,), "java.lang.Object"),
    ((Person("a"),), "java.lang.Object"),
]


@pytest.mark.parametrize(("args", "chosen"), OVERLOADS, ids=[str(args) for args, _ in OVERLOADS])
def test_overload(refer: Refer, args: tuple[Any, ...], chosen: str) -> None:
    """The values decide which overload is called, and that one answers."""
    assert refer("OverloadService").of(*args) == f"of({chosen})"


def test_overload_under_its_own_name(refer: Refer) -> None:
    """An overload that the stub declares apart is called by that name, null included."""
    service = refer("OverloadService")
    assert service.of(5) == "of(int)"
    assert service.of_integer(5) == "of(java.lang.Integer)"
    assert service.of_integer(None) == "of(java.lang.Integer)"


def test_overload_that_nothing_decides(refer: Refer) -> None:
    """None fits many overloads; nothing is sent, and the error lists them and says how to choose."""
    with pytest.raises(SerializationError, match=r"\(None\) is ambiguous, it fits .*of_?") as caught:
        refer("OverloadService").of(None)
    assert caught.value.not_sent
    assert "force one by the type of an argument" in caught.value.message


def test_overload_of_a_class_that_only_java_knows(refer: Refer) -> None:
    """It may extend what an overload takes, or not: nothing is sent, for the wrong one would run."""
    with pytest.raises(SerializationError, match=r"is ambiguous, it fits .*Object.*Address") as caught:
        refer("OverloadService").of(JavaObject("org.callahead.interop.Opaque", {}))
    assert caught.value.not_sent


def test_overload_by_keyword(refer: Refer) -> None:
    """Positions decide among overloads of the same names; where only names are given there, nothing does."""
    service = refer("OverloadService")
    with pytest.raises(SerializationError, match=r"\(number=int, text=str\) is ambiguous"):
        service.of(number=1, text="a")
    assert service.of("a", number=1) == "of(java.lang.String,int)"
    assert service.of(1, text="a") == "of(int,java.lang.String)"


def test_overload_of_yaml(refer: Refer) -> None:
    """parameter_types in the YAML fix one overload, with no stub."""
    service = refer("OverloadService", stub=None, methods={"of": {"parameter_types": ["java.lang.Integer"]}})
    assert service.of(5) == "of(java.lang.Integer)"


def test_generic_without_types(refer: Refer) -> None:
    """With nothing known, $invoke finds the method by its name and answers a map."""
    foo = refer("FooService", stub=None, generic=True)
    answer = foo.find_foo("7", 0)
    assert answer == {"id": "7", "name": "foo-7", "delayMs": 0, "class": "com.alibaba.foo.Foo"}
    assert foo.findFoo(None, 0) is None


@pytest.mark.parametrize("wire", DUBBO_WIRES, ids=lambda wire: wire.name)
def test_no_stub_is_generic(refer: Refer) -> None:
    """A reference of dubbo without any types calls through $invoke, though nothing says generic."""
    assert refer("FooService", stub=None).find_foo("7", 0)["name"] == "foo-7"


def test_generic_with_types(refer: Refer) -> None:
    """The stub's types choose among overloads; bound classes go as maps."""
    service = refer("OverloadService", generic=True)
    assert service.of(Long(5)) == "of(long)"
    assert service.of("text", 1) == "of(java.lang.String,int)"
    assert service.of(Address("x", 1)) == "of(org.callahead.interop.Address)"
    assert service.of(java_array("java.lang.String", ["a"])) == "of(java.lang.String[])"


def test_generic_with_types_of_yaml(refer: Refer) -> None:
    """So do parameter_types."""
    methods = {"of": {"parameter_types": ["double"]}}
    assert refer("OverloadService", stub=None, generic=True, methods=methods).of(5) == "of(double)"


def test_generic_object(refer: Refer) -> None:
    """A map with ``class``, a bound object and a JavaObject are one and the same argument, nested values included."""
    types = refer("TypesService", stub=None, generic=True)
    as_map = {"class": "org.callahead.interop.Address", "street": "x", "zipCode": 7}
    for value in (as_map, Address("x", 7), JavaObject("org.callahead.interop.Address", {"street": "x", "zipCode": 7})):
        assert types.echo_nested({"k": [value]}) == {"k": [as_map]}
    person = types.make_person()
    assert person["favourite"] == "BLUE"
    assert person["friends"][0]["name"] == "Bert"


def test_generic_exception(refer: Refer) -> None:
    """An exception of a generic call has the class and message of the provider's own."""
    with pytest.raises(RemoteError) as caught:
        refer("ExceptionService", stub=None, generic=True).declared(7, "sold out")
    assert caught.value.type_name == "org.callahead.interop.BusinessException"
    assert caught.value.details["message"] == "sold out"


def test_generic_unknown_method(refer: Refer) -> None:
    """The provider says that it has no such method."""
    with pytest.raises(RemoteError, match="No such method noSuch in class interface com.alibaba.foo.FooService"):
        refer("FooService", stub=None, generic=True).no_such(1)


def test_generic_one_way(refer: Refer) -> None:
    """A generic call can be one-way too."""
    counter = refer("CounterService", stub=None, generic=True, methods={"touchKey": {"return": False}})
    key = uuid.uuid4().hex
    assert counter.touch_key(key) is None
    assert until(lambda: counter.count_of(key) == 1)


@pytest.mark.parametrize("service", ["FooService", "VariantService", "TypesService"])
def test_echo(refer: Refer, service: str) -> None:
    """Every service answers $echo with its argument."""
    echo = getattr(refer(service), "$echo")
    for value in ("ping", None, 5, {"a": [1, None, 2.5]}, Address("x", 7)):
        assert echo(value) == value


VARIANTS = [("", ""), ("", "1.0.0"), ("", "2.0.0"), ("blue", ""), ("blue", "2.0.0")]


@pytest.mark.parametrize(("group", "version"), VARIANTS, ids=[f"{group}:{version}" for group, version in VARIANTS])
def test_group_and_version(refer: Refer, group: str, version: str) -> None:
    """Group and version choose among the services of one interface."""
    assert refer("VariantService", group=group, version=version).who_am_i() == f"{group}/{version}"


def test_groups_side_by_side(wire: Wire, providers: Providers, consume: Consume) -> None:
    """References to all of them share what they can, and each reaches its own."""
    provider = providers(wire.version)
    references = {
        f"v{number}": wire.java(provider, "VariantService", group=group, version=version)
        for number, (group, version) in enumerate(VARIANTS)
    }
    consumer = consume(references)
    answers = [consumer.reference(name).who_am_i() for name in references]
    assert answers == [f"{group}/{version}" for group, version in VARIANTS]


def test_void(refer: Refer) -> None:
    """A method without a value gives None, and takes as long as it takes."""
    service = refer("VoidService")
    assert service.run() is None
    began = time.monotonic()
    assert service.run_after("text", 150) is None
    assert time.monotonic() - began >= 0.15


def test_null_argument_and_answer(refer: Refer) -> None:
    """Null goes and comes."""
    assert refer("FooService").find_foo(None, 0) is None
    assert refer("EchoService").echo(None) is None


def test_keywords_and_spellings(refer: Refer) -> None:
    """Every spelling and every way of giving arguments is the same call."""
    foo = refer("FooService")
    expected = Foo("7", "foo-7", 0)
    assert foo.findFoo("7", 0) == foo.find_foo("7", delay_ms=0) == foo.find_foo(id="7", delay_ms=0) == expected
    assert foo.find_foo_async("7", 0).result(5) == foo.findFooAsync("7", 0).result(5) == expected


def test_attachments_both_ways(refer: Refer, wire: Wire) -> None:
    """Text of any script travels, and the provider's own code answers with attachments of its own."""
    service = refer("AttachmentService")
    context = RpcContext.get_context()
    context.attachments["x-city"] = "\u5317\u4eac"
    context.attachments["x-plain"] = "abc"
    seen = service.seen()
    assert seen["x-plain"] == "abc"
    assert context.response_attachments["reply-x-plain"] == "abc"
    if wire.protocol == "tri":  # as bytes under a key that ends in -bin, the one way of gRPC
        assert seen["x-city"] == str([each - 256 if each > 127 else each for each in "\u5317\u4eac".encode()])
    else:
        assert seen["x-city"] == "\u5317\u4eac"
        assert context.response_attachments["reply-x-city"] == "\u5317\u4eac"


def test_response_attachments_are_the_providers_code_s_own(refer: Refer) -> None:
    """In its spelling, of this call alone, and with none of Dubbo's entries beside them."""
    service = refer("AttachmentService")
    context = RpcContext.get_context()
    assert service.reply("k", "v") == "v"
    assert context.response_attachments == {"k": "v"}
    assert service.reply("Trace-Id", "t-1") == "t-1"
    assert context.response_attachments == {"Trace-Id": "t-1"}
    assert getattr(service, "$echo")([1]) == [1]
    assert context.response_attachments == {}


def test_an_exception_leaves_no_attachment_of_dubbo_s(refer: Refer) -> None:
    """What marks an answer as an exception is for the framework."""
    with pytest.raises(RemoteError):
        refer("ExceptionService").declared(7, "sold out")
    assert RpcContext.get_context().response_attachments == {}


def test_attachments_of_levels(refer: Refer) -> None:
    """Parameters of the reference and of the method, options and the context are joined; the nearest wins."""
    methods = {"seen": {"parameters": {"x-b": "method", "x-c": "method", "x-d": "method"}}}
    service = refer("AttachmentService", parameters={"x-a": "reference", "x-b": "reference"}, methods=methods)
    RpcContext.get_context().attachments.update({"x-c": "context", "x-d": "context"})
    seen = service.seen.with_options(attachments={"x-c": "call"})()
    assert {key: seen[key] for key in ("x-a", "x-b", "x-c", "x-d")} == {
        "x-a": "reference",
        "x-b": "method",
        "x-c": "call",
        "x-d": "context",
    }


def test_callbacks_see_response_attachments(refer: Refer) -> None:
    """A callback of an asynchronous call runs in the caller's context, with this call's attachments."""
    service = refer("AttachmentService")
    heard: list[Any] = []
    done = threading.Event()

    def on_done(future: Any) -> None:
        heard.append((future.result(), dict(RpcContext.get_context().response_attachments)))
        done.set()

    service.reply.future("first", "1").add_done_callback(on_done)
    service.reply("second", "2")
    assert done.wait(5)
    (answer, attachments) = heard[0]
    assert (answer, attachments["first"]) == ("1", "1")
    assert "second" not in attachments


def test_application_name_travels(refer: Refer, wire: Wire) -> None:
    """The provider learns who calls."""
    seen = refer("AttachmentService").seen()
    if wire.protocol != "tri":
        assert seen["remote.application"] == "interop"


def test_two_calls_overlap(wire: Wire, providers: Providers, consume: Consume) -> None:
    """The running example: two calls of 0.5 s and 0.6 s take little more than 0.6 s, with plain call sites."""
    provider = providers(wire.version)
    references = {
        "foo": wire.java(provider, "FooService", methods={"findFoo": {"async": True}}),
        "bar": wire.java(provider, "BarService", methods={"findBar": {"async": True, "sent": True}}),
    }
    consumer = consume(references)
    foo, bar = consumer.reference("foo"), consumer.reference("bar")
    foo.find_foo.sync("warm", 0)
    bar.find_bar.sync("warm", 0)
    began = time.monotonic()
    foo.find_foo("7", 500)
    first = RpcContext.get_context().get_future()
    bar.find_bar("8", 600)
    second = RpcContext.get_context().get_future()
    assert (first.result(5), second.result(5)) == (Foo("7", "foo-7", 500), Bar("8", "bar-8", 600))
    assert 0.6 <= time.monotonic() - began < 0.9


def test_await(refer: Refer) -> None:
    """The same calls awaited in an event loop."""
    foo = refer("FooService")

    async def both() -> list[Any]:
        return list(await asyncio.gather(foo.find_foo.future("1", 300), foo.find_foo.future("2", 200)))

    began = time.monotonic()
    assert asyncio.run(both()) == [Foo("1", "foo-1", 300), Foo("2", "foo-2", 200)]
    assert time.monotonic() - began < 0.6


def test_many_calls_at_once(refer: Refer) -> None:
    """150 calls in flight with delays of their own: each gets its own answer, whatever the order."""
    echo = refer("EchoService")
    futures = {f"{number}": echo.echo_after.future(f"{number}", (number * 37) % 200) for number in range(150)}
    assert {text: future.result(10) for text, future in futures.items()} == {text: text for text in futures}


@pytest.mark.parametrize("wire", DUBBO_WIRES, ids=lambda wire: wire.name)
def test_thread_pool_exhausted(consume: Consume, providers: Providers, wire: Wire) -> None:
    """The provider's 200 threads are busy: the calls beyond them are refused with status 100, as LimitExceeded."""
    echo = consume({"echo": wire.java(providers(wire.version), "EchoService")}).reference("echo")
    futures = [echo.echo_after.future("x", 700) for _ in range(230)]
    errors = [future.exception(10) for future in futures]
    refused = [error for error in errors if error is not None]
    assert 20 <= len(refused) <= 40
    for error in refused:
        assert isinstance(error, LimitExceeded)
        assert (error.status, error.is_remote, error.in_doubt) == ("100", True, False)


def test_versions_are_what_they_say(providers: Providers) -> None:
    """The providers are of the versions that the names of the tests claim."""
    assert providers("2.7").release.startswith(f"{DUBBO_27.version}.")
    assert providers("3.3").release.startswith("3.3.")


def test_interface_names_are_java_s(refer: Refer) -> None:
    """A reference knows the methods of its stub in Java's spelling."""
    foo = refer("FooService")
    assert "findFoo" in dir(foo)
    assert repr(foo) == f"<Reference service to {java_name('FooService')}>"
