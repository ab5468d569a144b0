"""Discovery by application, beside a registry and instances that a test fills, breaks and looks at."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from random import Random
from typing import Any

import pytest
from support.applications import Applications, Asked, described, metadata_of

from callahead.registry import Endpoint, RecordingListener, RegistryError, ServiceKey
from callahead.registry.discovery.discovery import Discovery
from callahead.registry.discovery.registry import DiscoveringRegistry

A, B = "a.A", "a.B"
KEY = ServiceKey(A)


class Estate:
    """A registry, what asks instances, and the discovery between them."""

    def __init__(self) -> None:
        self.registry = Applications()
        self.asked = Asked(r1=described("r1", (A, "dubbo", 1)), r2=described("r2", (A, "dubbo", 1), (B, "tri", 2)))
        self.discovery = Discovery("main", self.registry, self.asked, random=Random(1))
        self.registry.put_text("mapping", A, "shop")

    def put(self, *addresses: str, revision: str = "r1", **said: Any) -> None:
        """Make *addresses* those of the instances of shop, each with dubbo at its own port."""
        each = [(address, metadata_of(revision, dubbo=int(address[2:]), **said)) for address in addresses]
        self.registry.put_instances("shop", *each)

    def open(self, **how: Any) -> DiscoveringRegistry:
        return DiscoveringRegistry(self.registry, self.discovery, **how)

    def heard(self, key: ServiceKey = KEY, **how: Any) -> RecordingListener:
        listener = RecordingListener()
        self.open(**how).subscribe(key, listener)
        return listener

    def close(self) -> None:
        self.registry.close()
        self.discovery.close()


@pytest.fixture
def estate() -> Iterator[Estate]:
    one = Estate()
    yield one
    one.close()


def test_the_first_snapshot_has_what_the_applications_provide(estate: Estate) -> None:
    """With the port of the instance's endpoint, the revision's parameters and the instance's time of start."""
    estate.put("h:7", timestamp=99)
    (snapshot,) = estate.heard().snapshots
    (endpoint,) = snapshot.endpoints
    assert str(endpoint) == "dubbo://h:7"
    assert dict(endpoint.parameters) == {"side": "provider", "timestamp": "99"}
    assert snapshot.reason == "test: 1 instances of shop: 1 provider of a.A; test: no provider of a.A"


def test_an_instance_that_names_no_endpoint_has_the_port_of_the_metadata(estate: Estate) -> None:
    """As providers before 3.0.0 did it."""
    estate.registry.put_instances("shop", ("h:7", metadata_of("r1")))
    assert estate.heard().addresses == ["h:1"]


def test_a_revision_is_asked_for_once(estate: Estate) -> None:
    """However many instances and subscriptions it has."""
    estate.put(*(f"h:{port}" for port in range(1, 101)))
    for _ in range(3):
        assert len(estate.heard().snapshots[0].endpoints) == 100
    assert len(estate.asked.asked) == 1


def test_instances_may_have_different_revisions(estate: Estate) -> None:
    """Each is asked for, and an interface is found at those that provide it."""
    one, two = metadata_of("r1", dubbo=1), metadata_of("r2", dubbo=2, tri=3)
    estate.registry.put_instances("shop", ("h:1", one), ("h:2", two))
    assert estate.heard().addresses == ["h:1", "h:2"]
    assert [str(each) for each in estate.heard(ServiceKey(B), provided_by=["shop"]).snapshots[0].endpoints] == [
        "tri://h:3"
    ]


def test_metadata_may_be_with_the_registry(estate: Estate) -> None:
    """They are read once, and no instance is asked."""
    estate.registry.put_metadata("shop", "r3", '{"services": {"x": {"name": "a.A", "protocol": "dubbo"}}}')
    estate.put("h:1", "h:2", revision="r3", remote=True)
    assert estate.heard().addresses == ["h:1", "h:2"]
    assert (estate.registry.reads.total(), estate.asked.asked) == (1, [])


def test_a_mapping_that_comes_later_is_followed(estate: Estate) -> None:
    """The first provider of an interface may be started after its consumers."""
    estate.registry.put_text("mapping", A, None)
    estate.put("h:1")
    heard = estate.heard()
    assert heard.addresses == []
    estate.registry.put_text("mapping", A, "other, shop")
    heard.wait_for("h:1")


