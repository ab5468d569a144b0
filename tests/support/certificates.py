"""Certificates for tests, made anew each time."""

from __future__ import annotations

import datetime as dt
import ipaddress
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


def make_certificates(folder: Path) -> Path:
    """Fill *folder* with ``ca``, ``server``, ``client``, ``other_ca``, ``stranger`` and two of the past, and return it.

    Each is a ``.pem`` and a ``.key``. ``server`` is for 127.0.0.1 and for foo.internal; ``stranger`` is signed by
    ``other_ca``; ``expired``, which ``ca`` signed, and ``expired_ca`` were good until the day before yesterday.
    """
    ca = _certificate(folder, "ca", None)
    other = _certificate(folder, "other_ca", None)
    _certificate(folder, "server", ca)
    _certificate(folder, "client", ca)
    _certificate(folder, "stranger", other)
    _certificate(folder, "expired", ca, days=-2)
    _certificate(folder, "expired_ca", None, days=-2)
    return folder


def _usage(*, is_ca: bool) -> Any:
    return x509.KeyUsage(
        digital_signature=True,
        key_cert_sign=is_ca,
        crl_sign=is_ca,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _certificate(folder: Path, name: str, issuer: Any, days: int = 1) -> Any:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"callahead test {name}")])
    signer_name, signer_key = issuer or (subject, key)
    now = dt.datetime.now(dt.UTC)
    names = [x509.IPAddress(ipaddress.ip_address("127.0.0.1")), x509.DNSName("foo.internal")]
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(signer_name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=9))
        .not_valid_after(now + dt.timedelta(days=days))
        .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
        # From 3.13 on Python insists on these, and on what a CA's key is for.
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer_key.public_key()), critical=False)
        .add_extension(_usage(is_ca=issuer is None), critical=True)
    )
    if issuer is not None:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    certificate = builder.sign(signer_key, hashes.SHA256())
    (folder / f"{name}.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    (folder / f"{name}.key").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return subject, key
