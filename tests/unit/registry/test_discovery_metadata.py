"""What instances and revisions say, read: good, odd and far too much."""

from __future__ import annotations

import json
from random import Random
from typing import Any

import pytest
from support.applications import Applications, Asked, described, metadata_of
from support.clock import FakeClock

from callahead.registry import ProviderDataError, ServiceKey
from callahead.registry.discovery.metadata import MAX_BYTES, read_metadata, read_text
from callahead.registry.discovery.revisions import Revision, Revisions
from callahead.registry.instance import ServiceInstance


def service(**said: Any) -> dict[str, Any]:
    return {"services": {"key": {"name": "a.A", "protocol": "TRI", **said}}}


def test_a_service_is_read_with_all_that_is_said_of_it() -> None:
    """Numbers and nulls of any of the three forms in which metadata come."""
    params = {"weight": 50, "token": None, "side": "provider"}
    said = service(group="g", version="1.0", port=7, path="/x/a.A", params=params)
    (found,) = read_metadata(said, "test").of(ServiceKey("a.A", "g", "1.0"))
    assert found.service == ServiceKey("a.A", "g", "1.0")
    assert (found.protocol, found.port, found.path) == ("tri", 7, "x/a.A")
    assert found.parameters == {"group": "g", "version": "1.0", "weight": "50", "side": "provider"}


@pytest.mark.parametrize("empty", [{}, {"group": None, "version": None}, {"group": "", "version": ""}])
def test_no_group_is_written_in_three_ways(empty: dict[str, Any]) -> None:
    """Missing in JSON, null in hessian2, empty in protobuf."""
    assert len(list(read_metadata(service(**empty), "test").of(ServiceKey("a.A")))) == 1


@pytest.mark.parametrize(
    "odd",
    [
        None,
        [],
        "text",
        {"name": "a.A"},
        {"name": "a.A", "protocol": "tri", "port": "x"},
        {"name": "a.A", "protocol": "tri", "port": 70000},
        {"name": "a.A", "protocol": "tri://h"},
        {"name": "a.A", "protocol": "tri", "params": {"weight": "1e30"}},
        {"name": "a.A", "protocol": "tri", "params": {"x": "\x1b[2J"}},
        {"name": "a.A", "protocol": "tri", "path": "a\nb"},
    ],
)
def test_a_service_that_makes_no_sense_is_passed_over(odd: Any) -> None:
    """The others are taken, and the fault names it."""
    found = read_metadata({"services": {"odd": odd, **service()["services"]}}, "test")
    assert len(found) == 1
    assert found.faults.startswith("odd (")


def test_many_faults_are_told_in_few_words() -> None:
    """However much a peer sends."""
    found = read_metadata({"services": {"x" * 1000 + str(n): None for n in range(1000)}}, "test")
    assert len(found.faults) < 1000
    assert found.faults.endswith(" and 997 more")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "test is not JSON"),
        ("null", "test: they have no mapping of services"),
        ('{"services": []}', "test: they have no mapping of services"),
        ("[" * 100_000, "test is not JSON: it is nested too deeply"),
        ("x" * (MAX_BYTES + 1), "test: they have 8388609 characters, and may have 8388608"),
        (json.dumps({"services": dict.fromkeys(range(10_001))}), "they have 10001 services, and may have 10000"),
    ],
    ids=["empty", "null", "list", "deep", "large", "many"],
)
def test_metadata_that_make_no_sense_are_an_error(text: str, why: str) -> None:
    """Which says what is wrong, with the numbers, and shows no more than a line."""
    with pytest.raises(ProviderDataError, match=why) as caught:
        read_text(text, "test")
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ({"dubbo.endpoints": "{}x"}, "dubbo.endpoints is not JSON"),
        ({"dubbo.endpoints": "[1]"}, "is no list of protocols and ports"),
        ({"dubbo.endpoints": '[{"port":70000,"protocol":"tri"}]'}, r"has a port outside 1\.\.65535"),
        ({"dubbo.metadata.revision": "a/b"}, "dubbo.metadata.revision of h:1 is no revision: a/b"),
        ({"dubbo.metadata.revision": "a" * 129}, "is no revision"),
        ({"dubbo.metadata-service.url-params": "[]"}, "url-params is no mapping"),
    ],
)
def test_an_instance_that_makes_no_sense_is_an_error(said: dict[str, str], why: str) -> None:
    """Which says which value is wrong."""
    with pytest.raises(ProviderDataError, match=why):
        ServiceInstance.of("shop", "h", 1, said)


@pytest.mark.parametrize(("host", "port"), [("", 1), ("h", 0), ("h", 65536)])
def test_an_instance_needs_an_address(host: str, port: int) -> None:
    """Nothing can be called otherwise."""
    with pytest.raises(ProviderDataError, match="has no host and port"):
        ServiceInstance.of("shop", host, port, {})


def test_a_revision_that_fails_is_asked_for_less_and_less_often() -> None:
    """Twice the pause each time, up to half a minute, give or take a third; then it is known for good."""
    clock, asked = FakeClock(), Asked()
    revisions = Revisions(Applications(), asked, clock, Random(1))
    instance = ServiceInstance.of("shop", "h", 1, metadata_of("r1", dubbo=1))
    pauses: list[float] = []
    for _ in range(9):
        ((revision, those),) = revisions.due([instance]).items()
        revisions.fetch(revision, those)
        assert revisions.due([instance]) == {}
        pauses.append(revisions.pause() or 0)
        clock.advance(pauses[-1])
    wanted = [0.5, 1, 2, 4, 8, 16, 30, 30, 30]
    assert all(0.7 * base <= pause <= 1.3 * base for pause, base in zip(pauses, wanted, strict=True))
    asked.answers["r1"] = described("r1", ("a.A", "dubbo", 1))
    revisions.fetch(Revision("shop", "r1"), [instance])
    assert (revisions.pause(), revisions.due([instance]), revisions.problem_of(instance)) == (None, {}, "")


def test_few_of_many_instances_are_asked_in_one_round() -> None:
    """Three, then one: a revision whose instances are all frozen may not hold up the others for minutes."""
    asked = Asked()
    revisions = Revisions(Applications(), asked, FakeClock(), Random(1))
    instances = [ServiceInstance.of("shop", "h", port, metadata_of("r1", dubbo=port)) for port in range(1, 101)]
    for total in (3, 4, 5):
        revisions.fetch(Revision("shop", "r1"), instances)
        assert len(asked.asked) == total


@pytest.mark.parametrize(("revision", "problem"), [("0", ""), ("", "shop at h:1 names no revision")])
def test_an_instance_that_provides_nothing_is_not_asked(revision: str, problem: str) -> None:
    """Dubbo's revision 0 is that of an application without services."""
    asked = Asked()
    revisions = Revisions(Applications(), asked, FakeClock(), Random(1))
    instance = ServiceInstance.of("shop", "h", 1, metadata_of(revision))
    revisions.fetch(Revision("shop", revision), [instance])
    assert (asked.asked, revisions.problem_of(instance)) == ([], problem)


def test_what_is_no_longer_used_is_forgotten() -> None:
    """Memory does not grow with each deployment."""
    revisions = Revisions(Applications(), Asked(r1=described("r1", ("a.A", "dubbo", 1))), FakeClock(), Random(1))
    instance = ServiceInstance.of("shop", "h", 1, metadata_of("r1"))
    revisions.fetch(Revision("shop", "r1"), [instance])
    assert revisions.get(instance) is not None
    revisions.keep([])
    assert revisions.get(instance) is None
