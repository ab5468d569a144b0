"""Certificates that no provider could be reached by, found before anything is connected."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.certificates import make_certificates

from callahead.config import load_mapping
from callahead.config.errors import ConfigError
from callahead.config.policy import ReferencePolicy
from callahead.consumer.transport.certificates import client_context
from callahead.consumer.transport.tri.channels import kinds_of


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_certificates(tmp_path_factory.mktemp("certificates"))


def policy_of(folder: Path, **files: str) -> ReferencePolicy:
    ssl = {name: str(folder / file) for name, file in files.items()}
    foo = {"interface": "a.Foo", "url": "tri://h:1", "ssl": ssl}
    return load_mapping({"references": {"foo": foo}}).references["foo"]


def judge(policy: ReferencePolicy) -> None:
    assert policy.ssl is not None
    client_context(policy, policy.ssl)


@pytest.mark.parametrize("judge", [judge, kinds_of], ids=["ours", "tri"])
@pytest.mark.parametrize(
    ("files", "key", "text"),
    [
        ({"cert": "client.pem", "key": "server.key"}, "key", "server.key is not the private key of the certificate in"),
        ({"cert": "expired.pem", "key": "expired.key"}, "cert", "expired.pem has expired, on 2"),
        ({"ca": "expired_ca.pem"}, "ca", "expired_ca.pem has expired, on 2"),
        ({"ca": "broken.pem"}, "ca", "broken.pem cannot be used: "),
        ({"cert": "broken.pem", "key": "client.key"}, "cert", "broken.pem cannot be used: "),
        ({"cert": "client.pem", "key": "broken.key"}, "key", "broken.key cannot be used: "),
    ],
)
def test_a_file_that_cannot_be_used(
    folder: Path, files: dict[str, str], key: str, text: str, judge: Callable[[ReferencePolicy], Any]
) -> None:
    """The error is a `ConfigError` at the setting of the file that is to blame, on every transport."""
    (folder / "broken.pem").write_text("-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n")
    (folder / "broken.key").write_text("-----BEGIN PRIVATE KEY-----\nMAA=\n-----END PRIVATE KEY-----\n")
    with pytest.raises(ConfigError) as caught:
        judge(policy_of(folder, **files))
    [problem] = caught.value.problems
    assert problem.key == f"references.foo.ssl.{key}"
    assert text in problem.text


def test_a_file_that_vanished_since_the_load(folder: Path) -> None:
    """It is named with its setting, as one that was never there."""
    (folder / "gone.pem").write_bytes((folder / "ca.pem").read_bytes())
    policy = policy_of(folder, ca="gone.pem")
    (folder / "gone.pem").unlink()
    with pytest.raises(ConfigError, match=r"foo\.ssl\.ca: .*gone\.pem cannot be read: No such file"):
        judge(policy)


@pytest.mark.parametrize("order", [("ca", "expired_ca"), ("expired_ca", "ca")])
def test_one_good_authority_is_enough(folder: Path, order: tuple[str, str]) -> None:
    """A file of authorities may hold some that have expired, as a system's own does."""
    (folder / "both.pem").write_bytes(b"".join((folder / f"{name}.pem").read_bytes() for name in order))
    judge(policy_of(folder, ca="both.pem"))


def test_good_files(folder: Path) -> None:
    """Nothing is wrong with what is right."""
    judge(policy_of(folder, ca="ca.pem", cert="client.pem", key="client.key"))
