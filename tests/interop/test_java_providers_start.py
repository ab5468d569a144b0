"""The real providers come up, answer on their ports, and go away in each way that the fault tests need."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from tests.interop.provider import VERSIONS, JavaProvider, ProviderFailed, missing

pytestmark = pytest.mark.slow

HEARTBEAT = bytes.fromhex("dabb e2 00 0000000000000007 00000001 4e")
HEARTBEAT_ANSWER = bytes.fromhex("dabb 22 14 0000000000000007 00000001 4e")
HTTP2_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes.fromhex("000000 04 00 00000000")
HTTP2_SETTINGS = 4


@pytest.fixture(params=VERSIONS)
def provider(request: pytest.FixtureRequest, java: None) -> Iterator[JavaProvider]:
    """A running provider of each version, gone after the test."""
    with JavaProvider(request.param) as running:
        yield running


def exchange(port: int, request: bytes, length: int) -> bytes:
    """What comes back for those bytes, up to that length."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(request)
        return connection.recv(length, socket.MSG_WAITALL)


def refuses(port: int) -> bool:
    """Whether nobody listens on the port."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


def test_dubbo_port_answers_heartbeat(provider: JavaProvider) -> None:
    """The dubbo port answers a heartbeat with the same id; a second start is refused and changes nothing."""
    assert exchange(provider.dubbo_port, HEARTBEAT, 17) == HEARTBEAT_ANSWER
    with pytest.raises(ProviderFailed, match=rf"port {provider.dubbo_port} runs already, as process {provider.pid}$"):
        provider.start()
    assert provider.is_running


def test_tri_port_answers_http2(provider: JavaProvider) -> None:
    """Only 3.3 has a tri port; it answers the HTTP/2 preface with its SETTINGS."""
    assert (provider.tri_port is None) == (provider.version == "2.7")
    if provider.tri_port is not None:
        assert exchange(provider.tri_port, HTTP2_PREFACE, 4)[3] == HTTP2_SETTINGS


def test_stop_is_graceful_and_same_ports_serve_again(provider: JavaProvider) -> None:
    """After SIGTERM the port refuses; the next start serves on the same port."""
    assert provider.stop() == 143
    assert not provider.is_running
    assert refuses(provider.dubbo_port)
    provider.start()
    assert exchange(provider.dubbo_port, HEARTBEAT, 17) == HEARTBEAT_ANSWER


def test_kill_resets_connections(provider: JavaProvider) -> None:
    """A kill closes open connections at once, without a read-only event."""
    with socket.create_connection(("127.0.0.1", provider.dubbo_port), timeout=10) as connection:
        connection.sendall(HEARTBEAT)
        assert connection.recv(17, socket.MSG_WAITALL) == HEARTBEAT_ANSWER
        provider.kill()
        assert connection.recv(1) == b""
    assert refuses(provider.dubbo_port)


def test_paused_provider_keeps_connection_and_answers_later(provider: JavaProvider) -> None:
    """While paused nothing is answered; after resume the same bytes are."""
    with socket.create_connection(("127.0.0.1", provider.dubbo_port), timeout=10) as connection:
        connection.sendall(HEARTBEAT)
        assert connection.recv(17, socket.MSG_WAITALL) == HEARTBEAT_ANSWER
        provider.pause()
        connection.sendall(HEARTBEAT)
        connection.settimeout(0.2)
        with pytest.raises(TimeoutError):
            connection.recv(17)
        provider.resume()
        connection.settimeout(10)
        assert connection.recv(17, socket.MSG_WAITALL) == HEARTBEAT_ANSWER


def test_provider_ends_with_its_parent(provider: JavaProvider) -> None:
    """The end of its standard input, which the death of this process brings, ends the JVM."""
    assert provider.end_input() == 0
    assert refuses(provider.dubbo_port)


def test_failed_start_shows_log(java: None) -> None:
    """A JVM that does not come up leaves no process, and the error ends with what it said."""
    provider = JavaProvider("2.7", options=["-XX:NoSuchOption"])
    with pytest.raises(ProviderFailed, match=r"(?s)ended or said ''\n.*NoSuchOption"):
        provider.start()
    assert not provider.is_running


def test_unknown_version_is_refused() -> None:
    """Only the versions that were built can be asked for."""
    with pytest.raises(ValueError, match=r"^Dubbo version '2.6' is not one of 2.7, 3.3$"):
        JavaProvider("2.6")


def test_missing_says_what_and_how() -> None:
    """Without Java the text names each program and the way to get it."""
    text = missing(search_path="")
    assert text is not None
    assert text.startswith("real Dubbo providers need java")
    assert "apt-get install maven default-jdk-headless" in text
