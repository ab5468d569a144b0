"""What a configuration and a registry hold that nobody else may see, wherever a registry or its providers are shown."""

from __future__ import annotations

import logging
import os
import stat
from collections.abc import Sequence
from pathlib import Path

import pytest
from click.testing import CliRunner

from callahead.consumer import ConnectFailed, Consumer
from callahead.consumer.cli.main import main

SECRET = "s3same"
CONFIG = """
registries:
  one: {address: "zookeeper://me:s3same@127.0.0.1:1?timeout=100ms", file: one.json}
  two: {address: "nacos://127.0.0.1:1?timeout=100ms&username=me&password=s3same"}
  three: {address: "zookeeper://127.0.0.1:2?timeout=100ms", parameters: {username: me, password: s3same}}
  four: {address: "file:providers.yml", file: four.json}
references:
  foo: {interface: a.B, protocol: dubbo, generic: true, registry: [one, two, three, four], retries: 0}
"""
LISTED = 'a.B: ["dubbo://me:s3same@127.0.0.1:1/a.B?token=s3same&password=s3same"]'


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "providers.yml").write_text(LISTED)
    file = tmp_path / "shop.yml"
    file.write_text(CONFIG)
    return file


@pytest.mark.parametrize(
    "command",
    [
        ("explain", "shop.yml", "foo"),
        ("providers", "shop.yml", "foo"),
        ("providers", "shop.yml", "foo", "--json"),
        ("check", "shop.yml", "--connect"),
        ("call", "shop.yml", "foo", "find"),
    ],
    ids=" ".join,
)
@pytest.mark.usefixtures("config")
def test_no_command_shows_a_secret(command: Sequence[str], caplog: pytest.LogCaptureFixture) -> None:
    """Neither of a registry, three of which cannot be reached, nor of a provider."""
    with caplog.at_level(logging.DEBUG):
        result = CliRunner().invoke(main, command)
    assert result.output
    assert SECRET not in result.output + result.stderr + caplog.text


def test_no_error_log_or_representation_shows_a_secret(config: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The file of the last good list has it, which only its owner may read."""
    with caplog.at_level(logging.DEBUG), Consumer.from_file(config) as consumer:
        foo = consumer.reference("foo")
        with pytest.raises(ConnectFailed) as caught:
            foo.find("x")
        registries = consumer._registries
        shown = [caught.value, consumer, consumer.config, registries._named, registries._own, consumer.providers("foo")]
        shown += consumer._pipelines["foo"].directory.providers
        texts = [f"{each} {each!r}" for each in shown]
    assert SECRET not in caplog.text + "".join(texts)
    # Written a moment after it was told, and at the latest as the consumer closes.
    kept = config.parent / "four.json"
    assert SECRET in kept.read_text()
    assert stat.S_IMODE(os.stat(kept).st_mode) == 0o600
