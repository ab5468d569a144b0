"""Another configuration beside the rules of a registry, and what providers say: each keeps its place."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from support.ruled import CONDITIONS, CONFIGURATORS, INTERFACE, Ruled

from callahead.config.errors import ConfigError


def settings(ruled: Ruled, **foo: Any) -> dict[str, Any]:
    reference = {"interface": INTERFACE, **foo}
    return ruled.configuration({"consumer": {"timeout": 500}, "references": {"foo": reference}})


@pytest.fixture
def ruled() -> Iterator[Ruled]:
    with Ruled("tri://h1:1?retries=7", "tri://h2:2?retries=7", consumer={"timeout": 500}) as one, one.space:
        assert (one.policy().timeout_ms, one.policy().retries) == (500, 7)
        yield one


def rule(ruled: Ruled, key: str, text: str | None) -> None:
    ruled.space.write(key, text)


def test_a_rule_goes_before_the_other_configuration(ruled: Ruled) -> None:
    """And once it has gone that is what holds, not the first one."""
    rule(ruled, CONFIGURATORS, "configs: [{side: consumer, parameters: {timeout: 3000}}]")
    assert ruled.policy().timeout_ms == 3000
    ruled.consumer.reload(settings(ruled, timeout=800))
    assert (ruled.policy().timeout_ms, ruled.policy("findBar").timeout_ms) == (3000, 3000)
    rule(ruled, CONFIGURATORS, None)
    assert (ruled.policy().timeout_ms, ruled.policy("findBar").timeout_ms) == (800, 800)


def test_what_providers_say_goes_behind_it(ruled: Ruled) -> None:
    """As behind the first one: what it sets itself holds, and else their word."""
    ruled.consumer.reload(settings(ruled, retries=1))
    assert (ruled.policy().retries, ruled.policy("findBar").retries) == (1, 1)
    ruled.consumer.reload(settings(ruled))
    assert (ruled.policy().retries, ruled.policy("findBar").retries) == (7, 7)
    ruled.publish("tri://h1:1?retries=3")
    assert (ruled.policy().retries, ruled.policy("findBar").retries) == (3, 3)


def test_routers_of_both_hold(ruled: Ruled) -> None:
    """Those of the registry stay as those of the configuration come and go."""
    rule(ruled, CONDITIONS, "{force: true, conditions: ['method=findFoo => host=h1']}")
    assert (ruled.asked(), ruled.asked(method="findBar")) == ({"h1:1"}, {"h1:1", "h2:2"})
    routers = {"condition": {"force": True, "conditions": ["method=findBar => host=h2"]}}
    ruled.consumer.reload(settings(ruled, routers=routers))
    assert (ruled.asked(), ruled.asked(method="findBar")) == ({"h1:1"}, {"h2:2"})
    ruled.consumer.reload(settings(ruled))
    assert (ruled.asked(), ruled.asked(method="findBar")) == ({"h1:1"}, {"h1:1", "h2:2"})


def test_what_rules_of_the_registry_compare_is_read_once(ruled: Ruled) -> None:
    """Parameters of the reference are what they know of the consumer; those of a method may change."""
    with pytest.raises(ConfigError, match=r"parameters: is read when the reference is made, for rules of its registry"):
        ruled.consumer.reload(settings(ruled, parameters={"zone": "east"}))
    ruled.consumer.reload(settings(ruled, methods={"findFoo": {"parameters": {"zone": "east"}}}))
    assert dict(ruled.policy().attachments) == {"zone": "east"}
