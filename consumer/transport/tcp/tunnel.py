"""The way through an HTTP proxy: what it is asked, and what its answer says, before the peer itself is spoken to."""

from __future__ import annotations

import re
import socket
from typing import Final

from ..trouble import Trouble, language
from .poller import READ, WRITE
from .proxy import HttpProxy

_MOST_BYTES: Final = 16 * 1024
_BEGINNING: Final = b"HTTP/1."
_SHOWN: Final = 60
_STATUS: Final = re.compile(rb"HTTP/1\.\d (\d{3})(?: ([^\r\n]*))?\r?\n")
_END: Final = re.compile(rb"\r?\n\r?\n")
_WANTS_USER: Final = 407


class Tunnel:
    """Asks a proxy for a way to one peer, by a connected socket that does not block.

    Of the answer no byte is read behind its end: that is the peer's first word.

    Args:
        proxy: Who is asked.
        to: The peer, ``host:port``; where it is a name the proxy looks it up.
    """

    def __init__(self, proxy: HttpProxy, to: bytes) -> None:
        self._proxy = proxy
        self._unsent = proxy.request(to)
        self._read = b""

    def advance(self, opened: socket.socket) -> int | Trouble:
        """Go on, and tell for which events of *opened* to wait, 0 once the way is there, or what is wrong."""
        try:
            if self._unsent:
                self._unsent = self._unsent[opened.send(self._unsent) :]
            return WRITE if self._unsent else self._hear(opened)
        except BlockingIOError:
            return WRITE if self._unsent else READ
        except OSError as error:
            return self._trouble(f"ended the connection: {error.strerror or error}")

    def _hear(self, opened: socket.socket) -> int | Trouble:
        seen = opened.recv(_MOST_BYTES - len(self._read), socket.MSG_PEEK)
        if not seen:
            return self._trouble("closed the connection without an answer")
        end = _END.search(self._read + seen)
        self._read += opened.recv(len(seen) if end is None else end.end() - len(self._read))
        if not _BEGINNING.startswith(self._read[: len(_BEGINNING)]):
            return self._not_understood()
        if end is not None:
            return self._judge()
        if len(self._read) >= _MOST_BYTES:
            return self._trouble(f"answers with a header that has no end within {_MOST_BYTES} bytes")
        return READ

    def _judge(self) -> int | Trouble:
        match = _STATUS.match(self._read)
        if match is None:
            return self._not_understood()
        status, reason = int(match[1]), (match[2] or b"")[:_SHOWN].decode("ascii", "replace")
        if 200 <= status < 300:
            return 0
        shown = "".join(one if one.isprintable() else "?" for one in reason)
        return self._trouble(f"answers {status}{' ' if shown else ''}{shown}{self._advice(status)}")

    def _advice(self, status: int) -> str:
        if status != _WANTS_USER:
            return ""
        if self._proxy.user:
            return "; it does not take the user and password that are written there"
        return "; it wants a user and a password, as in http://user:password@host:port"

    def _not_understood(self) -> Trouble:
        spoken = "" if self._read.startswith(_BEGINNING) else language(self._read)
        said = f"answers like {spoken}" if spoken else f"answers {self._read[:_SHOWN]!r}"
        return self._trouble(f"{said}, and not as an HTTP proxy does")

    def _trouble(self, what: str) -> Trouble:
        return Trouble(f"{self._proxy.name} {what}")
