"""Rules for meshes: which subset of an application's providers a call goes to. Beside Java: ``tests/interop``."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest
import yaml
from support.routing import CALLER, call, providers
from support.ruled import Ruled

from callahead.config.errors import ConfigError
from callahead.config.rules import read_rule
from callahead.consumer.router.api import Providers, Router, Split
from callahead.consumer.router.kinds import MeshKind
from callahead.consumer.router.mesh_router import joined

URLS = (
    "tri://h1:1?application=shop&region=east",
    "tri://h2:2?application=shop&region=west",
    "tri://h3:3?application=stock&region=east",
)
RULE = """
kind: DestinationRule
metadata: {name: shop}
spec:
  subsets:
    - {name: east, labels: {region: east}}
    - {name: west, labels: {region: west}}
---
kind: VirtualService
metadata: {name: shop}
spec:
  dubbo:
    - routedetail: ROUTES
"""
KEY = "shop.MESHAPPRULE"


def rule(routes: str) -> str:
    return RULE.replace("ROUTES", routes)


def routers(routes: str, application: str = "shop") -> list[Router]:
    read = read_rule(MeshKind.rule, rule(routes), "rule", documents="documents")
    named = read.rule.model_copy(update={"application": application})
    return list(MeshKind.routers(named, CALLER, application))


def shares(made: list[Router], listed: Providers) -> dict[str, int]:
    """Give the share of each set of providers, by the numbers of their hosts."""
    (router,) = made
    left = router.route(listed, call())
    parts = zip(left.parts, left.weights, strict=True) if isinstance(left, Split) else [(left, 1)]
    return {"".join(one.endpoint.host[1:] for one in part): weight for part, weight in parts}


@pytest.fixture
def ruled() -> Iterator[Ruled]:
    with Ruled(*URLS) as one, one.space:
        yield one


def test_a_rule_in_a_registry_is_obeyed_from_the_next_call_on(ruled: Ruled) -> None:
    """It is one of the application that provides the service, under Dubbo's key."""
    assert ruled.asked() == {"h1:1", "h2:2", "h3:3"}
    ruled.space.write(KEY, rule("[{route: [{destination: {subset: west}}]}]"))
    assert ruled.asked() == {"h2:2"}
    ruled.space.write(KEY, None)
    assert ruled.asked() == {"h1:1", "h2:2", "h3:3"}


def test_a_rule_in_the_yaml_has_its_documents_as_a_list() -> None:
    """It may name the application whose providers are meant."""
    documents = list(yaml.safe_load_all(rule("[{route: [{destination: {subset: east}}]}]")))
    for application, expected in (("shop", {"h1:1"}), ("", {"h1:1", "h3:3"})):
        written = {"application": application, "documents": documents}
        with Ruled(*URLS, reference={"routers": {"mesh": written}}) as ruled, ruled.space:
            assert ruled.asked() == expected


def test_weights_are_shares() -> None:
    """One that is not written is 1."""
    made = routers("[{route: [{destination: {subset: east}, weight: 30}, {destination: {subset: west}}]}]")
    assert shares(made, providers(*URLS)) == {"1": 30, "2": 1}


@pytest.mark.parametrize(
    ("targets", "expected"),
    [
        ("none 5, east 10, none 7, west 20", {"1": 15, "2": 27}),
        ("east 10, west 20, none 7", {"1": 17, "2": 20}),
        ("none 5, none 6", {"123": 1}),
    ],
)
def test_the_share_of_nobody_is_that_of_the_next(targets: str, expected: dict[str, int]) -> None:
    """Behind the last comes the first; where all have nobody the rule does not count."""
    named = (one.split() for one in targets.split(", "))
    written = ", ".join(f"{{destination: {{subset: {subset}}}, weight: {weight}}}" for subset, weight in named)
    assert shares(routers(f"[{{route: [{written}]}}]"), providers(*URLS)) == expected


