"""How an embedded provider is set up for the dubbo protocol; nothing here is called over the network."""

from __future__ import annotations

from typing import Any, Protocol, overload

import pytest

import callahead.consumer.testing as facade
from callahead.config.errors import ConfigError
from callahead.config.policy import SslPolicy
from callahead.consumer.codec.dubbo import decode_response, make_throwable
from callahead.consumer.codec.hessian2 import JavaObject, Long, TypedList
from callahead.consumer.errors import RemoteError, RpcError
from callahead.consumer.interface.java import java_method
from callahead.consumer.testing import EmbeddedProvider
from callahead.consumer.testing.dubbo.answer import error_answer, make_dubbo_error
from callahead.consumer.testing.dubbo.exchange import takes_attachments
from callahead.consumer.testing.dubbo.generic import descriptor_of, from_generic
from callahead.consumer.testing.dubbo.service import ExportedMethod

FOO = "com.alibaba.foo.FooService"


def refused(action: Any) -> str:
    with pytest.raises(ConfigError) as caught:
        action()
    return str(caught.value)


def dubbo(**options: Any) -> EmbeddedProvider:
    return EmbeddedProvider(protocol="dubbo", **options)


def test_the_facade_names_everything_once_and_sorted() -> None:
    """Names are imported when they are first used, and no others exist."""
    assert sorted(facade.__all__) == facade.__all__
    assert [name for name in facade.__all__ if not hasattr(facade, name)] == []
    with pytest.raises(AttributeError, match="has no attribute 'Nothing'"):
        _ = facade.Nothing


def test_an_unknown_protocol_is_refused() -> None:
    """The two that there are, are named."""
    protocol: Any = "rest"
    assert refused(lambda: EmbeddedProvider(protocol=protocol)) == (
        'EmbeddedProvider: "rest" is no protocol that it speaks (tri or dubbo)'
    )


@pytest.mark.parametrize("option", ["reflection", "health", "options"])
def test_options_of_grpc_are_refused(option: str) -> None:
    """They would be without effect."""
    given = {option: [("grpc.x", 1)] if option == "options" else True}
    assert refused(lambda: dubbo(**given)) == f"EmbeddedProvider: {option} is not for a provider that speaks dubbo"


@pytest.mark.parametrize("name", ["module", "proto", "proto_path"])
def test_types_of_grpc_are_refused(name: str) -> None:
    """A dubbo request says itself what it carries."""
    given: Any = {name: "callahead.conf.foo_pb2"}
    assert refused(lambda: dubbo().serve(FOO, **given)) == (
        f"EmbeddedProvider: {name} is not for a provider that speaks dubbo"
    )


@pytest.mark.parametrize("name", ["group", "version", "token"])
def test_what_only_dubbo_has_is_refused_over_tri(name: str) -> None:
    """It would not be looked at."""
    given: Any = {name: "x"}
    assert refused(lambda: EmbeddedProvider().serve(FOO, module="callahead.conf.foo_pb2", **given)) == (
        f"EmbeddedProvider: {name} is not for a provider that speaks tri"
    )


def test_a_generated_servicer_is_refused() -> None:
    """It has messages, and no Java values."""
    assert refused(lambda: dubbo().add_registered_method_handlers(FOO, {})) == (
        f"EmbeddedProvider: a gRPC servicer ({FOO}) cannot be served over dubbo (use serve)"
    )


def test_an_object_without_a_public_method_is_refused() -> None:
    """An object that serves nothing is a mistake."""

    class Empty:
        size = 1

        def __repr__(self) -> str:
            return "<Empty>"

    assert refused(lambda: dubbo().serve(FOO, Empty())) == "EmbeddedProvider: <Empty> has no public method"


class ShopService(Protocol):
    """A stub."""

    def find_foo(self, id: str, delay_ms: int) -> str: ...
    @overload
    def of(self, value: int) -> str: ...
    @overload
    def of(self, value: str) -> str: ...
    @java_method("of")
    def of_long(self, value: Long) -> str: ...


