"""``mock`` and ``validation``: calls that are answered, or refused, on this side."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.shop import Shop, Spy

from callahead.config import ConfigError, load_text
from callahead.config.values.mock import EMPTY, MockRule, parse_mock
from callahead.config.values.quantity import Unfit
from callahead.consumer import CallTimeout, ConnectionLost, RemoteError, RpcContext
from callahead.consumer.testing import EmbeddedProvider

HEARD = Spy()


def made(foo_id: int) -> str:
    """A function that a configuration names."""
    if foo_id < 0:
        raise ValueError("no such foo")
    return f"mocked {foo_id}"


def positive(foo_id: int) -> None:
    if foo_id < 1:
        raise ValueError(f"foo_id must be 1 or more, not {foo_id}")


def shop(mock: Any, **options: Any) -> Shop:
    method = {"mock": mock, "retries": 0, **options.pop("method", {})}
    return Shop(methods={"findFoo": method, "findBar": {"retries": 0}}, **options)


def lost(_: Any) -> Any:
    raise ConnectionLost("gone", in_doubt=True)


def refuse(_: Any) -> Any:
    raise RemoteError("no", type_name="No")


@pytest.mark.parametrize("view", ["sync", "future"])
@pytest.mark.parametrize(("mock", "value"), [("return null", None), ('fail:return {"a": [1]}', {"a": [1]})])
def test_a_failure_becomes_an_answer(view: str, mock: str, value: Any) -> None:
    """In every mode, on the end of the call."""
    with shop(mock, answer=lost) as one:
        found = getattr(one.foo.findFoo, view)(1)
        assert (found if view == "sync" else found.result(5)) == value
        assert one.consumer.counts()["foo"]["findFoo"].failures == {}


def test_an_answer_stays_an_answer() -> None:
    """A fail rule is for failures."""
    with shop("return null", answer=lambda _: "there") as one:
        assert one.foo.findFoo.sync(1) == "there"


def test_an_error_of_the_method_is_never_mocked() -> None:
    """It is an answer of a kind; unless RemoteError itself is named."""
    with shop("return null", answer=refuse) as one, pytest.raises(RemoteError):
        one.foo.findFoo.sync(1)
    with shop({"RemoteError": "return 1"}, answer=refuse) as one:
        assert one.foo.findFoo.sync(1) == 1


def test_rules_by_class_the_first_that_fits() -> None:
    """As with except clauses."""
    rules = {"CallTimeout": "return 1", "TransportError": "return 2", "RpcError": "return 3"}
    with shop(rules, answer=lost) as one:
        assert one.foo.findFoo.sync(1) == 2


def test_a_class_that_does_not_fit_leaves_the_error() -> None:
    """As it was."""
    with shop({"CallTimeout": "return 1"}, answer=lost) as one, pytest.raises(ConnectionLost):
        one.foo.findFoo.sync(1)


def test_force_asks_nobody() -> None:
    """The function gets the arguments."""
    with shop(f"force:{__name__}:made", answer=lost) as one:
        assert one.foo.findFoo.sync(7) == "mocked 7"
        assert one.consumer.counts()["foo"]["findFoo"].attempts == 0


def test_what_the_function_raises_is_the_end() -> None:
    """As if the call had failed so."""
    with shop(f"{__name__}:made", answer=lost) as one, pytest.raises(ValueError, match="no such foo"):
        one.foo.findFoo.sync(-1)


def test_another_method_answers() -> None:
    """With the same arguments; the context tells of the method that was called."""

    def answer(attempt: Any) -> Any:
        if attempt.method == "findFoo":
            raise CallTimeout("late", in_doubt=True)
        return ("bar", *attempt.args)

    with shop("call findBar", answer=answer) as one:
        assert one.foo.findFoo.sync(3) == ("bar", 3)
        last = RpcContext.get_context().last_call
        assert last is not None
        assert last.method == "findFoo"
        assert one.foo.findFoo.future(4).result(5) == ("bar", 4)


def test_each_caller_may_change_his_value() -> None:
    """What YAML says stays what it was."""
    with shop("return []", answer=lost) as one:
        one.foo.findFoo.sync(1).append(1)
        assert one.foo.findFoo.sync(1) == []


def test_onreturn_hears_of_a_mocked_answer() -> None:
    """Notify stands above."""
    HEARD.calls.clear()
    with shop("return 5", answer=lost, method={"onreturn": f"{__name__}:HEARD"}) as one:
        one.foo.findFoo.sync(1)
    assert [call[0] for call in HEARD.calls] == [5]


def test_messages_are_made_of_json() -> None:
    """Over tri null is None, empty an empty answer, and an object fills the fields."""
    methods = {"findFoo": {"retries": 0}}
    with EmbeddedProvider() as provider:
        provider.serve("com.alibaba.foo.FooService", module="callahead.conf.foo_pb2", findFoo=RuntimeError("no"))
        for mock, name in (("force:return empty", ""), ('force:return {"name": "mine"}', "mine")):
            methods["findFoo"]["mock"] = mock  # type: ignore[assignment]
            reference = {
                "interface": "com.alibaba.foo.FooService",
                "module": "callahead.conf.foo_pb2",
                "url": provider.url,
                "methods": methods,
            }
            from callahead.consumer import Consumer

            with Consumer({"references": {"foo": reference}}) as consumer:
                found = consumer.reference("foo").find_foo.sync(foo_id=1)
                assert (type(found).__name__, found.name) == ("Foo", name)


@pytest.mark.parametrize(
    ("mock", "text"),
    [
        ({"CallTimeot": "return null"}, 'there is no error "CallTimeot"'),
        ("nowhere.at_all:function", "nowhere"),
    ],
)
def test_what_there_is_not_is_a_configuration_error(mock: Any, text: str) -> None:
    """At the reference's first use, with the line."""
    with shop(mock) as one, pytest.raises(ConfigError, match=text):
        one.foo.findFoo  # noqa: B018 - it is made here


