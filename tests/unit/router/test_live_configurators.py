"""Configurators: rules that change how calls are made, and what providers are taken to be, while a consumer runs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from support.ruled import CONFIGURATORS, Ruled

from callahead.consumer import NoProviderAvailable
from callahead.registry.host import own_host

URLS = ("tri://h1:1", "tri://h2:2")


def rule(parameters: str, more: str = "", *, side: str = "consumer") -> str:
    return f"configVersion: v3.0\nconfigs:\n  - side: {side}\n    parameters: {{{parameters}}}\n{more}"


@pytest.fixture
def ruled() -> Iterator[Ruled]:
    settings: dict[str, Any] = {"consumer": {"timeout": 500}, "methods": {"findBar": {"timeout": 700}}}
    with Ruled(*URLS, **settings) as one, one.space:
        assert one.policy().timeout_ms == 500
        yield one


def test_a_rule_changes_a_running_consumer_and_its_end_restores(ruled: Ruled) -> None:
    """Methods that were called already, and those that were not; the policy says where the value is from."""
    ruled.space.write(CONFIGURATORS, rule("timeout: 3000, retries: 5"))
    changed = ruled.policy()
    assert (changed.timeout_ms, changed.retries, changed.total_timeout_ms) == (3000, 5, 18_000)
    assert changed.origin("timeout_ms") == f"{CONFIGURATORS}:4"
    assert ruled.policy("touch").timeout_ms == 3000
    ruled.space.write(CONFIGURATORS, None)
    assert (ruled.policy().timeout_ms, ruled.policy().retries) == (500, 2)
    assert ruled.policy("touch").timeout_ms == 500


def test_what_a_method_sets_itself_stays_but_for_its_own_key(ruled: Ruled) -> None:
    """As with Dubbo's parameters of methods."""
    ruled.space.write(CONFIGURATORS, rule("timeout: 3000"))
    assert ruled.policy("findBar").timeout_ms == 700
    ruled.space.write(CONFIGURATORS, rule("timeout: 3000, findBar.timeout: 2s, findFoo.retries: 0"))
    assert (ruled.policy("findBar").timeout_ms, ruled.policy("findBar").retries) == (2000, 2)
    assert (ruled.policy().timeout_ms, ruled.policy().retries) == (3000, 0)


def test_a_method_may_be_spelt_otherwise_in_the_yaml() -> None:
    """A rule names it as the provider does."""
    with Ruled(*URLS, methods={"find_foo": {"timeout": 700}}) as ruled, ruled.space:
        ruled.space.write(CONFIGURATORS, rule("findFoo.timeout: 3000"))
        assert ruled.policy().timeout_ms == 3000


@pytest.mark.parametrize(
    ("parameters", "attribute", "value"),
    [
        ("cluster: failfast", "cluster", "failfast"),
        ("loadbalance: roundrobin", "loadbalance", "roundrobin"),
        ("actives: 3", "actives", 3),
        ("hash.nodes: 320", "hash_nodes", 320),
        ("findFoo.hash.arguments: '0,1'", "hash_arguments", ("0", "1")),
        ("sticky: true", "sticky", True),
        ("mock: 'force:return null'", "mock", ("force:return null",)),
        ("totalTimeout: 9s", "total_timeout_ms", 9000),
    ],
)
def test_these_settings_can_be_changed(ruled: Ruled, parameters: str, attribute: str, value: object) -> None:
    """In any spelling."""
    ruled.space.write(CONFIGURATORS, rule(parameters))
    assert getattr(ruled.policy(), attribute) == value


def test_a_rule_that_a_method_cannot_obey_is_passed_over(ruled: Ruled, caplog: pytest.LogCaptureFixture) -> None:
    """Such as a cluster that would run it twice; the log says so, and calls go on as before."""
    ruled.space.write(CONFIGURATORS, rule("cluster: forking, timeout: 3000"))
    assert ruled.policy().cluster == "failover"
    assert "foo.findFoo: a rule cannot be obeyed, and is passed over: " in caplog.text
    assert f"{CONFIGURATORS}:4" in caplog.text
    assert ruled.asked() == {"h1:1", "h2:2"}