class UntypedService(Protocol):
    """A stub that says too little."""

    def find_foo(self, id) -> str: ...  # type: ignore[no-untyped-def]


class Shop:
    """Has a public method that is not of the service."""

    def __repr__(self) -> str:
        return "<Shop>"

    def close(self) -> None: ...


STUB = f"{__name__}:ShopService"
TEXT = "java.lang.String"


@pytest.mark.parametrize(
    ("functions", "message"),
    [
        ({"find_fooo": 1}, f'"{STUB}" has no method "find_fooo" (did you mean "findFoo"?)'),
        (
            {"of(double)": 1},
            f'"{STUB}" has no overload "of(double)" (there are of(long value), of(int value), of({TEXT} value))',
        ),
        ({"of(Strin)": 1}, '"of(Strin)" is no method with parameter types (such as of(java.lang.String,int))'),
        (
            {"find_foo": len},
            "<built-in function len> takes the arguments of none of findFoo(java.lang.String id, int delay_ms)",
        ),
        (Shop(), f"<Shop> has no method of {STUB} (one of: findFoo, of, of_long)"),
    ],
)
def test_what_the_stub_does_not_declare_is_refused(functions: Any, message: str) -> None:
    """With what it does declare."""
    assert refused(lambda: dubbo().serve(FOO, functions, stub=STUB)) == f"EmbeddedProvider: {message}"


@pytest.mark.parametrize(
    ("stub", "message"),
    [
        ("shop", '"shop" is not of the form "package.module:name"'),
        (
            f"{__name__}:FOO",
            f'"{__name__}:FOO" is not a class (give a class with one annotated function for each method)',
        ),
        (
            f"{__name__}:UntypedService",
            f'{__name__}:UntypedService.findFoo: parameter "id" has no annotation, so its Java type is not known',
        ),
    ],
)
def test_a_stub_that_says_nothing_is_refused(stub: str, message: str) -> None:
    """As a reference would, but there is no file."""
    assert refused(lambda: dubbo().serve(FOO, stub=stub)) == f"EmbeddedProvider: stub: {message}"


@pytest.mark.parametrize("name", ["of(int", "of(Strin)", "of(int) x", "of(int,)"])
def test_a_misspelt_overload_is_refused(name: str) -> None:
    """It would never be called."""
    assert refused(lambda: dubbo().serve(FOO, {name: 1})) == (
        f'EmbeddedProvider: "{name}" is no method with parameter types (such as of(java.lang.String,int))'
    )


@pytest.mark.parametrize(
    ("error", "shown", "hint"),
    [
        ("SERVER_TIMEOT", "SERVER_TIMEOT", '(did you mean "SERVER_TIMEOUT"?)'),
        ("UNAVAILABLE", "UNAVAILABLE", "(known: BAD_REQUEST, "),
        (20, "20", "(known: BAD_REQUEST, "),
        (("OK", "fine"), "OK", "(known: BAD_REQUEST, "),
    ],
)
def test_a_script_for_no_error_is_refused(error: Any, shown: str, hint: str) -> None:
    """What dubbo cannot say is told at once."""
    provider = dubbo()
    provider.serve(FOO, find_foo=1)
    assert refused(lambda: provider.script("findFoo", error=error)).startswith(
        f'EmbeddedProvider: "{shown}" is neither a dubbo error status nor the full name of a Java class {hint}'
    )


def test_tls_needs_a_certificate_and_its_key() -> None:
    """As over tri."""
    assert refused(lambda: dubbo(ssl=SslPolicy(cert="x.pem"))) == "EmbeddedProvider: ssl needs cert and key"
    assert refused(lambda: dubbo(ssl=SslPolicy(cert="/nowhere/c.pem", key="/nowhere/k.pem"))) == (
        "EmbeddedProvider: cannot read /nowhere/k.pem and /nowhere/c.pem: No such file or directory"
    )


