"""Whatever stands in a registry in the place of a rule is either a rule or a `ConfigError`."""

from __future__ import annotations

from contextlib import suppress

import yaml
from hypothesis import given
from hypothesis import strategies as st
from support.routing import CALLER, call, providers, routed

from callahead.config.errors import ConfigError
from callahead.config.extension import ROUTER, load
from callahead.config.rules import read_rule
from callahead.config.values.quantity import Unfit
from callahead.consumer.router.condition import parse_condition
from callahead.consumer.router.configurators import Configurators, effect_of
from callahead.consumer.router.pattern import AddressPattern

LISTED = providers("1", "2", "tri://[::1]:3?dubbo.tag=gray&region=east")
WORDS = st.sampled_from(
    [
        "method",
        "host",
        "arguments[0]",
        "attachments[a]",
        "port",
        "$host",
        "1~2",
        "*",
        "a*",
        "=",
        "!=",
        "&",
        ",",
        "=>",
        " ",
    ]
)
KEYS = st.sampled_from(
    ["force", "enabled", "conditions", "tags", "configs", "name", "addresses", "match", "from", "to", "weight", "side",
     "parameters", "timeout", "key", "value", "exact", "app", "oneof", "providerAddress"]
)  # fmt: skip
SCALARS = st.one_of(st.none(), st.booleans(), st.integers(-5, 50), st.text(max_size=8), st.lists(WORDS).map(" ".join))
TREES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(KEYS, inner, max_size=4)),
    max_leaves=12,
)


@given(st.one_of(st.text(), st.lists(WORDS).map("".join)))
def test_any_text_is_a_condition_or_unfit(text: str) -> None:
    """Nothing else comes out of it; what is read says the same when it is read again."""
    with suppress(Unfit):
        condition = parse_condition(text)
        assert parse_condition(condition.text) == condition


@given(st.text(alphabet="0123456789abf.:*-/[] ", max_size=30))
def test_any_text_is_an_address_or_unfit(text: str) -> None:
    """And can be compared with any address."""
    with suppress(Unfit):
        pattern = AddressPattern.parse(text)
        for host in ("10.0.0.1", "::1", "name", ""):
            assert pattern.matches(host, 1) in (True, False)


@given(st.one_of(st.text(), TREES.map(yaml.safe_dump)), st.sampled_from(["condition", "tag"]))
def test_any_text_is_a_rule_or_refused(text: str, kind: str) -> None:
    """What is a rule routes calls, whatever it says."""
    with suppress(ConfigError):
        found = load(ROUTER, kind)
        routers = list(found.routers(read_rule(found.rule, text, "rule").rule, CALLER, "rule"))
        for one in (call("find", "x"), call("get", a="1", dubbo_tag="gray")):
            assert len(routed(routers, LISTED, one)) <= len(LISTED)


@given(
    st.one_of(
        st.text(), TREES.map(lambda tree: yaml.safe_dump({"configs": [{"side": "consumer", "parameters": tree}]}))
    )
)
def test_any_text_is_a_rule_of_configurators_or_refused(text: str) -> None:
    """With all that it does, or nothing of it."""
    with suppress(ConfigError):
        effect_of(read_rule(Configurators, text, "rule"), CALLER, "rule")
