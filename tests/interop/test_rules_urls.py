"""Rules that are URLs, as Dubbo 2.6 and its consoles write them: consumers of Dubbo 2.7 and 3.3 and ours obey alike."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterable, Iterator, Mapping
from urllib.parse import quote_plus

import pytest

from callahead.registry.host import own_host
from tests.interop.rule_estate import ECHO, WAIT_S, ZookeeperEstate, provider_url, rule_estate

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("java", "bound")]

URLS = {
    "a": provider_url("10.0.0.1:20880", "region=east"),
    "b": provider_url("10.0.0.2:20880", "region=west&weight=50"),
    "c": provider_url("10.0.0.3:20880", "region=east"),
}
ADDRESSES = {url.split("/")[2]: name for name, url in URLS.items()}
A = "10.0.0.1:20880"
NEW = "configVersion=v2.7"
PLAIN = "a100 b50 c100"
_markers = itertools.count(1)


def override(said: str, host: str = "0.0.0.0", path: str = ECHO, category: str = "configurators") -> str:
    return f"override://{host}/{path}?category={category}&dynamic=false&{said}"


def route(rule: str, said: str = "force=true", scheme: str = "condition") -> str:
    return f"{scheme}://0.0.0.0/{ECHO}?category=routers&dynamic=false&{said}&rule={quote_plus(rule)}"


# What the URLs say of weights: the providers that are left, each with its own.
WEIGHTS = {
    "one provider": ([override("weight=7", A)], "a7 b50 c100"),
    "a host without a port is a consumer": ([override("weight=7", "10.0.0.1")], PLAIN),
    "this consumer": ([override("weight=7", own_host())], "a7 b7 c7"),
    "all": ([override("weight=7")], "a7 b7 c7"),
    "switched off": ([override("weight=7&enabled=false")], PLAIN),
    "disabled": ([override("disabled=true", A)], "b50 c100"),
    "of this application": ([override("weight=7&application=shop-web")], "a7 b7 c7"),
    "of another application": ([override("weight=7&application=shop")], PLAIN),
    "of another group": ([override("weight=7&group=g")], PLAIN),
    "the higher priority": ([override("weight=3&priority=1"), override("weight=4&priority=2")], "a4 b4 c4"),
    "the higher priority, first": ([override("weight=3&priority=2"), override("weight=4&priority=1")], "a3 b3 c3"),
    "a host before all": ([override("weight=3&priority=5"), override("weight=4", A)], "a4 b3 c3"),
    "a tag": ([override("dubbo.tag=gray", A)], "b50 c100"),
    "of 2.7": ([override(f"weight=3&{NEW}&side=consumer&providerAddresses={A}")], "a3 b50 c100"),
    "of 2.7, without a side": ([override(f"weight=3&{NEW}")], PLAIN),
    "of another category": ([override("weight=3", category="dynamicconfigurators")], PLAIN),
    "of an interface beside the path": ([override(f"weight=3&interface={ECHO}", path="a.B")], "a3 b3 c3"),
    "of no interface": ([override("weight=3", path="")], PLAIN),
}
# What they say of calls.
SETTINGS = {
    "timeout": (override("timeout=3000"), "3000"),
    "echo.timeout": (override("echo.timeout=3000"), "3000"),
    "echoAfter.timeout": (override("echoAfter.timeout=3000"), "10000"),
    "retries": (override("retries=5"), "5"),
    "loadbalance": (override("loadbalance=consistenthash"), "consistenthash"),
}
# Whom conditions leave, and for which calls.
ROUTES: dict[str, tuple[list[str], Mapping[str, str]]] = {
    "a host": ([route("=> host=10.0.0.1")], {"echo x": "a"}),
    "switched off": ([route("=> host=10.0.0.1", "force=true&enabled=false")], {"echo x": "abc"}),
    "a method": ([route("method=echo => host=10.0.0.1")], {"echo x": "a", "echoAfter x": "abc"}),
    "two": (
        [
            route("method=echo => host=10.0.0.1,10.0.0.2", "priority=1&force=true"),
            route("=> host=10.0.0.2,10.0.0.3", "priority=2&force=true"),
        ],
        {"echo x": "b", "echoAfter x": "bc"},
    ),
    "nobody, without force": ([route("=> host=10.0.0.9", "force=false")], {"echo x": "abc"}),
    "nobody, by force": ([route("=> host=10.0.0.9")], {"echo x": ""}),
    "nobody at all": ([route("=> ")], {"echo x": ""}),
    "a parameter": ([route("=> region=east")], {"echo x": "ac"}),
    "sides": ([route("consumer.application=shop-web => provider.region=west")], {"echo x": "b"}),
    "a route": ([route("=> host=10.0.0.1", "force=true&router=condition", "route")], {"echo x": "a"}),
    "of another application": ([route("=> host=10.0.0.1", "force=true&application=other")], {"echo x": "a"}),
    "of another group": ([route("=> host=10.0.0.1", "force=true&group=g")], {"echo x": "abc"}),
}


@pytest.fixture(scope="module")
def estate(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ZookeeperEstate]:
    with rule_estate(tmp_path_factory.mktemp("zookeeper"), URLS.values(), ("2.7", "3.3")) as made:
        yield made


def said_by_java(estate: ZookeeperEstate, version: str, key: str, method: str = "echo") -> dict[str, str]:
    """Tell what holds at each provider, by names."""
    told = estate.javas[version].asked(f"{method} ?{key}")
    return {ADDRESSES[address]: value for address, _, value in (one.partition("=") for one in sorted(told))}


def configured(estate: ZookeeperEstate, urls: Iterable[str] = ()) -> None:
    """Keep these changes, and wait until every consumer of Java has heard of them: by what only they say."""
    marker = str(next(_markers))
    estate.list_urls("configurators", [*urls, override(f"marker={marker}")])
    ends = time.monotonic() + WAIT_S
    while any(set(said_by_java(estate, one, "marker").values()) != {marker} for one in estate.javas):
        assert time.monotonic() < ends
        time.sleep(0.1)


@pytest.mark.parametrize("case", WEIGHTS)
def test_an_override_says_the_same_of_providers(estate: ZookeeperEstate, case: str) -> None:
    """Their weights, and who is left."""
    estate.list_urls("routers", ())
    urls, expected = WEIGHTS[case]
    configured(estate, urls)
    weighed = dict.fromkeys(ADDRESSES.values(), "")
    for version in estate.javas:
        said = said_by_java(estate, version, "weight")
        weighed[version] = " ".join(f"{name}{100 if value == 'unset' else value}" for name, value in said.items())
    seen = [one for one in estate.consumer.providers("echo", "echo").providers if not one.dropped_by]
    weighed["ours"] = " ".join(f"{ADDRESSES[one.provider.removeprefix('dubbo://')]}{one.weight}" for one in seen)
    assert {who: weighed[who] for who in (*estate.javas, "ours")} == dict.fromkeys((*estate.javas, "ours"), expected)


@pytest.mark.parametrize("key", SETTINGS)
def test_an_override_says_the_same_of_calls(estate: ZookeeperEstate, key: str) -> None:
    """At every provider."""
    estate.list_urls("routers", ())
    url, expected = SETTINGS[key]
    configured(estate, [url])
    setting = key.rpartition(".")[2]
    for version in estate.javas:
        assert set(said_by_java(estate, version, setting).values()) == {expected}
    policy = estate.echo.echo.policy
    of_ours = {"timeout": policy.timeout_ms, "retries": policy.retries, "loadbalance": policy.loadbalance}
    assert str(of_ours[setting]) == expected


@pytest.mark.parametrize("case", ROUTES)
def test_a_condition_leaves_the_same_providers(estate: ZookeeperEstate, case: str) -> None:
    """As for Dubbo 2.7."""
    urls, expected = ROUTES[case]
    estate.list_urls("routers", ())
    configured(estate)
    estate.list_urls("routers", urls)
    addresses = {name: address for address, name in ADDRESSES.items()}
    wanted = {call: {addresses[name] for name in names} or {"nobody"} for call, names in expected.items()}
    estate.check(wanted, without=("3.3",))


def test_dubbo_3_passes_conditions_over(estate: ZookeeperEstate) -> None:
    """It takes them from the configuration centre alone."""
    estate.list_urls("routers", [route("=> host=10.0.0.1")])
    configured(estate)
    assert estate.javas["2.7"].asked("echo x") == {A}
    assert estate.javas["3.3"].asked("echo x") == set(ADDRESSES)
