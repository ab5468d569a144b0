"""A connection to one of several Nacos servers, and another when it is lost."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable
from threading import RLock
from typing import Any

from ..errors import RegistryError
from .connection import Connection, reached
from .errors import Lost, Refused
from .login import Login
from .payload import Body, Message
from .settings import Server, Settings

_FIRST_DELAY_S, _MOST_DELAY_S, _JITTER = 0.1, 3.0, 0.4
_BEAT_S = 5.0
_FORBIDDEN = 403
_FORK_SUPPORT = "GRPC_ENABLE_FORK_SUPPORT"
_NO = ("0", "false", "no", "off", "f", "n")

Hear = Callable[[int, Message], None]
"""Hears the number of a connection, and what the server said on it."""


class Session:
    """Speaks with one server at a time, and goes to the next when that one fails.

    `revive`, `beat` and `close` are called by one thread.

    Args:
        settings: Where to, and as whom.
        name: Of the threads that read.
        hear: Called on such a thread; must not block.
        changed: Likewise, when the connection is lost.

    Attributes:
        number: Of the newest connection that came about, from 1 on; 0 while there was none.
        trouble: Why there is none, once every server has been tried; "" while there is one.
    """

    def __init__(self, settings: Settings, name: str, hear: Hear, changed: Callable[[], None]) -> None:
        self._settings = settings
        self._name = name
        self._hear = hear
        self._changed = changed
        self._login = Login(settings)
        # Held while gRPC is used, so that nobody forks meanwhile.
        self._using = RLock()
        self._connection: Connection | None = None
        self._turn = random.randrange(len(settings.servers))  # noqa: S311
        self._failures: dict[Server, str] = {}
        self._delay_s = _FIRST_DELAY_S
        self._not_before = 0.0
        self._beat_at = 0.0
        self._has_spoken = False
        self._stuck = ""
        self.number = 0
        self.trouble = ""

    @property
    def is_up(self) -> bool:
        """Whether there is a connection."""
        connection = self._connection
        return connection is not None and not connection.trouble

    @property
    def pause_s(self) -> float:
        """How long `revive` and `beat` have nothing to do."""
        return max(0.0, (self._beat_at if self.is_up else self._not_before) - time.monotonic())

    def revive(self) -> None:
        """Connect where there is no connection, to the next server; not too soon after all of them failed."""
        if self.is_up:
            return
        if self._connection is not None:
            self._leave(self._connection)
        if time.monotonic() >= self._not_before:
            self._try(self._server)

    def ask(self, kind: str, **body: Any) -> Body:
        """Wait for the answer to a request.

        Raises:
            Refused: The server does not do it.
            Lost: There is no connection any more.
        """
        try:
            return self._asked(Message(kind, body))
        except Refused as error:
            if error.code != _FORBIDDEN or not self._login.forget():
                raise
            return self._asked(Message(kind, body))  # perhaps the token was not known any more

    def beat(self) -> None:
        """Ask now and then whether the server is there: one that is mute tells nobody."""
        if time.monotonic() >= self._beat_at:
            self._beat_at = time.monotonic() + _BEAT_S
            self.ask("HealthCheckRequest")
            self._delay_s = _FIRST_DELAY_S  # not before: a server may end each connection as soon as it is made

    def cut(self) -> None:
        """Let go whoever waits for an answer."""
        connection = self._connection
        if connection is not None:
            connection.cut()

    def close(self) -> None:
        """End the connection and its threads."""
        with self._using:
            connection, self._connection = self._connection, None
            if connection is not None:
                connection.close()

    def before_fork(self) -> None:
        """End the connection, and begin no other: gRPC core can be used in a child only where nothing ran in it."""
        self.cut()
        while not self._using.acquire(timeout=_FIRST_DELAY_S):
            self.cut()
        self.close()

    def after_fork_in_parent(self) -> None:
        """Go on with another connection."""
        self._not_before = 0.0
        self._using.release()

    def after_fork_in_child(self) -> None:
        """Go on with a connection of the child's own, where gRPC can be used there."""
        self._using = RLock()
        self._not_before = 0.0
        setting = os.environ.get(_FORK_SUPPORT, "")
        if self._has_spoken and setting.lower() in _NO:
            self._stuck = f"gRPC cannot be used in this forked process, since {_FORK_SUPPORT} is {setting}; unset it"

    @property
    def _server(self) -> Server:
        return self._settings.servers[self._turn % len(self._settings.servers)]

    def _asked(self, message: Message) -> Body:
        with self._using:
            if self._connection is None:
                raise Lost("there is no connection")
            return self._connection.ask(message, self._login.headers(self._server))

    def _leave(self, lost: Connection) -> None:
        """Leave a server; if it has ended, not all of its clients shall come to the next at once."""
        if not lost.is_cut:
            self._fail(f"the connection to {self._server} was lost: {lost.trouble}")
            self._wait()
        self.close()

    def _try(self, server: Server) -> None:
        try:
            self._connect(server)
        except (RegistryError, RuntimeError) as error:  # the latter where the system has no thread left
            self.close()
            self._fail(str(error))
            if self._turn % len(self._settings.servers) == 0:
                self._wait()
        else:
            self._succeed()

    def _connect(self, server: Server) -> None:
        if self._stuck:
            raise Lost(self._stuck)
        host = reached(server)
        self._login.headers(server)
        number = self.number + 1
        with self._using:
            self._has_spoken = True
            self._connection = Connection(
                server, self._settings.ssl, host, self._name, lambda push: self._hear(number, push), self._changed
            )
            self._connection.open(self._settings.namespace)

    def _succeed(self) -> None:
        self._failures.clear()
        self._beat_at = time.monotonic() + _BEAT_S
        self.number += 1
        self.trouble = ""

    def _fail(self, reason: str) -> None:
        """Note what is wrong with a server, and go to the next."""
        self._failures[self._server] = reason
        self._turn += 1
        if len(self._failures) == len(set(self._settings.servers)):
            self.trouble = "; ".join(self._failures.values())

    def _wait(self) -> None:
        self._not_before = time.monotonic() + self._delay_s * random.uniform(1 - _JITTER, 1 + _JITTER)  # noqa: S311
        self._delay_s = min(self._delay_s * 2, _MOST_DELAY_S)
