"""Method types asked of a running server: what real and strange servers answer."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any

import grpc
import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from grpc_reflection.v1alpha import reflection_pb2 as reflection
from support.attempts import provider_at
from support.policies import tri_policy

from callahead.config.errors import ConfigError
from callahead.config.policy import MethodPolicy, ReferencePolicy
from callahead.consumer.errors import CallTimeout, ConnectFailed, RemoteError, RemoteProtocolError
from callahead.consumer.interface.proto.arguments import request_builder
from callahead.consumer.interface.proto.load import ServiceTypes, load_types
from callahead.consumer.runtime.callbacks import CallbackExecutor
from callahead.consumer.runtime.timer import Timer
from callahead.consumer.testing import EmbeddedProvider
from callahead.consumer.transport.api import TransportParts
from callahead.consumer.transport.tri.http2.asking import AskedProvider
from callahead.consumer.transport.tri.http2.pool import Http2Kind, Pool

PROTOS = Path(__file__).parents[1] / "support" / "protos"
KINDS = "callahead.tests.Kinds"
V1ALPHA = "grpc.reflection.v1alpha.ServerReflection"
Response = reflection.ServerReflectionResponse
CARRIERS = ("grpcio", "http2")

Ask = Callable[..., ServiceTypes]


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Iterator[None]:
    """Whatever the server does, no thread of the conversation stays."""
    before = set(threading.enumerate())
    yield
    deadline = time.monotonic() + 5
    while set(threading.enumerate()) - before and time.monotonic() < deadline:
        time.sleep(0.01)
    assert set(threading.enumerate()) - before == set()


def policy(interface: str = KINDS, timeout_ms: int = 3000) -> ReferencePolicy:
    return tri_policy(
        id="kinds",
        interface=interface,
        default=MethodPolicy(reference="kinds", method="*"),
        connect_timeout_ms=timeout_ms,
        origins={"interface": "x.yml:3", "connect_timeout_ms": "x.yml:4"},
    )


@pytest.fixture
def ask(carrier: str) -> Iterator[Ask]:
    """Ask a provider, or whoever is at an address, for the types of an interface."""
    callbacks = CallbackExecutor(1)
    timer = Timer(time.monotonic)
    parts = TransportParts(clock=time.monotonic, random=Random(1), timer=timer, callbacks=callbacks)
    pool = Pool(parts, Http2Kind())

    def ask(asked: EmbeddedProvider | str, interface: str = KINDS, timeout_ms: int = 3000) -> ServiceTypes:
        address = asked if isinstance(asked, str) else asked.address
        known = policy(interface, timeout_ms)
        if carrier == "grpcio":
            return load_types(known, lambda: grpc.insecure_channel(address))
        pool.prepare(known)
        provider = provider_at(port=int(address.rpartition(":")[2]))
        return load_types(known, lambda: AskedProvider(provider, known, parts, pool, lambda: (provider,)))

    yield ask
    pool.close()
    timer.close()
    callbacks.close(wait=True)


def serving(answer: Callable[[Any], Any]) -> EmbeddedProvider:
    """Make a provider whose reflection gives *answer* to each question."""
    provider = EmbeddedProvider()
    provider.serve(
        V1ALPHA,
        module="grpc_reflection.v1alpha.reflection_pb2",
        server_reflection_info=lambda questions: map(answer, questions),
    )
    return provider


def test_a_server_with_reflection_is_enough(ask: Ask) -> None:
    """Methods, streaming kinds, nested imports and well-known types come from the server alone."""
    with EmbeddedProvider(reflection=True) as provider:
        provider.serve(KINDS, proto=str(PROTOS / "kinds.proto"))
        provider.serve("helloworld.Greeter", proto=str(PROTOS / "helloworld.proto"))
        types = ask(provider)
        greeter = ask(provider, "helloworld.Greeter")
    request = request_builder(types.methods["Echo"])((), {"at": "2026-01-02T03:04:05Z", "children": [{"small": 1}]})
    assert request.at.seconds == 1_767_323_045
    assert types.source == "server reflection"
    assert [method.streaming for method in greeter.methods.values()] == [False, True, True, True]


def test_an_old_service_and_its_import_come_in_order(ask: Ask) -> None:
    """A file and what it imports are put together whatever their order."""
    with EmbeddedProvider(reflection=True) as provider:
        provider.serve("callahead.tests.old.Old", proto=str(PROTOS / "required.proto"))
        assert list(ask(provider, "callahead.tests.old.Old").methods) == ["Ask"]


def test_a_server_that_sends_one_file_at_a_time_is_asked_for_the_imports(ask: Ask) -> None:
    """Imports that did not come are asked for by their names; protobuf's own need not be there."""
    files = {
        "a.proto": FileDescriptorProto(
            name="a.proto",
            package="a",
            dependency=["b.proto", "google/protobuf/timestamp.proto"],
            service=[{"name": "S", "method": [{"name": "Do", "input_type": ".b.M", "output_type": ".b.M"}]}],  # type: ignore[list-item]
        ),
        "b.proto": FileDescriptorProto(name="b.proto", package="b", message_type=[{"name": "M"}]),  # type: ignore[list-item]
    }
    asked: list[str] = []

    def answer(question: Any) -> Any:
        name = "a.proto" if question.file_containing_symbol == "a.S" else question.file_by_filename
        asked.append(name)
        if name not in files:
            return Response(error_response={"error_code": 5, "error_message": "no such file"})
        return Response(file_descriptor_response={"file_descriptor_proto": [files[name].SerializeToString()]})

    with serving(answer) as provider:
        assert list(ask(provider, "a.S").methods) == ["Do"]
    assert asked == ["a.proto", "b.proto", "google/protobuf/timestamp.proto"]


