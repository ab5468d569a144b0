"""Rules for meshes in ZooKeeper: a Java consumer and ours might call the same providers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pytest
import yaml

from tests.interop.rule_estate import ECHO, ZookeeperEstate, provider_url, rule_estate

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("java", "bound")]

URLS = {
    "a": provider_url("10.0.0.1:20880", "region=east"),
    "b": provider_url("10.0.0.2:20880", "region=west"),
    "c": provider_url("10.0.0.3:20880", "region=east&appVersion=2"),
    "d": provider_url("10.0.0.4:20880", "region=east", application="stock"),
}
ADDRESSES = {name: url.split("/")[2] for name, url in URLS.items()}
SUBSETS = {
    "east": {"region": "east"},
    "west": {"region": "west"},
    "new": {"region": "east", "appVersion": "2"},
    "none": {"region": "north"},
    "all": {},
}
ALL = "abcd"
NAME_IS_ECHO = {"method": {"name_match": {"exact": "echo"}}}


def to(subset: str, **more: Any) -> dict[str, Any]:
    """Give a target."""
    fallback = {"fallback": more.pop("fallback")} if "fallback" in more else {}
    return {"destination": {"host": "shop", "subset": subset, **fallback}, **more}


def route(*targets: dict[str, Any], match: list[Any] | None = None) -> dict[str, Any]:
    """Give a route."""
    return {"route": list(targets), **({} if match is None else {"match": match})}


def rule(*routes: dict[str, Any], name: str = "shop", services: list[Any] | None = None) -> str:
    """Write a rule of two documents."""
    subsets = [{"name": subset, "labels": labels} for subset, labels in SUBSETS.items()]
    service = {"routedetail": list(routes), **({} if services is None else {"services": services})}
    version = {"apiVersion": "service.dubbo.apache.org/v1alpha1", "metadata": {"name": name}}
    destinations = {"kind": "DestinationRule", **version, "spec": {"host": "shop", "subsets": subsets}}
    virtual = {"kind": "VirtualService", **version, "spec": {"hosts": ["shop"], "dubbo": [service]}}
    return yaml.safe_dump_all([destinations, virtual])


def of_argument(**value: Any) -> list[Any]:
    return [{"method": {"args": [{"index": 0, **value}]}}]


def of_attachment(**match: Any) -> list[Any]:
    return [{"attachments": {"dubboContext": {"userKind": match}}}]


# By what they are about: the rule, and for each call who might be called.
CASES: dict[str, tuple[str, Mapping[str, str]]] = {
    "a method": (rule(route(to("east"), match=[NAME_IS_ECHO])), {"echo x": "ac", "echoAfter x": ALL}),
    "the first route counts": (
        rule(route(to("east"), match=[NAME_IS_ECHO]), route(to("west"))),
        {"echo x": "ac", "echoAfter x": "b"},
    ),
    "a method by its begin": (
        rule(route(to("west"), match=[{"method": {"name_match": {"prefix": "echoA"}}}])),
        {"echo x": ALL, "echoAfter x": "b"},
    ),
    "a method by an expression": (
        rule(route(to("west"), match=[{"method": {"name_match": {"regex": "echo(Af|Be).*"}}}])),
        {"echo x": ALL, "echoAfter x": "b"},
    ),
    "the number of arguments": (
        rule(route(to("west"), match=[{"method": {"argc": 2}}])),
        {"echo x": ALL, "echoAfter x": "b"},
    ),
    "a text": (
        rule(route(to("west"), match=of_argument(str_value={"oneof": [{"exact": "y"}, {"prefix": "vip"}]}))),
        {"echo x": ALL, "echo vip-7": "b", "echo y": "b"},
    ),
    "a number": (
        rule(route(to("west"), match=of_argument(num_value={"oneof": [{"range": {"start": 10.0, "end": 20.0}}]}))),
        {"echo 10": "b", "echo 19.5": "b", "echo 20": ALL, "echo -1": ALL},
    ),
    "the rest of a number": (
        rule(route(to("west"), match=of_argument(num_value={"oneof": [{"exact": 1.0, "mod": 4.0}]}))),
        {"echo 5": "b", "echo 6": ALL, "echo -3": ALL},
    ),
    "an attachment": (
        rule(route(to("west"), match=of_attachment(exact="vip"))),
        {"echo x": ALL, "echo x userKind=vip": "b", "echo x userKind=other": ALL},
    ),
    "an attachment that is there": (
        rule(route(to("west"), match=of_attachment(noempty="true"))),
        {"echo x": ALL, "echo x userKind=vip": "b"},
    ),
    "an attachment that is not there": (
        rule(route(to("west"), match=of_attachment(empty="true"))),
        {"echo x": "b", "echo x userKind=vip": ALL},
    ),
    "a trace": (
        rule(route(to("west"), match=[{"attachments": {"tracingContext": {"user": {"noempty": "true"}}}}])),
        {"echo x": ALL, "echo x user=1": ALL},
    ),
    "a caller": (
        rule(route(to("west"), match=[{"sourceLabels": {"application": "shop-web"}}])),
        {"echo x": "b"},
    ),
    "another caller": (
        rule(route(to("west"), match=[{"sourceLabels": {"application": "other"}}])),
        {"echo x": ALL},
    ),
    "two requests that are both needed": (
        rule(route(to("west"), match=[NAME_IS_ECHO, *of_attachment(exact="vip")])),
        {"echo x": ALL, "echo x userKind=vip": "b", "echoAfter x userKind=vip": ALL},
    ),
    "the service": (rule(route(to("west")), services=[{"exact": ECHO}]), {"echo x": "b"}),
    "services by their begin": (rule(route(to("west")), services=[{"prefix": "org.callahead"}]), {"echo x": "b"}),
    "another service": (rule(route(to("west")), services=[{"exact": "a.B"}]), {"echo x": ALL}),
    "two labels": (rule(route(to("new"))), {"echo x": "c"}),
    "no labels": (rule(route(to("all"))), {"echo x": "abc"}),
    "shares": (rule(route(to("new", weight=50), to("west", weight=50))), {"echo x": "bc"}),
    "a share of nobody": (rule(route(to("none", weight=50), to("west", weight=50))), {"echo x": "b"}),
    "who stands in": (rule(route(to("none", fallback=to("none", fallback=to("west"))))), {"echo x": "b"}),
    "nobody": (rule(route(to("none"))), {"echo x": ALL}),
    "a subset that is not there": (rule(route(to("other"))), {"echo x": ALL}),
    "an extension of Dubbo": (rule(route(to("west")), name="shop.other"), {"echo x": ALL}),
}


def named(expected: Mapping[str, str]) -> dict[str, set[str]]:
    return {call: {ADDRESSES[name] for name in names} for call, names in expected.items()}


@pytest.fixture(scope="module")
def estate(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ZookeeperEstate]:
    with rule_estate(tmp_path_factory.mktemp("zookeeper"), URLS.values()) as made:
        yield made


@pytest.mark.parametrize("case", CASES)
def test_both_consumers_might_call_the_same_providers(estate: ZookeeperEstate, case: str) -> None:
    """Those that the rule means."""
    text, expected = CASES[case]
    estate.write({"shop.MESHAPPRULE": text})
    estate.check(named(expected))


def test_rules_of_two_applications_add_up(estate: ZookeeperEstate) -> None:
    """Each speaks of the providers of its own application."""
    estate.write({"shop.MESHAPPRULE": rule(route(to("west"))), "stock.MESHAPPRULE": rule(route(to("east")))})
    estate.check(named({"echo x": "bd"}))


def test_a_rule_that_ends_leaves_all(estate: ZookeeperEstate) -> None:
    """In a consumer that runs."""
    estate.write({"shop.MESHAPPRULE": rule(route(to("west")))})
    estate.check(named({"echo x": "b"}))
    estate.write({})
    estate.check(named({"echo x": ALL}))
