"""What can be called on a reference, as values."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol, overload

import pytest
from support.policies import tri_policy

from callahead.config.policy import MethodPolicy
from callahead.consumer.codec.hessian2 import Long
from callahead.consumer.errors import SerializationError
from callahead.consumer.interface.description import MethodDescription, ParameterDescription, ServiceDescription
from callahead.consumer.interface.kind import describe, load_service
from callahead.consumer.interface.proto.service import MethodTypes

FOO = "com.alibaba.foo.FooService"
KINDS = Path(__file__).parents[2] / "support" / "protos" / "kinds.proto"


class Stub(Protocol):
    def find_foo(self, id: str, tags: list[Long], limit: int | None = None) -> dict[str, int]: ...

    @overload
    def of(self, value: int) -> str: ...
    @overload
    def of(self, value: bytes) -> str: ...

    def touch(self) -> None: ...


def described(interface: str = FOO, **values: Any) -> ServiceDescription:
    policy = tri_policy(id="foo", interface=interface, default=MethodPolicy(reference="foo", method="*"), **values)
    return describe(load_service(policy, lambda: pytest.fail("the server was asked")))


def shown(method: MethodDescription) -> str:
    assert method.parameters is not None
    return ", ".join(f"{each.type_name} {each.name}".strip() for each in method.parameters)


def test_a_java_interface_tells_every_overload() -> None:
    """With the types that travel, those inside collections, and where it was read."""
    service = described(stub=f"{__name__}:Stub")

    assert (FOO, f"stub {__name__}:Stub", False) == (service.name, service.source, service.is_open)
    assert [
        ("findFoo", "java.lang.String id, java.util.List<java.lang.Long> tags, java.lang.Integer limit"),
        ("of", "int value"),
        ("of", "byte[] value"),
        ("touch", ""),
    ] == [(method.name, shown(method)) for method in service.methods]
    returned = [method.returns for method in service.methods]
    assert [
        "java.util.Map<java.lang.String, java.lang.Integer>",
        "java.lang.String",
        "java.lang.String",
        "",
    ] == returned


def test_a_java_interface_without_a_stub_is_open() -> None:
    """Nothing tells what else it has; of a method in the YAML the types of the parameters are known."""
    typed = MethodPolicy(reference="foo", method="findFoo", parameter_types=("long",))

    service = described(methods={"findFoo": typed})

    assert ("the configuration", True) == (service.source, service.is_open)
    [method] = service.methods
    assert ((ParameterDescription("", "long"),), "") == (method.parameters, method.returns)


def test_a_protobuf_service_tells_fields_and_streams() -> None:
    """The parameters of a method are the fields of its request."""
    service = described(module="callahead.conf.foo_pb2")

    assert "module callahead.conf.foo_pb2" == service.source
    assert [
        ("findFoo", "int64 foo_id", "com.alibaba.foo.Foo", False),
        ("listFoos", "repeated int64 foo_ids", "com.alibaba.foo.Foo", True),
    ] == [(method.name, shown(method), method.returns, method.server_streaming) for method in service.methods]
    assert not any(method.client_streaming for method in service.methods)


def test_every_kind_of_field_is_named_as_a_proto_file_does() -> None:
    """Scalars, enums, messages, and maps of them."""
    [echo] = described("callahead.tests.Kinds", proto=str(KINDS)).find("Echo")
    assert echo.parameters is not None
    types = {each.name: each.type_name for each in echo.parameters}

    assert ("sint64", "fixed32", "bytes") == (types["zigzag"], types["fixed"], types["data"])
    assert "repeated callahead.tests.Color" == types["colors"]
    assert "map<int32, callahead.tests.Kind>" == types["table"]
    assert "google.protobuf.Timestamp" == types["at"]


@pytest.mark.parametrize("name", ["findFoo", "find_foo", "FindFoo"])
def test_a_method_is_found_in_any_spelling(name: str) -> None:
    """As by callers."""
    assert ["findFoo"] == [one.name for one in described(stub=f"{__name__}:Stub").find(name)]


def test_a_spelling_of_two_methods_is_none() -> None:
    """Only their own spellings tell them apart."""
    kinds = described("callahead.tests.Kinds", proto=str(KINDS))

    assert () == kinds.find("echoTwice")
    assert ["echo_twice"] == [one.name for one in kinds.find("echo_twice")]


def test_json_becomes_a_message_where_there_is_one() -> None:
    """One object is the request; other values are arguments as they are, and so are Java's."""
    [find, _] = described(module="callahead.conf.foo_pb2").methods
    [java, *_] = described(stub=f"{__name__}:Stub").methods
    assert find.request_class is not None

    assert (find.request_class(foo_id=7),) == find.from_json(({"foo_id": "7"},))
    assert (7,) == find.from_json((7,))
    assert ({"a": 1},) == java.from_json(({"a": 1},))


def test_json_for_an_unknown_message_is_refused() -> None:
    """A stub need not tell its classes."""
    types = MethodTypes(
        name="Find", path="/a.B/Find", request_class=None, response_class=None, serialize=bytes, deserialize=bytes
    )
    method = MethodDescription(name="Find", types=types)

    with pytest.raises(SerializationError, match="/a.B/Find: its request cannot be made of JSON"):
        method.from_json(({},))