def test_a_server_that_knows_only_version_1_is_asked_by_it(ask: Ask) -> None:
    """Where v1alpha is not implemented, v1 is tried, whose messages are the same."""
    with EmbeddedProvider(reflection=True) as helper, EmbeddedProvider() as provider:
        helper.serve(KINDS, proto=str(PROTOS / "kinds.proto"))
        with grpc.insecure_channel(helper.address) as channel:
            relay = channel.stream_stream(f"/{V1ALPHA}/ServerReflectionInfo")
            handler = grpc.stream_stream_rpc_method_handler(
                lambda questions, context: relay(questions), None, lambda data: data
            )
            provider.add_registered_method_handlers(
                "grpc.reflection.v1.ServerReflection", {"ServerReflectionInfo": handler}
            )
            assert "Echo" in ask(provider).methods


def test_a_server_without_reflection_says_what_to_do(ask: Ask) -> None:
    """The error names the other sources of types."""
    with EmbeddedProvider() as provider, pytest.raises(ConfigError) as caught:
        ask(provider)
    assert str(caught.value) == (
        'x.yml:3: references.kinds.interface: the server cannot say what methods "callahead.tests.Kinds" has: '
        "it serves no reflection (give stub:, module: or proto:)"
    )


def test_an_interface_that_the_server_lacks_names_the_nearest(ask: Ask) -> None:
    """The hint comes from what the server lists."""
    with EmbeddedProvider(reflection=True) as provider:
        provider.serve(KINDS, proto=str(PROTOS / "kinds.proto"))
        with pytest.raises(ConfigError) as caught:
            ask(provider, "callahead.tests.Kind5")
    assert str(caught.value) == (
        'x.yml:3: references.kinds.interface: the server has no service "callahead.tests.Kind5" '
        '(did you mean "callahead.tests.Kinds"?)'
    )


def test_an_interface_without_a_file_says_what_to_do(ask: Ask) -> None:
    """A Java provider lists interfaces that have no protobuf; then there is another way, and no other name."""

    def answer(question: Any) -> Any:
        if question.HasField("list_services"):
            return Response(list_services_response={"service": [{"name": KINDS}]})
        return Response(error_response={"error_code": 5, "error_message": "not found"})

    with serving(answer) as provider, pytest.raises(ConfigError) as caught:
        ask(provider)
    assert str(caught.value) == (
        'x.yml:3: references.kinds.interface: the server has "callahead.tests.Kinds", but its reflection has no file '
        "for it (for a Java interface give stub:, parameter_types: or generic: true)"
    )


def test_a_message_in_place_of_a_service_is_refused(ask: Ask) -> None:
    """A name that the server knows as something else makes no service."""
    with EmbeddedProvider(reflection=True) as provider:
        provider.serve(KINDS, proto=str(PROTOS / "kinds.proto"))
        with pytest.raises(RemoteProtocolError) as caught:
            ask(provider, "callahead.tests.Kind")
    assert caught.value.is_remote
    assert str(caught.value).startswith('the server\'s reflection of "callahead.tests.Kind" makes no service: ')


