"""References that connect when they are made."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from support.shop import Shop

from callahead.config import ConfigError, load_text
from callahead.consumer import ConnectFailed

LOG = "callahead.consumer.connect"


def shop(*unreachable: str, **reference: Any) -> Shop:
    """Make one of three providers, some of which are *unreachable*."""
    made = Shop(lambda _: "answer", reference={"lazy": False, **reference}, providers=3)
    made.transport.unreachable.update(unreachable)
    return made


def test_all_providers_are_connected_once() -> None:
    """When the reference is made, and not again when it is asked for, or called."""
    with shop() as one:
        assert one.foo.findFoo(1) == "answer"
        assert one.foo.findFoo(2) == "answer"
        assert sorted(provider.endpoint.address for provider in one.transport.connected) == ["h1:1", "h2:1", "h3:1"]


def test_by_default_nothing_is_connected() -> None:
    """Before the first call."""
    with Shop() as one:
        assert one.foo is not None
        assert one.transport.connected == []


def test_one_that_cannot_be_reached_beside_others_is_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    """It names the provider; the reference is made."""
    with shop("h2:1") as one, caplog.at_level(logging.WARNING, LOG):
        assert one.foo.findFoo(1) == "answer"
    [record] = [record for record in caplog.records if record.name == LOG]
    assert record.getMessage().startswith("foo: no connection to tri://h2:1 yet, calls will try again: ")


def test_that_none_can_be_reached_is_an_error() -> None:
    """It says which setting asked for it, why each failed, and what to do; the next try begins anew."""
    with shop("h1:1", "h2:1", "h3:1") as one:
        with pytest.raises(ConnectFailed) as caught:
            _ = one.foo
        text = str(caught.value)
        assert "no provider can be reached (lazy is false, <mapping>): tri://h1:1: refused; tri://h2:1: refused" in text
        assert "start without one by check: false (check is true, built-in)" in text
        assert caught.value.not_sent
        one.transport.unreachable.clear()
        assert one.foo.findFoo(1) == "answer"


def test_where_providers_are_not_checked_it_is_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    """One for each."""
    with shop("h1:1", "h2:1", "h3:1", check=False) as one, caplog.at_level(logging.WARNING, LOG):
        assert one.foo.findFoo(1) == "answer"
    assert len([record for record in caplog.records if record.name == LOG]) == 3


def test_there_is_nothing_to_connect_in_this_process() -> None:
    """So the setting is refused there, as others of connections are."""
    with pytest.raises(ConfigError, match=r"c.yml:1: references.s3.lazy: has no meaning where the provider is in this"):
        load_text("references: {s3: {protocol: python, lazy: false}}", "c.yml")
