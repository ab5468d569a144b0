"""Tags: calls of one go to its providers, others keep away from them."""

from __future__ import annotations

import pytest
from support.routing import CALLER, call, providers, routed, tag_routers

from callahead.config.errors import ConfigError
from callahead.config.rules import read_rule
from callahead.consumer.router.kinds import TagKind
from callahead.consumer.router.tag_router import TagRouter

LISTED = providers("1", "2", "tri://10.0.0.1:3?dubbo.tag=gray", "tri://10.0.0.2:4?dubbo.tag=&zone=b")
RULE = """
    force: {force}
    tags:
      - {{name: blue, addresses: ["10.0.0.1:1"]}}
      - {{name: away, addresses: ["10.9.9.9"]}}
      - {{name: b, match: [{{key: zone, value: {{exact: b}}}}]}}
      - {{name: c, match: [{{key: zone, value: {{prefix: c}}}}]}}
"""


def static(own: str = "", **attachments: str) -> str:
    router = TagRouter(None, {**CALLER, "dubbo.tag": own})
    return " ".join(routed([router], LISTED, call(**attachments)))


def ruled(*, force: bool = True, **attachments: str) -> str:
    return " ".join(routed(tag_routers(RULE.format(force=str(force).lower())), LISTED, call(**attachments)))


def test_providers_say_their_own_tags() -> None:
    """A call with one goes there, others keep away, and an unknown one falls back to those without any."""
    assert static(dubbo_tag="gray") == "3"
    assert static() == "1 2 10.0.0.2:4"
    assert static(dubbo_tag="unknown") == "1 2 10.0.0.2:4"


def test_a_forced_tag_has_no_way_back() -> None:
    """With ``dubbo.force.tag`` nobody is asked rather than somebody else."""
    assert static(dubbo_tag="unknown", dubbo_force_tag="true") == ""
    assert static(dubbo_tag="unknown", dubbo_force_tag="false") == "1 2 10.0.0.2:4"


def test_the_tag_of_the_reference_holds_for_calls_without_one() -> None:
    """The call's own goes before it."""
    assert static(own="gray") == "3"
    assert static(own="gray", dubbo_tag="unknown") == "1 2 10.0.0.2:4"


def test_a_rule_names_providers_by_address() -> None:
    """Calls of that tag go there; calls without one avoid whatever a rule names."""
    assert ruled(dubbo_tag="blue") == "1"
    assert ruled() == "2"


def test_a_rule_names_providers_by_parameters() -> None:
    """Where it gives no addresses; where nobody fits, the tag counts as not named."""
    assert ruled(dubbo_tag="b") == "10.0.0.2:4"
    assert ruled(dubbo_tag="c") == "2"


def test_tags_that_providers_say_hold_beside_a_rule() -> None:
    """For tags that the rule does not name."""
    assert ruled(dubbo_tag="gray") == "3"


def test_force_leaves_nobody_where_the_named_ones_are_away() -> None:
    """Without it those without any tag are asked."""
    assert ruled(dubbo_tag="away") == ""
    assert ruled(dubbo_tag="away", force=False) == "2"


def test_a_tag_of_several_levels_falls_back_to_the_next() -> None:
    """``blue|x`` is asked for whole, then as ``blue``; not where the tag is forced."""
    assert ruled(dubbo_tag="blue|x|y") == "1"
    assert ruled(dubbo_tag="blue|x", dubbo_force_tag="true") == ""


def test_where_a_rule_names_everybody_calls_without_a_tag_go_nowhere() -> None:
    """As in Dubbo, whatever ``force`` says."""
    rule = "tags: [{name: all, addresses: ['*']}]"
    assert routed(tag_routers(rule), LISTED, call()) == []


def test_a_rule_that_is_switched_off_is_none() -> None:
    """What providers say themselves holds then, too, which is for who makes the routers."""
    assert tag_routers("enabled: false\ntags: [{name: a, addresses: ['*']}]") == []
    assert tag_routers("tags: []") == []


@pytest.mark.parametrize(
    ("rule", "problem"),
    [
        ("tags:\n  - {addresses: [10.0.0.1]}", "rule:2: tags[0]: needs name"),
        ("tags: [{name: a, addresses: [10]}]", "rule:1: tags[0].addresses[0]: must be an address, not 10"),
        ("tags: [{name: a, addresses: ['10.0.0']}]", '"10.0.0" is no address (write it like 10.0.0.1, 10.0.0.* or'),
        ("tags: [{name: a, match: [{key: zone}]}]", "rule:1: tags[0].match[0]: needs value"),
    ],
)
def test_a_bad_tag_is_refused_with_its_place(rule: str, problem: str) -> None:
    """The error names the rule and the line."""
    with pytest.raises(ConfigError) as failure:
        read_rule(TagKind.rule, rule, "rule")
    assert problem in str(failure.value)
