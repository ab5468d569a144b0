"""Waiting for sockets: epoll where the system has it, `selectors` elsewhere."""

from __future__ import annotations

import os
import select
import selectors
import socket
from collections.abc import Sequence
from typing import Protocol

READ = 1
WRITE = 2
CLOSING = 4
"""Nothing but that the peer closes, which is told as READ; on systems without epoll not even that."""


class Poller(Protocol):
    """Waits for sockets to become ready; level-triggered. `watch` and `wake` may be called from any thread."""

    def watch(self, fd: int, events: int) -> None:
        """Wait for *events* of *fd* from now on: READ, WRITE, both, or only CLOSING."""

    def forget(self, fd: int) -> None:
        """Wait for *fd* no more; before it is closed."""

    def wait(self, timeout: float | None) -> Sequence[tuple[int, int]]:
        """Return what is ready as ``(fd, events)``, after at most *timeout* seconds; READ for a broken socket, too."""

    def wake(self) -> None:
        """End the `wait` that runs, or the next one."""

    def close(self) -> None:
        """Give everything back to the system."""


class EpollPoller:
    """A `Poller` by Linux' epoll and eventfd."""

    def __init__(self) -> None:
        self._epoll = select.epoll()
        try:
            self._wakeup = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        except OSError:  # no descriptor is left
            self._epoll.close()
            raise
        self._epoll.register(self._wakeup, select.EPOLLIN)
        self._known: set[int] = set()

    def watch(self, fd: int, events: int) -> None:
        """Wait for *events*; see `Poller.watch`."""
        mask = select.EPOLLRDHUP | (select.EPOLLIN if events & READ else 0) | (select.EPOLLOUT if events & WRITE else 0)
        if fd in self._known:
            self._epoll.modify(fd, mask)
        else:
            self._epoll.register(fd, mask)
            self._known.add(fd)

    def forget(self, fd: int) -> None:
        """Wait no more; see `Poller.forget`."""
        if fd in self._known:
            self._known.discard(fd)
            self._epoll.unregister(fd)

    def wait(self, timeout: float | None) -> Sequence[tuple[int, int]]:
        """Return what is ready; see `Poller.wait`."""
        ready = self._epoll.poll(-1 if timeout is None else timeout)
        if not ready:
            return ready
        found = []
        for fd, mask in ready:
            if fd == self._wakeup:
                os.eventfd_read(fd)
            else:
                found.append((fd, (READ if mask & ~select.EPOLLOUT else 0) | (WRITE if mask & select.EPOLLOUT else 0)))
        return found

    def wake(self) -> None:
        """End the wait; see `Poller.wake`."""
        os.eventfd_write(self._wakeup, 1)

    def close(self) -> None:
        """Close both descriptors."""
        self._epoll.close()
        os.close(self._wakeup)


class SelectorPoller:
    """A `Poller` by the standard library's selectors, for systems without epoll."""

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()
        try:
            self._waking, self._woken = socket.socketpair()
        except OSError:  # no descriptor is left
            self._selector.close()
            raise
        self._waking.setblocking(False)
        self._woken.setblocking(False)
        self._selector.register(self._woken, selectors.EVENT_READ)

    def watch(self, fd: int, events: int) -> None:
        """Wait for *events*; see `Poller.watch`."""
        mask = (selectors.EVENT_READ if events & READ else 0) | (selectors.EVENT_WRITE if events & WRITE else 0)
        if not mask:
            self.forget(fd)
        elif fd in self._selector.get_map():
            self._selector.modify(fd, mask)
        else:
            self._selector.register(fd, mask)
            self.wake()  # kqueue and poll look at the list only when a wait begins

    def forget(self, fd: int) -> None:
        """Wait no more; see `Poller.forget`."""
        if fd in self._selector.get_map():
            self._selector.unregister(fd)

    def wait(self, timeout: float | None) -> Sequence[tuple[int, int]]:
        """Return what is ready; see `Poller.wait`."""
        found = []
        for key, mask in self._selector.select(timeout):
            if key.fileobj is self._woken:
                self._woken.recv(4096)
            else:
                read, write = mask & selectors.EVENT_READ, mask & selectors.EVENT_WRITE
                found.append((key.fd, (READ if read else 0) | (WRITE if write else 0)))
        return found

    def wake(self) -> None:
        """End the wait; see `Poller.wake`."""
        try:
            self._waking.send(b"\0")
        except BlockingIOError:  # so many wake-ups are waiting that one more says nothing
            return

    def close(self) -> None:
        """Close all descriptors."""
        self._selector.close()
        self._waking.close()
        self._woken.close()


def open_poller() -> Poller:
    """Make the best poller that this system has."""
    return EpollPoller() if hasattr(select, "epoll") and hasattr(os, "eventfd") else SelectorPoller()
