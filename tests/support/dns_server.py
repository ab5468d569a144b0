"""A name server on this machine, whose records a test changes."""

from __future__ import annotations

import socket
import threading
from collections.abc import Sequence
from types import TracebackType
from typing import Self

import dns.flags
import dns.message
import dns.rcode
import dns.rrset


class DnsServer:
    """Answers questions over UDP, each at once, with what `put` has put.

    Attributes:
        address: ``host:port``.
        asked: The questions so far, such as ``("shop.test", "A")``.
        mode: ``"up"``; ``"failing"`` answers that it could not find out; ``"mute"`` answers nothing;
            ``"senseless"`` what is no answer of a name server.
    """

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._socket.getsockname()[1]}"
        self.asked: list[tuple[str, str]] = []
        self.mode = "up"
        self._records: dict[str, dict[str, tuple[int, Sequence[str]]]] = {}
        self._thread = threading.Thread(target=self._serve, name="dns-server")
        self._thread.start()

    def put(self, name: str, kind: str, *values: str, ttl: int = 1) -> None:
        """Make *values* the records of a kind of *name*, such as ``10.0.0.1`` of ``A``; none take them away."""
        records = {**self._records.get(name, {}), kind: (ttl, values)}
        kept = {one: known for one, known in records.items() if known[1]}
        others = {key: one for key, one in self._records.items() if key != name}
        self._records = {**others, name: kept} if kept else others

    def close(self) -> None:
        """End it."""
        self.mode = "closed"
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as waker:
            waker.sendto(b"", self._socket.getsockname())
        self._thread.join()
        self._socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def _serve(self) -> None:
        while True:
            data, asker = self._socket.recvfrom(4096)
            if self.mode == "closed":
                return
            answer = self._answer(data)
            if self.mode != "mute":
                self._socket.sendto(answer if self.mode != "senseless" else b"HTTP/1.1 400 Bad Request\r\n", asker)

    def _answer(self, data: bytes) -> bytes:
        question = dns.message.from_wire(data)
        asked = question.question[0]
        name, kind = str(asked.name).rstrip("."), dns.rdatatype.to_text(asked.rdtype)
        self.asked.append((name, kind))
        answer = dns.message.make_response(question)
        answer.flags |= dns.flags.RA
        if self.mode == "failing":
            answer.set_rcode(dns.rcode.SERVFAIL)
        elif name not in self._records:
            answer.set_rcode(dns.rcode.NXDOMAIN)
        elif kind in self._records[name]:
            ttl, values = self._records[name][kind]
            answer.answer.append(dns.rrset.from_text_list(asked.name, ttl, "IN", kind, list(values)))
        return answer.to_wire()
