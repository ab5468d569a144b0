"""The `python` transport in the contract suite: its peers are clients, whose method waits for the test."""

from __future__ import annotations

import itertools
import queue
from collections.abc import Mapping
from typing import Any
from weakref import WeakValueDictionary

from callahead.consumer.transport.api import Transport, TransportParts
from callahead.consumer.transport.python import PythonTransport

from .harness import SOON


class Refusal(Exception):
    """What a client raises."""


class PythonAsked:
    """A call whose method waits for the test; an `Asked`."""

    attachments: Mapping[str, str] = {}

    def __init__(self, text: str) -> None:
        self.text = text
        self._answers: queue.SimpleQueue[str | Exception] = queue.SimpleQueue()

    def answer(self, text: str, attachments: Mapping[str, str] | None = None) -> None:
        """Let the method return."""
        del attachments
        self._answers.put(text)

    def refuse(self) -> None:
        """Let the method raise."""
        self._answers.put(Refusal("because"))

    def wait_given_up(self, within: float = SOON) -> None:
        """Be never asked: nothing can stop a method."""
        raise NotImplementedError(within)

    def wait(self) -> str:
        """Do what the test says; for the method."""
        answer = self._answers.get()
        if isinstance(answer, Exception):
            raise answer
        return answer


class PythonPeer:
    """A client with one method; a `Peer`."""

    url = ""

    def __init__(self) -> None:
        self._asked: queue.SimpleQueue[PythonAsked] = queue.SimpleQueue()
        self._all: list[PythonAsked] = []

    def echo(self, text: str) -> str:
        """Hand the call to the test, and wait."""
        asked = PythonAsked(text)
        self._all.append(asked)
        self._asked.put(asked)
        return asked.wait()

    def next(self, within: float = SOON) -> PythonAsked:
        """Return the call that has waited longest."""
        return self._asked.get(timeout=within)

    def crash(self) -> None:
        """Be never asked: it has no wire."""
        raise NotImplementedError

    come_back = crash

    def close(self) -> None:
        """Let every method return."""
        for asked in self._all:
            asked.answer("closed")


_NUMBERS = itertools.count()
_PEERS: WeakValueDictionary[int, PythonPeer] = WeakValueDictionary()


def client(number: int) -> PythonPeer:
    """Give the client of that number; the target of the reference."""
    return _PEERS[number]


class PythonKind:
    """`PythonTransport`; each reference has one provider, in this process."""

    name = protocol = "python"
    can: frozenset[str] = frozenset({"own process", "tells sent later"})
    method = "echo"

    def __init__(self) -> None:
        number = next(_NUMBERS)
        self._peer = _PEERS[number] = PythonPeer()
        self.reference: Mapping[str, Any] = {
            "target": f"{__name__}:client",
            "arguments": [number],
            "threads": 50,
            "methods": {"echo": {}},
        }

    def transport(self, parts: TransportParts) -> Transport:
        """Make one."""
        return PythonTransport(parts)

    def arguments(self, text: str) -> tuple[Any, ...]:
        """Make the one argument."""
        return (text,)

    def text_of(self, value: Any) -> str:
        """Take the value as it is."""
        text: str = value
        return text

    def peer(self) -> PythonPeer:
        """Give the one there is."""
        return self._peer

    def hangs_up_at_once(self) -> str:
        """Be never asked, nor those after it: it has no wire."""
        raise NotImplementedError

    ends_without_an_answer = goes_in_the_midst = hangs_up_at_once
    answers_rubbish = says_nothing = reads_nothing = hangs_up_at_once

    def close(self) -> None:
        """Let every thread go."""
        self._peer.close()
