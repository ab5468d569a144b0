"""The settings that one call may override, and an error that knows only an origin."""

from __future__ import annotations

from types import MappingProxyType

import pytest

from callahead.config import ConfigError, MethodPolicy
from callahead.config.percall import override

POLICY = MethodPolicy(reference="foo", method="find", attachments=MappingProxyType({"a": "1", "b": "2"}))


def test_options_are_read_as_in_yaml() -> None:
    """A duration may be text; the total follows."""
    new = override(POLICY, {"timeout": "1.5s", "retries": 1, "idempotent": True})
    assert (new.timeout_ms, new.retries, new.idempotent, new.total_timeout_ms) == (1500, 1, True, 3000)


def test_attachments_join_those_of_the_configuration() -> None:
    """A key of the call wins over the same key of the configuration."""
    assert dict(override(POLICY, {"attachments": {"b": "3"}}).attachments) == {"a": "1", "b": "3"}


def test_attachments_of_the_call_are_known_as_its_own() -> None:
    """Those of options upon options add up; the configured ones are not among them."""
    new = override(override(POLICY, {"attachments": {"b": "3", "c": "3"}}), {"attachments": {"c": "4"}})
    assert (dict(new.attachments), dict(new.call_attachments)) == (
        {"a": "1", "b": "3", "c": "4"},
        {"b": "3", "c": "4"},
    )
    assert override(new, {"retries": 0}).call_attachments == new.call_attachments
    assert POLICY.call_attachments == {}


def test_all_bad_options_are_named_at_once() -> None:
    """The error is that of a configuration, with the call in place of a file."""
    with pytest.raises(ConfigError) as caught:
        override(POLICY, {"timeout": 0, "attachments": ["x"]})
    assert [problem.key for problem in caught.value.problems] == [
        "foo.find.with_options(timeout=...)",
        "foo.find.with_options(attachments=...)",
    ]


def test_an_unknown_option_is_a_type_error() -> None:
    """As an unknown keyword is."""
    with pytest.raises(TypeError, match="unknown option async; known: timeout, "):
        override(POLICY, {"async": True})


@pytest.mark.parametrize(
    ("origin", "message"), [("conf/c.yml:14", "conf/c.yml:14: k: bad (why)"), ("built-in", "built-in: k: bad (why)")]
)
def test_an_error_is_placed_at_an_origin(origin: str, message: str) -> None:
    """An origin with a line becomes file and line, any other stands for the file."""
    assert str(ConfigError.at(origin, "k", "bad", "why")) == message


@pytest.mark.parametrize("mode", [True, False, "lazy"])
def test_a_call_has_a_mode_of_its_own(mode: bool | str) -> None:
    """``async`` is a keyword of Python, so the option has an underscore."""
    new = override(POLICY, {"async_": mode})
    assert (new.is_async, new.origin("is_async")) == (mode, "call")


def test_a_mode_that_is_none_is_refused() -> None:
    """The three that there are are named."""
    with pytest.raises(ConfigError, match=r"with_options\(async_=\.\.\.\): must be true, false or lazy, not \"soon\""):
        override(POLICY, {"async_": "soon"})


def test_a_call_without_an_answer_cannot_be_lazy() -> None:
    """The pair is as impossible for one call as in a configuration."""
    policy = MethodPolicy(reference="foo", method="find", returns=False, origins={"returns": "c.yml:3"})
    with pytest.raises(ConfigError, match=r"no answer to be lazy about \(return is false, c\.yml:3\)"):
        override(policy, {"async_": "lazy"})
    assert override(policy, {"async_": True}).is_async
