"""Why a TLS handshake failed, as far as its first bytes and OpenSSL's words tell."""

from __future__ import annotations

import re
import socket
import ssl

from ..trouble import Trouble, language

_FIRST_BYTES = 24
_FAILED = "the TLS handshake failed"
# A server refuses this side's certificate, or the lack of one; by TLS 1.3 that may be after this side's handshake.
_REFUSAL = re.compile(r"ALERT_.*(CERT|UNKNOWN_CA|HANDSHAKE|ACCESS_DENIED|PROTOCOL_VERSION)")
_WHERE = ("ssl", "urls")


def first_bytes(opened: socket.socket) -> bytes:
    """Look at what the peer has said, and leave it to be read; b"" for nothing yet."""
    try:
        return socket.socket.recv(opened, _FIRST_BYTES, socket.MSG_PEEK)  # that of an SSLSocket has no such flag
    except OSError:
        return b""


def why_failed(error: OSError | ValueError, first: bytes) -> Trouble:
    """Say why a handshake failed by *error* whose answer began with *first*."""
    if isinstance(error, ssl.SSLCertVerificationError):
        setting = "ssl.server_name" if "mismatch" in error.verify_message else "ssl.ca"
        return Trouble(f"{_FAILED}: {error}", (setting, "urls"))
    refusal = why_refused(error)
    if refusal is not None:
        return Trouble(f"{_FAILED}: {error}", refusal.about)
    return Trouble(f"{_FAILED}: {error}{_of_answer(error, first)}", _WHERE)


def _of_answer(error: Exception, first: bytes) -> str:
    if first and first[:1] not in b"\x15\x16":
        spoken = language(first)
        answers = f"it answers like {spoken}" if spoken else f"its answer begins with {first!r}"
        return f"; the provider does not speak TLS there: {answers}"
    if isinstance(error, ssl.SSLError) and error.reason == "WRONG_VERSION_NUMBER":  # read before it was looked at
        return "; the provider does not speak TLS there"
    return "" if first else "; the provider has not said a word, and may not speak TLS there"


def too_slow(stage: str) -> Trouble:
    """Say what may be wrong with a peer that is mute in the handshake."""
    return Trouble(f"{stage}, which the provider may not speak there", _WHERE)


def disagreed(speaks: str) -> Trouble:
    """Say that the peer has not agreed to speak *speaks* by TLS."""
    text = f"the provider speaks TLS there, but not HTTP/2 as gRPC does: it agreed to no ALPN protocol {speaks}"
    return Trouble(text, ("protocol", "urls"))


def why_refused(error: Exception) -> Trouble | None:
    """Say why the peer refused what this side showed of itself; None where it did not."""
    if isinstance(error, ssl.SSLError) and _REFUSAL.search(error.reason or ""):
        return Trouble(f"the provider refused the TLS handshake: {error}", ("ssl.cert", "urls"))
    return None
