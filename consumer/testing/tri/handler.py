"""One method that an embedded provider serves: from a Python function to what grpcio runs."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NoReturn

import grpc

from ...errors import RpcError, SerializationError
from ...interface.proto.arguments import message_builder
from ...interface.proto.service import MethodTypes
from ..functions import accepts
from ..mistake import wrong
from ..provider_call import CANCELLED, RUNNING, ProviderCall
from ..script import NO_ANSWER, Script, Step, status_of
from ..workers import Workers

_log = logging.getLogger("callahead.testing")

Handler = Callable[[Any, ProviderCall], Any]


class MethodHandler:
    """A method, its function and its script.

    Args:
        interface: Full name of the service.
        method: As the service spells it.
        handler: Takes the request, or an iterator of requests, and the call; returns the answer, or an iterable.
        decode: From bytes to a request.
        encode: From what *handler* returned to bytes.
        client_streaming: The requests are a stream.
        server_streaming: The answers are one.
    """

    def __init__(
        self,
        *,
        interface: str,
        method: str,
        handler: Handler,
        decode: Callable[[bytes], Any] | None,
        encode: Callable[[Any], bytes],
        client_streaming: bool,
        server_streaming: bool,
    ) -> None:
        self.interface = interface
        self.method = method
        self.script = Script()
        self._handler = handler
        self._decode = decode
        self._encode = encode
        self._client_streaming = client_streaming
        self._server_streaming = server_streaming

    @property
    def path(self) -> str:
        """As it comes on the wire."""
        return f"/{self.interface}/{self.method}"

    def rpc_handler(self, note: Callable[[ProviderCall], None], workers: Workers) -> grpc.RpcMethodHandler[Any, Any]:
        """Make what grpcio runs for the next call; *note* is told of it when it begins."""
        step = self.script.next()

        def begin(request: Any, context: grpc.ServicerContext) -> ProviderCall:
            first = None if self._client_streaming else request
            call = ProviderCall.of_grpc(self.interface, self.method, first, context)
            if not context.add_callback(lambda: call.end(CANCELLED)):
                call.end(CANCELLED)
            note(call)
            return call

        if step.holds and not self._client_streaming:
            return self._held_handler(step, begin, workers)
        return self._handler_of(self._streaming if self._server_streaming else self._unary, step, begin)

    def _handler_of(self, run: Any, step: Step, begin: Any) -> grpc.RpcMethodHandler[Any, Any]:
        def handle(request: Any, context: grpc.ServicerContext) -> Any:
            return run(step, begin(request, context), request, context)

        make = _MAKERS[self._client_streaming, self._server_streaming]
        handler: grpc.RpcMethodHandler[Any, Any] = make(handle, self._decode, None)
        return handler

    def _unary(self, step: Step, call: ProviderCall, request: Any, context: grpc.ServicerContext) -> bytes:
        try:
            _hold(step, call)
            answer = self._encoded(self._answer(step, call, request))
        except Exception as error:  # whatever a handler raises reaches the client
            _fail(call, context, error)
        _finish(call, context)
        return answer

    def _streaming(
        self, step: Step, call: ProviderCall, request: Any, context: grpc.ServicerContext
    ) -> Iterator[bytes]:
        try:
            _hold(step, call)
            for answer in self._answer(step, call, request):
                yield self._encoded(answer)
        except Exception as error:  # as above
            _fail(call, context, error)
        _finish(call, context)

    def _held_handler(self, step: Step, begin: Any, workers: Workers) -> grpc.RpcMethodHandler[Any, Any]:
        """Make a handler that gives its thread back while the call waits.

        It is served as a stream of answers, which on the wire is the same, because grpcio lets such a handler return
        and send later (grpcio-health-checking's ``Watch`` stands on it).
        """

        def held(request: Any, context: grpc.ServicerContext, send: Callable[[bytes | None], None]) -> None:
            call = begin(request, context)
            if not step.hang:
                timer = workers.later(step.delay_s, lambda: self._send(step, call, request, context, send))
                if not context.add_callback(timer.cancel):  # type: ignore[arg-type]  # what that returns is not looked at
                    timer.cancel()  # the call has ended meanwhile

        held.experimental_non_blocking = True  # type: ignore[attr-defined]
        return grpc.unary_stream_rpc_method_handler(held, self._decode, None)

    def _send(
        self,
        step: Step,
        call: ProviderCall,
        request: Any,
        context: grpc.ServicerContext,
        send: Callable[[bytes | None], None],
    ) -> None:
        try:
            answer = self._answer(step, call, request)
            for one in answer if self._server_streaming else (answer,):
                send(self._encoded(one))
        except Exception as error:  # as above
            code, message = _told(call, context, error)
            context.set_code(code)
            context.set_details(message)
        else:
            _finish(call, context)
        send(None)

    def _answer(self, step: Step, call: ProviderCall, request: Any) -> Any:
        if step.error is not None:
            raise step.error
        if step.answer is not NO_ANSWER:
            return step.answer
        answer = self._handler(request, call)
        if self._server_streaming and (isinstance(answer, (str, bytes, Mapping)) or not isinstance(answer, Iterable)):
            text = (
                f"{self.interface}.{self.method} streams its answers, but its function gave a {type(answer).__name__}"
            )
            raise SerializationError(text, status="INTERNAL")
        return answer

    def _encoded(self, answer: Any) -> bytes:
        try:
            return self._encode(answer)
        except SerializationError as error:
            text = f"the function of {self.interface}.{self.method} gave what is no answer: {error}"
            raise SerializationError(text, status="INTERNAL") from error


_MAKERS: dict[tuple[bool, bool], Callable[..., Any]] = {
    (False, False): grpc.unary_unary_rpc_method_handler,
    (False, True): grpc.unary_stream_rpc_method_handler,
    (True, False): grpc.stream_unary_rpc_method_handler,
    (True, True): grpc.stream_stream_rpc_method_handler,
}


def _hold(step: Step, call: ProviderCall) -> None:
    """Wait as *step* says on this thread, for requests that are a stream."""
    if step.delay_s:
        call.wait(step.delay_s)
    while step.hang and call.wait(3600):
        pass


def _finish(call: ProviderCall, context: grpc.ServicerContext) -> None:
    if call.response_attachments:
        context.set_trailing_metadata(tuple(call.response_attachments.items()))
    code: grpc.StatusCode | None = context.code()  # type: ignore[attr-defined]  # newer than its type stubs
    call.end("OK" if code is None else code.name)


def _told(call: ProviderCall, context: grpc.ServicerContext, error: Exception) -> tuple[grpc.StatusCode, str]:
    if not isinstance(error, RpcError) and call.outcome == RUNNING:
        _log.error("the function of %s.%s failed", call.interface, call.method, exc_info=error)
    code, message = status_of(error)
    trailers = {**call.response_attachments, **getattr(error, "details", {})}
    if trailers:
        context.set_trailing_metadata(tuple(trailers.items()))
    call.end(code.name)
    return code, message


def _fail(call: ProviderCall, context: grpc.ServicerContext, error: Exception) -> NoReturn:
    context.abort(*_told(call, context, error))
    raise AssertionError("abort returned") from error


def from_function(types: MethodTypes, interface: str, function: Any) -> MethodHandler:
    """Serve *function*, or a fixed answer, as the method that *types* describes.

    Raises:
        ConfigError: The classes of its messages are not known, or the function takes neither one nor two arguments.
    """
    response_class, request_class = types.response_class, types.request_class
    if response_class is None or request_class is None:
        raise wrong(f'the message classes of "{types.path}" are not known', "give module= or proto=")
    build = message_builder(response_class)

    def encode(answer: Any) -> bytes:
        message = build((), {}) if answer is None else build((answer,), {})
        data: bytes = message.SerializeToString()
        return data

    return MethodHandler(
        interface=interface,
        method=types.name,
        handler=as_handler(function),
        decode=request_class.FromString,
        encode=encode,
        client_streaming=types.client_streaming,
        server_streaming=types.server_streaming,
    )


def as_handler(function: Any) -> Handler:
    """Make of a function of one or two arguments, or of a fixed answer, a function of two."""
    if not callable(function):
        return lambda _request, _call: function
    if accepts(function, 1):
        return lambda request, _call: function(request)
    if accepts(function, 2):
        handler: Handler = function
        return handler
    raise wrong(f"{function!r} must take one argument, the request, or two, the request and the call")


def from_rpc_handler(interface: str, method: str, handler: Any) -> MethodHandler:
    """Serve what a generated ``add_...Servicer_to_server`` function registers for one method."""
    kind = (bool(handler.request_streaming), bool(handler.response_streaming))
    names = {(False, False): "unary_unary", (False, True): "unary_stream", (True, False): "stream_unary"}
    return MethodHandler(
        interface=interface,
        method=method,
        handler=getattr(handler, names.get(kind, "stream_stream")),
        decode=handler.request_deserializer,
        encode=handler.response_serializer,
        client_streaming=kind[0],
        server_streaming=kind[1],
    )
