"""The session of a zookeeper registry without a server: who waits for an answer is let go."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

import pytest
from support.dubbo_peer import wait_until
from support.sockets import free_port

from callahead.config.policy import RegistryPolicy
from callahead.registry.zookeeper.session import INTERRUPTIONS, Session
from callahead.registry.zookeeper.settings import Settings

LONG = "300s"


@pytest.fixture
def session() -> Iterator[Session]:
    """One whose server is not there, and which would wait for minutes."""
    parameters = {"session": LONG, "timeout": LONG}
    policy = RegistryPolicy(id="main", address=f"zookeeper://127.0.0.1:{free_port()}", parameters=parameters)
    made = Session(Settings.of(policy), "callahead-registry-main-kazoo", lambda: None)
    wait_until(lambda: made.revive() or made.trouble)
    yield made
    made.close()


REQUESTS: dict[str, Callable[[Session], object]] = {
    "children": lambda session: session.children("/dubbo", print),
    "data": lambda session: session.data("/dubbo", print),
    "contents": lambda session: session.contents("/dubbo", ["a", "b"]),
    "peek": lambda session: session.peek("/dubbo"),
    "enrol": lambda session: session.enrol("/dubbo/me"),
}


@pytest.mark.parametrize("request_of", REQUESTS.values(), ids=REQUESTS)
def test_a_request_that_is_never_answered_ends_with_the_registry(
    session: Session, request_of: Callable[[Session], object]
) -> None:
    """What is asked during a loss kazoo keeps until there is a connection, however long that takes."""
    ended: list[BaseException] = []

    def ask() -> None:
        try:
            request_of(session)
        except INTERRUPTIONS as error:
            ended.append(error)

    asking = threading.Thread(target=ask, daemon=True)
    asking.start()
    asking.join(0.3)
    assert asking.is_alive()
    session.cut()
    asking.join(20)
    assert [str(error) for error in ended] == ["the registry is closed"]


def test_what_is_asked_after_that_ends_at_once(session: Session) -> None:
    """The thread of a registry may have several things left to ask."""
    session.cut()
    with pytest.raises(INTERRUPTIONS, match="the registry is closed"):
        session.children("/dubbo", print)
