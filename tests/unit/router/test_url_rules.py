"""Rules of Dubbo 2.6, each a URL in the folders ``configurators`` and ``routers`` of an interface."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from urllib.parse import quote_plus

import pytest
from support.ruled import CONDITIONS, CONFIGURATORS, INTERFACE, Ruled

from callahead.consumer import NoProviderAvailable
from callahead.consumer.router.url_rules import origin_of
from callahead.registry.host import own_host
from callahead.registry.url import Url

URLS = ("tri://h1:1", "tri://h2:2")


@pytest.fixture
def ruled() -> Iterator[Ruled]:
    with Ruled(*URLS, consumer={"timeout": 500}) as one, one.space:
        assert one.policy().timeout_ms == 500
        yield one


def override(said: str, host: str = "0.0.0.0", path: str = INTERFACE) -> str:
    return f"override://{host}/{path}?category=configurators&dynamic=false&{said}"


def route(rule: str, said: str = "force=true", scheme: str = "condition", path: str = INTERFACE) -> str:
    return f"{scheme}://0.0.0.0/{path}?category=routers&dynamic=false&{said}&rule={quote_plus(rule)}"


def change(ruled: Ruled, *urls: str) -> None:
    ruled.space.list_urls(INTERFACE, "configurators", urls)


def lead(ruled: Ruled, *urls: str) -> None:
    ruled.space.list_urls(INTERFACE, "routers", urls)


def test_an_override_changes_a_running_consumer_and_its_end_restores(ruled: Ruled) -> None:
    """For one method, too; the policy names the URL as the origin."""
    url = override("timeout=3000&findBar.retries=0")
    change(ruled, url)
    assert (ruled.policy().timeout_ms, ruled.policy("findBar").retries) == (3000, 0)
    assert ruled.policy().origin("timeout_ms") == origin_of(Url.parse(url))
    change(ruled)
    assert (ruled.policy().timeout_ms, ruled.policy("findBar").retries) == (500, 2)


def test_rules_that_stand_there_already_hold_for_the_first_call() -> None:
    """They are read while the reference is made."""
    with Ruled(*URLS) as ruled, ruled.space:
        lead(ruled, route("=> port=2"))
        assert ruled.asked() == {"h2:2"}


def test_a_host_with_a_port_is_a_provider(ruled: Ruled) -> None:
    """One that is disabled gets no calls, one without weight none while another has some."""
    change(ruled, override("disabled=true", "h1:1"))
    assert ruled.asked() == {"h2:2"}
    change(ruled, override("weight=0", "h2:2"))
    assert ruled.asked() == {"h1:1"}
    change(ruled, override("disabled=true"))
    with pytest.raises(NoProviderAvailable, match="2 disabled by override://"):
        ruled.asked()


def test_a_rule_for_each_of_many_providers_disables_it(ruled: Ruled) -> None:
    """As consoles write them; the error names the first few."""
    hosts = [f"10.0.{number // 250}.{number % 250}:1" for number in range(1000)]
    ruled.publish(*(f"tri://{host}" for host in hosts))
    change(ruled, *(override("disabled=true", host) for host in hosts[1:]))
    assert ruled.asked() == {hosts[0]}
    change(ruled, *(override("disabled=true", host) for host in hosts))
    with pytest.raises(NoProviderAvailable, match="1000 disabled by override://.*, 997 more") as caught:
        ruled.asked()
    assert len(str(caught.value)) < 1500


@pytest.mark.parametrize(
    ("url", "is_obeyed"),
    [
        pytest.param(override("timeout=3000", own_host()), True, id="own host"),
        pytest.param(override("timeout=3000", "10.9.9.9"), False, id="other host"),
        pytest.param(override("timeout=3000&application=shop-web"), True, id="own application"),
        pytest.param(override("timeout=3000&application=*"), True, id="any application"),
        pytest.param(override("timeout=3000&application=other"), False, id="other application"),
        pytest.param(override("timeout=3000", "other@0.0.0.0"), False, id="other user"),
        pytest.param(override("timeout=3000&side=provider"), False, id="providers"),
        pytest.param(override("timeout=3000&group=g1"), False, id="other group"),
        pytest.param(override("timeout=3000&version=1.0"), False, id="other version"),
        pytest.param(override("timeout=3000", path="*"), True, id="any interface"),
        pytest.param(override("timeout=3000", path=""), False, id="no interface"),
        pytest.param(f"override://0.0.0.0/{INTERFACE}?category=routers&timeout=3000", False, id="other category"),
        pytest.param(f"override://0.0.0.0/{INTERFACE}?timeout=3000", True, id="no category"),
        pytest.param(override("timeout=3000&enabled=false"), False, id="switched off"),
        pytest.param(override("timeout=3000&configVersion=v2.7&side=consumer"), True, id="of 2.7"),
        pytest.param(override("timeout=3000&configVersion=v2.7"), False, id="of 2.7 without a side"),
    ],
)
def test_an_override_is_obeyed_by_those_for_whom_it_is(ruled: Ruled, url: str, is_obeyed: bool) -> None:
    """As Dubbo's ``AbstractConfigurator`` and ``UrlUtils.isMatch`` decide."""
    change(ruled, url)
    assert ruled.policy().timeout_ms == (3000 if is_obeyed else 500)


