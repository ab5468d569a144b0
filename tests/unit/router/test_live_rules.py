"""Rules that a registry keeps: obeyed while the consumer runs, kept where a new one makes no sense."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest
from support.ruled import CONDITIONS, INTERFACE, Ruled

from callahead.consumer import ConnectFailed, Consumer, NoProviderAvailable
from callahead.consumer.router.live import keys_of, keys_of_provider
from callahead.consumer.testing.scripted_transport import ScriptedTransport
from callahead.registry import MemoryRegistry
from callahead.registry.models import ServiceKey

URLS = ("tri://h1:1?application=shop", "tri://h2:2?application=shop")


@pytest.fixture
def ruled() -> Iterator[Ruled]:
    with Ruled(*URLS) as one, one.space:
        yield one


def test_a_rule_is_obeyed_from_the_next_call_on(ruled: Ruled) -> None:
    """Written, changed and taken away while the consumer runs; nothing else has to be done."""
    assert ruled.asked() == {"h1:1", "h2:2"}
    ruled.space.write(CONDITIONS, "conditions: ['=> port=1']")
    assert ruled.asked() == {"h1:1"}
    ruled.space.write(CONDITIONS, "conditions: ['=> port=2']")
    assert ruled.asked() == {"h2:2"}
    ruled.space.write(CONDITIONS, None)
    assert ruled.asked() == {"h1:1", "h2:2"}


def test_a_rule_that_stands_there_already_holds_for_the_first_call() -> None:
    """It is read while the reference is made."""
    with Ruled(*URLS) as ruled, ruled.space:
        ruled.space.write(CONDITIONS, "conditions: ['=> port=2']")
        assert ruled.asked() == {"h2:2"}


def test_an_empty_text_is_no_rule(ruled: Ruled) -> None:
    """Some registries keep one where there is nothing."""
    ruled.space.write(CONDITIONS, "conditions: ['=> port=2']")
    ruled.space.write(CONDITIONS, " ")
    assert ruled.asked() == {"h1:1", "h2:2"}


def test_a_rule_that_does_not_parse_leaves_the_old_one(ruled: Ruled, caplog: pytest.LogCaptureFixture) -> None:
    """The log names rule, line and what is wrong."""
    ruled.space.write(CONDITIONS, "conditions: ['=> port=2']")
    assert ruled.asked() == {"h2:2"}
    ruled.space.write(CONDITIONS, "force: true\nconditions:\n  - '=> port='")
    assert ruled.asked() == {"h2:2"}
    assert f"rule {CONDITIONS}: it cannot be understood, so the one before it stays: " in caplog.text
    assert f'{CONDITIONS}:3: conditions[0]: "port=" ends with "="' in caplog.text
    ruled.space.write(CONDITIONS, "conditions: ['=> port=1']")
    assert ruled.asked() == {"h1:1"}


def test_a_rule_of_many_faults_does_not_fill_the_log(ruled: Ruled, caplog: pytest.LogCaptureFixture) -> None:
    """Of what others wrote only a part is shown."""
    faults = "\n".join(f"  - '{'x' * 3000}='" for _ in range(100))
    assert ruled.asked()
    ruled.space.write(CONDITIONS, f"conditions:\n{faults}")
    (record,) = [one for one in caplog.records if one.name == "callahead.consumer.router"]
    assert "and 95 more" in record.getMessage()
    assert len(record.getMessage()) < 3000


def test_keys_of_others_are_passed_over_and_told(ruled: Ruled, caplog: pytest.LogCaptureFixture) -> None:
    """A rule that is shared with newer consumers is obeyed as far as it is known."""
    assert ruled.asked()
    ruled.space.write(CONDITIONS, "conditions: ['=> port=2']\ntrafficDisable: true")
    assert ruled.asked() == {"h2:2"}
    assert "keys that have no effect here are passed over: trafficDisable" in caplog.text


def test_where_rules_leave_nobody_the_error_says_which(ruled: Ruled) -> None:
    """With how many each dropped, and no provider was asked."""
    assert ruled.asked()
    ruled.space.write(CONDITIONS, "force: true\nconditions: ['method=findFoo => port=9']")
    with pytest.raises(NoProviderAvailable) as failure:
        ruled.foo.findFoo()
    assert failure.value.not_sent
    assert failure.value.message == (
        f"no provider: of 2 known none is left by the rules: condition method=findFoo => port=9 ({CONDITIONS}) drops 2"
    )
    assert ruled.asked(method="findBar") == {"h1:1", "h2:2"}


def test_a_call_is_not_sent_elsewhere_because_all_that_it_may_go_to_were_tried() -> None:
    """Rules come before what has been tried and what is unreachable."""
    with Ruled(*URLS, answers=False, consumer={"retries": 3}) as ruled, ruled.space:
        ruled.space.write(CONDITIONS, "conditions: ['=> port=1']")
        future = ruled.foo.findFoo.future()
        for _ in range(4):
            attempt = ruled.next_call()
            assert attempt.provider.name == "tri://h1:1"
            attempt.fail(ConnectFailed("refused", not_sent=True))
        assert future.exception(timeout=20) is not None


@pytest.mark.parametrize("cluster", ["broadcast", "forking", "available", "failfast"])
def test_every_cluster_keeps_to_the_rules(cluster: str) -> None:
    """Those that ask several at once, too."""
    settings = {"consumer": {"cluster": cluster, "idempotent": True}}
    with Ruled(*URLS, "tri://h3:3", answers=False, **settings) as ruled, ruled.space:
        ruled.space.write(CONDITIONS, "conditions: ['=> port!=1']")
        future = ruled.foo.findFoo.future()
        asked = set()
        while not future.done():
            attempt = ruled.next_call()
            asked.add(attempt.provider.name)
            attempt.reply()
        assert "tri://h1:1" not in asked
        assert future.result(20) is None
        ruled.space.write(CONDITIONS, "conditions: ['=> ']")
        with pytest.raises(NoProviderAvailable, match="none is left by the rules"):
            ruled.foo.findFoo()


@pytest.mark.parametrize(
    "key", [CONDITIONS, "shop-web.condition-router", "shop.condition-router"], ids=["service", "caller", "provider"]
)
def test_rules_of_the_service_of_the_caller_and_of_the_provider_are_obeyed(ruled: Ruled, key: str) -> None:
    """By the keys that Dubbo has for them."""
    assert ruled.asked()
    ruled.space.write(key, "conditions: ['=> port=2']")
    assert ruled.asked() == {"h2:2"}


def test_tags_of_the_providers_application_are_obeyed(ruled: Ruled) -> None:
    """Calls with the tag go where the rule says, others keep away."""
    assert ruled.asked()
    ruled.space.write("shop.tag-router", "force: true\ntags: [{name: blue, addresses: ['h2:2']}]")
    assert ruled.asked(dubbo_tag="blue") == {"h2:2"}
    assert ruled.asked() == {"h1:1"}


def test_the_rules_of_an_application_that_takes_over_are_watched(ruled: Ruled) -> None:
    """And those of the one that has left no more."""
    assert ruled.asked()
    ruled.space.write("shop.condition-router", "conditions: ['=> port=1']")
    ruled.space.write("shop2.condition-router", "conditions: ['=> port=2']")
    assert ruled.asked() == {"h1:1"}
    ruled.publish(*(url.replace("=shop", "=shop2") for url in URLS))
    assert ruled.consumer.wait_idle(20)
    assert ruled.asked() == {"h2:2"}


def test_rules_of_the_configuration_hold_beside_those_of_the_registry() -> None:
    """Of one kind they come first."""
    routers = {"condition": {"conditions": ["=> host=h1"]}}
    with Ruled(*URLS, "tri://h1:3", reference={"routers": routers}) as ruled, ruled.space:
        assert ruled.asked() == {"h1:1", "h1:3"}
        ruled.space.write(CONDITIONS, "conditions: ['=> port=3']")
        assert ruled.asked() == {"h1:3"}


def test_tags_need_no_rule() -> None:
    """Providers say theirs, calls theirs, a reference the one of its calls."""
    urls = ("tri://h1:1", "tri://h2:2?dubbo.tag=gray")
    with Ruled(*urls) as ruled, ruled.space:
        assert ruled.asked() == {"h1:1"}
        assert ruled.asked(dubbo_tag="gray") == {"h2:2"}
        ruled.publish(urls[0])
        assert ruled.asked(dubbo_tag="gray") == {"h1:1"}
    with Ruled(*urls, reference={"tag": "gray"}) as ruled, ruled.space:
        assert ruled.asked() == {"h2:2"}


def test_closing_ends_every_watch(ruled: Ruled) -> None:
    """A consumer that is closed hears of nothing more."""
    assert ruled.asked()
    ruled.consumer.close()
    ruled.space.write(CONDITIONS, "conditions: ['=> nonsense']")
    assert ruled.space.subscriptions == 0


def test_the_keys_are_those_of_dubbo() -> None:
    """Empty parts keep their colons."""
    service = ServiceKey("a.B", "g", "1.0")
    assert {key for _, _, key in keys_of(service, "web")} == {
        "a.B:1.0:g.condition-router",
        "web.condition-router",
        "a.B:1.0:g.configurators",
        "web.configurators",
    }
    assert [key for *_, key in keys_of(ServiceKey("a.B"), "")] == ["a.B::.condition-router", "a.B::.configurators"]
    keys = ["shop.MESHAPPRULE", "shop.tag-router", "shop.script-router", "shop.condition-router"]
    assert [key for *_, key in keys_of_provider("shop", "web")] == keys
    keys_of_all = ["web.MESHAPPRULE", "web.tag-router", "web.script-router"]
    assert [key for *_, key in keys_of_provider("web", "web")] == keys_of_all


def test_what_is_obeyed_is_logged(ruled: Ruled, caplog: pytest.LogCaptureFixture) -> None:
    """When a rule came into force, and when it went."""
    caplog.set_level(logging.INFO, "callahead.consumer.router")
    assert ruled.asked()
    ruled.space.write(CONDITIONS, "conditions: ['=> port=2']")
    ruled.space.write(CONDITIONS, None)
    assert [one.getMessage() for one in caplog.records if one.name == "callahead.consumer.router"] == [
        f"registry main: rule {INTERFACE}::.condition-router: obeyed from now on",
        f"registry main: rule {INTERFACE}::.condition-router: gone",
    ]


def told(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [one.getMessage() for one in caplog.records if one.name == "callahead.consumer.router"]


def test_what_many_references_obey_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    """A rule of an application concerns all of its references; the log names the registry, and tells each change."""
    caplog.set_level(logging.INFO, "callahead.consumer.router")
    key, names = "shop-web.configurators", ("one", "two", "three")
    settings = {
        "application": {"name": "shop-web"},
        "registries": {"main": {"address": "memory://told-once"}},
        "references": {name: {"interface": f"a.{name}"} for name in names},
    }
    transports = {"tri": ScriptedTransport()}
    with MemoryRegistry.named("told-once") as space, Consumer(settings, transports=transports) as consumer:
        for name in names:
            consumer.providers(name)
        for text in ("configs: []\nnew: 1", "configs: 1", "configs: []\nnew: 1"):
            space.write(key, text)
    passed_over = f"registry main: rule {key}: keys that have no effect here are passed over: new"
    obeyed = f"registry main: rule {key}: obeyed from now on"
    wrong = f"registry main: rule {key}: it cannot be understood, so the one before it stays: {key}:1: configs: must"
    first, second, third, *others = told(caplog)
    assert (first, second, others) == (passed_over, obeyed, [passed_over, obeyed])
    assert third.startswith(wrong)


@pytest.mark.parametrize(
    ("text", "is_told"),
    [("script: '...'", True), ("enabled: false\nscript: '...'", False), (": [", True), (" ", False)],
)
def test_a_script_is_not_run_but_told(ruled: Ruled, caplog: pytest.LogCaptureFixture, text: str, is_told: bool) -> None:
    """Unless it is switched off; ``callahead providers`` tells it, too."""
    assert ruled.asked()
    ruled.space.write("shop.script-router", text)
    assert ruled.asked() == {"h1:1", "h2:2"}
    problem = "scripts of a registry are not run here (conditions, tags and rules for meshes are obeyed)"
    line = f"registry main: rule shop.script-router: it is not obeyed, since {problem}"
    assert told(caplog) == [line] * is_told
    assert list(ruled.consumer.providers("foo").problems) == [f"shop.script-router: {problem}"] * is_told
    ruled.space.write("shop.script-router", None)
    assert not ruled.consumer.providers("foo").problems
