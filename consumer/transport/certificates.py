"""The certificates of a reference, judged before anything is connected: by them alone no provider can be reached."""

from __future__ import annotations

import re
import ssl
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, TypeVar

from callahead.config.policy import ReferencePolicy, SslPolicy

from .shortage import is_shortage

T = TypeVar("T")

_CERTIFICATE: Final = re.compile(rb"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)
_VERSION, _UTC_TIME = 0xA0, 0x17
_VALIDITY: Final = 3  # behind the serial number, the algorithm and the issuer


def client_context(policy: ReferencePolicy, settings: SslPolicy) -> ssl.SSLContext:
    """Make this side of TLS, as *settings* of *policy* say.

    Raises:
        ConfigError: A file cannot be read or understood, has expired, or the key is another certificate's; at its line.
    """
    context = _judge(policy, "ca", settings.ca, lambda: ssl.create_default_context(cafile=settings.ca))
    if settings.ca is not None:
        _refuse_expired(policy, "ca", settings.ca, _last_expiry)
    if settings.cert is not None:
        _load_own(policy, context, settings.cert, settings.key)
        _refuse_expired(policy, "cert", settings.cert, _first_expiry)
    return context


def content(policy: ReferencePolicy, setting: str, path: str | None) -> bytes | None:
    """Read the file of a *setting* of ``ssl``, None where there is none.

    Raises:
        ConfigError: It cannot be read.
    """
    return None if path is None else _judge(policy, setting, path, Path(path).read_bytes)


def _load_own(policy: ReferencePolicy, context: ssl.SSLContext, cert: str, key: str | None) -> None:
    scratch = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    _judge(policy, "cert", cert, lambda: scratch.load_verify_locations(cert))
    # Without a password of ours OpenSSL would ask for one on the terminal.
    _judge(policy, "key", key, lambda: context.load_cert_chain(cert, key, password=""))


def _judge(policy: ReferencePolicy, setting: str, path: str | None, load: Callable[[], T]) -> T:
    try:
        return load()
    except ssl.SSLError as error:
        if error.reason is not None and error.reason.endswith("_MISMATCH"):
            text = f"{path} is not the private key of the certificate in ssl.cert"
        else:
            text = f"{path} cannot be used: {error.reason or error}"
        raise policy.error(f"ssl.{setting}", text) from error
    except OSError as error:
        if is_shortage(error):
            raise
        raise policy.error(f"ssl.{setting}", f"{path} cannot be read: {error.strerror or error}") from error


def _refuse_expired(
    policy: ReferencePolicy, setting: str, path: str, expiry: Callable[[list[datetime]], datetime]
) -> None:
    found = _CERTIFICATE.findall(content(policy, setting, path) or b"")
    expiries = [when for pem in found if (when := _not_after(ssl.PEM_cert_to_DER_cert(pem.decode()))) is not None]
    if expiries and expiry(expiries) < datetime.now(UTC):
        text = f"the certificate in {path} has expired, on {expiry(expiries):%Y-%m-%d %H:%M} UTC"
        raise policy.error(f"ssl.{setting}", text)


def _last_expiry(expiries: list[datetime]) -> datetime:
    """Take the last of all, as one authority that has not expired may be enough."""
    return max(expiries)


def _first_expiry(expiries: list[datetime]) -> datetime:
    """Take that of the first certificate, this consumer's own, before those that signed it."""
    return expiries[0]


def _not_after(der: bytes) -> datetime | None:
    """Read until when a certificate is valid, which the standard library tells of authorities' alone; None for never.

    Source: RFC 5280, 4.1.
    """
    try:
        (_, certificate), *_ = _items(der)
        (_, signed), *_ = _items(certificate)
        fields = [content for tag, content in _items(signed) if tag != _VERSION]
        _, (tag, text) = _items(fields[_VALIDITY])
        form = "%y%m%d%H%M%SZ" if tag == _UTC_TIME else "%Y%m%d%H%M%SZ"
        return datetime.strptime(text.decode("ascii"), form).replace(tzinfo=UTC)
    except (ValueError, IndexError):  # OpenSSL has taken it, so it is odd at most
        return None


def _items(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield tag and content of each element in *data*, which is DER."""
    at = 0
    while at < len(data):
        tag, length = data[at], data[at + 1]
        at += 2
        if length & 0x80:
            size = length & 0x7F
            length = int.from_bytes(data[at : at + size], "big")
            at += size
        yield tag, data[at : at + length]
        at += length
