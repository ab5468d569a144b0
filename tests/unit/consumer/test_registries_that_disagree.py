"""References that ask several registries which do not say the same."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from callahead.consumer import Consumer, NoProviderAvailable
from callahead.consumer.testing import ScriptedTransport
from callahead.registry import MemoryRegistry
from callahead.registry.memory import MemorySpace

CONFIG = """
registries:
  one: {address: "memory://disagreeing"}
  two:
    address: "nacos://user:s3same@127.0.0.1:1?timeout=300ms"
references:
  foo: {interface: a.Foo, registry: [one, two]}
"""


@pytest.fixture
def one() -> Iterator[MemorySpace]:
    with MemoryRegistry.named("disagreeing") as space:
        yield space


@pytest.fixture
def consumer(one: MemorySpace, tmp_path: Path) -> Iterator[Consumer]:
    """It asks that registry, and one that is down."""
    file = tmp_path / "x.yml"
    file.write_text(CONFIG)
    transport = ScriptedTransport(lambda attempt: attempt.provider.endpoint.parameters.get("timeout", "none"))
    with Consumer.from_file(file, transports={"tri": transport}, random=Random(1)) as made:
        yield made


def test_what_one_registry_lists_is_called_though_another_is_down(consumer: Consumer, one: MemorySpace) -> None:
    """The calls do not wait for it, and hear nothing of it."""
    one.publish("a.Foo", ["tri://h:1?timeout=7"])
    assert consumer.reference("foo").find() == "7"


def test_where_none_lists_anything_the_error_says_so_of_each(consumer: Consumer) -> None:
    """One is empty, the other is down; with file and line, and no password."""
    with pytest.raises(NoProviderAvailable) as caught:
        consumer.reference("foo")
    text = str(caught.value)
    assert "memory://disagreeing: no provider of a.Foo" in text
    assert "nacos://127.0.0.1:1/public/DEFAULT_GROUP: 127.0.0.1 cannot be reached at port 1001" in text
    assert "(registries.two.address, " in text
    assert "x.yml:5)" in text
    assert "s3same" not in text


def test_of_one_address_that_two_list_otherwise_the_first_registry_counts() -> None:
    """Whichever has answered first; when it lists it no more the other does."""
    config = {
        "registries": {name: {"address": f"memory://disagreeing-{name}"} for name in ("a", "b")},
        "references": {"foo": {"interface": "a.Foo", "registry": ["b", "a"]}},
    }
    transport = ScriptedTransport(lambda attempt: attempt.provider.endpoint.parameters["timeout"])
    with MemoryRegistry.named("disagreeing-a") as a, MemoryRegistry.named("disagreeing-b") as b:
        a.publish("a.Foo", ["tri://h:1?timeout=7"])
        b.publish("a.Foo", ["tri://h:1?timeout=8"])
        with Consumer(config, transports={"tri": transport}) as consumer:
            foo = consumer.reference("foo")
            assert foo.find() == "8"
            b.publish("a.Foo", [])
            assert foo.find() == "7"