def test_a_rule_goes_before_what_providers_say_of_calls(ruled: Ruled) -> None:
    """Which counts only where nothing is set; and holds again once the rule is gone."""
    ruled.publish("tri://h1:1?retries=5", "tri://h2:2?retries=5")
    assert ruled.policy().retries == 5
    ruled.space.write(CONFIGURATORS, rule("retries: 1"))
    assert (ruled.policy().retries, ruled.policy("findBar").retries) == (1, 1)
    ruled.publish("tri://h1:1?retries=6", "tri://h2:2?retries=6")
    assert ruled.policy().retries == 1
    ruled.space.write(CONFIGURATORS, None)
    assert ruled.policy().retries == 6


def test_a_change_reaches_calls(ruled: Ruled) -> None:
    """Not the policy alone: here what answers them."""
    ruled.space.write(CONFIGURATORS, rule("mock: 'force:return 7'"))
    assert ruled.foo.findFoo() == 7
    ruled.space.write(CONFIGURATORS, None)
    assert ruled.foo.findFoo() in ("tri://h1:1", "tri://h2:2")


@pytest.mark.parametrize(
    ("parameters", "problem"),
    [
        ("timeout: soon", 'parameters.timeout: must be a duration such as 500, "50ms", "1.5s" or "2m", not "soon"'),
        ("timeout: 0", "parameters.timeout: must be from 1 to 2147483647 ms, not 0 ms"),
        ("findFoo.retries: -1", "parameters.findFoo.retries: must be from 0 to 1000, not -1"),
        ("loadbalance: best", 'parameters.loadbalance: unknown loadbalance "best"'),
        ("weight: many", 'parameters.weight: must be a whole number from 0 to 10000, not "many"'),
        ("disabled: perhaps", 'parameters.disabled: must be true or false, not "perhaps"'),
        ("mock: 'fail:os:abort'", "parameters.mock: names code of this program, which a rule of a registry may not"),
        ("", "configs[0].parameters"),
    ],
)
def test_a_bad_value_leaves_the_old_rule(
    ruled: Ruled, caplog: pytest.LogCaptureFixture, parameters: str, problem: str
) -> None:
    """All of it: nothing of the new one is obeyed; the log names rule, line and key."""
    ruled.space.write(CONFIGURATORS, rule("timeout: 3000"))
    ruled.space.write(CONFIGURATORS, rule(f"retries: 9, {parameters}" if parameters else ""))
    assert (ruled.policy().timeout_ms, ruled.policy().retries) == (3000, 2)
    assert f"{CONFIGURATORS}:4: configs[0].{problem.removeprefix('configs[0].')}" in caplog.text


@pytest.mark.parametrize("key", ["async", "return", "onreturn", "interceptors", "validation", "threads"])
def test_what_call_sites_rely_on_and_names_of_code_cannot_be_changed(
    ruled: Ruled, caplog: pytest.LogCaptureFixture, key: str
) -> None:
    """The rest of the rule is obeyed, and the log says what is not."""
    before = ruled.policy()
    ruled.space.write(CONFIGURATORS, rule(f"timeout: 3000, {key}: 'os:abort'"))
    assert ruled.policy().timeout_ms == 3000
    assert (ruled.policy().is_async, ruled.policy().onreturn) == (before.is_async, before.onreturn)
    assert f"rule {CONFIGURATORS}: keys that have no effect here are passed over: {key}" in caplog.text


def test_the_rule_of_the_service_goes_before_that_of_the_application(ruled: Ruled) -> None:
    """What both say; the rest of both holds."""
    ruled.space.write(CONFIGURATORS, rule("timeout: 3000"))
    ruled.space.write("shop-web.configurators", "scope: application\n" + rule("timeout: 4000, retries: 7"))
    assert (ruled.policy().timeout_ms, ruled.policy().retries) == (3000, 7)


