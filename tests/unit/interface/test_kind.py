"""Whether a reference of ``tri`` is to a Java interface, and what is said of settings of both kinds."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, Protocol

import pytest
from support.policies import tri_policy

from callahead.config.errors import ConfigError
from callahead.config.policy import MethodPolicy
from callahead.consumer.errors import NoProviderAvailable
from callahead.consumer.interface.java import JavaInterface
from callahead.consumer.interface.kind import load_service
from callahead.consumer.interface.proto.service import ServiceTypes

FOO = "com.alibaba.foo.FooService"
STUB = "callahead.conf.foo_pb2_grpc:FooServiceStub"
LINES = {"stub": "x.yml:4", "module": "x.yml:5", "proto": "x.yml:6", "generic": "x.yml:7"}
TYPED = {
    "findFoo": MethodPolicy(
        reference="foo", method="findFoo", parameter_types=("long",), origins={"parameter_types": "x.yml:9"}
    )
}


class AsProtocol(Protocol):
    def find_foo(self, id: str) -> str: ...  # as Java names it


class AsClass:
    def find_foo(self, id: str) -> str: ...  # type: ignore[empty-body]


class AsAbstract(ABC):
    @abstractmethod
    def find_foo(self, id: str) -> str: ...


class Derived(AsClass):
    pass


class HandWrittenStub:
    def __init__(self, channel: Any) -> None:
        self.find = channel.unary_unary(f"/{FOO}/find")


def load(**values: Any) -> ServiceTypes | JavaInterface:
    default = MethodPolicy(reference="foo", method="*")
    policy = tri_policy(id="foo", interface=FOO, default=default, origins=LINES, **values)
    return load_service(policy, asked)


def asked() -> Any:
    raise NoProviderAvailable("the server was asked", not_sent=True)


@pytest.mark.parametrize("stub", [AsProtocol, AsClass, AsAbstract, Derived])
def test_a_class_of_annotated_functions_is_a_java_interface(stub: type[Any]) -> None:
    """However it is written."""
    service = load(stub=f"{__name__}:{stub.__name__}")
    assert isinstance(service, JavaInterface)
    assert list(service.methods) == ["findFoo"]


@pytest.mark.parametrize("stub", [STUB, "callahead.conf.foo_pb2_grpc", f"{__name__}:HandWrittenStub"])
def test_what_is_made_on_a_channel_is_a_protobuf_service(stub: str) -> None:
    """Generated stubs, modules of them, and stubs written by hand."""
    assert isinstance(load(stub=stub), ServiceTypes)


def test_a_servicer_is_no_java_interface() -> None:
    """The other classes of generated code are refused as stubs."""
    with pytest.raises(ConfigError, match=r'FooServiceServicer" cannot be made on a grpc.Channel'):
        load(stub="callahead.conf.foo_pb2_grpc:FooServiceServicer")


def test_a_stub_that_cannot_be_imported_is_told_as_such() -> None:
    """Whatever it would have been."""
    with pytest.raises(ConfigError, match=r"^x.yml:4: references.foo.stub: "):
        load(stub="no_such_module:Foo")


def test_generic_needs_no_types() -> None:
    """Nobody is asked for them."""
    service = load(generic=True)
    assert isinstance(service, JavaInterface)
    assert service.is_generic
    assert service.find("anything") is not None


def test_parameter_types_make_a_java_interface() -> None:
    """Methods that have none are called through $invoke."""
    service = load(methods=TYPED)
    assert isinstance(service, JavaInterface)
    typed, other = service.find("find_foo"), service.find("other")
    assert typed is not None
    assert other is not None
    assert (typed.is_generic, other.is_generic) == (False, True)


def test_without_any_source_the_server_is_asked() -> None:
    """As before."""
    with pytest.raises(NoProviderAvailable, match="the server was asked"):
        load()


@pytest.mark.parametrize("source", [{"module": "callahead.conf.foo_pb2"}, {"proto": "foo.proto"}, {"stub": STUB}])
@pytest.mark.parametrize(
    ("java", "line", "key", "hint"),
    [
        ({"generic": True}, 7, "generic", "write generic: false for this reference"),
        ({"methods": TYPED}, 9, "methods.findFoo.parameter_types", "remove it, or {source}"),
    ],
)
def test_settings_of_both_kinds_contradict_each_other(
    java: dict[str, Any], line: int, key: str, hint: str, source: dict[str, str]
) -> None:
    """The error names both, at their lines."""
    (name,) = source
    with pytest.raises(ConfigError) as caught:
        load(**java, **source)
    assert str(caught.value) == (
        f"x.yml:{line}: references.foo.{key}: is of a Java interface, but {name}, {LINES[name]}, is of a protobuf "
        f"service ({hint.format(source=name)})"
    )