def test_of_several_applications_each_keeps_its_shares() -> None:
    """A call goes to those whom any of their rules chose, by one draw for all."""
    of_shop = "[{route: [{destination: {subset: east}, weight: 1}, {destination: {subset: west}, weight: 1}]}]"
    of_stock = "[{route: [{destination: {subset: east}, weight: 1}, {destination: {subset: west}, weight: 2}]}]"
    listed = providers(*URLS, "tri://h4:4?application=stock&region=west")
    made = joined([*routers(of_shop), *routers(of_stock, "stock")])
    assert shares(made, listed) == {"13": 2, "14": 1, "24": 3}


def test_routers_of_other_rules_keep_their_places() -> None:
    """Those of meshes become one, in the place of the first."""
    first, second = (routers("[{route: [{destination: {subset: west}}]}]", name)[0] for name in ("shop", "stock"))
    tag = object()
    assert joined([tag]) == [tag]  # type: ignore[list-item]
    one, other = joined([first, tag, second])  # type: ignore[list-item]
    assert (one.name, other) == ("mesh (shop, stock)", tag)


def test_a_call_without_arguments_is_none_whose_argument_is_so() -> None:
    """Nor does one whose argument is of another type, or no number."""
    said = "[{match: [{method: {args: [{index: 1, VALUE}]}}], route: [{destination: {subset: west}}]}]"
    of_number = routers(said.replace("VALUE", "num_value: {oneof: [{exact: 2}]}"))
    of_flag = routers(said.replace("VALUE", "bool_value: {oneof: [{exact: true}]}"))
    listed = providers(*URLS)

    def is_spoken_of(made: list[Router], *args: object) -> bool:
        return made[0].route(listed, call("find", *args)) != listed

    assert [is_spoken_of(of_number, 0, value) for value in (2, 2.0, "2", "x", True, None)] == [True] * 3 + [False] * 3
    assert [is_spoken_of(of_flag, 0, value) for value in (True, False, 1, "true")] == [True, False, False, False]
    assert not is_spoken_of(of_number)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (RULE.partition("---")[0], "rule: has no VirtualService (a rule needs a DestinationRule and a"),
        (
            rule("[{match: [{method: {argp: [{exact: int}]}}], route: [{destination: {subset: west}}]}]"),
            "rule:13: spec.dubbo[0].routedetail[0].match[0].method.argp: the types of parameters are not known here",
        ),
        (
            rule("[{match: [{method: {name_match: {regex: '('}}}], route: [{destination: {subset: west}}]}]"),
            'name_match.regex: "(" is no regular expression: missing ), unterminated subpattern at position 0',
        ),
        (rule("[{route: []}]"), "rule:13: spec.dubbo[0].routedetail[0].route"),
        (rule("[{route: [{destination: {subset: west}, weight: -1}]}]"), "weight: must be greater than or equal to 0"),
        ("kind: x\n---\nkind: [", "rule:3: not YAML"),
        ("---\n---\n", "rule: holds no settings"),
        ("- 1\n---\n- 2\n", "rule:3: must be a mapping, not a list"),
    ],
)
def test_a_rule_that_makes_no_sense_is_refused(text: str, problem: str) -> None:
    """With the line, of whichever document."""
    with pytest.raises(ConfigError) as raised:
        read_rule(MeshKind.rule, text, "rule", documents="documents")
    assert problem in str(raised.value)


def test_keys_of_labels_are_as_they_are_written() -> None:
    """Whatever spelling they have, they are names of parameters."""
    text = rule("[{route: [{destination: {subset: west}}]}]").replace("{region: west}", "{appVersion: '2', a.b: c}")
    listed = providers(*URLS, "tri://h4:4?application=shop&appVersion=2&a.b=c")
    read = read_rule(MeshKind.rule, text, "rule", documents="documents")
    assert shares(list(MeshKind.routers(read.rule, CALLER, "here")), listed) == {"4": 1}


def test_keys_that_are_not_known_are_passed_over_and_told(ruled: Ruled, caplog: pytest.LogCaptureFixture) -> None:
    """Such as those that only a mesh understands."""
    assert ruled.asked()
    with caplog.at_level(logging.WARNING):
        ruled.space.write(KEY, rule("[{route: [{destination: {subset: west}}], retries: {attempts: 3}}]"))
    assert ruled.asked() == {"h2:2"}
    assert (
        f"rule {KEY}: keys that have no effect here are passed over: spec.dubbo[0].routedetail[0].retries"
        in caplog.text
    )