@pytest.mark.parametrize(
    ("more", "is_meant"),
    [
        ("    addresses: ['0.0.0.0']", True),
        (f"    addresses: ['{own_host()}']", True),
        ("    addresses: ['10.99.99.99']", False),
        ("    services: [com.alibaba.foo.FooService]", True),
        ("    services: ['*']", True),
        ("    services: [com.alibaba.Other]", False),
        ("    services: ['com.alibaba.foo.FooService:1.0']", False),
        ("    applications: [shop-web]", True),
        ("    applications: [other]", False),
        ("    match: {app: {oneof: [{exact: other}, {prefix: shop}]}}", True),
        ("    match: {app: {oneof: [{exact: other}]}}", False),
        ("    match: {service: {oneof: [{wildcard: '*'}]}}", True),
        ("    match: {service: {oneof: [{noempty: x}]}}", True),
        ("    match: {service: {oneof: [{empty: x}]}}", False),
        (f"    match: {{address: {{cird: '{own_host()}/32'}}}}", True),
        ("    match: {address: {exact: 10.99.99.99}}", False),
        ("    enabled: false", True),  # has no effect in Dubbo either
        ("enabled: false", False),
    ],
)
def test_a_rule_says_whom_it_is_meant_for(ruled: Ruled, more: str, is_meant: bool) -> None:
    """By address, service and application of the caller."""
    ruled.space.write(CONFIGURATORS, rule("timeout: 3000", more))
    assert ruled.policy().timeout_ms == (3000 if is_meant else 500)


@pytest.mark.parametrize("side", ["provider", "''"])
def test_what_is_meant_for_providers_is_theirs(ruled: Ruled, side: str) -> None:
    """They register anew with it, and are seen so; nothing is changed twice."""
    ruled.space.write(CONFIGURATORS, rule("timeout: 3000, weight: 0", side=side))
    assert ruled.policy().timeout_ms == 500
    assert ruled.asked() == {"h1:1", "h2:2"}


@pytest.mark.parametrize(
    "more",
    [
        "    providerAddresses: ['h1:1']",
        "    providerAddresses: [h1]",
        "    providerAddresses: ['0.0.0.0:1']",
        "    match: {providerAddress: {wildcard: 'h1:*'}}",
        "    match: {providerAddress: {exact: 'h1:1'}}",
        "    match: {param: [{key: zone, value: {exact: a}}]}",
    ],
)
@pytest.mark.parametrize("parameters", ["weight: 0", "disabled: true"])
def test_a_single_provider_is_given_no_calls(ruled: Ruled, more: str, parameters: str) -> None:
    """By its weight, or by being taken for disabled; and calls again, once the rule is gone."""
    ruled.publish("tri://h1:1?zone=a", URLS[1])
    ruled.space.write(CONFIGURATORS, rule(parameters, more))
    assert ruled.asked() == {"h2:2"}
    ruled.publish("tri://h1:1?zone=a", URLS[1], "tri://h3:3")
    assert ruled.asked(60) == {"h2:2", "h3:3"}
    ruled.space.write(CONFIGURATORS, None)
    assert ruled.asked(60) == {"h1:1", "h2:2", "h3:3"}


def test_a_weight_is_a_weight(ruled: Ruled) -> None:
    """Providers share calls by it."""
    ruled.space.write(CONFIGURATORS, rule("weight: 1000", "    providerAddresses: ['h1:1']"))
    counts = Counter(ruled.foo.findFoo() for _ in range(400))
    assert counts["tri://h1:1"] > 300


def test_who_disables_everybody_is_named(ruled: Ruled) -> None:
    """The error of a call says which rule it was."""
    ruled.space.write(CONFIGURATORS, rule("disabled: true"))
    with pytest.raises(NoProviderAvailable, match=rf"2 disabled by {CONFIGURATORS}:4"):
        ruled.foo.findFoo()


def test_settings_of_calls_are_not_changed_for_single_providers(ruled: Ruled, caplog: pytest.LogCaptureFixture) -> None:
    """Whoever is asked, a call has one policy; the log says so."""
    ruled.space.write(CONFIGURATORS, rule("timeout: 3000", "    providerAddresses: ['h1:1']"))
    assert ruled.policy().timeout_ms == 500
    assert "passed over: timeout_ms (for single providers)" in caplog.text


def test_calls_that_run_go_on_as_they_began() -> None:
    """A rule is for those that begin."""
    with Ruled(*URLS, answers=False) as ruled, ruled.space:
        future = ruled.foo.findFoo.future()
        running = ruled.next_call()
        ruled.space.write(CONFIGURATORS, rule("mock: 'force:return 7'"))
        running.reply("first")
        assert future.result(20) == "first"
        assert ruled.foo.findFoo() == 7
