"""Rules that speak of addresses: a Java consumer and ours might call the same providers, none of which is there.

On 127.x, where providers of tests are, Java matches no address.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pytest

from callahead.registry.host import own_host
from tests.interop.rule_estate import ECHO, ZookeeperEstate, provider_url, rule_estate

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("java", "bound")]

ADDRESSES = {
    "a": "10.0.0.1:20880",
    "b": "10.0.0.2:20880",
    "c": "10.0.0.2:20881",
    "d": "10.0.1.7:20880",
    "e": "192.168.3.4:20880",
}
ALL = "abcde"
OWN = own_host()
OWN_NETWORK = f"{OWN.rpartition('.')[0]}.*"

# What stands right of the arrow: who is left.
CONDITIONS = {
    "host=10.0.0.1": "a",
    "host!=10.0.0.1": "bcde",
    "host=10.0.0.1,192.168.3.4": "ae",
    "host=10.0.0.*": "abc",
    "host=10.0.*": "abcd",
    "host=*.7": "d",
    "host=10.0.0.* & port=20881": "c",
    "host=10.0.0.* & host!=10.0.0.1": "bc",
    "address=10.0.0.2:20880": "b",
    "address=10.0.0.2:*": "bc",
    "address!=10.0.0.*": "de",
    "port=20881": "c",
    "host=10.0.0.0/8": "",
    "host=10.0.0.1-2": "",
}
# The addresses of a tag: who has it.
TAGS = {
    "10.0.0.1": "a",
    "10.0.0.2:20881": "c",
    "10.0.0.*": "abc",
    "10.0.0.*:20880": "ab",
    "10.0.0.1-2": "abc",
    "10.0.0.0/24": "abc",
    "10.0.0.0/8": "abcd",
    "192.168.0.0/16": "e",
    "0.0.0.0:20881": "c",
    "10.0.*.7": "d",
    "*": ALL,
}
# Left of the arrow: what is said of this machine.
CALLERS = {
    f"host={OWN}": "a",
    f"host={OWN_NETWORK}": "a",
    f"host!={OWN}": ALL,
    "host=10.9.9.9": ALL,
    f"host=10.9.9.9,{OWN}": "a",
}


@pytest.fixture(scope="module")
def estate(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ZookeeperEstate]:
    urls = [provider_url(ADDRESSES[name], "region=east") for name in ALL]
    with rule_estate(tmp_path_factory.mktemp("zookeeper"), urls) as made:
        yield made


def named(expected: Mapping[str, str]) -> dict[str, set[str]]:
    return {call: {ADDRESSES[name] for name in names} or {"nobody"} for call, names in expected.items()}


@pytest.mark.parametrize("then", CONDITIONS)
def test_conditions_mean_the_same_providers(estate: ZookeeperEstate, then: str) -> None:
    """A host is compared as text, with one star; nothing in a condition is a network."""
    estate.write({f"{ECHO}::.condition-router": f"force: true\nconditions: ['=> {then}']"})
    estate.check(named({"echo x": CONDITIONS[then]}))


@pytest.mark.parametrize("address", TAGS)
def test_tags_mean_the_same_providers(estate: ZookeeperEstate, address: str) -> None:
    """Those of the tag, and for calls without one all the others."""
    estate.write({"shop.tag-router": f"force: true\ntags: [{{name: blue, addresses: ['{address}']}}]"})
    others = "".join(name for name in ALL if name not in TAGS[address])
    estate.check(named({"echo x dubbo.tag=blue": TAGS[address], "echo x": others}))


@pytest.mark.parametrize("when", CALLERS)
def test_conditions_mean_the_same_callers(estate: ZookeeperEstate, when: str) -> None:
    """By the address of this machine."""
    estate.write({f"{ECHO}::.condition-router": f"force: true\nconditions: ['{when} => host=10.0.0.1']"})
    estate.check(named({"echo x": CALLERS[when]}))
