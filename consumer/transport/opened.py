"""The transports of one consumer."""

from __future__ import annotations

from callahead.config.extension import TRANSPORT, load

from .api import Transport, TransportParts


class Transports(dict[str, Transport]):
    """Has each by its protocol, and makes one when it is first asked for; not for several threads at once.

    Args:
        parts: What each is made of.
    """

    def __init__(self, parts: TransportParts) -> None:
        super().__init__()
        self._parts = parts

    def __missing__(self, protocol: str) -> Transport:
        made: Transport = load(TRANSPORT, protocol)(self._parts)
        self[protocol] = made
        return made
