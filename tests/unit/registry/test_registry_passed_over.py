"""Entries of a registry that nobody understands: told of, and not too often."""

from __future__ import annotations

import pytest

from callahead.registry.passed_over import PassedOver


def test_of_many_entries_the_first_are_logged_and_the_rest_counted(caplog: pytest.LogCaptureFixture) -> None:
    """A hundred thousand wrong nodes are no hundred thousand lines."""
    PassedOver("a node").tell("zookeeper://h: a.B", {f"n{number:06}": "it has no port" for number in range(100_000)})
    assert len(caplog.messages) == 11
    assert caplog.messages[0] == "zookeeper://h: a.B: a node is passed over: it has no port"
    assert caplog.messages[-1] == "zookeeper://h: a.B: 99990 more are passed over"


def test_each_is_logged_once_while_it_stands_there(caplog: pytest.LogCaptureFixture) -> None:
    """And again when it was gone and has come back."""
    one = PassedOver("a node")
    for faults in ({"a": "odd"}, {"a": "odd", "b": "odder"}, {}, {"a": "odd"}):
        one.tell("here", faults)
    assert [message.rpartition(" ")[2] for message in caplog.messages] == ["odd", "odder", "odd"]


def test_the_note_says_how_many_and_why_one_of_them() -> None:
    """In few words, without a secret; and nothing where nothing is wrong."""
    one = PassedOver("a node")
    one.tell("here", {"b": "other", "a": f'"tri://me:pw@h:1?token=s3same&x={"y" * 1000}": it is odd'})
    assert one.note.startswith('; 2 passed over, such as "tri://***@h:1?token=***&x=')
    assert len(one.note) < 350
    one.tell("here", {})
    assert one.note == ""
