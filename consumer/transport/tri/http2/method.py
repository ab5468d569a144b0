"""The calls of one gRPC method over HTTP/2 of our own."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any, Final, NamedTuple

from callahead.config.policy import ReferencePolicy

from ....call.attempt import Attempt
from ....call.invocation import NO_ATTACHMENTS, Done, Outcome
from ....call.provider import Provider
from ....errors import (
    ConsumerClosed,
    LimitExceeded,
    RemoteProtocolError,
    RpcError,
    SerializationError,
    TransportError,
)
from ....wire.http2.frames import CANCEL, ENHANCE_YOUR_CALM, REFUSED_STREAM, error_name
from ....wire.http2.grpc import PREFIX, Message
from ....wire.http2.static_table import Fields
from ...api import Providers, TransportParts
from ...identity import ServiceIdentity
from ...request_limit import check_request_size
from ...tcp.call import timed_out
from ...tcp.destination import authority_of
from ...trouble import Trouble
from ..messages import EncodedCall, Messages
from ..metadata import Metadata, fixed_metadata, size_of, to_attachments, to_metadata
from ..options import GrpcOptions
from ..remote import STATUSES, remote_error
from ..requests import Requests
from .answers import AnswerStream, StreamedCall
from .call import Hears, StreamCall, UnaryCall
from .connection import Connection
from .encoding import TooLarge, compress, plain
from .head import ResponseHead, joined
from .identifying import Identifying, PluginContext
from .options import encoding_of
from .pool import Pool
from .request import Request, RequestHead, prefix_of, to_fields
from .upload import UploadCall, Uploader

_COPIES: Final = 2
"""A request is in memory so often until it ends: as its message, and as the frame or the arguments of it."""

_EARLY_S: Final = 0.005
"""How much before the deadline a status must come to be the provider's own: two clocks measure it."""

_TIMEOUT: Final = "DEADLINE_EXCEEDED"
_OUT_OF_TIME: Final = (_TIMEOUT, "CANCELLED")
"""What a provider says of a call whose time is over; the second is the word of tonic."""

_INADEQUATE_SECURITY: Final = 12
_prefix = PREFIX.pack
_new = tuple.__new__
# What gRPC makes of a reset stream. Source: gRPC's ``PROTOCOL-HTTP2.md``, "Errors".
_OF_RESET: Final[Mapping[int, str]] = {
    REFUSED_STREAM: "UNAVAILABLE",
    CANCEL: "CANCELLED",
    ENHANCE_YOUR_CALM: "RESOURCE_EXHAUSTED",
    _INADEQUATE_SECURITY: "PERMISSION_DENIED",
}
_DECISIVE: Final = frozenset({"UNIMPLEMENTED", "UNAUTHENTICATED", "PERMISSION_DENIED"})
"""What HTTP says of a request by 404, 401 and 403: whoever says so has given it to no method."""


class Route(NamedTuple):
    """One method at one provider.

    Attributes:
        turns: Gives the connection of the next call, each in turn.
        head: The headers of its requests.
    """

    turns: Iterator[Connection]
    head: RequestHead


