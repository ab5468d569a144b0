"""Peers that are an `EmbeddedProvider`, for each protocol that it speaks."""

from __future__ import annotations

import queue
import threading
from abc import ABC, abstractmethod
from collections.abc import Mapping
from contextlib import AbstractContextManager, ExitStack
from typing import Any, ClassVar, Self, TypeVar

from callahead.consumer.errors import RemoteError
from callahead.consumer.testing import EmbeddedProvider, ProviderCall

from .harness import SOON

SOME = 10_000
"""Bytes that a peer reads which then goes in the midst of a request."""

_Opened = TypeVar("_Opened", bound=AbstractContextManager[Any])


class EmbeddedAsked:
    """A request whose handler waits for the test; an `Asked`."""

    def __init__(self, text: str, call: ProviderCall) -> None:
        self.text = text
        self._call = call
        self._replied = threading.Event()
        self._reply = ""
        self._error: BaseException | None = None

    @property
    def attachments(self) -> Mapping[str, str]:
        """What came beside the request."""
        return self._call.attachments

    def answer(self, text: str, attachments: Mapping[str, str] | None = None) -> None:
        """Let the handler return."""
        self._call.response_attachments.update(attachments or {})
        self._reply = text
        self._replied.set()

    def refuse(self) -> None:
        """Let the handler raise."""
        self._error = RemoteError("because", type_name="com.alibaba.foo.NoSuchFoo", status="NOT_FOUND")
        self._replied.set()

    def wait_given_up(self, within: float = SOON) -> None:
        """Wait for the end that the client brought about."""
        assert self._call.wait_ended(within) == "CANCELLED"

    def wait(self) -> str:
        """Do what the test says; for the handler."""
        while not self._replied.is_set() and self._call.wait(0.01):
            pass
        if self._error is not None:
            raise self._error
        return self._reply


class EmbeddedPeer:
    """An `EmbeddedProvider` whose one method hands its calls to the test; a `Peer`."""

    def __init__(self, kind: EmbeddedKind) -> None:
        self._kind = kind
        self._asked: queue.SimpleQueue[EmbeddedAsked] = queue.SimpleQueue()
        self._provider = EmbeddedProvider(protocol=kind.protocol)
        self._provider.serve(**kind.serving, functions={kind.method: self._handle})

    @property
    def url(self) -> str:
        """For a configuration."""
        return self._provider.url

    def next(self, within: float = SOON) -> EmbeddedAsked:
        """Return the request that has waited longest."""
        return self._asked.get(timeout=within)

    def crash(self) -> None:
        """Close every connection at once."""
        self._provider.kill()

    def come_back(self) -> None:
        """Listen again."""
        self._provider.restart()

    def _handle(self, request: Any, call: ProviderCall) -> str:
        asked = EmbeddedAsked(self._kind.asked_text(request), call)
        self._asked.put(asked)
        return asked.wait()

    def __enter__(self) -> Self:
        self._provider.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._provider.kill()
        self._provider.stop()


class EmbeddedKind(ABC):
    """The part of a `Kind` that stands on an `EmbeddedProvider`.

    Attributes:
        serving: Arguments of `EmbeddedProvider.serve`.
    """

    can: ClassVar[frozenset[str]] = frozenset({"addresses", "attachments", "remote errors", "wire", "waits"})
    protocol: ClassVar[Any]
    method: ClassVar[str]
    serving: ClassVar[Mapping[str, Any]]

    def __init__(self) -> None:
        self._open = ExitStack()

    @abstractmethod
    def asked_text(self, request: Any) -> str:
        """Read the text of a request, as a handler gets it."""

    def opened(self, peer: _Opened) -> _Opened:
        """Start *peer*, and close it with the test."""
        self._open.enter_context(peer)
        return peer

    def peer(self) -> EmbeddedPeer:
        """Start a provider."""
        return self.opened(EmbeddedPeer(self))

    def close(self) -> None:
        """End every peer."""
        self._open.close()
