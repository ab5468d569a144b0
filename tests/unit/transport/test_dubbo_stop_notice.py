"""Who hears that a peer is about to stop."""

from __future__ import annotations

from callahead.consumer.call.provider import Provider
from callahead.consumer.transport.dubbo.stop_notice import StopNotice
from callahead.registry.models import Endpoint


def provider() -> Provider:
    return Provider(Endpoint(protocol="dubbo", host="127.0.0.1", port=1), lambda _: None)


def test_a_stopping_peer_is_passed_over_once_its_connection_is_lost() -> None:
    """It may close its connections before it stops to listen, so a new one would only be dropped."""
    one = provider()
    notice = StopNotice({one})
    notice.give(True)
    notice.end(7.0)

    assert (one.is_read_only, one.unhealthy_until) == (False, 7.0)


def test_a_peer_that_was_not_stopping_may_be_asked_at_once() -> None:
    """A connection that broke says nothing of the next one."""
    one = provider()
    StopNotice({one}).end(7.0)

    assert one.unhealthy_until == 0.0


def test_who_comes_later_hears_it_too() -> None:
    """A reference that begins to share the connection of a stopping peer passes it over as the others do."""
    one, late = provider(), provider()
    notice = StopNotice({one, late})
    notice.give(True)
    late.set_read_only(False)
    notice.tell(late)

    assert late.is_read_only