class Http2Method:
    """A `MethodTransport` for gRPC methods over HTTP/2 of our own.

    Args:
        messages: Makes bytes of arguments, and answers of bytes.
        policy: Of the reference.
        constant: Metadata of every request, beside what is told of this program and the service.
        parts: What the transport may use.
        pool: All connections.
        providers: Those that are known.
    """

    is_upload = False
    is_of_service = True
    """Its requests say which service, of which group and version, and who asks."""

    def __init__(
        self,
        messages: Messages,
        policy: ReferencePolicy,
        constant: Metadata,
        parts: TransportParts,
        pool: Pool,
        providers: Providers,
    ) -> None:
        self._messages = messages
        self._policy = policy
        self._constant = constant
        self._parts = parts
        self._pool = pool
        self._bound = pool.bound(self._bind, providers)
        self.most = policy.max_response_bytes

    @property
    def name(self) -> str:
        """Name of the method as the service spells it."""
        return self._messages.types.name

    @property
    def is_streaming(self) -> bool:
        """Whether the answers are a stream."""
        return self._messages.types.server_streaming

    def encode(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> EncodedCall:
        """Serialize the arguments; see `MethodTransport.encode`."""
        return self._messages.encode(args, kwargs)

    # -- asking -----------------------------------------------------------------------------------------------------

    def _bind(self, provider: Provider) -> Route:
        connections = self._pool.connections(provider, self._policy)
        if not connections:
            raise ConsumerClosed("the consumer is closed", not_sent=True)
        endpoint, ssl = provider.endpoint, self._policy.ssl
        identity = ServiceIdentity.of(endpoint, self._policy)
        authority = authority_of(endpoint) if ssl is None or ssl.server_name is None else ssl.server_name
        fixed = fixed_metadata(identity, self._parts.application) + self._constant if self.is_of_service else ()
        path = identity.path_of(self._messages.types.path, self._policy.interface)
        return Route(itertools.cycle(connections), RequestHead(path, authority, self._policy, fixed))

    def send(self, attempt: Attempt, done: Done) -> None:
        """Make one attempt; see `MethodTransport.send`."""
        encoded: EncodedCall = attempt.request
        try:
            route = self._bound[attempt.provider]
            request, more = self._request(route.head, attempt, encoded.message)
        except RpcError as error:
            done(Outcome(error=error))
            return
        size = (len(encoded.message) + more) * _COPIES + encoded.more
        call = UnaryCall(request, size, attempt, self, done)
        options: GrpcOptions | None = attempt.invocation.options
        if options is None or options.credentials is None:
            call.begin(next(route[0]))
        else:
            self._identify(call, attempt, options, route.head, partial(call.begin, next(route.turns)))

    def _request(self, head: RequestHead, attempt: Attempt, message: bytes | None) -> tuple[Request, int]:
        """Make the request of *attempt*, None where messages follow, and return the bytes of its own metadata, too."""
        options: GrpcOptions | None = attempt.invocation.options
        if message is not None and options is None and not attempt.attachments:
            block, headers = head.of(attempt.timeout)
            return _new(Request, (block, headers, _prefix(False, len(message)), message, "")), 0
        prefix, data = (b"", b"") if message is None else (prefix_of(message), message)
        own = self._own(attempt, len(data))
        encoding = encoding_of(options)
        block, headers = head.of(attempt.timeout, _fields(own, encoding))
        if message is None or not encoding:
            return Request(block, headers, prefix, data, encoding), size_of(own)
        packed = compress(message, encoding)
        return Request(block, headers, prefix_of(packed, is_compressed=True), packed), size_of(own)

    def _own(self, attempt: Attempt, size: int, more: Metadata = ()) -> Metadata:
        """Make the metadata of *attempt* alone, *more* behind them; its message has *size* bytes."""
        options: GrpcOptions | None = attempt.invocation.options
        own = to_metadata(attempt.attachments) + (() if options is None else options.metadata) + more
        check_request_size(size + size_of(own), self._policy)
        return own

    def _identify(
        self, call: StreamCall, attempt: Attempt, options: GrpcOptions, head: RequestHead, begin: Callable[[], None]
    ) -> None:
        """Let *call* begin by *begin* once its credentials have said who makes it."""

        def begin_as(metadata: Metadata) -> None:
            request: Request = call.frame
            fields = _fields(self._own(attempt, len(request.message), metadata), encoding_of(options))
            block, headers = head.of(attempt.ends - self._parts.clock(), fields)
            call.frame = request._replace(block=block, headers=headers)
            call.size += size_of(metadata) * _COPIES
            begin()

        from ..credentials import plugins_of  # imports grpc, as whoever has credentials has done

        assert options.credentials is not None
        plugins = plugins_of(options.credentials)
        assert plugins is not None  # a channel lets grpcio carry a call with any others
        context = PluginContext.of(head.authority, head.path)
        Identifying(call, attempt, plugins, context, begin_as, self._parts).start()

    def stream(self, attempt: Attempt) -> AnswerStream:
        """Begin a streaming call; see `MethodTransport.stream`."""
        return self.answers(attempt, None, None)

    def answers(self, attempt: Attempt, hears: Hears | None, ended: Done | None) -> AnswerStream:
        """Begin a streaming call, of whose headers *hears* hears, and of whose end *ended* before who iterates it.

        Raises:
            RpcError: It could not be begun.
        """
        if attempt.timeout <= 0:
            raise timed_out(attempt, not_sent=True)
        route, types = self._bound[attempt.provider], self._messages.types
        connection = next(route.turns)
        requests = message = None
        if types.client_streaming:
            requests = Requests.of(types.path, attempt.args, attempt.kwargs, self._messages.serialize)
        else:
            message = self._messages.serialize(attempt.args, attempt.kwargs)
        request, more = self._request(route.head, attempt, message)
        call = StreamedCall(request, len(request.message) + more, attempt, self, requests, hears, ended)
        self._begin(call, attempt, route.head, connection, call.uploader)
        return AnswerStream(call, self, attempt, connection)

    def upload(self, attempt: Attempt, hears: Hears | None, done: Done) -> None:
        """Begin a call whose requests are a stream, of whose headers *hears* hears, and which ends by *done*.

        Raises:
            RpcError: It could not be begun.
        """
        if attempt.timeout <= 0:
            raise timed_out(attempt, not_sent=True)
        path, serialize = self._messages.types.path, self._messages.serialize
        self._upload(attempt, Requests.of(path, attempt.args, attempt.kwargs, serialize), hears, done)

    def _upload(self, attempt: Attempt, requests: Requests, hears: Hears | None, done: Done) -> None:
        route = self._bound[attempt.provider]
        request, _ = self._request(route.head, attempt, None)
        connection, uploader = next(route.turns), Uploader(requests, done)
        call = UploadCall(request, uploader, attempt, self, hears)
        self._begin(call, attempt, route.head, connection, uploader)

    def _begin(
        self, call: StreamCall, attempt: Attempt, head: RequestHead, connection: Connection, uploader: Uploader | None
    ) -> None:
        """Begin a call that streams: now, or once its credentials have said who makes it."""

        def begin() -> None:
            call.begin(connection)
            if uploader is not None:
                uploader.start(call, connection)

        options: GrpcOptions | None = attempt.invocation.options
        if options is None or options.credentials is None:
            begin()
        else:
            self._identify(call, attempt, options, head, begin)

    # -- what comes back --------------------------------------------------------------------------------------------

    def worded(self, trouble: Trouble) -> str:
        """Word *trouble* with the places of this reference's settings; see `CalledMethod.worded`."""
        return trouble.of(self._policy)

    def message_too_large(self, size: int) -> LimitExceeded:
        """Make the error of an answer of *size* bytes; see `StreamedMethod`."""
        return self._too_large(f"the answer has {size} bytes", "max_response_bytes", self.most)

    def metadata_too_large(self, size: int) -> LimitExceeded:
        """Make the error of metadata of *size* bytes; see `StreamedMethod`."""
        limit = self._policy.transport.max_metadata_bytes
        return self._too_large(f"the metadata of the answer have {size} bytes", "max_metadata_bytes", limit)

    def _too_large(self, what: str, setting: str, limit: int) -> LimitExceeded:
        text = f"{what}, more than the {limit} that {setting} allows ({self._policy.origin(setting)})"
        error = LimitExceeded(text, in_doubt=True, status="RESOURCE_EXHAUSTED")
        error.status_text = text
        return error

    def refused(self, head: ResponseHead, attempt: Attempt) -> RpcError:
        """Make the error of an answer that no gRPC server gave; see `StreamedMethod`."""
        assert head.refusal is not None
        self._note_metadata(head, None, attempt)
        error = self._messages.failed(_refused(head.refusal))
        error.protocol_trace = attempt.protocol_trace
        return error

    def reset(self, code: int, attempt: Attempt, *, answered: bool) -> RpcError:
        """Make the error of a stream that was reset by *code*; see `StreamedMethod`."""
        if code == CANCEL and not self._is_early(attempt):  # a provider may notice the end before this side does
            return timed_out(attempt, not_sent=False)
        if code == REFUSED_STREAM and not answered:
            text = "the provider refused the call before it looked at it"
            return _with_status(TransportError(text, not_sent=True), _OF_RESET[code], text)
        text = f"the provider reset the stream: {error_name(code)}"
        return _with_status(TransportError(text, in_doubt=True), _OF_RESET.get(code, "INTERNAL"), text)

    def _is_early(self, attempt: Attempt) -> bool:
        return self._parts.clock() < attempt.ends - _EARLY_S

    def decode(
        self, head: ResponseHead | None, body: Message | None, tail: ResponseHead | None, attempt: Attempt
    ) -> Outcome:
        """Read an answer; see `CalledMethod.decode`."""
        try:
            if head is not None and tail is not None and body is not None and _is_plain(body, tail, attempt):
                beside = self._note_metadata(head, tail, attempt) if tail.pairs or head.pairs else NO_ATTACHMENTS
                return self._messages.decode(body.data, attempt, beside)
            metadata = self._note_metadata(head, tail, attempt)
            error = self._error(head, tail, attempt)
            if error is None:
                return _traced(self._value(head, body, attempt, metadata), attempt)
        except Exception as raised:  # whatever happens here, the call must end
            error = SerializationError(f"the answer cannot be decoded: {raised!r}", in_doubt=True)
            error.__cause__ = raised
        except BaseException as raised:  # Ctrl-C on the thread that waits: the stages of the call must end all the same
            return Outcome(error=raised)
        error.protocol_trace = attempt.protocol_trace
        return Outcome(error=error)

    def end_of(self, head: ResponseHead | None, tail: ResponseHead | None, attempt: Attempt) -> Outcome:
        """Read the end of a stream; see `AnsweringMethod.end_of`."""
        self._note_metadata(head, tail, attempt)
        error = self._error(head, tail, attempt)
        if error is not None:
            error.protocol_trace = attempt.protocol_trace
        return Outcome(error=error)

    def value_of(self, message: Message, head: ResponseHead | None, attempt: Attempt) -> Any:
        """Read one answer of a stream; see `AnsweringMethod.value_of`."""
        outcome = self._value(head, message, attempt, NO_ATTACHMENTS)
        if outcome.error is not None:
            raise outcome.error
        return outcome.value

    def _note_metadata(
        self, head: ResponseHead | None, tail: ResponseHead | None, attempt: Attempt
    ) -> Mapping[str, Any]:
        """Note on *attempt* what came beside its answer, and return that."""
        metadata = joined(head, tail)
        if metadata:
            attempt.response_attachments = to_attachments(metadata)
        if attempt.invocation.options is not None:
            attempt.protocol_trace = tuple(() if one is None else one.pairs for one in (head, tail))
        return metadata

    def _error(self, head: ResponseHead | None, tail: ResponseHead | None, attempt: Attempt) -> RpcError | None:
        """Make the error that the provider's last word is; None where it is OK."""
        if tail is None or tail.status is None:
            refusal = None if tail is None else tail.refusal
            refused = _refused(refusal or ("INTERNAL", "the provider ended the answer without a status"))
            return self._messages.failed(refused)
        if tail.status == 0:
            return None
        status = STATUSES[tail.status] if 0 < tail.status < len(STATUSES) else "UNKNOWN"
        if status in _OUT_OF_TIME and not self._is_early(attempt):
            status = _TIMEOUT
            error: RpcError = timed_out(attempt, not_sent=False)
        else:
            error = remote_error(status, tail.text, joined(head, tail))
        return self._messages.failed(_with_status(error, status, tail.text))

    def _value(
        self, head: ResponseHead | None, body: Message | None, attempt: Attempt, metadata: Mapping[str, Any]
    ) -> Outcome:
        if body is None or head is None:
            return self._messages.decode(None, attempt, metadata)
        try:
            data = plain(body, head.encoding, self.most)
        except TooLarge:
            return Outcome(error=self.message_too_large(self.most + 1))
        return Outcome(error=data) if isinstance(data, RpcError) else self._messages.decode(data, attempt, metadata)


class Http2Upload(Http2Method):
    """A `MethodTransport` for uploads: what it encodes is an iterator, of which each message is made when it is due."""

    is_upload = True

    def encode(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Requests:  # type: ignore[override]
        """Take the one iterable; see `MethodTransport.encode`."""
        return Requests.of(self._messages.types.path, args, kwargs, self._messages.serialize)

    def send(self, attempt: Attempt, done: Done) -> None:
        """Send the requests, which a thread of their own reads; see `MethodTransport.send`."""
        try:
            self._upload(attempt, attempt.request, None, done)
        except RpcError as error:
            done(Outcome(error=error))


def _is_plain(body: Message, tail: ResponseHead, attempt: Attempt) -> bool:
    """Tell whether an answer is a value as it is, of which nobody asks how it came, as most are."""
    return tail.status == 0 and not body.is_compressed and attempt.invocation.options is None


def _traced(outcome: Outcome, attempt: Attempt) -> Outcome:
    """Return *outcome*, an answer or why it is none, whose error tells what came around it."""
    if isinstance(outcome.error, RpcError):
        outcome.error.protocol_trace = attempt.protocol_trace
    return outcome


def _fields(own: Metadata, encoding: str) -> Fields:
    return (*to_fields(own), (b"grpc-encoding", encoding.encode())) if encoding else to_fields(own)


def _refused(refusal: tuple[str, str]) -> RpcError:
    status, text = refusal
    error: RpcError = RemoteProtocolError(text, in_doubt=True)
    if status in _DECISIVE:
        error = remote_error(status, text, NO_ATTACHMENTS)
    elif status == "UNAVAILABLE":
        error = TransportError(text, in_doubt=True)
    return _with_status(error, status, text)


def _with_status(error: RpcError, status: str, text: str) -> RpcError:
    error.status, error.status_text = status, text
    return error
