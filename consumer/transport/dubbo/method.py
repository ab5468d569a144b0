"""The calls of one Java method."""

from __future__ import annotations

import itertools
import secrets
from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol

from callahead.config.policy import NEVER_SENT, ReferencePolicy

from ...call.attempt import Attempt
from ...call.invocation import Done, Outcome
from ...call.provider import Provider
from ...codec.dubbo.attachments import REDIRECTING, encode_entries
from ...codec.dubbo.errors import error_of_thrown, status_error
from ...codec.dubbo.request import END, ArgumentsEncoder, Envelope
from ...codec.dubbo.response import EXCEPTION, decode_response
from ...codec.hessian2.limits import limits_for
from ...errors import ConsumerClosed, LocalProtocolError, RpcError, SerializationError
from ...interface.java import JavaMethod, JavaSignature
from ...runtime.weight import outweighs
from ...wire.header import HEADER_BYTES, OK, request_frame
from ..api import Providers
from ..identity import ServiceIdentity
from ..request_limit import check_request_size
from ..tcp.call import Call
from ..trouble import Trouble
from .connection import Connection
from .pool import Pool

# Ids are this process' own, and begin anywhere, so that the answer to an earlier process' call is nobody's.
_IDS = itertools.count(secrets.randbits(31))
_KEPT = 256
_SMALL = 256  # what fewer bytes are made of weighs no more than the rest of a call
_LARGE = 4096  # to share fewer costs more than it spares; plain values that are smaller weigh about as much as they
_COPIES = 2
"""A request is in memory twice until it ends: as its frame, and as the arguments and attachments it was made of."""

_REFUSED = NEVER_SENT | REDIRECTING
_CLOSING = "closing"
_new = tuple.__new__


class Peer(Protocol):
    """Who sent an answer: takes note of what is in it beside the answer; from any thread."""

    def count_trailing(self, count: int, /) -> None:
        """Note bytes behind the end."""

    def stops(self) -> None:
        """Note that it is about to stop."""


class EncodedCall(NamedTuple):
    """What `DubboMethod.encode` makes of a call's arguments, whoever will be asked.

    Attributes:
        signature: Theirs.
        arguments: As bytes; large ones are part of a frame.
        more: By how many bytes the arguments themselves, which the call keeps, are larger.
    """

    signature: JavaSignature
    arguments: bytes | memoryview
    more: int

    @property
    def size(self) -> int:
        """Bytes of the arguments."""
        return len(self.arguments)

    @property
    def key(self) -> tuple[str, bytes]:
        """Equal for equal arguments of one overload."""
        return self.signature.descriptor, bytes(self.arguments)


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


class _BoundMethod(NamedTuple):
    """This method at one provider."""

    connections: tuple[Connection, ...]
    service: _Service


