"""The text of a node, read from a session that says what a test wants."""

from __future__ import annotations

from typing import Any, cast

import pytest

from callahead.registry.zookeeper.session import Session
from callahead.registry.zookeeper.text import MAX_BYTES, Text


class Says:
    """Stands for a session in which each node holds the same."""

    def __init__(self, data: bytes | None) -> None:
        self.found = data

    def data(self, _path: str, _watch: Any) -> bytes | None:
        return self.found


def read(text: Text, data: bytes | None) -> Text:
    text.refresh(cast("Session", Says(data)))
    return text


@pytest.fixture
def text() -> Text:
    return Text("zookeeper://h:1", "/dubbo/config/dubbo/k", lambda _watched: None)


def test_a_text_of_the_greatest_size_is_taken(text: Text) -> None:
    """The limit itself is within it."""
    assert read(text, b"x" * MAX_BYTES).text == "x" * MAX_BYTES


@pytest.mark.parametrize(
    ("bad", "why"),
    [
        (b"x" * (MAX_BYTES + 1), "it holds 1048577 bytes, and a text may have 1048576; the last one stays"),
        (b"ab\xff", "what it holds is not UTF-8 (invalid start byte at byte 2); the last text stays"),
    ],
    ids=["too large", "no text"],
)
def test_what_cannot_be_taken_changes_nothing(text: Text, bad: bytes, why: str) -> None:
    """The last text stays, and the reason is kept until there is a good one."""
    read(text, b"good")
    assert (read(text, bad).text, text.problem) == ("good", why)
    assert (read(text, None).text, text.problem) == (None, "")


def test_a_text_that_was_never_good_is_not_known(text: Text) -> None:
    """So nobody is told that there is none."""
    read(text, b"\xff")
    assert (text.is_answered, text.is_known) == (True, False)
