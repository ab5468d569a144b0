"""Settings of calls that providers say: they hold where the configuration says nothing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from support.balance import providers

from callahead.config.policy import MethodPolicy
from callahead.config.provided import KEYS, amend
from callahead.consumer import Consumer
from callahead.consumer.call.attempt import Attempt
from callahead.consumer.reference.provided import Provided
from callahead.consumer.testing.scripted_transport import ScriptedTransport
from callahead.registry import MemoryRegistry

SERVICE = "com.alibaba.foo.FooService"
OPEN = MethodPolicy(reference="foo", method="find")


class Estate:
    """A registry, and a consumer whose calls answer what they obey."""

    def __init__(self, space: Any) -> None:
        self._space = space
        self.consumers: list[Consumer] = []

    def publish(self, *queries: str) -> None:
        self._space.publish(SERVICE, [f"tri://h{number}:1?{query}" for number, query in enumerate(queries)])

    def foo(self, **settings: Any) -> Any:
        foo = {"interface": SERVICE, "check": False, **settings}
        config = {"registries": {"main": {"address": "memory://provided"}}, "references": {"foo": foo}}
        consumer = Consumer(config, transports={"tri": ScriptedTransport(obeyed)})
        self.consumers.append(consumer)
        return consumer.reference("foo")


def obeyed(attempt: Attempt) -> tuple[int, int, int]:
    policy = attempt.policy
    return policy.timeout_ms, policy.retries, policy.total_timeout_ms


@pytest.fixture
def estate() -> Iterator[Estate]:
    with MemoryRegistry.named("provided") as space:
        made = Estate(space)
        yield made
        for consumer in made.consumers:
            consumer.close(0)


def test_what_a_provider_says_holds_where_nothing_is_set(estate: Estate) -> None:
    """For the method, else for all; the total follows the timeout."""
    estate.publish("timeout=700&find.timeout=2500&retries=1")
    foo = estate.foo()
    assert foo.find() == (2500, 1, 5000)
    assert foo.other() == (700, 1, 1400)
    assert foo.find.policy.origin("timeout_ms") == "provider"


@pytest.mark.parametrize("where", ["reference", "method"])
def test_what_the_configuration_says_goes_before(estate: Estate, where: str) -> None:
    """On whatever level, and setting by setting."""
    estate.publish("find.timeout=2500&find.retries=1")
    own = {"timeout": 300} if where == "reference" else {"methods": {"find": {"timeout": 300}}}
    assert estate.foo(**own).find() == (300, 1, 600)


def test_a_new_list_takes_effect_at_the_next_call(estate: Estate) -> None:
    """For methods that were looked up long before; where all providers have left, what they said stays."""
    foo = estate.foo()
    find = foo.find
    estate.publish("")
    assert find() == (1000, 2, 3000)
    estate.publish("timeout=50")
    assert find() == (50, 2, 150)
    estate.publish()
    assert find.policy.timeout_ms == 50
    estate.publish("")
    assert find() == (1000, 2, 3000)


def test_a_list_that_says_the_same_leaves_the_chain_as_it_is(estate: Estate) -> None:
    """So that limits and load balancers count on."""
    estate.publish("timeout=50")
    find = estate.foo().find
    find()
    chain = find._caller.binding.chain
    estate.publish("timeout=50", "timeout=50&weight=7")
    assert find() == (50, 2, 150)
    assert find._caller.binding.chain is chain


def test_what_cannot_be_obeyed_is_passed_over_and_told_once(estate: Estate, caplog: pytest.LogCaptureFixture) -> None:
    """The rest of it holds, and calls go on."""
    estate.publish("timeout=soon&retries=5000&actives=7&loadbalance=script&sticky=perhaps")
    foo = estate.foo()
    assert foo.find() == (1000, 2, 3000)
    assert foo.find.policy.actives == 7
    estate.publish("timeout=soon&retries=5000&actives=8&loadbalance=script&sticky=perhaps")
    assert foo.find.policy.actives == 8
    [record] = caplog.records
    assert record.getMessage().startswith(
        "foo.find: what the providers say cannot be obeyed, and is passed over: timeout must be a duration such as "
        '500, "50ms", "1.5s" or "2m", not "soon"; retries must be from 0 to 1000, not 5000; loadbalance unknown '
    )


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ({"timeout": "1s"}, {"timeout_ms": 1000}),
        ({"loadbalance": "p2c", "sticky": "true"}, {"loadbalance": "p2c", "sticky": True}),
        ({"hash.nodes": "320", "hash.arguments": "0,2"}, {"hash_nodes": 320, "hash_arguments": ("0", "2")}),
        ({"actives": "0"}, {"actives": 0}),
    ],
)
def test_values_are_read_as_the_configuration_reads_them(said: dict[str, str], expected: dict[str, Any]) -> None:
    """With its units and ranges."""
    policy, problems = amend(OPEN, said)
    assert problems == []
    assert {name: getattr(policy, name) for name in expected} == expected


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("text", ["", "9" * 5000, "\u0663", "x" * 5000, "-1"])
def test_no_text_is_too_odd_to_be_passed_over(key: str, text: str) -> None:
    """And what is shown of it is short."""
    policy, problems = amend(OPEN, {key: text})
    assert all(len(problem) < 300 for problem in problems)
    assert problems or policy is not OPEN


@pytest.mark.parametrize(
    ("said", "timeout"),
    [
        (["1", "2", "2"], "2"),
        (["1", "", ""], None),
        (["1", ""], "1"),
        (["1", "3", "2"], "3"),
    ],
)
def test_where_providers_differ_most_of_them_are_obeyed(said: list[str], timeout: str | None) -> None:
    """Those that say nothing count, too; of equally many the text that comes last."""
    listed = [providers(1, **({"timeout": text} if text else {}))[0] for text in said]
    assert Provided(listed).of("find").get("timeout") == timeout


def test_a_method_of_an_old_provider_may_be_said_by_default() -> None:
    """Dubbo 2.6 writes ``default.timeout``; the method's own goes before."""
    listed = providers(1, **{"default.timeout": "5", "find.timeout": "6", "connect.timeout": "7"})
    provided = Provided(listed)
    assert (provided.of("find"), provided.of("other")) == ({"timeout": "6"}, {"timeout": "5"})
