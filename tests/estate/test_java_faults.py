"""A real Java provider freezes, crashes or is retired: what callers see, and what is called from then on."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from functools import partial

import pytest
from java_estate import WAIT_S, JavaEstate, asked, echo_after, errors_of, in_zookeeper, load_on, told, url_of
from load import Load, wait_for

from callahead.consumer import Consumer
from callahead.consumer.cluster.health import HealthCounts

pytestmark = [pytest.mark.long, pytest.mark.usefixtures("java")]

# As long as a call of the load runs, where it is to be in flight when its provider dies.
RUNS_MS = 200
# So many attempts beside others are enough to see them end.
HEDGES = 20
# Until a loss has been heard of on a busy machine.
HEARD_S = 0.5


@pytest.fixture(scope="module")
def java_estate(java: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[JavaEstate]:
    """Three providers in ZooKeeper."""
    with in_zookeeper(tmp_path_factory.mktemp("zookeeper"), "interface", {}) as estate:
        yield estate


@pytest.fixture(params=["dubbo", "tri"])
def protocol(request: pytest.FixtureRequest) -> str:
    found: str = request.param
    return found


def health(consumer: Consumer) -> HealthCounts:
    return consumer.health()["echo"]


def test_one_that_freezes_is_ejected_and_comes_back(java_estate: JavaEstate, protocol: str) -> None:
    """Callers of an idempotent method see nothing of it, and it is asked again after SIGCONT."""
    frozen = java_estate.providers[0]
    outlier = {"base_ejection": "500ms", "max_ejection": "1s"}
    settings = {"timeout": "1s", "retries": 3, "idempotent": True, "outlier": outlier}
    with java_estate.consumer(protocol, **settings) as consumer:
        with load_on(consumer, 200) as load:
            frozen.pause()
            try:
                wait_for(lambda: health(consumer).ejected == 1, WAIT_S)
                ejected_at = time.monotonic()
                wait_for(lambda: health(consumer).probes > 0, WAIT_S)
            finally:
                frozen.resume()
            resumed_at = time.monotonic()
            wait_for(lambda: health(consumer).ejected == 0, WAIT_S)
            back_s = time.monotonic() - resumed_at
            wait_for(lambda: url_of(frozen, protocol) in asked(consumer), WAIT_S)
        print(told(f"freeze over {protocol}, back {back_s:.2f} s after it", load, []))
        late = [call for call in load.calls if ejected_at < call.began < resumed_at and call.ended - call.began > 0.95]
        assert errors_of(load) == {}
        assert len(late) <= health(consumer).probes + 2


@pytest.mark.minutes
def test_hedges_answer_for_one_that_is_frozen(java_estate: JavaEstate, protocol: str) -> None:
    """No call of an idempotent method fails, and what lost is not under way any more."""
    frozen = java_estate.providers[2]
    settings = {"timeout": "2s", "retries": 3, "idempotent": True, "hedge": {"after": "100ms", "max": 1}}
    with java_estate.consumer(protocol, **settings) as consumer:
        before = hedges(consumer)
        with load_on(consumer, 100) as load:
            frozen.pause()
            try:
                wait_for(lambda: hedges(consumer) - before >= HEDGES, WAIT_S)
            finally:
                frozen.resume()
        print(told(f"freeze over {protocol}, {hedges(consumer) - before} hedges", load, []))
        assert errors_of(load) == {}


def hedges(consumer: Consumer) -> int:
    return consumer.counts()["echo"]["echo"].cluster.get("hedges", 0)


@pytest.mark.minutes
def test_a_frozen_one_that_the_registry_gave_up_comes_back(java_estate: JavaEstate, protocol: str) -> None:
    """Its session ends while it is frozen; after SIGCONT it registers again, and is asked again."""
    frozen = java_estate.providers[0]
    with java_estate.consumer(protocol, timeout="1s", retries=3, idempotent=True) as consumer:
        with load_on(consumer, 200) as load:
            frozen.pause()
            try:
                wait_for(lambda: health(consumer).providers == 2, WAIT_S)
                left_at = time.monotonic()
                assert url_of(frozen, protocol) not in asked(consumer)
            finally:
                frozen.resume()
            resumed_at = time.monotonic()
            wait_for(lambda: health(consumer).providers == 3, WAIT_S)
            wait_for(lambda: url_of(frozen, protocol) in asked(consumer), WAIT_S)
            back_s = time.monotonic() - resumed_at
        print(told(f"freeze over {protocol} beyond its session, back {back_s:.2f} s after it", load, []))
        at_it = [call for call in load.calls if left_at < call.began < resumed_at]
        assert errors_of(load) == {}
        assert url_of(frozen, protocol) not in {call.future.provider for call in at_it}


def test_only_calls_in_flight_at_one_that_crashes_are_hurt(java_estate: JavaEstate, protocol: str) -> None:
    """Each that fails was begun before, at the one that was killed, and is in doubt."""
    killed = java_estate.providers[1]
    with java_estate.consumer(protocol, timeout="5s") as consumer:
        asked_for = partial(echo_after, consumer, RUNS_MS)
        with Load(asked_for, 200) as load:
            time.sleep(1)
            killed_at = time.monotonic()
            killed.kill()
            time.sleep(2)
        print(told(f"kill over {protocol}, methods that run once", load, []))
        assert 0 < len(load.failed) < len(load.calls) / 4
        for call in load.failed:
            assert call.error.endpoint == url_of(killed, protocol)
            assert call.error.in_doubt
            assert call.began < killed_at + HEARD_S


def test_a_retired_one_is_never_dialled_again(java_estate: JavaEstate, protocol: str) -> None:
    """Once it has stopped in good order nobody connects to its address, whatever is called meanwhile."""
    retired = java_estate.providers[2]
    port = int(url_of(retired, protocol).rpartition(":")[2])
    with java_estate.consumer(protocol, timeout="5s") as consumer, load_on(consumer, 200) as load:
        retired.stop()
        with socket.socket() as listener:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(("127.0.0.1", port))
            listener.listen()
            listener.settimeout(6)  # gRPC's longest pause between two attempts is 5 s
            with pytest.raises(TimeoutError):
                listener.accept()
    assert errors_of(load) == {}
