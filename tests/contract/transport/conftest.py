"""A kind of transport, and carriers over it, for each test of the contract."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from contract.transport.harness import Carrier, Carry, Kind, Peer


@pytest.fixture
def kind(request: pytest.FixtureRequest) -> Iterator[Kind]:
    """The transport that the test runs over."""
    made: Kind = request.param()
    yield made
    made.close()


@pytest.fixture
def carry(kind: Kind) -> Iterator[Carry]:
    """Make carriers; when they are closed, each of their attempts must have had its one outcome."""
    with ExitStack() as opened:

        def make(*urls: str, **settings: Any) -> Carrier:
            return opened.enter_context(Carrier(kind, *urls, **settings))

        yield make


@pytest.fixture
def peer(kind: Kind) -> Peer:
    """A peer that hands requests to the test."""
    return kind.peer()


@pytest.fixture
def carrier(carry: Carry, peer: Peer) -> Carrier:
    """A carrier to *peer*."""
    return carry(peer.url)