@pytest.mark.parametrize(
    ("written", "text"),
    [
        ("throw", "throw is not supported"),
        ("return {", "is not JSON"),
        ("retrun null", "is no rule"),
        ("force:", "is no rule"),
        ("call find foo", "is no rule"),
    ],
)
def test_a_rule_that_does_not_parse(written: str, text: str) -> None:
    """The file and line, and the form that is right."""
    with pytest.raises(ConfigError, match=text):
        load_text(f"references: {{foo: {{interface: a.B, url: 'tri://h:1', mock: '{written}'}}}}")


def test_true_is_refused() -> None:
    """Dubbo takes it for the name of a class."""
    with pytest.raises(ConfigError, match='"true" is no rule'):
        load_text("references: {foo: {interface: a.B, url: 'tri://h:1', mock: true}}")


@pytest.mark.parametrize(
    ("written", "rule"),
    [
        ("return", MockRule("fail", "return", None)),
        ("fail: return empty", MockRule("fail", "return", EMPTY)),
        ("force:return true", MockRule("force", "return", True)),
        ("CallTimeout:return 'x'".replace("'", '"'), MockRule("CallTimeout", "return", "x")),
        ("call findBar", MockRule("fail", "call", "findBar")),
        ("shop.mocks:find", MockRule("fail", "function", "shop.mocks:find")),
        ("force:shop.mocks:find", MockRule("force", "function", "shop.mocks:find")),
    ],
)
def test_rules(written: str, rule: MockRule) -> None:
    """In Dubbo's form, and ours."""
    assert parse_mock(written) == rule


@given(st.text(max_size=40))
def test_any_text_parses_or_is_refused(written: str) -> None:
    """Nothing else comes out of it."""
    with contextlib.suppress(Unfit):
        parse_mock(written)


# validation


@pytest.mark.parametrize("view", ["sync", "future"])
def test_arguments_are_looked_at_before_anything_is_sent(view: str) -> None:
    """The very exception, in the future of an asynchronous call."""
    with Shop(lambda _: "there", methods={"findFoo": {"validation": f"{__name__}:positive"}}) as one:
        assert one.foo.findFoo.sync(1) == "there"
        ask = one.foo.findFoo.sync if view == "sync" else lambda foo_id: one.foo.findFoo.future(foo_id).result(0)
        with pytest.raises(ValueError, match="must be 1 or more, not 0"):
            ask(0)
        assert one.consumer.counts()["foo"]["findFoo"].attempts == 1


def test_validation_stands_above_mock() -> None:
    """What is refused is refused, whatever would answer."""
    method = {"validation": f"{__name__}:positive"}
    with shop("force:return 1", method=method) as one, pytest.raises(ValueError, match="not 0"):
        one.foo.findFoo.sync(0)


def test_a_validation_that_is_not_there() -> None:
    """With its line."""
    with Shop(methods={"findFoo": {"validation": "nowhere.at_all:check"}}) as one, pytest.raises(ConfigError):
        one.foo.findFoo  # noqa: B018 - it is made here
