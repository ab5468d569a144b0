"""What is said to Nacos servers and what they answer, at the level of bytes; and the log-in."""

import contextlib
import threading
from collections.abc import Iterator
from contextlib import closing
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from ssl import PROTOCOL_TLS_SERVER, SSLContext

import pytest
from google.protobuf import any_pb2
from hypothesis import given
from hypothesis import strategies as st
from support.certificates import make_certificates

from callahead.config.policy import RegistryPolicy, SslPolicy
from callahead.registry.errors import RegistryError
from callahead.registry.nacos.errors import Lost
from callahead.registry.nacos.login import Login
from callahead.registry.nacos.payload import Message, decode, encode
from callahead.registry.nacos.settings import Server, Settings


def test_a_message_is_written_as_nacos_describes_it() -> None:
    """Byte by byte: metadata in field 2 with type, headers and address; JSON in an Any in field 3."""
    header = b"\x0a\x01k\x12\x01v"
    metadata = b"\x1a\x01T" + b"\x3a" + bytes([len(header)]) + header + b"\x42\x01h"
    body = any_pb2.Any(value=b'{"a": 1}').SerializeToString()
    wanted = b"\x12" + bytes([len(metadata)]) + metadata + b"\x1a" + bytes([len(body)]) + body
    assert encode(Message("T", {"a": 1}), {"k": "v"}, "h") == wanted


def test_a_message_is_read_as_it_was_written() -> None:
    """With text of any script."""
    message = Message("T", {"name": "été", "list": [1, None, True]})
    assert decode(encode(message, {}, "")) == message


@pytest.mark.parametrize("body", [b"", b"[]", b"null", b"{", b"\xff", b"[" * 100_000])
def test_a_body_that_is_no_object_is_an_error(body: bytes) -> None:
    """Whatever else it may be."""
    said = any_pb2.Any(value=body).SerializeToString()
    length = bytes([len(said) & 0x7F | 0x80, len(said) >> 7 & 0x7F | 0x80, len(said) >> 14])
    with pytest.raises(RegistryError, match="the server said "):
        decode(b"\x1a" + length + said)


@given(st.binary(max_size=200))
def test_any_bytes_are_a_message_or_an_error(data: bytes) -> None:
    """Nothing else comes of them."""
    with contextlib.suppress(RegistryError):
        assert isinstance(decode(data).kind, str)


class Answering(HTTPServer):
    """Answers each log-in with what the test has put in."""

    status = 200
    text = b'{"accessToken": "t1", "tokenTtl": 3600}'

    def __init__(self, tls: SSLContext | None = None) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        if tls is not None:
            self.socket = tls.wrap_socket(self.socket, server_side=True)
        self.forms: list[str] = []
        self.thread = threading.Thread(target=self.serve_forever, args=(0.01,))
        self.thread.start()

    @property
    def server(self) -> Server:
        return Server("127.0.0.1", self.server_port)

    def close(self) -> None:
        self.shutdown()
        self.thread.join()
        self.server_close()


class Handler(BaseHTTPRequestHandler):
    server: Answering

    def do_POST(self) -> None:
        form = self.rfile.read(int(self.headers["Content-Length"])).decode()
        self.server.forms.append(f"{self.path} {form}")
        self.send_response(self.server.status)
        self.end_headers()
        self.wfile.write(self.server.text)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def answering() -> Iterator[Answering]:
    with closing(Answering()) as server:
        yield server


def login(user: str = "me:p%26w@", ssl: SslPolicy | None = None) -> Login:
    return Login(Settings.of(RegistryPolicy(id="main", address=f"nacos://{user}h", ssl=ssl)))


def test_one_log_in_serves_many_requests(answering: Answering) -> None:
    """Until it is forgotten; name and password are escaped."""
    one = login()
    assert [one.headers(answering.server) for _ in range(3)] == [{"accessToken": "t1"}] * 3
    assert answering.forms == ["/nacos/v1/auth/users/login username=me&password=p%26w"]
    assert one.forget()
    one.headers(answering.server)
    assert len(answering.forms) == 2


def test_a_token_is_renewed_when_most_of_its_time_has_passed(answering: Answering) -> None:
    """One without any time is got for each request."""
    answering.text = b'{"accessToken": "t1", "tokenTtl": 0}'
    one = login()
    for _ in range(3):
        one.headers(answering.server)
    assert len(answering.forms) == 3


def test_without_a_name_nobody_logs_in(answering: Answering) -> None:
    """And there is nothing to forget."""
    one = login("")
    assert one.headers(answering.server) == {}
    assert not one.forget()
    assert answering.forms == []


@pytest.mark.parametrize(
    ("status", "text", "why"),
    [
        (403, b"unknown user!", r"refuses user name and password \(HTTP 403\)"),
        (500, b"", r"does not log in \(HTTP 500\)"),
        (200, b"<html>", "answered the log-in with something that holds no token"),
        (200, b"[]", "answered the log-in with something that holds no token"),
        (200, b'{"accessToken": "t1"}', "answered the log-in with something that holds no token"),
        (200, b'{"accessToken": "t1", "tokenTtl": {}}', "answered the log-in with something that holds no token"),
    ],
)
def test_a_log_in_that_fails_says_where_and_why(answering: Answering, status: int, text: bytes, why: str) -> None:
    """And never with what."""
    answering.status, answering.text = status, text
    with pytest.raises(Lost, match=f"127.0.0.1:[0-9]+ {why}") as caught:
        login().headers(answering.server)
    assert "p&w" not in str(caught.value)


def test_name_and_password_go_over_tls_where_ssl_says_so(tmp_path: Path) -> None:
    """And to nobody whose certificate is not trusted."""
    folder = make_certificates(tmp_path)
    tls = SSLContext(PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(folder / "server.pem", folder / "server.key")
    with closing(Answering(tls)) as server:
        for name in (None, "foo.internal"):
            trusting = SslPolicy(ca=str(folder / "ca.pem"), server_name=name)
            assert login(ssl=trusting).headers(server.server) == {"accessToken": "t1"}
        for ssl in (SslPolicy(ca=str(folder / "other_ca.pem")), SslPolicy(ca="/nowhere.pem")):
            with pytest.raises(Lost, match="does not log in: "):
                login(ssl=ssl).headers(server.server)
        assert len(server.forms) == 2


def test_a_server_that_is_not_there_is_named() -> None:
    """With what the system says."""
    with pytest.raises(Lost, match=r"127.0.0.1:1 does not log in: connection refused"):
        login().headers(Server("127.0.0.1", 1))
