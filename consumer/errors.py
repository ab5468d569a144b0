"""Every error of a call, as a tree.

::

    CallaheadError                       Dubbo RpcException / status   gRPC status          tried again by failover?
      ConfigError(ValueError)            -                             -                    no
      NoFutureError(LookupError)         -                             -                    no
      TwowayOnlyError(TypeError)         -                             -                    no
      RegistryError                      REGISTRY 9                    -                    no
        RegistryUnavailable              REGISTRY 9                    -                    no
        ProviderDataError                -                             -                    no
      RpcError                           UNKNOWN 0                     UNKNOWN              no
        CallTimeout(TimeoutError)        TIMEOUT 2, 8 / 30, 31         DEADLINE_EXCEEDED    if not sent, or idempotent
        NoProviderAvailable              NO_INVOKER 6, FORBIDDEN 4 /   -                    remote: as not in doubt
                                         60, 70 "not exported"
        AllAttemptsFailed(.failures)     code of the last attempt      -                    no
        LimitExceeded                    LIMIT_EXCEEDED 7 / 100        RESOURCE_EXHAUSTED   remote: as not in doubt
        Rejected                         FORBIDDEN 4, VALIDATION 12,   PERMISSION_DENIED,   no
                                         AUTHORIZATION 13 / 70 "token" UNAUTHENTICATED
        TransportError                   NETWORK 1                     UNAVAILABLE          if not sent, or idempotent
          ConnectFailed                  NETWORK 1 / 35                UNAVAILABLE          yes, nothing was sent
          ConnectionLost                 NETWORK 1 / 35                UNAVAILABLE          if not sent, or idempotent
        ProtocolError                    -                             INTERNAL             no
          LocalProtocolError             -                             INVALID_ARGUMENT     no
          RemoteProtocolError            METHOD_NOT_FOUND 11 / 40, 50  UNIMPLEMENTED        not run, or idempotent
        SerializationError               SERIALIZATION 5 / 25          INTERNAL (local)     no
        RemoteError(.type_name .details) BIZ 3 / 70, 80                any other status     no, unless listed
        ConsumerClosed                   -                             -                    no

Source: Dubbo ``RpcException``, ``Response`` and gRPC's status codes; differs: every error says whether the provider can
have run the method (``not_sent``, ``in_doubt``), and a timeout is one class in every mode.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from callahead.config.errors import CallaheadError, ConfigError, Problem
from callahead.config.values.line import one_line
from callahead.registry.errors import ProviderDataError, RegistryError, RegistryUnavailable

__all__ = [
    "AllAttemptsFailed",
    "CallTimeout",
    "CallaheadError",
    "ConfigError",
    "ConnectFailed",
    "ConnectionLost",
    "ConsumerClosed",
    "LimitExceeded",
    "LocalProtocolError",
    "NoProviderAvailable",
    "Problem",
    "ProtocolError",
    "ProviderDataError",
    "RegistryError",
    "RegistryUnavailable",
    "Rejected",
    "RemoteError",
    "RemoteProtocolError",
    "RpcError",
    "SerializationError",
    "TransportError",
    "TwowayOnlyError",
]


class TwowayOnlyError(CallaheadError, TypeError):
    """A method that answers something was called on a one-way view."""


class RpcError(CallaheadError):
    """A call that did not bring an answer.

    Its message is one line of at most 2,000 characters, whatever a peer sent: control characters are escaped.

    Attributes:
        reference: Id of the reference, "" where the error was made outside a call.
        method: Name of the method, "" likewise.
        endpoint: ``protocol://host:port`` of the provider that was asked, or None.
        attempt: 1 for the first attempt, 0 where none was begun.
        elapsed_ms: Since the call began, in milliseconds.
        is_remote: The provider itself said so; False where this side concluded it.
        not_sent: No byte of the request can have left, so the provider cannot have run the method.
        in_doubt: The provider may have run the method, or may still do so.
        status: The protocol's own code, such as ``"UNAVAILABLE"`` or ``"80"``; "" where there is none.
        status_text: What the protocol said beside that code, unchanged; "" likewise.
        protocol_trace: What a transport keeps for those who speak its protocol, such as gRPC's metadata; else None.
    """

    status_text: str = ""
    protocol_trace: Any = None

    reference: str = ""
    method: str = ""
    endpoint: str | None = None
    attempt: int = 0
    elapsed_ms: float = 0.0
    is_remote: bool
    not_sent: bool
    in_doubt: bool

    def __init__(
        self,
        message: str,
        *,
        is_remote: bool = False,
        not_sent: bool = False,
        in_doubt: bool = False,
        status: str = "",
    ) -> None:
        super().__init__(one_line(message))
        self.is_remote = is_remote
        self.not_sent = not_sent
        self.in_doubt = in_doubt
        self.status = status

    @property
    def message(self) -> str:
        """What went wrong, without the call that it went wrong in."""
        return str(self.args[0]) if self.args else ""

    def __str__(self) -> str:
        if not self.reference:
            return self.message
        where = f" at {self.endpoint}" if self.endpoint else ""
        attempt = f", attempt {self.attempt}" if self.attempt > 1 else ""
        fate = " [not sent]" if self.not_sent else " [in doubt]" if self.in_doubt else ""
        return f"{self.reference}.{self.method}{where}: {self.message} ({self.elapsed_ms:.0f} ms{attempt}){fate}"


class CallTimeout(RpcError, TimeoutError):
    """The deadline passed before the answer came; also a built-in `TimeoutError`."""


class NoProviderAvailable(RpcError):
    """No provider is known, or none is left after routing; the message says where it was looked for.

    With ``is_remote`` the provider that was asked does not serve it: not in this group and version, or no longer.
    """


class AllAttemptsFailed(RpcError):
    """Every attempt that was allowed has failed, or one that others do not make up for; the ``__cause__`` is the last.

    The message names each attempt with its provider and reason, of very many the first ones and the last.

    Attributes:
        failures: The error of each attempt that failed, in the order of their ends; two at least, but for a broadcast.
    """

    def __init__(self, message: str, *, failures: Sequence[RpcError] = (), **fields: Any) -> None:
        super().__init__(message, **fields)
        self.failures = tuple(failures)


class LimitExceeded(RpcError):
    """A limit of calls or bytes is reached, here or (``is_remote``) at the provider."""


class Rejected(RpcError):
    """Permission, authentication or validation said no."""


class TransportError(RpcError):
    """The bytes could not be carried."""


class ConnectFailed(TransportError):
    """No connection came about, so nothing was sent."""


class ConnectionLost(TransportError):
    """A connection broke under the call."""


class ProtocolError(RpcError):
    """One side broke the protocol."""


class LocalProtocolError(ProtocolError):
    """This side was asked to send what the protocol cannot carry."""


class RemoteProtocolError(ProtocolError):
    """The peer answered with what the protocol does not allow, or does not know the method.

    Attributes:
        not_run: The provider made no call of the request, so that no method of its has run; another may know what it
            asks for. One that is just starting has its port open before all of its services are there.
    """

    not_run: bool = False


class SerializationError(RpcError):
    """A value does not become bytes, or bytes do not become a value."""


class RemoteError(RpcError):
    """The provider ran the method, and the method failed; tried again only where ``retry_on`` lists it.

    Attributes:
        type_name: The provider's own name for the error: a Java class or a gRPC status.
        details: What the provider said beside the message: gRPC's trailing metadata by their keys, or the fields,
            cause and stack of a Java exception.
    """

    def __init__(
        self, message: str, *, type_name: str = "", details: Mapping[str, Any] | None = None, **fields: Any
    ) -> None:
        super().__init__(message, **{"is_remote": True, **fields})
        self.type_name = type_name
        self.details: Mapping[str, Any] = dict(details or {})  # a read-only view would not pickle


class ConsumerClosed(RpcError):
    """The consumer was closed before the call, or under it."""
