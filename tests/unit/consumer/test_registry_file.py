"""A consumer whose registry is down at its start, and that has kept the lists of the last one."""

from __future__ import annotations

from pathlib import Path

import pytest

from callahead.consumer import Consumer, NoProviderAvailable

FOO = "com.alibaba.foo.FooService"


@pytest.fixture
def config(tmp_path: Path) -> Path:
    found = tmp_path / "consumer.yml"
    found.write_text(
        "registry: {id: main, address: 'file:providers.yml', file: cache/main.json, parameters: {interval: 10}}\n"
        f"references: {{foo: {{interface: {FOO}, module: callahead.conf.foo_pb2}}}}\n"
    )
    return found


def addresses(consumer: Consumer) -> list[str]:
    consumer.reference("foo")
    return [provider.endpoint.address for provider in consumer._pipelines["foo"].directory.providers]


def test_what_the_last_process_knew_is_used(config: Path, tmp_path: Path) -> None:
    """The path is one from the folder of the configuration; without the file the start fails as ever."""
    providers = tmp_path / "providers.yml"
    providers.write_text(f"{FOO}: ['tri://127.0.0.1:1']")
    with Consumer.from_file(config) as consumer:
        assert addresses(consumer) == ["127.0.0.1:1"]
    providers.unlink()
    with Consumer.from_file(config) as consumer:
        assert addresses(consumer) == ["127.0.0.1:1"]
    (tmp_path / "cache" / "main.json").unlink()
    with Consumer.from_file(config) as consumer, pytest.raises(NoProviderAvailable, match="the file does not exist"):
        consumer.reference("foo")


def test_a_registry_that_says_none_is_believed(config: Path, tmp_path: Path) -> None:
    """The file is for one that cannot be asked."""
    providers = tmp_path / "providers.yml"
    providers.write_text(f"{FOO}: ['tri://127.0.0.1:1']")
    with Consumer.from_file(config) as consumer:
        consumer.reference("foo")
    providers.write_text("[]")
    with Consumer.from_file(config) as consumer, pytest.raises(NoProviderAvailable, match="no provider of"):
        consumer.reference("foo")
