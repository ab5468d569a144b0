"""The pause in which nobody but a leading caller reads a connection's socket always ends."""

from __future__ import annotations

from support.dubbo_connection import unconnected

from callahead.consumer.transport.tcp.io_thread import NEVER


def test_while_somebody_leads_the_end_is_put_off_and_not_forgotten() -> None:
    """A leader may have seen that the end is planned just before it is due: it is looked for again, soon."""
    here = unconnected()
    here._pause.is_planned = True
    assert here._owner.take()
    assert here._pause.tick(1.0) == 1.02
    assert here._pause.is_planned
    here._owner.leave()
    assert here._pause.tick(1.02) == NEVER
    assert not here._pause.is_planned
