"""A reference's own addresses as a registry."""

import pytest

from callahead.config.errors import ConfigError
from callahead.config.policy import MethodPolicy, ReferencePolicy
from callahead.registry import DirectRegistry, RecordingListener, ServiceKey


def policy(*urls: str, origin: str = "conf/x.yml:7", protocol: str = "tri") -> ReferencePolicy:
    return ReferencePolicy(
        id="foo",
        interface="a.B",
        protocol=protocol,
        urls=urls,
        default=MethodPolicy(reference="foo", method="*"),
        origins={"urls": origin} if origin else {},
    )


def test_every_address_is_told_once_and_at_once() -> None:
    """Lists in one text and several texts make one snapshot, duplicates removed, weights kept."""
    heard = RecordingListener()
    DirectRegistry.of(policy("tri://h:1?weight=3;tri://h:2", "tri://h:1")).subscribe(ServiceKey("a.B"), heard)
    (snapshot,) = heard.snapshots
    assert [(str(one), one.weight) for one in snapshot.endpoints] == [("tri://h:1", 3), ("tri://h:2", 100)]
    assert snapshot.reason == "references.foo.url (conf/x.yml:7): 2 providers"


def test_the_reference_s_protocol_fills_in() -> None:
    """``host:port`` alone is enough."""
    registry = DirectRegistry.of(policy("10.0.0.1:20880", protocol="dubbo"))
    assert repr(registry) == "<DirectRegistry dubbo://10.0.0.1:20880>"


def test_a_reference_without_an_address_has_its_provider_here() -> None:
    """By the id of the reference, and without a port, on which nobody listens."""
    heard = RecordingListener()
    DirectRegistry.of(policy(origin="", protocol="python")).subscribe(ServiceKey("a.B"), heard)
    (snapshot,) = heard.snapshots
    assert [(str(one), one.address, one.port) for one in snapshot.endpoints] == [("python://foo", "foo", 0)]
    assert snapshot.reason == "this process: 1 provider"


def test_interface_group_and_version_of_the_url_are_not_compared() -> None:
    """Who writes an address means it."""
    heard = RecordingListener()
    registry = DirectRegistry.of(policy("tri://h:1/a.Other?group=g&version=2"))
    registry.subscribe(ServiceKey("a.B", "x", "1"), heard)
    assert heard.addresses == ["h:1"]


def test_a_switched_off_address_is_left_out() -> None:
    """``disabled=true`` in a URL works without a registry too."""
    assert DirectRegistry.of(policy("tri://h:1?disabled=true;tri://h:2")).endpoints[0].port == 2


@pytest.mark.parametrize(
    ("url", "origin", "message"),
    [
        (
            "tri://h",
            "conf/x.yml:7",
            'conf/x.yml:7: references.foo.url: "tri://h": it has no port; write tri://host:port',
        ),
        (";", "conf/x.yml:7", "conf/x.yml:7: references.foo.url: there is no URL where one or more are expected"),
        (
            "tri://me:pw@h:1?weight=x",
            "",
            '<mapping>: references.foo.url: "tri://***@h:1?weight=x": the weight "x" is not a whole number in 0..10000',
        ),
    ],
)
def test_a_wrong_address_is_a_config_error(url: str, origin: str, message: str) -> None:
    """With the line that it stands on, and no secret."""
    with pytest.raises(ConfigError) as caught:
        DirectRegistry.of(policy(url, origin=origin))
    assert str(caught.value) == message