def test_a_taken_port_is_refused() -> None:
    """A port that another provider listens on is not shared."""
    with dubbo() as first:
        port = int(first.address.rpartition(":")[2])
        assert refused(dubbo(port=port).start) == (
            f"EmbeddedProvider: cannot listen on 127.0.0.1:{port}: Address already in use"
        )


def test_a_script_is_for_all_variants_of_a_method() -> None:
    """Overloads and groups of one interface are one method to a test."""
    provider = dubbo()
    provider.serve(FOO, {"of(int)": 1, "of": 2})
    provider.serve(FOO, group="blue", of=3)
    provider.script("of", delay=1)
    assert provider.count("of") == 0


@pytest.mark.parametrize(
    ("name", "method", "descriptor"),
    [
        ("find_foo", "findFoo", None),
        ("findFoo", "findFoo", None),
        ("of()", "of", ""),
        ("of(int, String[])", "of", "I[Ljava/lang/String;"),
        ("of(I[Ljava/lang/String;)", "of", "I[Ljava/lang/String;"),
    ],
)
def test_a_method_has_the_name_of_java(name: str, method: str, descriptor: str | None) -> None:
    """And the types of its overload as the JVM spells them."""
    made = ExportedMethod(FOO, name, None)
    assert (made.method, made.descriptor) == (method, descriptor)


def test_a_function_takes_arguments_with_or_without_the_call() -> None:
    """Arguments alone where that fits, else the call behind them; a fixed answer takes anything."""
    function = ExportedMethod(FOO, "of", lambda first, second: None)
    assert [function.takes(count) for count in range(4)] == [False, True, True, False]
    assert all(ExportedMethod(FOO, "of", "fixed").takes(count) for count in range(4))


@pytest.mark.parametrize(
    ("protocol", "takes"),
    [("2.0.2", True), ("2.0.9", True), ("2.0.0", False), ("2.0.10", False), ("2.5.3", False), ("2.8.4", False)],
)
def test_who_reads_attachments_of_answers(protocol: str, takes: bool) -> None:
    """Protocol 2.0.2 and newer; releases in its place are old consumers."""
    assert takes_attachments(protocol) is takes


def test_an_error_keeps_what_it_is() -> None:
    """An exception is itself; a Java exception is carried by a RemoteError of its class."""
    error = KeyError("x")
    assert make_dubbo_error(error) is error
    thrown = make_throwable("com.x.NoFoo", "no")
    made = make_dubbo_error(thrown)
    assert isinstance(made, RemoteError)
    assert (made.type_name, made.message, made.details["thrown"]) == ("com.x.NoFoo", "no", thrown)


def test_an_error_without_a_status_of_dubbo_is_an_exception() -> None:
    """A gRPC status means nothing to a Java consumer."""
    answer = error_answer(RpcError("no", status="UNAVAILABLE"), {})
    assert (answer.status, answer.outcome) == (20, "java.lang.RuntimeException")
    assert decode_response(answer.body)[1].message == "RpcError: no"


def test_generic_circles_stay_circles() -> None:
    """A map that holds itself becomes an object that does."""
    ring: dict[str, Any] = {"class": "com.x.Node"}
    ring["next"] = ring
    [node] = from_generic([ring], None)
    assert node is node["next"]


def test_generic_maps_of_java_stay_maps() -> None:
    """A map, too, may say its class; lists keep theirs."""
    assert from_generic([{"class": "java.util.TreeMap", "a": 1}], ["java.util.Map"]) == ({"a": 1},)
    [items] = from_generic([TypedList([{"class": "com.x.Foo"}], "java.util.LinkedList")], None)
    assert (items.java_type, list(items)) == ("java.util.LinkedList", [JavaObject("com.x.Foo")])


def test_generic_types_are_read_in_either_spelling() -> None:
    """As source code spells them, or as ``Class.getName()`` does."""
    assert descriptor_of(["int", "java.lang.String[]", "[Ljava.lang.String;", "[I"]) == (
        "I[Ljava/lang/String;[Ljava/lang/String;[I"
    )
