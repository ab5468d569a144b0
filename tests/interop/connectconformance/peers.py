"""Where the servers of the suite are: one channel or consumer for each, and for each kind of connection to it."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Generic, NamedTuple, TypeVar

import grpc

from callahead.consumer import Consumer

_SERVICE = "connectrpc.conformance.v1.ConformanceService"
_Key = TypeVar("_Key")
_Peer = TypeVar("_Peer")


class _Known(Generic[_Key, _Peer]):
    """What was made once for each key."""

    def __init__(self) -> None:
        self._made: dict[_Key, _Peer] = {}
        self._lock = threading.Lock()

    def get(self, key: _Key, make: Callable[[], _Peer]) -> _Peer:
        with self._lock:
            if key not in self._made:
                self._made[key] = make()
            return self._made[key]


class _Server(NamedTuple):
    """All that makes two connections differ.

    Each suite of cases has its own: one of them sends a header that gRPC core cannot read, and from then on core cannot
    read it on that connection, whatever it says.
    """

    suite: str
    address: str
    ca: bytes
    cert: bytes
    key: bytes
    limit: int

    @classmethod
    def of(cls, request: Any) -> _Server:
        """Read it out of a case."""
        creds = request.client_tls_creds
        return cls(
            suite=request.test_name.partition("/")[0],
            address=f"{request.host}:{request.port}",
            ca=request.server_tls_cert,
            cert=creds.cert,
            key=creds.key,
            limit=request.message_receive_limit,
        )


class PlainChannels:
    """Channels of grpcio's own."""

    def __init__(self) -> None:
        self._known: _Known[_Server, grpc.Channel] = _Known()

    def to(self, request: Any) -> grpc.Channel:
        """Return the channel to the server of a case."""
        server = _Server.of(request)
        return self._known.get(server, lambda: _plain_channel(server))


def _plain_channel(server: _Server) -> grpc.Channel:
    options = [("grpc.use_local_subchannel_pool", 1)]  # else core joins equal channels to one connection
    if server.limit:
        options.append(("grpc.max_receive_message_length", server.limit))
    if not server.ca:
        return grpc.insecure_channel(server.address, options=options)
    credentials = grpc.ssl_channel_credentials(server.ca, server.key or None, server.cert or None)
    return grpc.secure_channel(server.address, credentials, options=options)


class Consumers:
    """Consumers with the one reference ``conformance``.

    Args:
        folder: Where certificates may be written.
        settings: Gives those of the reference, beside where it is, for a case.
    """

    def __init__(self, folder: Path, settings: Callable[[Any], Mapping[str, Any]]) -> None:
        self._folder = folder
        self._settings = settings
        self._known: _Known[tuple[_Server, str], Consumer] = _Known()
        self._files = itertools.count()

    def to(self, request: Any) -> Consumer:
        """Return the consumer of the server of a case."""
        server, settings = _Server.of(request), self._settings(request)
        return self._known.get((server, repr(settings)), lambda: self._consumer(server, settings))

    def _consumer(self, server: _Server, settings: Mapping[str, Any]) -> Consumer:
        reference = {"interface": _SERVICE, "url": f"tri://{server.address}", "connections": 1, **settings}
        if server.limit:
            reference["max_response_bytes"] = server.limit
        if server.ca:
            reference["ssl"] = self._ssl(server)
        return Consumer({"references": {"conformance": reference}})

    def _ssl(self, server: _Server) -> dict[str, str]:
        return {name: self._file(data) for name in ("ca", "cert", "key") if (data := getattr(server, name))}

    def _file(self, data: bytes) -> str:
        file = self._folder / f"{next(self._files)}.pem"
        file.write_bytes(data)
        return str(file)
