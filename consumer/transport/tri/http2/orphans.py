"""Streams that ran at a fork: they are the parent's, and end in the child."""

from __future__ import annotations

from collections.abc import Iterable

from callahead.registry.forking import go_on_in_child

from ....call.forked import left_to_parent
from .call import StreamCall


class Orphans:
    """Ends those of one connection, of which nobody else hears: the calls of methods end by their futures."""

    def __init__(self) -> None:
        self._calls: list[StreamCall] = []
        go_on_in_child(self._end)

    def take(self, calls: Iterable[StreamCall]) -> None:
        """Let the streams among *calls* end once all is free; in the child."""
        self._calls += [call for call in calls if call.is_stream]

    def _end(self) -> None:
        calls, self._calls = self._calls, []
        for call in calls:
            call.is_held = False
            call.fail(left_to_parent())
