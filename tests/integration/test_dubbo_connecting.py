"""How a dubbo connection comes about, and how it fails to."""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support.dubbo_peer import DubboPeer, Link, connections_of, echo, foo_config, mute, wait_until
from support.places import black_hole as black_hole_place
from support.places import refusing as refusing_place
from support.shortage import no_descriptors

from callahead.consumer import AllAttemptsFailed, CallTimeout, ConnectFailed, Consumer, TransportError

Consume = Callable[..., Consumer]


@pytest.fixture
def refusing() -> Iterator[int]:
    """A port that is ours and refuses connections."""
    with refusing_place() as (_, port):
        yield port


@pytest.fixture
def black_hole() -> Iterator[int]:
    """A port that never answers."""
    with black_hole_place() as (_, port):
        yield port


@pytest.mark.parametrize("mode", ["sync", "future"])
def test_refused(consume: Consume, refusing: int, mode: str) -> None:
    """A closed port is an error at once, not sent, with the system's reason."""
    foo = consume(foo_config(f"dubbo://127.0.0.1:{refusing}")).reference("foo")
    with pytest.raises(ConnectFailed) as caught:
        _ = foo.echo(1) if mode == "sync" else foo.echo.future(1).result(5)
    assert (caught.value.message, caught.value.not_sent) == ("no connection: Connection refused", True)
    assert caught.value.endpoint == f"dubbo://127.0.0.1:{refusing}"


def test_sent_and_one_way_raise(consume: Consume, refusing: int) -> None:
    """With sent the call itself raises that there is no connection; a one-way call without it does not."""
    foo = consume(foo_config(f"dubbo://127.0.0.1:{refusing}")).reference("foo")
    for method in (foo.aheadSent, foo.tellSent):
        with pytest.raises(ConnectFailed):
            method(1)
    assert foo.tell(1) is None
    assert foo.ahead(1) is None


def test_a_black_hole(consume: Consume, black_hole: int) -> None:
    """A peer whose system never answers costs connect_timeout, and the error says so."""
    config = foo_config(f"dubbo://127.0.0.1:{black_hole}", connect_timeout=300)
    foo = consume(config).reference("foo")
    began = time.monotonic()
    with pytest.raises(ConnectFailed) as caught:
        foo.echo(1)
    assert time.monotonic() - began > 0.28
    assert caught.value.message == "no connection: not within 300 ms (connect_timeout), connecting"
    assert caught.value.not_sent


def test_a_deadline_before_the_connect_timeout(consume: Consume, black_hole: int) -> None:
    """A call does not wait longer than its own timeout for a connection, and was not sent."""
    foo = consume(foo_config(f"dubbo://127.0.0.1:{black_hole}", timeout=150)).reference("foo")
    with pytest.raises(CallTimeout, match="the request was not sent within .*; the connection is being made") as caught:
        foo.echo(1)
    assert (caught.value.not_sent, caught.value.in_doubt) == (True, False)


@pytest.mark.slow
def test_an_unknown_host(consume: Consume) -> None:
    """A name that cannot be looked up is a clear error, and the I/O thread is not blocked meanwhile."""
    with DubboPeer(echo) as peer:
        config = foo_config("dubbo://no-such-host.invalid:20880", timeout=30000, connect_timeout=20000)
        config["references"]["bar"] = foo_config(peer.url)["references"]["foo"]
        consumer = consume(config)
        future = consumer.reference("foo").echo.future(1)
        assert consumer.reference("bar").echo(1) == 1
        with pytest.raises(ConnectFailed, match=r"^foo\.echo .*no-such-host\.invalid cannot be looked up: "):
            future.result(25)


def test_a_host_that_is_no_name(consume: Consume) -> None:
    """A label is empty; nobody is asked for it, and the call fails at once."""
    foo = consume(foo_config("dubbo://foo..internal:20880", timeout=30000)).reference("foo")
    with pytest.raises(ConnectFailed) as caught:
        foo.echo(1)
    assert caught.value.message == "no connection: foo..internal cannot be looked up: it is no host name"
    assert caught.value.not_sent


def test_a_host_name(consume: Consume) -> None:
    """A name is looked up off the I/O thread; where its first address refuses the next is tried."""
    with DubboPeer(echo) as peer:
        foo = consume(foo_config(f"dubbo://localhost:{peer.port}")).reference("foo")
        assert foo.echo("by name") == "by name"


