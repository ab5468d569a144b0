"""What a failed TLS handshake says of the peer."""

from __future__ import annotations

import socket
import ssl

import pytest

from callahead.consumer.transport.tcp.handshake import first_bytes, why_failed

WRONG_VERSION = ssl.SSLError(1, "[SSL: WRONG_VERSION_NUMBER] wrong version number")
WRONG_VERSION.reason = "WRONG_VERSION_NUMBER"
END = ssl.SSLEOFError(8, "EOF occurred in violation of protocol")
END.reason = "UNEXPECTED_EOF_WHILE_READING"


@pytest.mark.parametrize(
    ("error", "first", "text"),
    [
        (WRONG_VERSION, bytes.fromhex("000012 04 00 00000000"), "there: it answers like HTTP/2, as gRPC does"),
        (WRONG_VERSION, b"HTTP/1.1 400 Bad Request", "there: it answers like HTTP/1"),
        (WRONG_VERSION, b"\xda\xbb\x22\x14", "there: it answers like dubbo"),
        (WRONG_VERSION, b"220 smtp", "there: its answer begins with b'220 smtp'"),
        (WRONG_VERSION, b"", "the provider does not speak TLS there"),
        (END, b"", "the provider has not said a word, and may not speak TLS there"),
    ],
)
def test_what_the_first_bytes_tell(error: OSError, first: bytes, text: str) -> None:
    """A language that is known is named, and it is a matter of ssl and of the address."""
    trouble = why_failed(error, first)
    assert trouble.text.startswith("the TLS handshake failed: ")
    assert trouble.text.endswith(text)
    assert trouble.about == ("ssl", "urls")


def test_a_peer_that_began_with_tls_is_suspected_of_nothing_else() -> None:
    """What went wrong later is for OpenSSL to say."""
    assert why_failed(END, b"\x16\x03\x03").text == f"the TLS handshake failed: {END}"


def test_the_first_bytes_stay_to_be_read() -> None:
    """They are looked at, and OpenSSL reads them."""
    near, far = socket.socketpair()
    with near, far:
        near.setblocking(False)
        assert first_bytes(near) == b""
        far.sendall(b"abc")
        assert (first_bytes(near), near.recv(9)) == (b"abc", b"abc")