def test_a_server_that_cannot_be_reached_is_told(ask: Ask) -> None:
    """Nothing was sent, and the address is in the text."""
    provider = EmbeddedProvider().start()
    address = provider.address
    provider.kill()
    with pytest.raises(ConnectFailed) as caught:
        ask(address)
    provider.stop()
    assert caught.value.not_sent
    assert str(caught.value).startswith(
        'cannot ask the server for the methods of "callahead.tests.Kinds" (give stub:, module: or proto: not to ask): '
    )
    assert "onnection refused" in str(caught.value)


def test_a_server_that_does_not_answer_is_given_up(ask: Ask) -> None:
    """The limit, its setting and its line are in the error."""
    with serving(lambda question: Response()) as provider:
        provider.script("ServerReflectionInfo", hang=True)
        with pytest.raises(CallTimeout) as caught:
            ask(provider, timeout_ms=100)
    assert str(caught.value) == ("the server's reflection did not answer within 100 ms (connect_timeout, x.yml:4)")


def test_a_server_that_refuses_is_quoted(ask: Ask) -> None:
    """A status other than UNIMPLEMENTED is the server's own word."""
    with serving(lambda question: Response()) as provider:
        provider.script("ServerReflectionInfo", error=("PERMISSION_DENIED", "not for you"))
        with pytest.raises(RemoteError) as caught:
            ask(provider)
    assert str(caught.value) == (
        'the server\'s reflection refused to describe "callahead.tests.Kinds": PERMISSION_DENIED: not for you'
    )


def file_answer(*data: bytes) -> Any:
    return Response(file_descriptor_response={"file_descriptor_proto": data})


STRANGE = {
    "garbage": file_answer(b"\xff\xff\xff"),
    "no file": file_answer(),
    "another file": file_answer(FileDescriptorProto(name="x.proto").SerializeToString()),
    "imports itself": file_answer(FileDescriptorProto(name="x.proto", dependency=["x.proto"]).SerializeToString()),
    "a missing type": file_answer(
        FileDescriptorProto(
            name="x.proto",
            package="callahead.tests",
            service=[{"name": "Kinds", "method": [{"name": "Echo", "input_type": ".no.M", "output_type": ".no.M"}]}],  # type: ignore[list-item]
        ).SerializeToString()
    ),
    "an error of its own": Response(error_response={"error_code": 13, "error_message": "broken"}),
}


@pytest.mark.parametrize("answer", STRANGE.values(), ids=STRANGE)
def test_a_strange_answer_is_a_protocol_error(ask: Ask, answer: Any) -> None:
    """Whatever a server answers, the error is ours and says whose fault it is."""
    with serving(lambda question: answer) as provider, pytest.raises(RemoteProtocolError) as caught:
        ask(provider)
    assert caught.value.is_remote
    assert str(caught.value).startswith('the server\'s reflection of "callahead.tests.Kinds" makes no service: ')


def test_a_stream_that_ends_early_is_a_protocol_error(ask: Ask) -> None:
    """An end in place of an answer is no answer."""
    with serving(lambda question: Response()) as provider:
        provider.script("ServerReflectionInfo", answer=())
        with pytest.raises(RemoteProtocolError) as caught:
            ask(provider)
    assert "it ended the stream instead of an answer" in str(caught.value)


def test_an_endless_chain_of_imports_is_given_up(ask: Ask) -> None:
    """Each file imports one more: the number of files is limited."""

    def answer(question: Any) -> Any:
        number = int(question.file_by_filename or 0)
        file = FileDescriptorProto(name=str(number), dependency=[str(number + 1)])
        return file_answer(file.SerializeToString())

    with serving(answer) as provider, pytest.raises(RemoteProtocolError) as caught:
        ask(provider, timeout_ms=20_000)
    assert str(caught.value) == (
        'the server\'s reflection of "callahead.tests.Kinds" makes no service: it imports more than 1000 files'
    )


def test_an_import_that_the_server_does_not_give_is_named(ask: Ask) -> None:
    """A file that only the server can know must come from it."""
    first = FileDescriptorProto(name="a.proto", dependency=["gone.proto"]).SerializeToString()

    def answer(question: Any) -> Any:
        if question.file_by_filename:
            return Response(error_response={"error_code": 5, "error_message": "no such file"})
        return file_answer(first)

    with serving(answer) as provider, pytest.raises(RemoteProtocolError) as caught:
        ask(provider)
    assert str(caught.value).endswith("makes no service: the imported file gone.proto is not given")
