"""One JVM for each Dubbo version, started when a test first asks for it and killed at the end of the run."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from callahead.consumer import Consumer, Reference
from callahead.consumer.codec.hessian2 import binding
from tests.interop import services
from tests.interop.provider import JavaProvider, missing
from tests.interop.wires import JAVA_WIRES, Wire

Consume = Callable[..., Consumer]

# Bindings hold for the process, and tests elsewhere read the same Java classes as nobody's: so ours come and go.
_OURS = [each for each in binding._by_name.values() if each.cls.__module__ == services.__name__]


def _unbind() -> None:
    for each in _OURS:
        del binding._by_name[each.java_class], binding._by_class[each.cls]


_unbind()


@pytest.fixture(scope="module")
def bound() -> Iterator[None]:
    """The classes of services.py stand for those of Java while the tests of a module run."""
    for each in _OURS:
        binding._register(each)
    yield
    _unbind()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what needs Java providers as long."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.long)


@pytest.fixture(scope="session")
def java() -> None:
    """Skip what needs Java where there is none, and say how to get it; in CI that is a failure."""
    why_not = missing()
    if why_not is None:
        return
    if os.environ.get("CALLAHEAD_CI"):
        pytest.fail(f"CALLAHEAD_CI is set, so nothing may be skipped, but {why_not}")
    pytest.skip(why_not)


class Providers:
    """The shared providers; no test ends or pauses one of them."""

    def __init__(self) -> None:
        self._running: dict[str, JavaProvider] = {}

    def __call__(self, version: str) -> JavaProvider:
        """The provider of that version, which is started the first time."""
        provider = self._running.get(version)
        if provider is None:
            provider = self._running[version] = JavaProvider(version).start()
        return provider

    def stop(self) -> None:
        """Kill them all."""
        for provider in self._running.values():
            provider.kill()


@pytest.fixture(scope="session")
def providers(java: None) -> Iterator[Providers]:
    """The shared JVMs, by version."""
    providers = Providers()
    yield providers
    providers.stop()


@pytest.fixture
def consume(tmp_path: Path) -> Iterator[Consume]:
    """Make a consumer of references and defaults written as YAML; closed at the end of the test."""
    opened: list[Consumer] = []

    def make(references: dict[str, Any], *, options: dict[str, Any] | None = None, **defaults: Any) -> Consumer:
        consumer = {"timeout": 10_000, "retries": 0, **defaults}
        file = tmp_path / f"consumer{len(opened)}.yml"
        config = {"application": {"name": "interop"}, "consumer": consumer, "references": references}
        file.write_text(yaml.safe_dump(config, sort_keys=False))
        opened.append(Consumer.from_file(file, **(options or {})))
        return opened[-1]

    yield make
    for consumer in opened:
        consumer.close(timeout=0)


@pytest.fixture(params=JAVA_WIRES, ids=lambda wire: wire.name)
def wire(request: pytest.FixtureRequest) -> Wire:
    """Each wire that carries Java interfaces."""
    found: Wire = request.param
    return found


@pytest.fixture
def refer(providers: Providers, consume: Consume, wire: Wire) -> Callable[..., Reference]:
    """Make a reference to a Java interface over the test's wire; keywords are settings of the reference."""

    def make(service: str, **settings: Any) -> Reference:
        reference = wire.java(providers(wire.version), service, **settings)
        return consume({"service": reference}).reference("service")

    return make
