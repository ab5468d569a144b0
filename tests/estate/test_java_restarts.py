"""Real Java providers are restarted one after the other under calls: in good order, and by ``kill -9``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from java_estate import JavaEstate, errors_of, first_answer, in_nacos, in_zookeeper, load_on, restart, told, url_of

from callahead.consumer import Consumer
from tests.interop.provider import JavaProvider

pytestmark = [pytest.mark.long, pytest.mark.usefixtures("java")]

PER_SECOND = 500
ESTATES = [
    pytest.param((in_zookeeper, "interface", {}), id="zookeeper"),
    pytest.param(
        (in_zookeeper, "instance", {"migration_step": "FORCE_APPLICATION"}),
        id="zookeeper by application",
        marks=pytest.mark.minutes,
    ),
    pytest.param((in_nacos, "interface", {}), id="nacos", marks=pytest.mark.minutes),
]


@pytest.fixture(scope="module", params=ESTATES)
def java_estate(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[JavaEstate]:
    """Three providers in each kind of registry."""
    where, mode, settings = request.param
    with where(tmp_path_factory.mktemp("registry"), mode, settings) as estate:
        yield estate


@pytest.fixture(params=["dubbo", "tri"])
def protocol(request: pytest.FixtureRequest) -> str:
    found: str = request.param
    return found


def roll(
    estate: JavaEstate, consumer: Consumer, protocol: str, end: Callable[[JavaProvider], Any], rounds: int
) -> Counter[str]:
    """Restart each provider *rounds* times under calls; what failed of these, by what it was and where."""
    recovered = []
    with load_on(consumer, PER_SECOND) as load:
        for provider in estate.providers * rounds:
            serves_at = restart(provider, end)
            recovered.append(first_answer(load, url_of(provider, protocol), serves_at))
    print(told(f"{end.__name__} over {protocol}", load, recovered))
    return errors_of(load)


def test_callers_of_an_idempotent_method_see_nothing_of_crashes(
    java_estate: JavaEstate, protocol: str, rounds: int
) -> None:
    """With the retries that are the default; each provider is asked again once it is back."""
    with java_estate.consumer(protocol, idempotent=True, timeout="3s") as consumer:
        assert roll(java_estate, consumer, protocol, JavaProvider.kill, rounds) == {}


def test_nobody_sees_anything_of_restarts_in_good_order(java_estate: JavaEstate, protocol: str, rounds: int) -> None:
    """Of a method that may run once only: no request is lost, none is refused in doubt.

    Over ``tri``, which has no read-only event, only where a provider leaves the registry before it closes its port;
    else it cuts off what runs, and what may be repeated is.
    """
    is_warned_of = protocol == "dubbo" or java_estate.leaves_first
    with java_estate.consumer(protocol, idempotent=not is_warned_of, timeout="3s") as consumer:
        assert roll(java_estate, consumer, protocol, JavaProvider.stop, rounds) == {}
