"""The calls of one Java method."""

from __future__ import annotations

import itertools
import secrets
import time
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from callahead.config.policy import ReferencePolicy

from ...codec.dubbo.attachments import encode_entries
from ...codec.dubbo.errors import error_of_thrown, status_error
from ...codec.dubbo.request import RequestEncoder
from ...codec.dubbo.response import EXCEPTION, decode_response
from ...codec.hessian2.limits import limits_for
from ...errors import CallTimeout, ConsumerClosed, LocalProtocolError, RpcError, SerializationError
from ...interface.java import JavaMethod, JavaSignature
from ...invocation import NO_ATTACHMENTS, Done, Invocation, Outcome
from ...provider import Provider
from ...wire.header import OK, request_frame
from ..api import Providers
from ..request_limit import check_request_size
from .call import Call
from .connection import Connection
from .pool import Pool

# Ids are this process' own, and begin anywhere, so that the answer to an earlier process' call is nobody's.
_IDS = itertools.count(secrets.randbits(31))
_LOCAL = frozenset({"async", "sent", "return", "retries"})
_KEPT_TAILS = 256
_new = tuple.__new__


class Request(NamedTuple):
    """What `DubboMethod.encode` makes of a call's arguments.

    Attributes:
        signature: The overload.
        values: The arguments as hessian2 takes them.
        begun: The body up to the attachments of the attempt.
    """

    signature: JavaSignature
    values: Sequence[Any]
    begun: bytes


class _Bound(NamedTuple):
    """This method at one provider; *tails* are the ends of its requests, by the timeout in ms that they tell."""

    connections: tuple[Connection, ...]
    path: str
    token: str
    tails: dict[int, bytes]


