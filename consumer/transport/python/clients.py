"""The clients of one reference: one that all threads share, or one for each of them."""

from __future__ import annotations

import inspect
import logging
import threading
from collections.abc import Callable
from functools import partial
from importlib import import_module
from typing import Any

from callahead.config.extension import load_object
from callahead.config.policy import ReferencePolicy
from callahead.registry.forking import fork_safe_lock

from ...errors import ConnectFailed

_LOG = logging.getLogger("callahead.consumer.python")


class Clients:
    """Makes clients as they are needed, and closes each at its end.

    Args:
        policy: Of the reference.

    Raises:
        ConfigError: What it says of clients cannot be obeyed; nothing was made.
    """

    def __init__(self, policy: ReferencePolicy) -> None:
        self._name = policy.id
        self._close_by: str | None = policy.transport.close
        self.is_per_thread = policy.transport.clients == "per_thread"
        self._make, self._shared = _source(policy)
        self._lock = fork_safe_lock()
        self._own = threading.local()
        self._inherited: list[Any] = []
        if self.is_per_thread and self._make is None:
            raise policy.error("clients", "per_thread needs a target that makes one for each thread")

    def of_thread(self) -> Any:
        """Return the client that the calling thread is to use, made where there is none.

        Raises:
            ConnectFailed: It could not be made.
        """
        if not self.is_per_thread:
            return self._shared if self._shared is not None else self._make_shared()
        client = getattr(self._own, "client", None)
        if client is None:
            client = self._own.client = self.make()
        return client

    def _make_shared(self) -> Any:
        with self._lock:
            if self._shared is None:
                self._shared = self.make()
            return self._shared

    def make(self) -> Any:
        """Make one more.

        Raises:
            ConnectFailed: The target raised; nothing was sent.
        """
        assert self._make is not None
        try:
            return self._make()
        except Exception as error:
            raise ConnectFailed(f"a client cannot be made: {error!r}", not_sent=True) from error

    def leave(self) -> None:
        """Close the client that is the calling thread's own, which ends."""
        client = getattr(self._own, "client", None)
        if client is not None:
            self._own.client = None
            self.close(client)

    def close_shared(self) -> None:
        """Close the one of all threads, once; none of them uses it any more."""
        with self._lock:
            client, self._shared = self._shared, None
        if client is not None:
            self.close(client)

    def close(self, client: Any) -> None:
        """Close *client*, where the configuration says how; what it raises is logged."""
        if self._close_by is not None:
            try:
                getattr(client, self._close_by)()
            except Exception:
                _LOG.exception("%s: a client could not be closed", self._name)

    def after_fork(self) -> None:
        """Leave alone what the parent made; what this process cannot make is used on."""
        self._own = threading.local()
        if self._make is not None:
            self._inherited.append(self._shared)  # its end would close what the parent uses
            self._shared = None


def _source(policy: ReferencePolicy) -> tuple[Callable[[], Any] | None, Any]:
    """Give what makes clients, or else the one that there is."""
    if policy.client is not None:
        return None, policy.client
    settings = policy.transport
    if settings.target is None:
        text = "needs target, or an object given to Consumer.wrap"
        raise policy.error("protocol", f'protocol "{policy.protocol}" {text}')
    found = _loaded(policy, settings.target)
    if not callable(found):
        if settings.arguments:
            raise policy.error("arguments", f"{settings.target} is {type(found).__name__}, which takes none")
        return None, found
    if inspect.iscoroutinefunction(found):
        raise policy.error("target", f"{settings.target} is a coroutine function, and only blocking code runs here")
    return _bound(policy, found), None


def _loaded(policy: ReferencePolicy, target: str) -> Any:
    try:
        return load_object(target) if ":" in target else import_module(target)
    except (LookupError, ImportError) as error:
        raise policy.error("target", str(error)) from error


def _bound(policy: ReferencePolicy, function: Callable[..., Any]) -> Callable[[], Any]:
    """Bind the configured arguments to *function*, which must take them as far as it tells."""
    given = policy.transport.arguments
    args, kwargs = ((), given) if isinstance(given, dict) else (given, {})
    try:
        inspect.signature(function).bind(*args, **kwargs)
    except TypeError as error:
        attribute = "arguments" if given else "target"
        raise policy.error(attribute, f"{policy.transport.target} does not take them: {error}") from error
    except ValueError:  # written in C, and tells nothing
        pass
    return partial(function, *args, **kwargs)
