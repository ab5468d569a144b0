"""What a nacos registry takes over of texts, with servers and a clock that the test scripts."""

from collections.abc import Mapping
from typing import Any, cast

import pytest

from callahead.config.policy import RegistryPolicy
from callahead.registry.nacos.errors import Refused
from callahead.registry.nacos.session import Session
from callahead.registry.nacos.settings import Settings
from callahead.registry.nacos.text import MAX_CHARACTERS, Text

SETTINGS = Settings.of(RegistryPolicy(id="main", address="nacos://h?settle=5s&namespace=live"))


class Server:
    """Keeps one text, in the place of a session; None is none."""

    def __init__(self, text: object) -> None:
        self.text = text
        self.asked: list[tuple[str, Mapping[str, Any]]] = []

    def ask(self, kind: str, **body: Any) -> Mapping[str, Any]:
        self.asked.append((kind, body))
        if kind == "ConfigQueryRequest" and self.text is None:
            raise Refused("config data not exist (error 300)", 300)
        return {"content": self.text, "md5": "abc"}

    @property
    def session(self) -> Session:
        return cast("Session", self)


def text() -> Text:
    return Text("dubbo", "key", SETTINGS)


def test_changes_are_listened_to_before_the_text_is_asked_for() -> None:
    """So that one in between is told; the md5 says what is known already."""
    server, one = Server("rule"), text()
    for now in (0, 1):
        one.refresh(server.session, now)
    place = {"tenant": "live", "group": "dubbo", "dataId": "key"}
    listening = [
        ("ConfigBatchListenRequest", {"listen": True, "configListenContexts": [{**place, "md5": md5}]})
        for md5 in ("", "abc")
    ]
    assert server.asked == [listening[0], ("ConfigQueryRequest", place), listening[1], ("ConfigQueryRequest", place)]
    assert (one.text, one.is_known) == ("rule", True)


def test_a_text_that_is_gone_is_none_at_once() -> None:
    """While the connection lasts."""
    server, one = Server("rule"), text()
    one.refresh(server.session, 0)
    server.text = None
    one.hear({})
    one.refresh(server.session, 1)
    assert (one.text, one.is_known) == (None, True)


def test_a_text_that_is_gone_on_another_connection_is_asked_for_again() -> None:
    """And taken for gone when it is so later, too."""
    server, one = Server("rule"), text()
    one.refresh(server.session, 0)
    one.renew()
    server.text = None
    one.refresh(server.session, 10)
    assert (one.text, one.due_at) == ("rule", 15)
    one.refresh(server.session, 15)
    assert (one.text, one.due_at) == (None, float("inf"))


@pytest.mark.parametrize(
    ("bad", "why"),
    [
        (7, "the server said no text; the last one stays"),
        ("x" * (MAX_CHARACTERS + 1), "it has 1048577 characters, more than the 1048576 that a text may have"),
    ],
)
def test_what_is_no_bearable_text_changes_nothing(bad: object, why: str) -> None:
    """It is asked for again later."""
    server, one = Server("rule"), text()
    one.refresh(server.session, 0)
    server.text = bad
    one.refresh(server.session, 1)
    assert (one.text, one.due_at) == ("rule", 6)
    assert why in one.problem
