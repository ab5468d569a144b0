"""Retries, TLS and changing providers on real sockets."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import helloworld_pb2 as pb
import helloworld_pb2_grpc as pb_grpc
import pytest
import yaml
from support import tri_peers
from support.sockets import sockets_to
from support.tri_peers import Peer

from callahead.config.policy import SslPolicy
from callahead.consumer import (
    AllAttemptsFailed,
    ConfigError,
    ConnectFailed,
    Consumer,
    RpcContext,
    RpcError,
    TransportError,
)
from callahead.consumer.testing import EmbeddedProvider

CARRIERS = ("grpcio", "http2")

Greeting = Callable[..., Consumer]
MODES: dict[str, dict[str, bool]] = {"sync": {}, "async": {"async": True}, "sent": {"async": True, "sent": True}}


def answer(consumer: Consumer) -> str:
    """Call in the configured mode and return the answer's text."""
    given = consumer.reference("greeter").say_hello(name="Ann")
    message = RpcContext.get_context().get_future().result(10) if given is None else given
    return str(message.message)


@pytest.mark.parametrize("mode", MODES)
def test_a_dead_provider_is_passed_over(
    greeting: Greeting, closed_port: str, provider: EmbeddedProvider, mode: str
) -> None:
    """Of two providers one is dead: every call succeeds at the other, in every mode."""
    settings = {"retries": 1, "loadbalance": "roundrobin", "methods": {"SayHello": MODES[mode]}}
    consumer = greeting(closed_port, provider.url, **settings)
    assert [answer(consumer) for _ in range(10)] == ["Hello, Ann"] * 10
    assert provider.count() == 10


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("idempotent", [False, True])
def test_a_failure_in_doubt(greeting: Greeting, mode: str, idempotent: bool) -> None:
    """A connection lost after the request is repeated only for an idempotent method: counted at the server."""
    requests = threading.Semaphore(0)

    def break_off(connection: Any) -> None:
        requests.release()
        tri_peers.hang_up(connection)

    with Peer(tri_peers.after_request(break_off)) as peer:
        settings = {"retries": 2, "idempotent": idempotent, "methods": {"SayHello": MODES[mode]}}
        with pytest.raises(RpcError) as caught:
            answer(greeting(peer.url, **settings))
        assert caught.value.in_doubt
        came = sum(iter(lambda: requests.acquire(blocking=False), False))
    if not idempotent:
        assert came == 1
        assert not isinstance(caught.value, AllAttemptsFailed)
        return
    assert isinstance(caught.value, AllAttemptsFailed)
    assert len(caught.value.failures) == 3
    assert came >= 2  # an attempt may still have met the dying connection


def test_an_unavailable_provider_is_not_asked_twice(greeting: Greeting, provider: EmbeddedProvider) -> None:
    """UNAVAILABLE said by the provider itself is in doubt, so a method that is not idempotent runs once."""
    provider.script("SayHello", error="UNAVAILABLE")
    with pytest.raises(TransportError):
        answer(greeting(provider.url, retries=5))
    assert provider.count() == 1


# TLS


def tls(certificates: Path, **files: str) -> dict[str, str]:
    """Make the YAML's ssl of names of certificates."""
    endings = {"key": ".key", "server_name": ""}
    return {
        key: name if key == "server_name" else str(certificates / (name + endings.get(key, ".pem")))
        for key, name in files.items()
    }


@pytest.fixture
def tls_provider(certificates: Path, make_provider: Callable[..., EmbeddedProvider]) -> EmbeddedProvider:
    """A provider that serves over TLS."""
    return make_provider(ssl=SslPolicy(**tls(certificates, cert="server", key="server")))


@pytest.fixture
def mutual_provider(certificates: Path, make_provider: Callable[..., EmbeddedProvider]) -> EmbeddedProvider:
    """A provider that asks its clients for a certificate."""
    return make_provider(ssl=SslPolicy(**tls(certificates, ca="ca", cert="server", key="server")))


@pytest.mark.parametrize("mode", MODES)
def test_tls(greeting: Greeting, certificates: Path, tls_provider: EmbeddedProvider, mode: str) -> None:
    """A provider is trusted by the CA of the YAML."""
    consumer = greeting(tls_provider.url, ssl=tls(certificates, ca="ca"), methods={"SayHello": MODES[mode]})
    assert answer(consumer) == "Hello, Ann"


