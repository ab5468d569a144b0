"""Rules in Nacos: consumers of Java and ours might call the same providers, and look for rules in the same places."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from support.nacos_server import NacosServer, Publisher, require

from tests.interop.rule_estate import ECHO, RuleEstate

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("java", "bound")]

REGIONS = {"10.0.0.1": "east", "10.0.0.2": "west", "10.0.0.3": "east"}
PORT = 20880
EVERYBODY = {f"{host}:{PORT}" for host in REGIONS}
WEST = {f"10.0.0.2:{PORT}"}
MESH = """
kind: DestinationRule
metadata: {name: shop}
spec: {subsets: [{name: west, labels: {region: west}}]}
---
kind: VirtualService
metadata: {name: shop}
spec: {dubbo: [{routedetail: [{route: [{destination: {subset: west}}]}]}]}
"""
TAG = f"force: true\ntags: [{{name: blue, addresses: ['10.0.0.1:{PORT}', '10.0.0.3']}}]"
DISABLED = f"""
configVersion: v3.0
scope: service
key: {ECHO}
configs:
  - {{side: consumer, providerAddresses: ['10.0.0.1:{PORT}', '10.0.0.3:{PORT}'], parameters: {{disabled: true}}}}
"""
# By their keys: the text, and the versions of Dubbo that obey it.
RULES = {
    f"{ECHO}::.condition-router": ("force: true\nconditions: ['=> region=west']", ("2.7", "3.3")),
    "shop.tag-router": (TAG, ("2.7", "3.3")),
    f"{ECHO}::.configurators": (DISABLED, ("2.7", "3.3")),
    "shop.MESHAPPRULE": (MESH, ("3.3",)),
}


class NacosEstate(RuleEstate):
    """One in Nacos."""

    def __init__(self, server: NacosServer, ends: ExitStack) -> None:
        self.server = server
        self.publisher: Publisher = ends.enter_context(server.publisher())
        for host, region in REGIONS.items():
            self.publisher.register(f"providers:{ECHO}::", host, PORT, provider(region))
        super().__init__(f"nacos://{server.address}", ends, ("2.7", "3.3"))


def provider(region: str) -> dict[str, Any]:
    """Give what a Java provider says of itself in Nacos."""
    said = {"application": "shop", "methods": "echo,echoAfter", "release": "3.3.6", "timestamp": "1"}
    place = {"protocol": "dubbo", "path": ECHO, "interface": ECHO, "category": "providers", "side": "provider"}
    return {**place, **said, "serialization": "hessian2", "region": region}


@pytest.fixture(scope="module")
def estate(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NacosEstate]:
    require()
    with NacosServer(tmp_path_factory.mktemp("nacos")) as server, ExitStack() as ends:
        yield NacosEstate(server, ends)


@pytest.mark.parametrize("key", RULES)
def test_both_obey_what_stands_under_a_key(estate: NacosEstate, key: str) -> None:
    """Of the group ``dubbo``; and no longer than it stands there."""
    text, versions = RULES[key]
    others = estate.javas.keys() - set(versions)
    estate.server.publish("dubbo", key, text)
    estate.check({"echo x": WEST}, without=others)
    estate.server.publish("dubbo", key, None)
    estate.check({"echo x": EVERYBODY})


def test_nobody_looks_for_rules_among_services(estate: NacosEstate) -> None:
    """What is registered as ``configurators:`` and ``routers:`` of an interface is read by no consumer."""
    override = {"protocol": "override", "path": ECHO, "category": "configurators", "weight": "7", "disabled": "true"}
    condition = {
        "protocol": "condition",
        "path": ECHO,
        "category": "routers",
        "rule": "=> region=west",
        "force": "true",
    }
    for category, said in (("configurators", override), ("routers", condition)):
        estate.publisher.register(f"{category}:{ECHO}::", "10.0.0.1", PORT, {**said, "interface": ECHO})
    estate.publisher.register(f"providers:{ECHO}::", "10.0.0.4", PORT, provider("west"))  # so that all look again
    estate.check({"echo x": {*EVERYBODY, f"10.0.0.4:{PORT}"}})
    assert {one.weight for one in estate.consumer.providers("echo").providers} == {100}
