"""Who hears that a peer is about to stop."""

from __future__ import annotations

from callahead.consumer.provider import Provider
from callahead.consumer.transport.dubbo.users import Users
from callahead.registry.models import Endpoint


def provider() -> Provider:
    return Provider(Endpoint(protocol="dubbo", host="127.0.0.1", port=1), lambda _: None)


def test_a_stopping_peer_is_passed_over_once_its_connection_is_lost() -> None:
    """It may close its connections before it stops to listen, so a new one would only be dropped."""
    users, one = Users(), provider()
    users.add(one)
    users.set_read_only(True)
    users.lost(7.0)

    assert (one.is_read_only, one.unhealthy_until) == (False, 7.0)


def test_a_peer_that_was_not_stopping_may_be_asked_at_once() -> None:
    """A connection that broke says nothing of the next one."""
    users, one = Users(), provider()
    users.add(one)
    users.lost(7.0)

    assert one.unhealthy_until == 0.0