class DubboMethod:
    """A `MethodTransport` for one method of a Java interface."""

    is_streaming = False

    def __init__(
        self, method: JavaMethod, policy: ReferencePolicy, application: str, pool: Pool, providers: Providers
    ) -> None:
        self._method = method
        self._policy = policy
        self._application = application
        self._pool = pool
        self._providers = providers
        self._encoders: dict[str, RequestEncoder] = {}
        self._encoders_elsewhere: dict[tuple[str, str], RequestEncoder] = {}
        self._bound: dict[Provider, _Bound] = {}
        self._decoder = self._decode
        self._turn = itertools.count()
        # The size of an answer is limited once, where it is read off the wire.
        self._limits = limits_for(policy.max_response_bytes)

    @property
    def name(self) -> str:
        """Name of the method as Java spells it."""
        return self._method.name

    def encode(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Request:
        """Choose the overload and serialize the arguments; see `MethodTransport.encode`."""
        values: Sequence[Any] = args
        signature = self._method.only
        begun = None
        if signature is not None and not kwargs:
            encoder = self._encoders.get(signature.descriptor) or self._encoder(signature)
            begun = encoder.begin_plain(args)
        if signature is None or begun is None:
            signature, values = self._method.select(args, kwargs)
            begun = self._encoder(signature).begin(values)
        if len(begun) > self._policy.max_request_bytes:
            check_request_size(len(begun), self._policy)
        return _new(Request, (signature, values, begun))

    def _encoder(self, signature: JavaSignature) -> RequestEncoder:
        encoder = self._encoders.get(signature.descriptor)
        if encoder is None:
            encoder = self._make_encoder(signature, self._policy.interface)
            self._encoders[signature.descriptor] = encoder
        return encoder

    def _encode_elsewhere(self, request: Request, path: str) -> bytes:
        """Serialize again for a provider that has the service under another path than the interface's name."""
        key = (request.signature.descriptor, path)
        encoder = self._encoders_elsewhere.get(key)
        if encoder is None:
            encoder = self._encoders_elsewhere[key] = self._make_encoder(request.signature, path)
        return encoder.begin(request.values)

    def _make_encoder(self, signature: JavaSignature, path: str) -> RequestEncoder:
        policy = self._policy
        constant = {
            "path": path,
            "interface": policy.interface,
            "version": policy.version,
            "group": policy.group,
            "remote.application": self._application,
            **signature.attachments,
        }
        attachments = {key: value for key, value in constant.items() if value}
        return RequestEncoder(path, policy.version, signature.wire_method, signature.wire, attachments)

    def send(self, provider: Provider, invocation: Invocation, timeout: float, done: Done) -> None:
        """Make one attempt; see `MethodTransport.send`."""
        if timeout <= 0:
            done(Outcome(error=CallTimeout("the time was over before the attempt began", not_sent=True)))
            return
        number = next(_IDS)
        two_way = not invocation.one_way
        try:
            bound = self._bound.get(provider) or self._bind(provider)
            frame = self._frame(number, invocation, bound, timeout, two_way)
        except RpcError as error:
            done(Outcome(error=error))
            return
        connections = bound.connections
        connection = connections[0] if len(connections) == 1 else connections[next(self._turn) % len(connections)]
        record = invocation.record
        if record.attempts > 1:  # what is known is of the attempt before this one
            record.is_sent, record.response_attachments = False, NO_ATTACHMENTS
        expires = time.monotonic() + timeout
        Call(number, frame, two_way, timeout, expires, invocation, self._decoder, done).begin(connection)

    def _bind(self, provider: Provider) -> _Bound:
        connections = self._pool.connections(provider, self._policy)
        if not connections:
            raise ConsumerClosed("the consumer is closed", not_sent=True)
        endpoint = provider.endpoint
        bound = _Bound(connections, endpoint.path or self._policy.interface, endpoint.parameters.get("token", ""), {})
        self._bound[provider] = bound
        if provider not in self._providers():  # it left meanwhile, and nobody will release it any more
            self.forget(provider)
            self._pool.release(provider)
        return bound

    def _frame(self, number: int, invocation: Invocation, bound: _Bound, timeout: float, two_way: bool) -> bytes:
        request: Request = invocation.request
        begun = request.begun
        if bound.path != self._policy.interface:
            begun = self._encode_elsewhere(request, bound.path)
        if invocation.attachments:
            begun += encode_entries(_allowed(invocation.attachments))
        timeout_ms = round(timeout * 1000)
        tail = bound.tails.get(timeout_ms) or _tail(bound, timeout_ms)
        return request_frame(number, begun, tail, two_way=two_way)

    def _decode(self, status: int, body: bytes, invocation: Invocation) -> Outcome:
        try:
            if status != OK:
                return Outcome(error=status_error(status, body))
            kind, value, attachments = decode_response(body, limits=self._limits)
            invocation.record.response_attachments = attachments
            if kind == EXCEPTION:
                return Outcome(error=error_of_thrown(value))
            request: Request = invocation.request
            convert = request.signature.answer
            return Outcome(value if convert is None else convert(value))
        except RpcError as error:
            return Outcome(error=error)
        except Exception as error:  # classes bound to Java's are users' code
            ours = SerializationError(f"the answer cannot be decoded: {error!r}", in_doubt=True)
            ours.__cause__ = error
            return Outcome(error=ours)

    def stream(self, provider: Provider, invocation: Invocation, timeout: float | None) -> Any:
        """Refuse: the dubbo protocol has no streams."""
        raise LocalProtocolError(f"{invocation.record.name} at {provider.name}: dubbo has no streams ({timeout})")

    def forget(self, provider: Provider | None) -> None:
        """Drop what was prepared for *provider*, or for all."""
        if provider is None:
            self._bound = {}
        else:
            self._bound.pop(provider, None)


def _tail(bound: _Bound, timeout_ms: int) -> bytes:
    own = {"timeout": str(max(1, timeout_ms)), "token": bound.token}
    tail = encode_entries({key: value for key, value in own.items() if value}) + b"Z"
    if len(bound.tails) >= _KEPT_TAILS:
        bound.tails.clear()
    bound.tails[timeout_ms] = tail
    return tail


def _allowed(attachments: Mapping[str, Any]) -> Mapping[str, Any]:
    local = _LOCAL & attachments.keys()
    if local:
        text = f"the attachment {', '.join(sorted(local))} is this side's own and never travels"
        raise LocalProtocolError(text, not_sent=True)
    return attachments
