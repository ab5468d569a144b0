"""One server of each kind for the whole run, and stubs on channels of either carrier."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import grpc
import pytest

from callahead.consumer import Consumer

from .build import generated
from .servers import KINDS, Server, missing

sys.path.append(str(generated()))

CARRIERS = ("http2", "grpcio")
_SERVICES = ("TestService", "UnimplementedService")
_LIMIT_S = 20


class Servers:
    """The shared servers; no test ends one of them."""

    def __init__(self) -> None:
        self._ends = ExitStack()
        self._running: dict[str, Server] = {}

    def __call__(self, kind: str) -> Server:
        """The server of that kind, which is started the first time; where it cannot be, the test is skipped."""
        if kind not in self._running:
            require(kind)
            self._running[kind] = self._ends.enter_context(KINDS[kind]())
        return self._running[kind]

    def close(self) -> None:
        """End them all."""
        self._ends.close()


def require(kind: str) -> None:
    """Skip where there can be no such server, and say what is needed; in CI that is a failure."""
    why_not = missing(kind)
    if why_not is None:
        return
    if os.environ.get("CALLAHEAD_CI"):
        pytest.fail(f"CALLAHEAD_CI is set, so nothing may be skipped, but {why_not}")
    pytest.skip(why_not)


@pytest.fixture(scope="session")
def servers() -> Iterator[Servers]:
    """The shared servers, by kind."""
    servers = Servers()
    yield servers
    servers.close()


@pytest.fixture(params=list(KINDS))
def kind(request: pytest.FixtureRequest) -> str:
    """Each library that serves."""
    found: str = request.param
    return found


@pytest.fixture(params=CARRIERS)
def carrier(request: pytest.FixtureRequest) -> str:
    """Each carrier of ours."""
    found: str = request.param
    return found


def consumer_of(url: str, carrier: str, **settings: object) -> Consumer:
    """Make a consumer with a reference to each service, called by its name."""
    more = {"url": url, "carrier": carrier, "timeout": f"{_LIMIT_S}s", "retries": 0, "module": "test_service_pb2"}
    references = {name: {"interface": f"grpc.testing.{name}", **more, **settings} for name in _SERVICES}
    return Consumer({"references": references})


@pytest.fixture
def consumer(servers: Servers, kind: str, carrier: str) -> Iterator[Consumer]:
    """A consumer of the test's server, over its carrier."""
    with consumer_of(servers(kind).url, carrier) as consumer:
        yield consumer


@pytest.fixture
def channel(consumer: Consumer) -> Callable[[str], grpc.Channel]:
    """Give the channel to a service."""
    return consumer.channel