def test_an_application_that_leaves_the_mapping_is_left(estate: Estate) -> None:
    """Its providers go."""
    estate.put("h:1")
    estate.registry.put_instances("other", ("h:2", metadata_of("r1", dubbo=2)))
    estate.registry.put_text("mapping", A, "shop,other")
    heard = estate.heard()
    assert heard.addresses == ["h:1", "h:2"]
    estate.registry.put_text("mapping", A, "other")
    heard.wait_for("h:2")


def test_a_mapping_that_is_lost_takes_nothing_away(estate: Estate) -> None:
    """A registry whose data are gone shows the same."""
    estate.put("h:1")
    heard = estate.heard()
    estate.registry.put_text("mapping", A, None)
    estate.put("h:1", "h:2")
    heard.wait_for("h:1", "h:2")


@pytest.mark.parametrize("text", ["", ",", "../up,a/b,\x00,x y", ",".join(f"app{n}" for n in range(2000)) + ",shop"])
def test_a_mapping_that_makes_no_sense_names_nobody(estate: Estate, text: str) -> None:
    """What peers write is part of no path, and bounded."""
    estate.put("h:1")
    estate.registry.put_text("mapping", A, text)
    assert estate.heard(timeout_s=0).addresses == []


def test_provided_by_takes_the_place_of_the_mapping(estate: Estate) -> None:
    """Who knows the application needs no mapping."""
    estate.registry.put_text("mapping", A, "elsewhere")
    estate.put("h:1")
    assert estate.heard(provided_by=["shop"]).addresses == ["h:1"]


def of_interface(*addresses: str) -> list[Endpoint]:
    return [Endpoint(protocol="dubbo", host="h", port=int(each[2:]), path="by interface") for each in addresses]


@pytest.mark.parametrize(
    ("step", "expected"),
    [
        ("APPLICATION_FIRST", {"h:1": A, "h:2": "by interface"}),
        ("FORCE_APPLICATION", {"h:1": A}),
        ("FORCE_INTERFACE", {"h:1": "by interface", "h:2": "by interface"}),
    ],
)
def test_a_provider_that_is_registered_both_ways_is_one(estate: Estate, step: Any, expected: dict[str, str]) -> None:
    """As its application says; whoever is registered by interface alone is not lost."""
    estate.registry.put_providers(A, *of_interface("h:1", "h:2"))
    estate.put("h:1")
    (snapshot,) = estate.heard(step=step).snapshots
    assert {each.address: each.path for each in snapshot.endpoints} == expected


def test_while_no_application_answers_the_interface_does(estate: Estate) -> None:
    """And the reason says what is the matter with the applications."""
    estate.registry.put_providers(A, *of_interface("h:1"))
    estate.put("h:1", revision="r9")
    (snapshot,) = estate.heard().snapshots
    assert [each.path for each in snapshot.endpoints] == ["by interface"]
    assert "of which 1 cannot be used: shop at h:1 does not answer" in snapshot.reason


def test_another_instance_of_the_revision_is_asked(estate: Estate) -> None:
    """One that does not answer drops none of the others, nor itself."""
    estate.asked.deaf = {"h:1", "h:2"}
    estate.put("h:1", "h:2", "h:3")
    assert estate.heard().addresses == ["h:1", "h:2", "h:3"]


def test_a_revision_that_nobody_tells_drops_no_other_and_is_asked_again(estate: Estate) -> None:
    """It joins the list when somebody tells it."""
    good, bad = metadata_of("r1", dubbo=1), metadata_of("r9", dubbo=2)
    estate.registry.put_instances("shop", ("h:1", good), ("h:2", bad))
    heard = estate.heard()
    assert heard.addresses == ["h:1"]
    estate.asked.answers["r9"] = described("r9", (A, "dubbo", 1))
    heard.wait_for("h:1", "h:2")


def test_an_instance_that_was_started_again_with_another_revision_is_never_missing(estate: Estate) -> None:
    """Its former self stays until it is known what the new one provides."""
    estate.put("h:1", timestamp=1)
    heard = estate.heard()
    estate.put("h:1", revision="r2", timestamp=2)
    heard.wait(lambda one: [each.parameters["timestamp"] for each in one.endpoints] == ["2"])
    assert all(len(one.endpoints) == 1 for one in heard.snapshots)


def test_who_subscribes_waits_for_what_may_come_soon(estate: Estate) -> None:
    """An instance that did not answer at first does so before the subscription has its first list."""
    estate.put("h:1", revision="r9")

    class Later(Asked):
        def ask(self, instance: Any, /) -> dict[str, Any]:
            if len(self.asked) == 1:
                self.answers["r9"] = described("r9", (A, "dubbo", 1))
            return super().ask(instance)

    discovery = Discovery("main", estate.registry, Later(), random=Random(1))
    heard = RecordingListener()
    DiscoveringRegistry(estate.registry, discovery).subscribe(KEY, heard)
    discovery.close()
    assert [one.address for one in heard.snapshots[0].endpoints] == ["h:1"]


