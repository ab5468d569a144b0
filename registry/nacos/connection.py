"""One connection to one Nacos server: requests with answers, and a stream of what the server says of its own accord.

Source: Nacos ``GrpcClient`` and ``GrpcConnection``.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from queue import SimpleQueue
from threading import Thread
from typing import Any

import grpc

from callahead.config.policy import SslPolicy

from ..errors import RegistryError
from .errors import Lost, Refused, quoted, why
from .payload import Body, Message, decode, encode
from .settings import Server

_OPTIONS = (
    # Servers know a client by its TCP connection, which two registries of a process must not share.
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.max_receive_message_length", 32 * 1024 * 1024),
    ("grpc.enable_retries", 0),
    ("grpc.enable_http_proxy", 0),
)
_REACH_S = 2.0
_ANSWER_S = 3.0
# A server takes a moment to know who has connected; Nacos' own client waits as long.
_SETUP_S = 0.1
# How long what reads the stream may take to see its end.
_GOODBYE_S = 1.0
_OK = 200
_UNREGISTERED = 301
_VERSION = "Nacos-Python-Client:v2"


def reached(server: Server) -> str:
    """Look whether somebody listens where *server* should, and tell the address of this machine as seen from there.

    gRPC would say neither what is wrong with a name nor who this is.

    Raises:
        Lost: Nobody does.
    """
    try:
        with socket.create_connection((server.host, server.grpc_port), _REACH_S) as connection:
            host: str = connection.getsockname()[0]
            return host
    except (OSError, UnicodeError) as error:  # the latter of a name with a label that is empty or too long
        port = f"{server.grpc_port}, which is {server.grpc_port - server.port} above {server.port} and Nacos' for gRPC"
        raise Lost(f"{server.host} cannot be reached at port {port}: {why(error)}") from None


class Connection:
    """A connection that is used once: `open`, then `ask`; when it is lost another one takes its place.

    Args:
        server: At the other end.
        ssl: How TLS is spoken; None for plain TCP.
        host: The address of this machine.
        name: Of the thread that reads the stream.
        hear: Called by it with each push, which has been acknowledged; must not block.
        ended: Called when *trouble* has come; must not block.

    Attributes:
        is_cut: This side ended it.
        trouble: Why it is of no more use; "" while it is.

    Raises:
        Lost: A file of *ssl* cannot be read.
    """

    def __init__(
        self,
        server: Server,
        ssl: SslPolicy | None,
        host: str,
        name: str,
        hear: Callable[[Message], None],
        ended: Callable[[], None],
    ) -> None:
        self._server = server
        self._host = host
        self._hear = hear
        self._ended = ended
        self._channel = _channel(server, ssl)
        self._request: Any = self._channel.unary_unary("/Request/request")
        self._said: SimpleQueue[bytes | None] = SimpleQueue()
        self._reader = Thread(target=self._read, name=name, daemon=True)
        self.is_cut = False
        self.trouble = ""

    def open(self, namespace: str) -> None:
        """Say who connects, and begin to hear.

        Raises:
            Lost: What is there does not answer as a Nacos server does, or ends the connection.
        """
        try:
            self.ask(Message("ServerCheckRequest", {}), {})
        except RegistryError as error:
            text = f"{self._server.grpc_target} was reached, but does not answer as a Nacos server does: {error}"
            raise Lost(text) from None
        labels = {"source": "sdk", "module": "naming"}
        about = {"clientVersion": _VERSION, "tenant": namespace, "labels": labels, "abilities": {}}
        self._say(Message("ConnectionSetupRequest", about))
        self._reader.start()
        time.sleep(_SETUP_S)
        if self.trouble:
            raise Lost(f"{self._server.grpc_target} takes connections, but this was lost at once: {self.trouble}")

    def ask(self, message: Message, headers: Mapping[str, str]) -> Body:
        """Wait for the answer to *message*.

        Raises:
            Refused: The server does not do it.
            Lost: There is no answer that makes sense, and there will be none to what is asked later.
        """
        try:
            answer = decode(self._request(encode(message, headers, self._host), timeout=_ANSWER_S))
        except grpc.RpcError as error:
            if error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED:  # too much for one answer; others may be had
                raise Refused(f"{message.kind}: {_told(error)}", 0) from None
            raise self._lost(_told(error)) from None
        except ValueError:  # what grpcio says of a closed channel
            raise self._lost("it was closed") from None
        except RegistryError as error:
            raise self._lost(str(error)) from None
        return self._checked(message, answer.body)

    def cut(self) -> None:
        """Let go whoever waits for an answer; from any thread."""
        self.is_cut = True
        self._channel.close()

    def close(self) -> None:
        """End it, the thread and gRPC's own."""
        self.cut()
        self._said.put(None)
        if self._reader.ident is not None:
            self._reader.join(_GOODBYE_S)

    def _checked(self, message: Message, answer: Body) -> Body:
        if answer.get("resultCode") == _OK:
            return answer
        code = answer.get("errorCode")
        text = f"{message.kind}: {quoted(answer.get('message'))} (error {quoted(code)})"
        if code == _UNREGISTERED:
            raise self._lost(text)
        raise Refused(text, code if isinstance(code, int) else 0)

    def _say(self, message: Message) -> None:
        self._said.put(encode(message, {}, self._host))

    def _read(self) -> None:
        try:
            stream: Any = self._channel.stream_stream("/BiRequestStream/requestBiStream")
            for data in stream(iter(self._said.get, None)):
                self._take(decode(data))
            self._lost("the server ended it")
        except grpc.RpcError as error:
            self._lost(_told(error))
        except (RegistryError, ValueError, RuntimeError) as error:  # also of a closed channel; of no thread left
            self._lost(str(error))

    def _take(self, push: Message) -> None:
        """Acknowledge *push* before it is looked at: a server that waits in vain ends the connection."""
        if not push.kind.endswith("Request"):
            return
        answer = {"requestId": push.body.get("requestId"), "resultCode": _OK}
        self._say(Message(f"{push.kind.removesuffix('Request')}Response", answer))
        if push.kind == "ConnectResetRequest":
            self._lost("the server asked for another connection")
        else:
            self._hear(push)

    def _lost(self, reason: str) -> Lost:
        self.trouble = self.trouble or reason
        if not self.is_cut:
            self._ended()
        return Lost(reason)


def _channel(server: Server, ssl: SslPolicy | None) -> grpc.Channel:
    """Make the channel; files are read for each, so that renewed ones are taken."""
    if ssl is None:
        return grpc.insecure_channel(server.grpc_target, options=_OPTIONS)
    credentials = grpc.ssl_channel_credentials(_content(ssl.ca), _content(ssl.key), _content(ssl.cert))
    name = (("grpc.ssl_target_name_override", ssl.server_name),) if ssl.server_name is not None else ()
    return grpc.secure_channel(server.grpc_target, credentials, options=(*_OPTIONS, *name))


def _content(path: str | None) -> bytes | None:
    try:
        return None if path is None else Path(path).read_bytes()
    except OSError as error:
        raise Lost(f"{path} cannot be read: {why(error)}") from None


def _told(error: Any) -> str:
    if error.code() is grpc.StatusCode.DEADLINE_EXCEEDED:
        return f"no answer within {_ANSWER_S:g} s"
    return quoted(error.details() or error.code())
