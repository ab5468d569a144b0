"""One session with ZooKeeper servers, kept up by kazoo; and another when kazoo gives one up."""

from __future__ import annotations

import atexit
import contextlib
import logging
import random
import time
from collections.abc import Callable, Sequence
from threading import Timer
from typing import Any

from kazoo.client import KazooClient, KazooState
from kazoo.exceptions import (
    ConnectionClosedError,
    ConnectionLoss,
    KazooException,
    NodeExistsError,
    NoNodeError,
    SessionExpiredError,
)
from kazoo.handlers.threading import KazooTimeoutError
from kazoo.protocol.serialization import Auth
from kazoo.retry import KazooRetry

from .handler import Handler
from .settings import Settings

FAILURES = (KazooException, KazooTimeoutError)
"""What a request to the servers raises."""

INTERRUPTIONS = (ConnectionClosedError, ConnectionLoss, SessionExpiredError, KazooTimeoutError, OSError)
"""What one raises, or who asks for this machine's address, for the connection and no other reason."""

# kazoo logs each attempt; what matters of them the registry says itself, once. Lower the level to see them.
_kazoo_log = logging.getLogger("callahead.registry.kazoo")
_kazoo_log.setLevel(logging.CRITICAL)
_kazoo_log.addFilter(lambda record: not any(isinstance(each, Auth) for each in _arguments(record)))

# How long the servers may take to say goodbye.
_GOODBYE_S = 1.0
# How long who waits for an answer may take to see that none is wanted any more.
_LOOK_S = 0.25
_FIRST_DELAY_S, _MOST_DELAY_S, _JITTER = 0.1, 5.0, 0.4


