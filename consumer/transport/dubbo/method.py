"""The calls of one Java method."""

from __future__ import annotations

import itertools
import secrets
import time
from collections.abc import Mapping
from typing import Any, NamedTuple

from callahead.config.policy import NEVER_SENT, ReferencePolicy

from ...codec.dubbo.attachments import encode_entries
from ...codec.dubbo.errors import error_of_thrown, status_error
from ...codec.dubbo.request import END, ArgumentsEncoder, Envelope
from ...codec.dubbo.response import EXCEPTION, decode_response
from ...codec.hessian2.limits import limits_for
from ...errors import CallTimeout, ConsumerClosed, LocalProtocolError, RpcError, SerializationError
from ...interface.java import JavaMethod, JavaSignature
from ...invocation import NO_ATTACHMENTS, Done, Invocation, Outcome
from ...provider import Provider
from ...wire.header import OK, request_frame
from ..api import Providers
from ..identity import ServiceIdentity
from ..request_limit import check_request_size
from .call import Call
from .connection import Connection
from .pool import Pool

# Ids are this process' own, and begin anywhere, so that the answer to an earlier process' call is nobody's.
_IDS = itertools.count(secrets.randbits(31))
_KEPT = 256
_new = tuple.__new__


class EncodedCall(NamedTuple):
    """What `DubboMethod.encode` makes of a call's arguments, whoever will be asked."""

    signature: JavaSignature
    arguments: bytes


class _Overload(NamedTuple):
    """How the arguments of one signature are encoded, and how many bytes they may have in a request."""

    encoder: ArgumentsEncoder
    room: int


class _Service(NamedTuple):
    """What the requests of this method to all providers of one identity have in common.

    Attributes:
        identity: As they say.
        envelopes: By the descriptor of the signature.
        tails: The ends of the requests, by the timeout in ms that they tell.
    """

    identity: ServiceIdentity
    envelopes: dict[str, Envelope]
    tails: dict[int, bytes]


class _Bound(NamedTuple):
    """This method at one provider."""

    connections: tuple[Connection, ...]
    service: _Service


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
        self._overloads: dict[str, _Overload] = {}
        self._services: dict[ServiceIdentity, _Service] = {}
        self._bound: dict[Provider, _Bound] = {}
        self._decoder = self._decode
        self._turn = itertools.count()
        # The size of an answer is limited once, where it is read off the wire.
        self._limits = limits_for(policy.max_response_bytes)

    @property
    def name(self) -> str:
        """Name of the method as Java spells it."""
        return self._method.name

    def encode(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> EncodedCall:
        """Choose the overload and serialize the arguments; see `MethodTransport.encode`."""
        signature = self._method.only
        arguments = None
        if signature is not None and not kwargs:
            overload = self._overloads.get(signature.descriptor) or self._overload(signature)
            arguments = overload.encoder.encode_plain(args)
        if signature is None or arguments is None:
            signature, values = self._method.select(args, kwargs)
            overload = self._overloads.get(signature.descriptor) or self._overload(signature)
            arguments = overload.encoder.encode(values)
        if len(arguments) > overload.room:
            check_request_size(self._policy.max_request_bytes + len(arguments) - overload.room, self._policy)
        return _new(EncodedCall, (signature, arguments))

    def _overload(self, signature: JavaSignature) -> _Overload:
        around = self._envelope(signature, ServiceIdentity.asked(self._policy)).size
        room = self._policy.max_request_bytes - around
        overload = _Overload(ArgumentsEncoder(signature.wire_method, signature.wire), room)
        self._overloads[signature.descriptor] = overload
        return overload

    def _envelope(self, signature: JavaSignature, identity: ServiceIdentity) -> Envelope:
        constant = {
            "path": identity.path,
            "interface": self._policy.interface,
            "version": identity.version,
            "group": identity.group,
            "remote.application": self._application,
            **signature.attachments,
        }
        attachments = {key: value for key, value in constant.items() if value}
        head = (identity.path, identity.version, signature.wire_method, signature.descriptor)
        return Envelope.of(*head, attachments)

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
        identity = ServiceIdentity.of(provider.endpoint, self._policy)
        bound = self._bound[provider] = _Bound(connections, self._service(identity))
        if provider not in self._providers():  # it left meanwhile, and nobody will release it any more
            self.forget(provider)
            self._pool.release(provider)
        return bound

    def _service(self, identity: ServiceIdentity) -> _Service:
        if len(self._services) >= _KEPT:
            self._services.clear()
        return self._services.setdefault(identity, _Service(identity, {}, {}))

    def _new_envelope(self, signature: JavaSignature, service: _Service) -> Envelope:
        made = service.envelopes[signature.descriptor] = self._envelope(signature, service.identity)
        return made

    def _frame(self, number: int, invocation: Invocation, bound: _Bound, timeout: float, two_way: bool) -> bytes:
        signature, arguments = invocation.request
        service = bound.service
        before, after = service.envelopes.get(signature.descriptor) or self._new_envelope(signature, service)
        if invocation.attachments:
            after += encode_entries(_allowed(invocation.attachments))
        timeout_ms = round(timeout * 1000)
        tail = service.tails.get(timeout_ms) or _tail(service, timeout_ms)
        return request_frame(number, b"".join((before, arguments, after, tail)), two_way=two_way)

    def _decode(self, status: int, body: bytes, invocation: Invocation) -> Outcome:
        try:
            if status != OK:
                return Outcome(error=status_error(status, body))
            kind, value, attachments = decode_response(body, limits=self._limits)
            invocation.record.response_attachments = attachments
            if kind == EXCEPTION:
                return Outcome(error=error_of_thrown(value))
            call: EncodedCall = invocation.request
            convert = call.signature.answer
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


def _tail(service: _Service, timeout_ms: int) -> bytes:
    own = {"timeout": str(max(1, timeout_ms)), "token": service.identity.token}
    tail = encode_entries({key: value for key, value in own.items() if value}) + END
    if len(service.tails) >= _KEPT:
        service.tails.clear()
    service.tails[timeout_ms] = tail
    return tail


def _allowed(attachments: Mapping[str, Any]) -> Mapping[str, Any]:
    local = NEVER_SENT & attachments.keys()
    if local:
        text = f"the attachment {', '.join(sorted(local))} is this side's own and never travels"
        raise LocalProtocolError(text, not_sent=True)
    return attachments
