"""An estate: several real providers in processes of their own, a registry that lists them, and a consumer.

A test of this folder makes a fault that befalls a part of it, and looks at what callers see. Its short form is marked
``slow``, and ``long`` where it takes more than some seconds; what is marked ``minutes`` is left to ``nox -s estate``,
which runs all of them.
"""

from __future__ import annotations

import itertools
import os
import sys
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import wait
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from callahead.consumer import Consumer, InvocationFuture
from callahead.consumer.testing import ProviderProcess
from callahead.registry import MemoryRegistry
from tests.interop.provider import missing

HERE = Path(__file__).parent
# For what stands next door.
sys.path.append(str(HERE))

SERVICE = "com.alibaba.foo.FooService"
OF_PROTOCOL: dict[str, dict[str, Any]] = {
    "dubbo": {"methods": {"findFoo": {"parameter_types": ["int"]}}},
    "tri": {"module": "callahead.conf.foo_pb2"},
}
_names = itertools.count()


class Estate:
    """Providers of one *protocol* in a memory registry, and one reference ``foo`` to them.

    Attributes:
        processes: Of the providers that were started, in order.
        listed: Their list, to be changed like a registry's.
    """

    def __init__(self, protocol: str, stack: ExitStack) -> None:
        self.protocol = protocol
        self._stack = stack
        name = f"estate-{next(_names)}"
        self.listed = stack.enter_context(MemoryRegistry.named(name))
        self._registry = {"address": f"memory://{name}"}
        self.processes: list[ProviderProcess] = []

    def start(self, count: int = 3, delay: str = "0ms") -> list[ProviderProcess]:
        """Start *count* providers more, which answer after *delay*, and list them."""
        started = [self._stack.enter_context(self._process(delay)) for _ in range(count)]
        for process in started:
            self.listed.register(SERVICE, process.url)
        self.processes += started
        return started

    def _process(self, delay: str) -> ProviderProcess:
        return ProviderProcess(f"estate_providers:{self.protocol}", delay, path=[str(HERE)])

    def consumer(self, **settings: Any) -> Consumer:
        """Make a consumer whose reference has *settings*."""
        reference = {"interface": SERVICE, "protocol": self.protocol, **OF_PROTOCOL[self.protocol], **settings}
        config = {"registries": {"main": self._registry}, "references": {"foo": reference}}
        return self._stack.enter_context(Consumer(config))

    def call(self, consumer: Consumer) -> InvocationFuture[Any]:
        """Begin a call that says who answered; see `who`."""
        method = consumer.reference("foo").findFoo
        return method.future(1) if self.protocol == "dubbo" else method.future(foo_id=1)

    def who(self, consumer: Consumer, calls: int) -> Counter[Any]:
        """Make *calls* calls at a time; count the processes that answered, and the errors by their class."""
        futures = [self.call(consumer) for _ in range(calls)]
        wait(futures)
        return Counter(map(_who, futures))


def _who(future: InvocationFuture[Any]) -> Any:
    error = future.exception()
    answer = None if error is not None else future.result()
    return type(error) if error is not None else getattr(answer, "foo_id", answer)


@pytest.fixture
def rounds(pytestconfig: pytest.Config) -> int:
    """How often each provider is restarted."""
    asked: int = pytestconfig.getoption("--rounds")
    return asked


@pytest.fixture(scope="session")
def java() -> None:
    """Skip what needs Java providers where there can be none, and say how to get them; in CI that is a failure."""
    why_not = missing()
    if why_not is not None and os.environ.get("CALLAHEAD_CI"):
        pytest.fail(f"CALLAHEAD_CI is set, so nothing may be skipped, but {why_not}")
    if why_not is not None:
        pytest.skip(why_not)


@pytest.fixture(params=["dubbo", "tri"])
def estate(request: pytest.FixtureRequest) -> Iterator[Estate]:
    """An estate without providers yet."""
    with ExitStack() as stack:
        yield Estate(request.param, stack)
