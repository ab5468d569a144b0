"""Calls to the ``MetadataService`` of an instance, as a consumer hands them to its registries."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent import futures
from pathlib import Path
from typing import Any

import grpc
import pytest
from support.applications import metadata_of

from callahead.config.policy import SslPolicy
from callahead.consumer import Consumer
from callahead.consumer.codec.hessian2 import JavaObject
from callahead.consumer.discovery.messages import messages
from callahead.consumer.discovery.source import CalledMetadata
from callahead.consumer.testing import EmbeddedProvider
from callahead.registry import ProviderDataError, RegistryError, RegistryUnavailable, ServiceKey
from callahead.registry.discovery.metadata import read_metadata
from callahead.registry.instance import ServiceInstance

V1 = "org.apache.dubbo.metadata.MetadataService"
INFO = {"name": "a.A", "group": None, "version": None, "protocol": "dubbo", "port": 1, "path": "a.A"}


@pytest.fixture
def source() -> Iterator[CalledMetadata]:
    one = CalledMetadata(Consumer, "shop-web")
    yield one
    one.close()


def instance_at(port: int, protocol: str = "dubbo", version: str = "1.0.0") -> ServiceInstance:
    said = metadata_of("r1")
    said["dubbo.metadata-service.url-params"] = (
        f'{{"protocol":"{protocol}","port":"{port}","version":"{version}"}}' if protocol else "{}"
    )
    return ServiceInstance.of("shop", "127.0.0.1", 9, said)


def answered(revision: str) -> Any:
    """What Java sends back."""
    if revision != "r1":
        return None
    service = JavaObject(f"{V1}Info$ServiceInfo", {**INFO, "params": {"side": "provider", "weight": "50"}})
    return JavaObject("org.apache.dubbo.metadata.MetadataInfo", {"app": "shop", "services": {"a.A:dubbo": service}})


@pytest.fixture
def serve() -> Iterator[Callable[[Callable[[str], Any]], int]]:
    """Serve version 1 over dubbo; gives the port."""
    started: list[EmbeddedProvider] = []

    def start(answer: Callable[[str], Any]) -> int:
        provider = EmbeddedProvider(protocol="dubbo")
        provider.serve(V1, group="shop", version="1.0.0", getMetadataInfo=answer)
        started.append(provider.start())
        return int(provider.url.rpartition(":")[2].partition("/")[0].partition("?")[0])

    yield start
    for provider in started:
        provider.stop()


def test_version_1_is_asked_over_dubbo(source: CalledMetadata, serve: Callable[..., int]) -> None:
    """With the application as group; what it says can be read."""
    found = read_metadata(source.ask(instance_at(serve(answered))), "test")
    (service,) = found.of(ServiceKey("a.A"))
    assert service.parameters == {"side": "provider", "weight": "50"}


def serve_v2(asked: list[Any]) -> grpc.Server:
    """A server of version 2, which notes what it is asked."""
    request, answer = messages()

    def handle(given: Any, context: Any) -> Any:
        asked.append((given.revision, dict(context.invocation_metadata())["tri-service-group"]))
        service = {**{key: value for key, value in INFO.items() if value}, "params": {"side": "provider"}}
        return answer(app="shop", version="r1", services={"a.A:dubbo": service})

    handler = grpc.unary_unary_rpc_method_handler(handle, request.FromString, answer.SerializeToString)
    service = grpc.method_handlers_generic_handler(f"{V1}V2", {"GetMetadataInfo": handler})
    return grpc.server(futures.ThreadPoolExecutor(1), handlers=[service])


def test_version_2_is_asked_over_tri(source: CalledMetadata) -> None:
    """As a gRPC call, whose method begins with a capital, with messages that nobody else needs to know."""
    asked: list[Any] = []
    server = serve_v2(asked)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        found = read_metadata(source.ask(instance_at(port, "tri", "2.0.0")), "test")
    finally:
        server.stop(0).wait(5)
    (provided,) = found.of(ServiceKey("a.A"))
    assert (provided.port, provided.parameters) == (1, {"side": "provider"})
    assert asked == [("r1", "shop")]


def test_an_instance_is_asked_over_the_tls_of_its_services(certificates: Path) -> None:
    """Its certificate and ours as the reference says."""
    files = {name: (certificates / name).read_bytes() for name in ("server.key", "server.pem", "ca.pem")}
    pairs = [(files["server.key"], files["server.pem"])]
    asked: list[Any] = []
    server = serve_v2(asked)
    credentials = grpc.ssl_server_credentials(pairs, files["ca.pem"], require_client_auth=True)
    port = server.add_secure_port("127.0.0.1:0", credentials)
    server.start()
    ca, cert, key = (str(certificates / name) for name in ("ca.pem", "client.pem", "client.key"))
    source = CalledMetadata(Consumer, "", SslPolicy(ca=ca, cert=cert, key=key))
    try:
        source.ask(instance_at(port, "tri", "2.0.0"))
    finally:
        source.close()
        server.stop(0).wait(5)
    assert asked == [("r1", "shop")]


def test_a_revision_that_is_not_known_is_an_error(source: CalledMetadata, serve: Callable[..., int]) -> None:
    """The instance was started again, and its registration is older."""
    with pytest.raises(ProviderDataError, match="shop at 127.0.0.1:9 does not know its revision r1"):
        source.ask(instance_at(serve(lambda _revision: None)))


@pytest.mark.parametrize("odd", ["text", 7, {"services": 1}, {"services": {"x": 1}}], ids=repr)
def test_an_answer_that_is_no_metadata_is_an_error(
    source: CalledMetadata, serve: Callable[..., int], odd: object
) -> None:
    """Which says what came, and shows nothing of it."""
    with pytest.raises(ProviderDataError, match="shop at 127.0.0.1:9 answers no metadata, but "):
        source.ask(instance_at(serve(lambda _revision: odd)))


@pytest.mark.parametrize("protocol", ["rest", ""])
def test_an_instance_that_does_not_say_how_it_is_asked(source: CalledMetadata, protocol: str) -> None:
    """Another protocol, or none."""
    with pytest.raises(ProviderDataError, match="do not say how to ask it"):
        source.ask(instance_at(1, protocol))


@pytest.mark.parametrize(("protocol", "version"), [("dubbo", "1.0.0"), ("tri", "1.0.0"), ("tri", "2.0.0")])
def test_an_instance_that_is_gone_is_an_error(
    source: CalledMetadata, closed_port: str, protocol: str, version: str
) -> None:
    """Within the time of one attempt to connect."""
    with pytest.raises(RegistryUnavailable, match="shop at 127.0.0.1:9 does not tell its metadata: "):
        source.ask(instance_at(int(closed_port.rpartition(":")[2]), protocol, version))


@pytest.mark.parametrize("protocol", ["dubbo", "tri"])
def test_close_ends_a_question_that_runs(source: CalledMetadata, protocol: str) -> None:
    """To an instance that accepts and says nothing; no other question is begun."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        instance = instance_at(silent.getsockname()[1], protocol, "2.0.0")
        failed: list[BaseException] = []

        def ask() -> None:
            try:
                source.ask(instance)
            except RegistryError as error:
                failed.append(error)

        asking = threading.Thread(target=ask)
        asking.start()
        while source._asking is None:
            time.sleep(0.01)
        source.close()
        asking.join(10)
        assert len(failed) == 1
    with pytest.raises(RegistryError, match=r"closed$"):
        source.ask(instance)