def test_mutual_tls(greeting: Greeting, certificates: Path, mutual_provider: EmbeddedProvider) -> None:
    """A client certificate from the YAML satisfies a provider that asks for one."""
    ssl = tls(certificates, ca="ca", cert="client", key="client")
    assert answer(greeting(mutual_provider.url, ssl=ssl)) == "Hello, Ann"


@pytest.mark.parametrize("files", [{"ca": "ca"}, {"ca": "ca", "cert": "stranger", "key": "stranger"}])
def test_a_client_that_is_not_trusted(
    greeting: Greeting, certificates: Path, mutual_provider: EmbeddedProvider, files: dict[str, str]
) -> None:
    """Without a client certificate, or with a stranger's, no call arrives."""
    with pytest.raises(TransportError):
        answer(greeting(mutual_provider.url, ssl=tls(certificates, **files), timeout=3000))
    assert mutual_provider.count() == 0


def test_a_provider_that_is_not_trusted(greeting: Greeting, certificates: Path, tls_provider: EmbeddedProvider) -> None:
    """A certificate of another CA is no connection, and the message says so."""
    with pytest.raises(ConnectFailed, match="CERTIFICATE_VERIFY_FAILED") as caught:
        answer(greeting(tls_provider.url, ssl=tls(certificates, ca="other_ca")))
    assert caught.value.not_sent


def test_server_name(greeting: Greeting, certificates: Path, tls_provider: EmbeddedProvider) -> None:
    """The name to expect can be set; one that the certificate does not have is refused."""
    assert (
        answer(greeting(tls_provider.url, ssl=tls(certificates, ca="ca", server_name="foo.internal"))) == "Hello, Ann"
    )
    with pytest.raises(
        ConnectFailed, match=r"certificate is not (valid )?for [\"']bar\.internal[\"'].*ssl\.server_name"
    ):
        answer(greeting(tls_provider.url, ssl=tls(certificates, ca="ca", server_name="bar.internal")))


def test_tls_to_a_plain_provider(greeting: Greeting, certificates: Path, provider: EmbeddedProvider) -> None:
    """TLS towards a provider without is no connection, and the message names the handshake."""
    with pytest.raises(ConnectFailed, match=r"(?i)handshake") as caught:
        answer(greeting(provider.url, ssl=tls(certificates, ca="ca")))
    assert caught.value.not_sent


def test_a_plain_connection_to_a_tls_provider(greeting: Greeting, tls_provider: EmbeddedProvider) -> None:
    """No TLS towards a provider with TLS is no connection."""
    with pytest.raises(ConnectFailed, match=r"^greeter\.SayHello at .*: no connection: ") as caught:
        answer(greeting(tls_provider.url, timeout=3000))
    assert caught.value.not_sent


@pytest.mark.parametrize("text", [b"", b"no certificate at all"])
def test_a_ca_that_is_none(greeting: Greeting, tmp_path: Path, tls_provider: EmbeddedProvider, text: bytes) -> None:
    """A CA file that holds no certificate is an error with its path, not a hang."""
    (tmp_path / "ca.pem").write_bytes(text)
    with pytest.raises((ConfigError, ConnectFailed)):
        answer(greeting(tls_provider.url, ssl={"ca": str(tmp_path / "ca.pem")}, timeout=3000))


# Providers that come and go


def write(file: Path, *urls: str) -> None:
    """Replace the list of providers in one step."""
    new = file.with_suffix(".new")
    new.write_text(yaml.safe_dump({"helloworld.Greeter": list(urls)}))
    os.replace(new, file)


@pytest.fixture
def registered(consume: Greeting, tmp_path: Path) -> Callable[..., tuple[Consumer, Path]]:
    """Make a consumer whose greeters are in a file registry, read every 50 ms."""

    def make(*urls: str, **settings: Any) -> tuple[Consumer, Path]:
        file = tmp_path / "providers.yml"
        write(file, *urls)
        reference = {"interface": "helloworld.Greeter", "module": "helloworld_pb2", "registry": "main"}
        registry = {"address": f"file:{file}", "parameters": {"interval": "50ms"}}
        reference |= {"timeout": 10000, "retries": 0, **settings}
        return consume({"registries": {"main": registry}, "references": {"greeter": reference}}), file

    return make


