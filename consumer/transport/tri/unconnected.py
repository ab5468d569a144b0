"""Why gRPC core has no connection, as far as its texts tell, and which settings to look at."""

from __future__ import annotations

import re
from typing import Final

from callahead.config.policy import ReferencePolicy

from ...errors import ConnectFailed, RpcError
from ..trouble import Trouble

_WHERE: Final = ("protocol", "urls")
_NOBODY: Final = "Failed to connect to remote host"
_CLOSED: Final = r"Socket closed|[Cc]onnection reset|Broken pipe|Endpoint closing|EOF"

# What gRPC core says, what that means, and the settings that decide it; the first that fits.
_PLAIN: Final = (
    (r"http1\.x server", "the provider answers like HTTP/1", _WHERE),
    (r"HTTP/2", "what the provider answers is no HTTP/2: it may speak TLS there, or not gRPC", ("ssl", *_WHERE)),
    (r"before receiving SETTINGS", "the provider says no word of HTTP/2, and may not speak gRPC there", _WHERE),
    (_CLOSED, "the provider closed it without a word of HTTP/2: it may speak TLS there, or not gRPC", ("ssl", *_WHERE)),
)
_TLS: Final = (
    (r"WRONG_VERSION_NUMBER", "the provider does not speak TLS there", ("ssl", "urls")),
    (r"Hostname Verification", "", ("ssl.server_name", "urls")),
    (r"CERTIFICATE_VERIFY_FAILED", "the provider's certificate is not trusted", ("ssl.ca", "urls")),
    (r"ALPN|HTTP/2|before receiving SETTINGS", "the provider speaks TLS there, but not HTTP/2 as gRPC does", _WHERE),
    (r"_ALERT_", "the provider refused the TLS handshake", ("ssl.cert", "urls")),
    (r"[Hh]andshake", "the provider may not speak TLS there", ("ssl", "urls")),
    (_CLOSED, "the provider closed it once TLS was there: it may want a certificate, or another one, or not speak gRPC",
     ("ssl.cert", *_WHERE)),
)  # fmt: skip


def why_unconnected(text: str, policy: ReferencePolicy) -> Trouble:
    """Tell from gRPC core's *text* what the provider seems to speak."""
    if _NOBODY in text:
        return Trouble(text)
    for pattern, meaning, about in _PLAIN if policy.ssl is None else _TLS:
        if re.search(pattern, text):
            return Trouble(f"{text}; {meaning}" if meaning else text, about)
    return Trouble(text)


def explained(error: RpcError, policy: ReferencePolicy) -> RpcError:
    """Add to why a provider could not be asked for its types which settings to look at."""
    if isinstance(error, ConnectFailed):
        text = why_unconnected(error.message, policy).of(policy)
    else:
        text = f"{error.message}; {why_silent(policy).of(policy)}"
    return type(error)(text, not_sent=error.not_sent, status=error.status)


def why_silent(policy: ReferencePolicy) -> Trouble:
    """Say what may be wrong with a provider towards which no connection came about in time, without a word of why."""
    if policy.ssl is None:
        return Trouble("nobody answers there, or not as gRPC does", _WHERE)
    return Trouble("nobody answers there, or not by TLS, or not as gRPC does", ("ssl", *_WHERE))
