"""Consumers that nobody has closed: what becomes of them at a fork, and at the end of the program."""

from __future__ import annotations

import atexit
import time
import weakref
from typing import Final, Protocol

from callahead.config.policy import ConsumerConfig
from callahead.registry.forking import free_in_child

from .call.unseen import report_unseen
from .reference.ending import Runtime
from .runtime.dropped import finish_closing


class Living(Protocol):
    """As much of a consumer as that takes.

    Attributes:
        config: What it runs by.
    """

    config: ConsumerConfig
    _runtime: Runtime

    def _after_fork(self) -> None:
        """Forget, in the child, what is the parent's."""

    def _flush(self, ends: float) -> None:
        """Let the calls end that run, until that monotonic second."""


LIVING: Final[weakref.WeakSet[Living]] = weakref.WeakSet()
"""Those of this process."""


def _free_in_child() -> None:
    for consumer in list(LIVING):
        consumer._after_fork()


def _flush_at_exit() -> None:
    """Do what `Consumer.close` was not asked to.

    Threads that are no daemons have ended by now, so whatever they called is known, and the daemons of the transports
    still run.
    """
    finish_closing()
    began = time.monotonic()
    consumers = list(LIVING)
    for consumer in consumers:
        consumer._runtime.closed = True
    for consumer in consumers:
        consumer._flush(began + consumer.config.shutdown_timeout_ms / 1000)
    report_unseen()


free_in_child(_free_in_child)
atexit.register(_flush_at_exit)
