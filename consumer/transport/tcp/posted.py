"""Calls on their way to the I/O thread, of which the large ones count with all others."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from typing import Generic, Protocol, TypeVar

from callahead.registry.forking import fork_safe_lock

from ...errors import ConnectFailed, LimitExceeded
from ..request_limit import Room
from .call import Call
from .io_thread import IoThread

_LARGE = 8192
"""So few of smaller requests are made before the I/O thread has its turn that they need no count of their own."""


class Running(Protocol):
    """The calls that were accepted."""

    @property
    def size(self) -> int:
        """Bytes that their requests hold."""


CallT = TypeVar("CallT", bound=Call)


class Posted(Generic[CallT]):
    """The calls that were posted and not yet accepted, in order; `post` is for any thread, `take` for the I/O thread.

    Threads that make requests faster than the I/O thread refuses them would otherwise pass the limit meanwhile.

    Args:
        running: Those that were accepted.
        room: How much may be begun and not ended.
        name: ``host:port``, for errors.
        thread: Accepts them.
        accept: Called there, soon after something was posted; takes what there is.
    """

    def __init__(
        self, running: Running, room: Room, name: str, thread: IoThread, accept: Callable[[None], None]
    ) -> None:
        self._running = running
        self._room = room
        self._name = name
        self._thread = thread
        self._accept = accept
        self._lock = fork_safe_lock()
        self._calls: deque[CallT] = deque()
        self._bytes = 0
        self._is_posted = False

    def post(self, call: CallT) -> None:
        """Hand *call* to the I/O thread; where that cannot be started it ends here, as do those posted with it."""
        if call.size > _LARGE and (refusal := self._count(call)) is not None:
            call.fail(refusal)
            return
        self._calls.append(call)
        if not self._is_posted:
            self._is_posted = True
            try:
                self._thread.post(self._accept, None)
            except ConnectFailed as error:
                self._take_back(error)
            except BaseException:  # a signal handler broke in, and others may count on this post
                self._is_posted = False
                self._thread.post(self._accept, None)
                raise

    def _count(self, call: CallT) -> LimitExceeded | None:
        """Count a large call, or make the error of one that has no room."""
        with self._lock:
            others = self._bytes + self._running.size
            if others and others + call.size > self._room.size:
                return self._room.too_large(self._name, others, call.size)
            self._bytes += call.size
        return None

    def _take_back(self, why: ConnectFailed) -> None:
        for call in self.take():
            call.fail(ConnectFailed(why.message, not_sent=True))

    def take(self) -> Iterator[CallT]:
        """Take what is there now, one after the other."""
        # Before the calls are taken: what is posted after this line is posted anew.
        self._is_posted = False
        calls = self._calls
        for _ in range(len(calls)):
            try:
                call = calls.popleft()
            except IndexError:  # another thread was quicker: who could not start the I/O thread takes them back
                return
            if call.size > _LARGE:
                with self._lock:
                    self._bytes -= call.size
            yield call

    def clear(self) -> None:
        """Forget all."""
        self._calls.clear()
        self._bytes = 0
        self._is_posted = False