class DubboMethod:
    """A `MethodTransport` for one method of a Java interface."""

    is_streaming = is_upload = False

    def __init__(
        self, method: JavaMethod, policy: ReferencePolicy, application: str, pool: Pool, providers: Providers
    ) -> None:
        self._method = method
        self._policy = policy
        self._application = application
        self._pool = pool
        self._overloads: dict[str, _Overload] = {}
        self._services: dict[ServiceIdentity, _Service] = {}
        self._bound = pool.bound(self._bind, providers)
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
        arguments, small = None, _LARGE
        if signature is not None and not kwargs:
            overload = self._overloads.get(signature.descriptor) or self._overload(signature)
            arguments = overload.encoder.encode_plain(args)
        if signature is None or arguments is None:
            signature, values = self._method.select(args, kwargs)
            overload = self._overloads.get(signature.descriptor) or self._overload(signature)
            arguments, small = overload.encoder.encode(values), _SMALL
        size = len(arguments)
        if size > overload.room:
            check_request_size(self._policy.max_request_bytes + size - overload.room, self._policy)
        return _new(EncodedCall, (signature, arguments, 0 if size <= small else outweighs(size, args, kwargs)))

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

    def send(self, attempt: Attempt, done: Done) -> None:
        """Make one attempt; see `MethodTransport.send`."""
        number = next(_IDS)
        two_way = not attempt.invocation.one_way
        try:
            bound = self._bound[attempt.provider]
            frame = self._frame(number, attempt, bound, two_way)
        except RpcError as error:
            done(Outcome(error=error))
            return
        connections = bound.connections
        connection = connections[0] if len(connections) == 1 else connections[next(self._turn) % len(connections)]
        held = len(frame) * _COPIES + attempt.request.more
        Call(number, frame, held, two_way, attempt, self, done).begin(connection)

    def _bind(self, provider: Provider) -> _BoundMethod:
        connections = self._pool.connections(provider, self._policy)
        if not connections:
            raise ConsumerClosed("the consumer is closed", not_sent=True)
        return _BoundMethod(connections, self._service(ServiceIdentity.of(provider.endpoint, self._policy)))

    def _service(self, identity: ServiceIdentity) -> _Service:
        if len(self._services) >= _KEPT:
            self._services.clear()
        return self._services.setdefault(identity, _Service(identity, {}, {}))

    def _new_envelope(self, signature: JavaSignature, service: _Service) -> Envelope:
        made = service.envelopes[signature.descriptor] = self._envelope(signature, service.identity)
        return made

    def _frame(self, number: int, attempt: Attempt, bound: _BoundMethod, two_way: bool) -> bytes:
        signature, arguments, more = attempt.request
        service = bound.service
        before, after = service.envelopes.get(signature.descriptor) or self._new_envelope(signature, service)
        if attempt.attachments:
            after += encode_entries(_allowed(attempt.attachments))
            check_request_size(len(before) + len(arguments) + len(after), self._policy)
        timeout_ms = round(attempt.timeout * 1000)
        tail = service.tails.get(timeout_ms) or _tail(service, timeout_ms)
        frame = request_frame(number, b"".join((before, arguments, after, tail)), two_way=two_way)
        if len(arguments) > _LARGE:
            start = HEADER_BYTES + len(before)
            _share(attempt, EncodedCall(signature, memoryview(frame)[start : start + len(arguments)], more))
        return frame

    def worded(self, trouble: Trouble) -> str:
        """Word *trouble* with the places of this reference's settings; see `CalledMethod.worded`."""
        return trouble.of(self._policy)

    def decode(self, status: int, body: bytes, peer: Peer, attempt: Attempt) -> Outcome:
        """Read an answer; see `CalledMethod.decode`."""
        try:
            if status != OK:
                return Outcome(error=status_error(status, body, trailing=peer.count_trailing))
            kind, value, attachments = decode_response(body, limits=self._limits, trailing=peer.count_trailing)
            if attachments and attachments.get(_CLOSING) in ("true", True):
                peer.stops()  # so does dubbo-go say what Java says by an event
            attempt.response_attachments = attachments
            if kind == EXCEPTION:
                return Outcome(error=error_of_thrown(value))
            call: EncodedCall = attempt.request
            convert = call.signature.answer
            return Outcome(value if convert is None else convert(value))
        except RpcError as error:
            return Outcome(error=error)
        except Exception as error:  # classes bound to Java's are users' code
            ours = SerializationError(f"the answer cannot be decoded: {error!r}", in_doubt=True)
            ours.__cause__ = error
            return Outcome(error=ours)
        except BaseException as error:  # Ctrl-C on the thread that waits: the stages of the call must end all the same
            return Outcome(error=error)

    def stream(self, attempt: Attempt) -> Any:
        """Refuse: the dubbo protocol has no streams."""
        raise LocalProtocolError(f"{attempt} cannot be a stream: dubbo has none", not_sent=True)


def _share(attempt: Attempt, request: EncodedCall) -> None:
    """Let a further attempt take its *request* from the frame of this one."""
    invocation = attempt.invocation
    attempt.request = invocation.request = request
    if invocation.record.ended is not None:  # looked at after, as the end is noted before the request is let go
        invocation.request = None


def _tail(service: _Service, timeout_ms: int) -> bytes:
    own = {"timeout": str(max(1, timeout_ms)), "token": service.identity.token}
    tail = encode_entries({key: value for key, value in own.items() if value}) + END
    if len(service.tails) >= _KEPT:
        service.tails.clear()
    service.tails[timeout_ms] = tail
    return tail


def _allowed(attachments: Mapping[str, Any]) -> Mapping[str, Any]:
    if _REFUSED.isdisjoint(attachments):
        return attachments
    refused = sorted(_REFUSED & attachments.keys())
    what = "is this side's own and never travels" if refused[0] in NEVER_SENT else "is Dubbo's own: it says whom to ask"
    raise LocalProtocolError(f"the attachment {', '.join(refused)} {what}", not_sent=True)