def test_backoff(consume: Consume, refusing: int) -> None:
    """While a repetition waits its time calls fail at once with the last error; the waits grow, with jitter."""
    foo = consume(foo_config(f"dubbo://127.0.0.1:{refusing}")).reference("foo")
    attempts = at_once = 0
    while attempts < 4:
        error = foo.echo.future(1).exception(5)
        assert isinstance(error, ConnectFailed)
        assert error.not_sent
        if "the next attempt is made in" in error.message:
            assert error.message.startswith("no connection: Connection refused; the next attempt is made in ")
            at_once += 1
        else:
            attempts += 1
        time.sleep(0.005)
    assert at_once > attempts


def test_recovery(consume: Consume, refusing: int) -> None:
    """When the peer comes back the next attempt connects."""
    with DubboPeer(echo) as gone:
        port = gone.port
        consumer = consume(foo_config(gone.url))
        foo = consumer.reference("foo")
        assert foo.echo(1) == 1
    error = foo.echo.future(1).exception(5)  # it may find out by this call that the peer has gone
    assert isinstance(error, TransportError)
    with DubboPeer(echo, port=port):
        assert wait_until(lambda: foo.echo.future(2).exception(5) is None)
        assert foo.echo(3) == 3
        (connection,) = connections_of(consumer)
        assert connection.counters.connects == 2


def test_failover_to_a_peer_that_is_there(consume: Consume, refusing: int, black_hole: int) -> None:
    """Providers without a connection are passed over, whatever the method, since nothing was sent."""
    with DubboPeer(echo) as peer:
        urls = [f"dubbo://127.0.0.1:{refusing}", f"dubbo://127.0.0.1:{black_hole}", peer.url]
        foo = consume(foo_config(*urls, retries=2, connect_timeout=200)).reference("foo")
        for number in range(10):
            assert foo.echo(number) == number
            assert foo.echo.future(number).result(5) == number


def test_no_descriptor_left(consume: Consume) -> None:
    """Where the system gives no socket the call fails at once and says so, and later calls connect."""
    with DubboPeer(echo) as peer:
        consumer = consume(foo_config(peer.url))
        foo = consumer.reference("foo")
        other = consume(foo_config("dubbo://127.0.0.1:1")).reference("foo")
        assert isinstance(other.echo.future(1).exception(5), ConnectFailed)  # its threads and poller are there
        time.sleep(0.12)
        with no_descriptors():
            error = other.echo.future(1).exception(5)
        assert isinstance(error, ConnectFailed)
        assert error.message == "no connection: no socket: Too many open files"
        assert foo.echo(1) == 1