def test_a_registry_that_is_down_takes_nothing_away(estate: Estate) -> None:
    """Nor does a failure to read what a new revision provides."""
    estate.put("h:1")
    heard = estate.heard()
    estate.registry.down = True
    estate.put("h:1", "h:2", revision="r3", remote=True)
    heard.wait(lambda one: "of which 2 cannot be used: test: it is down" in one.reason)
    assert heard.addresses == ["h:1"]
    estate.registry.down = False
    estate.registry.put_metadata("shop", "r3", '{"services": {"x": {"name": "a.A", "protocol": "dubbo"}}}')
    heard.wait_for("h:1", "h:2")


def test_before_the_registry_has_answered_nothing_is_known(estate: Estate) -> None:
    """Unlike the empty list of one that has."""
    estate.registry.down = True
    (unknown,) = estate.heard(provided_by=["shop"], timeout_s=0).snapshots
    assert (unknown.endpoints, unknown.is_known) == ((), False)
    estate.registry.down = False
    estate.put()
    assert estate.heard(provided_by=["shop"]).snapshots[0].is_known


def test_a_source_that_fails_as_nobody_foresaw_ends_nothing(estate: Estate) -> None:
    """What a peer sends may have any effect; the reason has it, and other revisions go on."""

    class Broken(Asked):
        def ask(self, instance: Any, /) -> dict[str, Any]:
            if instance.revision == "r9":
                raise ZeroDivisionError("x" * 1000)
            return super().ask(instance)

    good, bad = metadata_of("r1", dubbo=1), metadata_of("r9", dubbo=2)
    estate.registry.put_instances("shop", ("h:1", good), ("h:2", bad))
    discovery = Discovery("main", estate.registry, Broken(r1=described("r1", (A, "dubbo", 1))))
    heard = RecordingListener()
    DiscoveringRegistry(estate.registry, discovery).subscribe(KEY, heard)
    discovery.close()
    assert heard.addresses == ["h:1"]
    assert "shop at h:2: ZeroDivisionError: xxx" in heard.snapshots[0].reason
    assert len(heard.snapshots[0].reason) < 500


def test_nothing_is_followed_that_nobody_asks_for(estate: Estate) -> None:
    """The last subscription takes its applications along."""
    estate.put("h:1")
    registry = estate.open()
    subscriptions = [registry.subscribe(KEY, RecordingListener()) for _ in range(2)]
    for one in subscriptions:
        assert "shop" in repr(estate.discovery)
        one.close()
    wait_until(lambda: "nothing" in repr(estate.discovery))


def wait_until(holds: Callable[[], bool]) -> None:
    import time

    end = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_close_ends_what_asks(estate: Estate) -> None:
    """And refuses to follow more."""
    estate.discovery.close()
    assert estate.asked.closed
    with pytest.raises(RegistryError, match=r"closed$"):
        estate.heard()


def test_a_forked_child_goes_on_discovering(estate: Estate) -> None:
    """By a thread of its own; what it knew at the fork it knows."""
    estate.put("h:1")
    heard = estate.heard()
    child = os.fork()
    if child == 0:
        try:
            assert heard.addresses == ["h:1"]
            estate.put("h:1", "h:2", revision="r2")
            heard.wait_for("h:1", "h:2")
        except BaseException:
            os._exit(1)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert heard.addresses == ["h:1"]


def test_a_thousand_instances_of_many_services_are_found_at_once(estate: Estate) -> None:
    """Each interface looks at its own services alone."""
    services = [(f"s.S{number}", "dubbo", 1) for number in range(300)]
    estate.asked.answers["r1"] = described("r1", *services, (A, "dubbo", 1))
    estate.put(*(f"h:{port}" for port in range(1, 1001)))
    assert len(estate.heard().snapshots[0].endpoints) == 1000


def test_a_time_of_start_that_is_none_costs_no_provider(estate: Estate) -> None:
    """It is told without."""
    said = {**metadata_of("r1", dubbo=1), "timestamp": "\x1b[2J"}
    estate.registry.put_instances("shop", ("h:1", said))
    (endpoint,) = estate.heard().snapshots[0].endpoints
    assert "timestamp" not in endpoint.parameters
