"""Word of the calls that a consumer gives up, or refuses since it is closed."""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Sequence

from callahead.config.policy import MethodPolicy

from ..call.invocation import CallRecord
from ..errors import ConsumerClosed

_LOG = logging.getLogger("callahead.consumer.call")


def closed_error(policy: MethodPolicy, method: str) -> ConsumerClosed:
    """Make the error of a call that came after the consumer was closed."""
    error = ConsumerClosed("the consumer is closed", not_sent=True)
    error.reference, error.method = policy.reference, method
    return error


def say_given_up(why: str, began: float, calls: Sequence[CallRecord]) -> None:
    """Warn once of all *calls*, since *why*, after a wait from the second *began*; none is reported by itself."""
    if calls:
        given_up = Counter(record.name for record in calls)
        methods = ", ".join(f"{count} of {name}" for name, count in given_up.most_common())
        waited = (time.monotonic() - began) * 1000
        _LOG.warning("%s and gives up %d calls after %.0f ms: %s", why, given_up.total(), waited, methods)
