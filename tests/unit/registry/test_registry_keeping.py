"""The thread that keeps a session: what it tells of one that does not come about."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest
from support.dubbo_peer import wait_until

from callahead.registry.keeping import KeeperThread


class Session:
    """Fails for each of *troubles* in turn, where "" is none, and is up then."""

    def __init__(self, *troubles: str) -> None:
        self.trouble = "it has not begun"
        self.troubles = [*troubles, ""]

    @property
    def is_up(self) -> bool:
        return not self.trouble

    def revive(self) -> None:
        self.trouble = self.troubles.pop(0)

    def cut(self) -> None:
        """Nothing runs."""

    def close(self) -> None:
        """Nothing is open."""


class Work:
    """None, but to look again at once until the session is up to stay."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def work(self) -> None:
        """Nothing is due."""

    def has_work(self) -> bool:
        return bool(self._session.troubles)

    def pause(self) -> float | None:
        return None


def warnings_of(caplog: pytest.LogCaptureFixture, *troubles: str) -> Iterator[str]:
    """Keep a session that has *troubles*, and give what the log warned of."""
    session = Session(*troubles)
    keeper = KeeperThread("main", "zookeeper://h:1", 1.0, session, Work(session), lambda: None)
    with caplog.at_level(logging.WARNING, "callahead.registry"):
        keeper.begin()
        wait_until(lambda: not session.troubles)
        keeper.close()
    return (record.args[2] for record in caplog.records if isinstance(record.args, tuple))


def test_troubles_that_take_turns_are_told_once_each(caplog: pytest.LogCaptureFixture) -> None:
    """A server that is down for hours fills no log, though it refuses now in this way and now in that."""
    assert list(warnings_of(caplog, *["closed", "reset"] * 20)) == ["closed", "reset"]


def test_of_many_troubles_the_first_are_told(caplog: pytest.LogCaptureFixture) -> None:
    """Where each has a number of its own in it, say."""
    assert list(warnings_of(caplog, *map(str, range(100)))) == list(map(str, range(8)))


def test_the_next_outage_is_told_anew(caplog: pytest.LogCaptureFixture) -> None:
    """Though it is like the last one."""
    assert list(warnings_of(caplog, "closed", "", "closed")) == ["closed", "closed"]
