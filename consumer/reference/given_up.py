"""Word of the calls that a consumer gives up."""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Sequence

from ..call.invocation import CallRecord

_LOG = logging.getLogger("callahead.consumer.call")


def say_given_up(why: str, began: float, calls: Sequence[CallRecord]) -> None:
    """Warn once of all *calls*, since *why*, after a wait from the second *began*; none is reported by itself."""
    if calls:
        given_up = Counter(record.name for record in calls)
        methods = ", ".join(f"{count} of {name}" for name, count in given_up.most_common())
        waited = (time.monotonic() - began) * 1000
        _LOG.warning("%s and gives up %d calls after %.0f ms: %s", why, given_up.total(), waited, methods)
