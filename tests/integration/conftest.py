"""What the integration tests stand on: servers in processes of their own, consumers made of YAML, certificates."""

from __future__ import annotations

import socket
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
import pytest
import yaml
from support.certificates import make_certificates
from support.programs import Programs
from support.sockets import free_port

from callahead.consumer import Consumer
from callahead.consumer.testing import EmbeddedProvider, ProviderProcess

PROTOS = Path(__file__).parents[1] / "support" / "protos"
HERE = Path(__file__).parent

# For generated modules, which import each other by their plain names, and for the peers and providers next door.
sys.path[:0] = [str(PROTOS), str(HERE)]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run the tests of a module that names ``CARRIERS`` over each, but for those that are marked as grpcio's own.

    What is slow runs over one of them, unless what is long is asked for.
    """
    carriers = getattr(metafunc.module, "CARRIERS", None)
    if carriers is None or "carrier" not in metafunc.fixturenames:
        return
    if metafunc.definition.get_closest_marker("grpcio") is not None:
        metafunc.parametrize("carrier", carriers[:1])
    elif metafunc.definition.get_closest_marker("slow") is not None:
        metafunc.parametrize("carrier", [pytest.param(carriers[0], marks=pytest.mark.long), *carriers[1:]])
    else:
        metafunc.parametrize("carrier", carriers)


@pytest.fixture
def carrier() -> str:
    """The carrier of ``tri`` where a test runs over one alone."""
    return "http2"


@pytest.fixture
def consume(tmp_path: Path, carrier: str) -> Iterator[Callable[..., Consumer]]:
    """Make a consumer of a mapping written as YAML, so that settings have lines; closed at the end of the test."""
    opened: list[Consumer] = []

    def make(config: dict[str, Any], **options: Any) -> Consumer:
        carried = {**config, "consumer": {"carrier": carrier, **config.get("consumer", {})}}
        file = tmp_path / f"consumer{len(opened)}.yml"
        file.write_text(yaml.safe_dump(carried, sort_keys=False))
        opened.append(Consumer.from_file(file, **options))
        return opened[-1]

    yield make
    for consumer in opened:
        consumer.close(timeout=0)


@pytest.fixture
def greeting(consume: Callable[..., Consumer]) -> Callable[..., Consumer]:
    """Make a consumer with the one reference ``greeter`` to *urls*; keywords are settings of the reference."""

    def make(*urls: str, options: dict[str, Any] | None = None, **settings: Any) -> Consumer:
        reference = {"interface": "helloworld.Greeter", "module": "helloworld_pb2", "url": list(urls)}
        reference |= {"timeout": 10000, "retries": 0, **settings}
        return consume({"references": {"greeter": reference}}, **(options or {}))

    return make


@pytest.fixture
def socket_folder() -> Iterator[Path]:
    """A folder whose path is short, wherever temporary ones lie: that of a Unix socket has about a hundred bytes."""
    with tempfile.TemporaryDirectory(dir="/tmp", prefix="callahead-") as folder:
        yield Path(folder)


@pytest.fixture
def proxy_environment(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Let the environment name these proxies, such as ``http_proxy="http://127.0.0.1:3128"``, and no others."""

    def put(**variables: str) -> None:
        for name in ("grpc_proxy", "https_proxy", "http_proxy", "no_grpc_proxy", "no_proxy"):
            monkeypatch.delenv(name, raising=False)
        for name, value in variables.items():
            monkeypatch.setenv(name, value)

    return put


@pytest.fixture
def programs(request: pytest.FixtureRequest, tmp_path: Path, carrier: str) -> Iterator[Programs]:
    """Programs that begin with the ``HEAD`` of the test's module, and find the carrier of ``tri`` in ``CARRIER``."""
    made = Programs(tmp_path, request.module.HEAD, CARRIER=carrier)
    yield made
    made.close()


@pytest.fixture(scope="module")
def server() -> Iterator[ProviderProcess]:
    """A server of generated servicers with health and reflection, in its own process."""
    with ProviderProcess("tri_providers:greeter", path=[str(PROTOS), str(HERE)]) as process:
        yield process


@pytest.fixture
def own_server() -> Iterator[Callable[..., ProviderProcess]]:
    """Start a process of ``tri_providers`` that only this test has, to be killed or paused as it likes."""
    started: list[ProviderProcess] = []

    def start(builder: str, *args: Any) -> ProviderProcess:
        process = ProviderProcess(f"tri_providers:{builder}", *args, path=[str(PROTOS), str(HERE)])
        started.append(process.start())
        return process

    yield start
    for process in started:
        process.stop()


def _greet(request: Any) -> dict[str, str]:
    return {"message": f"Hello, {request.name}"}


def _make_provider(**options: Any) -> EmbeddedProvider:
    provider = EmbeddedProvider(**options)
    provider.serve(
        "helloworld.Greeter",
        module="helloworld_pb2",
        SayHello=_greet,
        SpellHello=lambda request: ({"message": letter} for letter in request.name),
        GatherHellos=lambda requests: {"message": " and ".join(request.name for request in requests)},
        ChatHello=lambda requests: ({"message": request.name} for request in requests),
    )
    return provider


@pytest.fixture
def provider() -> Iterator[EmbeddedProvider]:
    """A greeter in this process, to be scripted and looked at."""
    with _make_provider() as provider:
        yield provider


@pytest.fixture
def other_provider() -> Iterator[EmbeddedProvider]:
    """One more."""
    with _make_provider() as provider:
        yield provider


@pytest.fixture
def make_provider() -> Iterator[Callable[..., EmbeddedProvider]]:
    """Start greeters with options of their own."""
    started: list[EmbeddedProvider] = []

    def make(**options: Any) -> EmbeddedProvider:
        started.append(_make_provider(**options).start())
        return started[-1]

    yield make
    for provider in started:
        provider.stop()


class RawServer:
    """Starts a plain grpcio server whose ``SayHello`` gets and gives bytes; called with the handler, gives its URL."""

    def __init__(self) -> None:
        self._server: grpc.Server | None = None
        self._pool = ThreadPoolExecutor(4)

    def __call__(
        self, handle: Callable[[bytes, Any], bytes], options: Any = (), *, at: str = "127.0.0.1:0", tls: Any = None
    ) -> str:
        """Start it, at a port or a Unix socket, with credentials where it speaks TLS."""
        methods = {"SayHello": grpc.unary_unary_rpc_method_handler(handle)}
        handler = grpc.method_handlers_generic_handler("helloworld.Greeter", methods)
        self._server = grpc.server(self._pool, handlers=[handler], options=options)
        port = self._server.add_secure_port(at, tls) if tls else self._server.add_insecure_port(at)
        self._server.start()
        return at if at.startswith("unix") else f"tri://127.0.0.1:{port}"

    def stop(self, grace: float = 0) -> threading.Event:
        """Stop it; the event says when it has stopped."""
        assert self._server is not None
        return self._server.stop(grace)

    def close(self) -> None:
        """Leave nothing behind."""
        if self._server is not None:
            self.stop().wait(5)
        self._pool.shutdown()


@pytest.fixture
def raw_server() -> Iterator[RawServer]:
    """A plain grpcio server for what no provider would do."""
    server = RawServer()
    yield server
    server.close()


@pytest.fixture
def closed_port() -> Iterator[str]:
    """URL of a port that is ours and refuses connections."""
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        yield f"tri://127.0.0.1:{holder.getsockname()[1]}"


@pytest.fixture
def unused_port() -> int:
    """A port at which nobody listens yet."""
    return free_port()


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of them; see `make_certificates`."""
    return make_certificates(tmp_path_factory.mktemp("certificates"))