@pytest.mark.parametrize(
    "said", ["~region=east&weight=0", "configVersion=v2.7&side=consumer&providerAddresses=h1:1&weight=0"]
)
def test_an_override_may_name_providers_otherwise(ruled: Ruled, said: str) -> None:
    """By a parameter, or in a list."""
    ruled.publish("tri://h1:1?region=east", "tri://h2:2?region=west")
    change(ruled, override(said))
    assert ruled.asked() == {"h2:2"}


def test_the_rule_for_a_host_goes_before_that_for_all_and_then_counts_priority(ruled: Ruled) -> None:
    """The order in which they stand there says nothing."""
    change(ruled, override("timeout=3000", own_host()), override("timeout=4000&priority=9"))
    assert ruled.policy().timeout_ms == 3000
    change(ruled, override("timeout=3000&priority=9"), override("timeout=4000&priority=-1"))
    assert ruled.policy().timeout_ms == 3000


def test_the_configuration_centre_goes_before_an_override(ruled: Ruled) -> None:
    """As in Dubbo, which lays it over."""
    change(ruled, override("timeout=3000&retries=7"))
    ruled.space.write(CONFIGURATORS, "configs: [{side: consumer, parameters: {timeout: 4000}}]")
    assert (ruled.policy().timeout_ms, ruled.policy().retries) == (4000, 7)


def test_a_mock_may_be_escaped_as_java_does_that(ruled: Ruled) -> None:
    """The example of Dubbo's own manual."""
    change(ruled, override("mock=force:return+null"))
    assert ruled.policy().mock == ("force:return null",)


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        pytest.param(override("timeout=soon"), "timeout", id="value"),
        pytest.param(override("timeout=3000&priority=high"), 'must be a whole number, not "high"', id="priority"),
        pytest.param(f"absent://0.0.0.0/{INTERFACE}?timeout=1", "absent:// is not obeyed here", id="absent"),
    ],
)
def test_an_override_that_makes_no_sense_costs_none_of_the_others(
    ruled: Ruled, caplog: pytest.LogCaptureFixture, url: str, problem: str
) -> None:
    """The log names it once, and `Consumer.providers` as long as it stands there."""
    change(ruled, url, override("retries=7"))
    change(ruled, url, override("retries=5"))
    assert (ruled.policy().timeout_ms, ruled.policy().retries) == (500, 5)
    assert [problem in record.message for record in caplog.records if record.levelno == logging.WARNING] == [True]
    assert problem in " ".join(ruled.consumer.providers("foo", "findFoo").problems)


@pytest.mark.parametrize("said", ["force=true", "router=condition&force=true"])
def test_a_route_leads_calls(ruled: Ruled, said: str) -> None:
    """Written as Dubbo's consoles do, and obeyed until it is gone."""
    scheme = "route" if "router" in said else "condition"
    lead(ruled, route("method = find* => provider.host = h1", said, scheme))
    assert ruled.asked() == {"h1:1"}
    lead(ruled)
    assert ruled.asked() == {"h1:1", "h2:2"}


def test_without_force_a_route_that_leaves_nobody_does_not_count(ruled: Ruled) -> None:
    """With it nobody is asked."""
    lead(ruled, route("=> port=3", "force=false"))
    assert ruled.asked() == {"h1:1", "h2:2"}
    lead(ruled, route("=> port=3"))
    with pytest.raises(NoProviderAvailable, match="none is left by the rules: condition => port=3"):
        ruled.asked()


def test_routes_narrow_what_other_rules_leave(ruled: Ruled) -> None:
    """Those of a lower priority first; one that is switched off not at all."""
    ruled.publish(*URLS, "tri://h3:3")
    ruled.space.write(CONDITIONS, "conditions: ['=> port=1,2']")
    off = route("=> port=3", "force=true&enabled=false")
    lead(ruled, route("=> port=2", "priority=2"), route("=> port=1", "priority=1"), off)
    assert ruled.asked() == {"h1:1"}
    lead(ruled, route("=> port=2", "priority=1"), route("=> port=1", "priority=2"), off)
    assert ruled.asked() == {"h2:2"}


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        pytest.param(route("=> a", "router=script", "route"), 'rules of the kind "script" are not obeyed', id="script"),
        pytest.param(route("=> a", scheme="tag"), 'rules of the kind "tag" are not obeyed', id="tag"),
        pytest.param(route("a=> =b"), 'rule: "a": nothing is said of "a"', id="nonsense"),
        pytest.param(route(""), "is empty", id="empty"),
    ],
)
def test_a_route_of_another_kind_is_passed_over(
    ruled: Ruled, caplog: pytest.LogCaptureFixture, url: str, problem: str
) -> None:
    """With a warning; others are obeyed."""
    lead(ruled, url, route("=> port=2"))
    assert ruled.asked() == {"h2:2"}
    assert problem in caplog.text


def test_a_rule_is_named_without_secrets_and_bounded() -> None:
    """It is shown in errors and in the log."""
    named = origin_of(Url.parse(override(f"password=secret&mock={'x' * 1000}")))
    assert "secret" not in named
    assert len(named) == 203
