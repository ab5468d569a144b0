"""The listener that tests listen with."""

import pytest

from callahead.registry import Endpoint, RecordingListener, Snapshot


def test_what_was_told_is_kept_and_found() -> None:
    """A snapshot that has come already is not waited for."""
    heard = RecordingListener()
    assert heard.addresses == []
    one = Snapshot(1, (Endpoint(protocol="tri", host="h", port=1),))
    heard(one)
    assert heard.wait_for("h:1", timeout_s=0) is one


def test_a_wait_in_vain_shows_what_came_instead() -> None:
    """The failing test's message is enough to see why."""
    heard = RecordingListener()
    with pytest.raises(TimeoutError, match=r"^after 0 s and 0 snapshots the newest is nothing$"):
        heard.wait_for("h:1", timeout_s=0)
    heard(Snapshot(1, (), "memory://shop: no provider of a.B"))
    with pytest.raises(TimeoutError, match=r"after 0 s and 1 snapshots the newest is Snapshot\(.*no provider of a\.B"):
        heard.wait_for("h:1", timeout_s=0)