def until(condition: Callable[[], object], timeout: float = 5.0) -> None:
    """Wait until *condition* holds."""
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline, "the condition did not come about"
        threading.Event().wait(0.01)


def test_a_provider_that_is_added(
    registered: Callable[..., tuple[Consumer, Path]], provider: EmbeddedProvider, other_provider: EmbeddedProvider
) -> None:
    """A provider added to the file takes calls, without a restart."""
    consumer, file = registered(provider.url, loadbalance="roundrobin")
    greeter = consumer.reference("greeter")
    greeter.say_hello(name="a")
    write(file, provider.url, other_provider.url)

    def both() -> bool:
        greeter.say_hello(name="a")
        return other_provider.count() > 0

    until(both)


@pytest.mark.parametrize("mode", ["unary", "stream", "raw stream"])
def test_a_provider_that_is_removed_under_calls(
    registered: Callable[..., tuple[Consumer, Path]],
    provider: EmbeddedProvider,
    other_provider: EmbeddedProvider,
    mode: str,
) -> None:
    """Calls that run on a removed provider finish there, its socket is closed then, and new calls go elsewhere."""
    go = threading.Event()

    def spell(request: Any) -> Any:
        for letter in request.name:
            yield {"message": letter}
            go.wait(5)

    def hello(_: Any) -> dict[str, str]:
        go.wait(5)
        return {"message": "late"}

    module = "helloworld_pb2"
    provider.serve("helloworld.Greeter", module=module, SayHello=hello, SpellHello=spell)
    consumer, file = registered(provider.url)
    greeter = consumer.reference("greeter")
    if mode == "unary":
        future = greeter.say_hello.future(name="a")
        finish = lambda: future.result(5).message  # noqa: E731
        provider.wait_for_calls("SayHello", 1)
    elif mode == "stream":
        stream = greeter.spell_hello(name="ab")
        assert next(stream).message == "a"
        finish = lambda: next(stream).message  # noqa: E731
    else:
        raw = pb_grpc.GreeterStub(consumer.channel("greeter")).SpellHello(pb.HelloRequest(name="ab"))
        assert next(raw).message == "a"
        finish = lambda: next(raw).message  # noqa: E731
    assert sockets_to(provider.url) == 1
    write(file, other_provider.url)
    until(lambda: _asks(greeter, other_provider))
    assert sockets_to(provider.url) == 1
    go.set()
    assert finish() == {"unary": "late"}.get(mode, "b")
    if mode == "stream":
        assert list(stream) == []
    elif mode == "raw stream":
        assert list(raw) == []
    until(lambda: sockets_to(provider.url) == 0)
    before = provider.count()
    for _ in range(5):
        assert greeter.say_hello(name="x").message == "Hello, x"
    assert provider.count() == before


def _asks(greeter: Any, provider: EmbeddedProvider) -> bool:
    """Tell whether a call now goes to *provider*; one that still goes to the old one is given up."""
    future = greeter.say_hello.future(name="probe")
    if future.provider == provider.url:
        assert future.result(5).message == "Hello, probe"
        return True
    future.cancel()
    return False


def test_calls_while_providers_change(
    registered: Callable[..., tuple[Consumer, Path]], provider: EmbeddedProvider, other_provider: EmbeddedProvider
) -> None:
    """No call fails while providers leave and come back under load, with the usual retries."""
    consumer, file = registered(provider.url, other_provider.url, retries=2)
    greeter = consumer.reference("greeter")
    stop = threading.Event()
    errors: list[BaseException] = []
    calls = [0, 0, 0]

    def work(number: int) -> None:
        while not stop.is_set():
            try:
                assert greeter.say_hello(name=str(number)).message == f"Hello, {number}"
                calls[number] += 1
            except BaseException as error:
                errors.append(error)
                return

    threads = [threading.Thread(target=work, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    for turn in range(6):
        write(file, *[[provider.url], [other_provider.url], [provider.url, other_provider.url]][turn % 3])
        stop.wait(0.15)
    stop.set()
    for thread in threads:
        thread.join(10)
    assert errors == []
    assert min(calls) > 0