def server_context(certificates: Path, name: str = "server", client_ca: str = "") -> ssl.SSLContext:
    """Make a server's side of TLS."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates / f"{name}.pem", certificates / f"{name}.key")
    if client_ca:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(certificates / f"{client_ca}.pem")
    return context


def test_tls(consume: Consume, certificates: Path) -> None:
    """TLS from YAML carries calls of every mode and values larger than a TLS record."""
    with DubboPeer(echo, tls=server_context(certificates)) as peer:
        foo = consume(foo_config(peer.url, ssl={"ca": str(certificates / "ca.pem")})).reference("foo")
        text = "x" * 3_000_000
        assert [foo.echo(1), foo.echo.future(2).result(5), foo.tellSent(3)] == [1, 2, None]
        assert foo.echo(text) == text
        futures = [foo.echo.future([number, "y" * (number * 13 % 40_000)]) for number in range(100)]
        assert [future.result(10)[0] for future in futures] == list(range(100))
        assert peer.links[0].socket.version() in ("TLSv1.2", "TLSv1.3")  # type: ignore[attr-defined]
        assert len(peer.links) == 1


def test_mutual_tls(consume: Consume, certificates: Path) -> None:
    """With a certificate of its own the consumer is let in where one is asked for."""
    own = {name: str(certificates / file) for name, file in
           {"ca": "ca.pem", "cert": "client.pem", "key": "client.key"}.items()}  # fmt: skip
    with DubboPeer(echo, tls=server_context(certificates, client_ca="ca")) as peer:
        assert consume(foo_config(peer.url, ssl=own)).reference("foo").echo(1) == 1


@pytest.mark.parametrize("size", [1, 3_000_000], ids=["small", "large"])
def test_a_stranger_is_not_let_in(consume: Consume, certificates: Path, size: int) -> None:
    """A server that wants a certificate says so after the handshake; it has read nothing, however much was written."""
    with DubboPeer(echo, tls=server_context(certificates, client_ca="ca")) as peer:
        foo = consume(foo_config(peer.url, retries=0, ssl={"ca": str(certificates / "ca.pem")})).reference("foo")
        for call in (foo.echo.future("x" * size), foo.echo.future("y")):
            error = call.exception(5)
            assert isinstance(error, ConnectFailed)
            assert error.not_sent
            assert "certificate" in error.message.lower()


@pytest.mark.parametrize("mode", ["sync", "future"])
def test_plain_where_tls_is_spoken(consume: Consume, mode: str) -> None:
    """A server that complains by a TLS alert cannot have read a plain request; the error says what is missing."""

    def complain(link: Link) -> None:
        link.read()
        link.send(b"\x15\x03\x01\x00\x02\x02\x46")
        link.hang_up()

    with DubboPeer(complain) as peer:
        foo = consume(foo_config(peer.url, retries=0)).reference("foo")
        with pytest.raises(ConnectFailed, match="the provider speaks TLS there, and this reference has no") as caught:
            foo.echo(1) if mode == "sync" else foo.echo.future(1).result(5)
        assert caught.value.not_sent


def test_the_wrong_authority(consume: Consume, certificates: Path) -> None:
    """A provider whose certificate another authority signed is not spoken to, and the error says why."""
    with DubboPeer(echo, tls=server_context(certificates, "stranger")) as peer:
        foo = consume(foo_config(peer.url, ssl={"ca": str(certificates / "ca.pem")})).reference("foo")
        with pytest.raises(ConnectFailed, match="the TLS handshake failed: .*CERTIFICATE_VERIFY_FAILED") as caught:
            foo.echo(1)
        assert caught.value.not_sent


@pytest.mark.parametrize(("name", "works"), [("foo.internal", True), ("bar.internal", False)])
def test_the_server_name(consume: Consume, certificates: Path, name: str, works: bool) -> None:
    """`server_name` is what must stand in the certificate."""
    with DubboPeer(echo, tls=server_context(certificates)) as peer:
        tls = {"ca": str(certificates / "ca.pem"), "server_name": name}
        error = consume(foo_config(peer.url, ssl=tls)).reference("foo").echo.future(1).exception(5)
        assert (error is None) == works
        assert works or "Hostname mismatch" in str(error)


def test_a_peer_that_is_mute_in_the_handshake(consume: Consume, certificates: Path) -> None:
    """A peer that accepts and never shakes hands costs connect_timeout, and blocks nobody else."""
    with DubboPeer(mute) as silent, DubboPeer(echo) as peer:
        config = foo_config(silent.url, connect_timeout=300, ssl={"ca": str(certificates / "ca.pem")})
        config["references"]["bar"] = foo_config(peer.url)["references"]["foo"]
        consumer = consume(config)
        future = consumer.reference("foo").echo.future(1)
        assert consumer.reference("bar").echo(1) == 1
        error = future.exception(5)
        assert isinstance(error, ConnectFailed)
        text = "no connection: not within 300 ms (connect_timeout), shaking hands by TLS, which the"
        assert error.message.startswith(text)


def test_a_peer_without_tls(consume: Consume, certificates: Path) -> None:
    """A peer that speaks plain dubbo where TLS is expected is a clear error."""

    def plain(link: Link) -> None:
        link.read()
        link.send(b"\xda\xbb" + bytes(14))

    with DubboPeer(plain) as peer:
        foo = consume(foo_config(peer.url, ssl={"ca": str(certificates / "ca.pem")})).reference("foo")
        with pytest.raises(ConnectFailed, match="the TLS handshake failed: "):
            foo.echo(1)


def test_all_providers_gone(consume: Consume, refusing: int) -> None:
    """Where every provider refuses, the error of the call holds that of each attempt."""
    urls = [f"dubbo://127.0.0.1:{refusing}", f"dubbo://localhost:{refusing}"]
    with pytest.raises(AllAttemptsFailed) as caught:
        consume(foo_config(*urls, retries=1)).reference("foo").echo(1)
    assert [type(error) for error in caught.value.failures] == [ConnectFailed, ConnectFailed]
    assert caught.value.not_sent