class Session:
    """A session that is opened by `revive`, and again by it whenever kazoo's client has ended.

    Args:
        settings: Where to, and as whom.
        name: Of kazoo's threads.
        changed: Called on one of them when the session came up or went down; must not block.
    """

    def __init__(self, settings: Settings, name: str, changed: Callable[[], None]) -> None:
        self._settings = settings
        self._name = name
        self._changed = changed
        self._client: KazooClient | None = None
        self._handler = Handler(name, settings.ssl)
        self._not_before = 0.0
        self._delay_s = _FIRST_DELAY_S
        self._is_cut = False
        self.is_up = False

    @property
    def id(self) -> int | None:
        """Which session this is; None while there is none."""
        found = self._client.client_id if self._client is not None else None
        return found[0] if found else None

    @property
    def host(self) -> str:
        """The address of this machine, as the servers see it."""
        found: str = self._handler.connection.getsockname()[0]
        return found

    @property
    def trouble(self) -> str:
        """Why there is no session, "" while there is one or the first attempt at one runs."""
        return "" if self.is_up else self._handler.trouble

    def revive(self) -> None:
        """Open a session where there is none that kazoo keeps up; not too soon after the last one ended."""
        if self._client is not None and not self._handler.has_ended:
            if self._handler.has_failed and self._handler.is_refused:
                self._client.last_zxid = 0  # servers that have lost their data turn away who has seen more than they
            return
        if time.monotonic() >= self._not_before:
            self.close()
            self._open()

    def children(self, path: str, watch: Callable[[Any], None]) -> list[str] | None:
        """List the children of *path*; *watch* is called at the next change, even where there is no such path yet.

        Returns:
            None where there is no such path.
        """
        found: list[str] | None = self._watched("get_children_async", path, watch)
        return found

    def data(self, path: str, watch: Callable[[Any], None]) -> bytes | None:
        """Give what the node *path* holds; *watch* is called as by `children`.

        Returns:
            None where there is no such path.
        """
        found: tuple[bytes, object] | None = self._watched("get_async", path, watch)
        return None if found is None else found[0]

    def contents(self, path: str, names: Sequence[str]) -> dict[str, bytes]:
        """Give what each of the children *names* of *path* holds, but for those that have gone."""
        asked = {name: self._begin("get_async", f"{path}/{name}") for name in names}
        found: dict[str, bytes] = {}
        for name, answer in asked.items():
            with contextlib.suppress(NoNodeError):
                found[name] = self._answer(answer, self._settings.session_s)[0]
        return found

    def peek(self, path: str) -> bytes | None:
        """Give what the node *path* holds now; None where there is no such path."""
        try:
            found: bytes = self._answer(self._begin("get_async", path), self._settings.timeout_s)[0]
        except NoNodeError:
            return None
        return found

    def enrol(self, path: str) -> None:
        """Make the node *path*, which lasts as long as the session."""
        try:
            self._create(path)
        except NodeExistsError:  # of an earlier session, which the servers have not given up yet
            self._ask("delete_async", path)
            self._create(path)

    def cut(self) -> None:
        """Let go whoever waits for an answer, or would from now on."""
        self._is_cut = True
        self._handler.cut()

    def close(self) -> None:
        """End the session and every thread of kazoo's."""
        client, self._client = self._client, None
        self.is_up = False
        if client is None:
            return
        goodbye = Timer(_GOODBYE_S, self._handler.cut)
        goodbye.start()
        if client.client_id is None:
            self._handler.cut()
        with contextlib.suppress(*FAILURES, OSError):
            client.stop()
        goodbye.cancel()
        goodbye.join()
        self._handler.join()
        self._handler.close_sockets()

    def abandon(self) -> None:
        """Forget, in a forked child, the session of its parent; nothing is said on its connection."""
        self._client = None
        self.is_up = self._is_cut = False
        atexit.unregister(self._handler.stop)
        self._handler.close_sockets()
        self._handler = Handler(self._name, self._settings.ssl)
        self._not_before = 0.0

    def _open(self) -> None:
        self._delay_s = min(self._delay_s * 2, _MOST_DELAY_S)
        self._not_before = time.monotonic() + self._delay_s * random.uniform(1 - _JITTER, 1 + _JITTER)  # noqa: S311
        self._handler = Handler(self._name, self._settings.ssl)
        client = self._client = self._made(self._handler)
        client.add_listener(lambda state: self._hear(client, state))
        client.start_async()

    def _made(self, handler: Handler) -> KazooClient:
        user = f"{self._settings.username}:{self._settings.password}"
        retry = KazooRetry(
            max_tries=-1,
            delay=_FIRST_DELAY_S,
            max_jitter=_JITTER,
            max_delay=_MOST_DELAY_S,
            sleep_func=handler.sleep_func,
        )
        return KazooClient(
            hosts=self._settings.hosts,
            timeout=self._settings.session_s,
            handler=handler,
            auth_data=[("digest", user)] if self._settings.username else None,
            connection_retry=retry,
            logger=_kazoo_log,
        )

    def _hear(self, client: KazooClient, state: str) -> None:
        if client is not self._client:
            return
        self.is_up = state == KazooState.CONNECTED
        if self.is_up:
            self._delay_s = _FIRST_DELAY_S
            self._handler.succeed()
        self._changed()

    def _create(self, path: str) -> None:
        self._ask("create_async", path, ephemeral=True, makepath=True)

    def _watched(self, request: str, path: str, watch: Callable[[Any], None]) -> Any:
        while True:
            try:
                return self._ask(request, path, watch=watch)
            except NoNodeError:
                if self._ask("exists_async", path, watch=watch) is None:
                    return None

    def _ask(self, request: str, path: str, **how: Any) -> Any:
        """Wait for an answer no longer than a session may be silent: one asked during a loss is never answered."""
        return self._answer(self._begin(request, path, **how), self._settings.session_s)

    def _answer(self, answer: Any, timeout_s: float) -> Any:
        """Wait for *answer*, but not beyond `cut`: what is asked during a loss hears nothing of that from kazoo."""
        until = time.monotonic() + timeout_s
        while not answer.ready() and (left := until - time.monotonic()) > 0:
            if self._is_cut:
                raise ConnectionClosedError("the registry is closed")
            answer.wait(min(left, _LOOK_S))
        return answer.get(block=False)

    def _begin(self, request: str, path: str, **how: Any) -> Any:
        client = self._client
        if client is None:
            raise KazooException("there is no session")
        return getattr(client, request)(path, **how)


def _arguments(record: logging.LogRecord) -> Sequence[object]:
    return record.args if isinstance(record.args, tuple) else ()
