"""Who may touch the state of a connection: the I/O thread, or while it makes a blocking call the calling thread."""

from __future__ import annotations

import select
import socket
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

from .io_thread import LONGEST_SLEEP_S, IoThread
from .spin import Spin


class Ownership:
    """A lock that nobody waits for: what does not get it is deferred, and whoever has it is asked to hand over.

    `take`, `wait` and `leave` are for any thread; all the rest is for the I/O thread.

    Attributes:
        deferred: What waits until the holder hands over: functions with their argument.
        is_ready: `wait` can be used.
    """

    def __init__(self, thread: IoThread) -> None:
        self._thread = thread
        self._lock = threading.Lock()
        self.deferred: deque[tuple[Callable[[Any], None], Any]] = deque()
        self._nudge: tuple[socket.socket, socket.socket] | None = None
        self._poll = select.poll()
        self._spin = Spin()
        self._fd = -1
        self.is_ready = False

    def take(self) -> bool:
        """Take the state if it is free."""
        return self._lock.acquire(False)

    def enter(self, function: Callable[[Any], None], argument: Any) -> bool:
        """Take the state, or let ``function(argument)`` be called on the I/O thread once its holder has handed over."""
        if self._lock.acquire(False):
            return True
        self.deferred.append((function, argument))
        if self._nudge is not None:
            with suppress(BlockingIOError):  # so many nudges are waiting that one more says nothing
                self._nudge[1].send(b"\0")
        if self._lock.acquire(False):  # the holder may have looked just before the lines above
            self.leave()
        return False

    def hold(self, function: Callable[[Any], object], argument: Any) -> None:
        """Take the state for ``function(argument)``, now or on the I/O thread once its holder has handed over."""
        if self.enter(partial(self.hold, function), argument):
            try:
                function(argument)
            finally:
                self.leave()

    def leave(self) -> None:
        """Hand over."""
        self._lock.release()
        while self.deferred:
            try:
                function, argument = self.deferred.popleft()
            except IndexError:  # another thread was quicker
                return
            self._thread.post(function, argument)

    def wait(self, seconds: float) -> bool:
        """Wait for bytes of the socket; False where the time is over, or the holder is to hand over."""
        assert self._nudge is not None
        if self.deferred or seconds <= 0:
            return False
        ready = self._spin.look(self._poll) or self._poll.poll(min(seconds, LONGEST_SLEEP_S) * 1000 + 1)
        if not ready:
            return False
        if len(ready) > 1 or ready[0][0] != self._fd:
            with suppress(BlockingIOError):  # an old nudge that stayed would end every later wait
                self._nudge[0].recv(4096)
        return not self.deferred

    def watch(self, fd: int) -> None:
        """Let `wait` wait for *fd* from now on; where the system has no descriptors left, `is_ready` stays False."""
        self.forget()
        if self._nudge is None:
            try:
                self._nudge = socket.socketpair()
            except OSError:
                return
            for one in self._nudge:
                one.setblocking(False)
        self._poll = select.poll()
        self._poll.register(fd, select.POLLIN)
        self._poll.register(self._nudge[0].fileno(), select.POLLIN)
        self._fd = fd
        self.is_ready = True

    def forget(self) -> None:
        """Wait for no socket any more; from whoever holds the state."""
        self.is_ready = False

    def close(self) -> None:
        """Give the descriptors back.

        Only here and on the I/O thread, which is who nudges: a nudge can never reach a descriptor that another thread
        has closed and somebody else opened since.
        """
        self.forget()
        nudge, self._nudge = self._nudge, None
        for one in nudge or ():
            one.close()

    def after_fork(self) -> None:
        """Be free, whoever held it in the parent."""
        self._lock = threading.Lock()
        self.deferred.clear()
        self.close()
