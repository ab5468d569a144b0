"""What every router promises, whatever its rule: tried on rules of all kinds that are installed.

A new kind joins by adding a rule of its own to RULES.
"""

from __future__ import annotations

import threading

import pytest
from support.routing import CALLER, call, providers

from callahead.config.errors import ConfigError
from callahead.config.extension import ROUTER, available, load
from callahead.config.rules import read_rule
from callahead.consumer.router.api import Providers, Router, Split

LISTED = providers("1", "2", "tri://10.0.0.2:3?dubbo.tag=gray")
RULES = {
    "condition": [
        "conditions: ['=> port=1']",
        "force: true\nconditions: ['method=find & attachments[user]=1 => port=2', 'arguments[0]=x => ']",
        "configVersion: v3.1\nconditions: [{from: {match: method=find}, to: [{match: port=1}, {match: port=2}]}]",
    ],
    "mesh": [
        """
        application: ""
        documents:
          - kind: DestinationRule
            metadata: {name: shop}
            spec: {subsets: [{name: gray, labels: {dubbo.tag: gray}}, {name: all}]}
          - kind: VirtualService
            metadata: {name: shop}
            spec:
              dubbo:
                - routedetail:
                    - match: [{method: {name_match: {exact: find}}, attachments: {dubboContext: {user: {exact: "1"}}}}]
                      route: [{destination: {subset: gray}, weight: 20}, {destination: {subset: all}, weight: 80}]
                    - match: [{method: {args: [{str_value: {oneof: [{prefix: x}]}}]}}]
                      route: [{destination: {subset: gray}}]
        """
    ],
    "tag": ["force: true\ntags: [{name: blue, addresses: ['10.0.0.1:2']}]"],
}
CALLS = [call("find"), call("get", "x"), call("find", "x", user="1"), call("find", dubbo_tag="blue")]


def test_every_kind_that_is_installed_is_tried() -> None:
    """None is left out."""
    assert set(RULES) == set(available(ROUTER))


def routers() -> list[Router]:
    kinds = [(load(ROUTER, name), text) for name, texts in RULES.items() for text in texts]
    return [
        one for kind, text in kinds for one in kind.routers(read_rule(kind.rule, text, "rule").rule, CALLER, "here")
    ]


def parts_of(left: Providers | Split) -> tuple[Providers, ...]:
    return left.parts if isinstance(left, Split) else (left,)


@pytest.fixture(params=routers(), ids=lambda router: str(router.name)[:40])
def router(request: pytest.FixtureRequest) -> Router:
    one: Router = request.param
    return one


def test_only_listed_providers_are_left_each_once(router: Router) -> None:
    """In the order in which they are listed; a part of a split has somebody."""
    for one in CALLS:
        left = router.route(LISTED, one)
        for part in parts_of(left):
            assert [listed for listed in LISTED if listed in part] == list(part)
            assert part or not isinstance(left, Split)


def test_calls_with_equal_looks_are_treated_alike(router: Router) -> None:
    """What a router does not say that it looks at changes nothing."""
    seen: dict[object, tuple[Providers, ...]] = {}
    for one in CALLS:
        looks = tuple(look(one) for look in router.looks)
        found = parts_of(router.route(LISTED, one))
        assert seen.setdefault(looks, found) == found


def test_what_is_looked_at_can_be_a_key(router: Router) -> None:
    """Answers are kept by it."""
    assert all(isinstance(hash(tuple(look(one) for look in router.looks)), int) for one in CALLS)


def test_the_name_tells_where_the_rule_was_written(router: Router) -> None:
    """It stands in errors and on the command line."""
    assert router.name.endswith("(here)")


def test_any_number_of_threads_may_ask(router: Router) -> None:
    """They get what one gets."""
    expected = [parts_of(router.route(LISTED, one)) for one in CALLS]
    wrong: list[object] = []

    def ask() -> None:
        for _ in range(50):
            found = [parts_of(router.route(LISTED, one)) for one in CALLS]
            wrong.extend([] if found == expected else [found])

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


@pytest.mark.parametrize("kind", RULES)
@pytest.mark.parametrize(
    "text", ["[]", "7", "''", "force: {}", "a: &a {b: *a}", "\ttab", "x: !!python/object:os.system"]
)
def test_a_text_that_is_no_rule_is_refused(kind: str, text: str) -> None:
    """With the name of the rule, whatever somebody wrote there."""
    with pytest.raises(ConfigError, match=r"^some\.rule:\d+: "):
        read_rule(load(ROUTER, kind).rule, text, "some.rule")


@pytest.mark.parametrize("kind", RULES)
def test_rules_have_an_order(kind: str) -> None:
    """Tags come before conditions, as in Dubbo."""
    assert isinstance(load(ROUTER, kind).order, int)
    assert load(ROUTER, "tag").order < load(ROUTER, "condition").order
