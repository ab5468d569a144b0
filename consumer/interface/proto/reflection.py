"""Method types asked of a running server by gRPC's reflection service."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from graphlib import CycleError, TopologicalSorter
from importlib.util import find_spec
from queue import SimpleQueue
from types import TracebackType
from typing import Any, NoReturn, Protocol, Self

from google.protobuf.descriptor_pb2 import FileDescriptorProto
from google.protobuf.message import DecodeError

from callahead.config.errors import ConfigError
from callahead.config.extension import nearest
from callahead.config.policy import ReferencePolicy

from ...errors import CallTimeout, ConnectFailed, RemoteError, RemoteProtocolError, RpcError
from .descriptors import service_types
from .protoc import find_service
from .service import ServiceTypes


class Channel(Protocol):
    """As much of a `grpc.Channel` as a conversation takes, whatever carries it.

    What iterates the answers raises grpcio's errors, or `RpcError`.
    """

    def stream_stream(self, method: str, /) -> Any:
        """See `grpc.Channel.stream_stream`; bytes both ways."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None, /
    ) -> bool | None: ...


OpenChannel = Callable[[], Channel]
"""Opens a channel to a provider of the reference."""

# Both versions have the same messages; older servers know only v1alpha, a few newer ones only v1.
PATHS = (
    "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
    "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
)
NO_SUCH_SYMBOL = 5
"""gRPC's number of NOT_FOUND."""

MOST_FILES = 1000
OTHER_SOURCES = "give stub:, module: or proto:"


class NoReflection(ConfigError):
    """The server tells nothing of the service by reflection, which says nothing of whether it has it."""


def from_reflection(policy: ReferencePolicy, open_channel: OpenChannel) -> ServiceTypes:
    """Ask the server behind *open_channel* what the interface of *policy* is.

    The whole exchange ends within the policy's ``connect_timeout_ms``, counted once per version of the service. The
    channel is opened for this and closed after it.

    Raises:
        NoReflection: grpcio-reflection is not installed, or the server has no reflection, or no file for the service.
        ConfigError: It has no such service.
        ConnectFailed: The server cannot be reached, or no thread be started.
        CallTimeout: It did not answer in time.
        RemoteError: It refused to answer.
        RemoteProtocolError: It answered with what makes no service.
    """
    if find_spec("grpc_reflection") is None:
        hint = f"pip install callahead[reflection], or {OTHER_SOURCES}"
        text = "asking the server for its methods needs the package grpcio-reflection, which is not installed"
        raise NoReflection([policy.problem("interface", text, hint)])
    _require_thread(policy)
    with open_channel() as channel:
        for path in PATHS:
            try:
                return _ask(policy, _Conversation(channel, path, policy.connect_timeout_ms / 1000))
            except _Ended as ended:
                if ended.status != "UNIMPLEMENTED":
                    _fail(policy, ended)
    text = f'the server cannot say what methods "{policy.interface}" has: it serves no reflection'
    raise NoReflection([policy.problem("interface", text, OTHER_SOURCES)])


def _require_thread(policy: ReferencePolicy) -> None:
    """Try whether a thread can be started: grpcio would wait for ever for one that it could not."""
    probe = threading.Thread(target=lambda: None, name="callahead-reflection")
    try:
        probe.start()
    except RuntimeError as error:
        text = f'cannot ask the server for the methods of "{policy.interface}": {error}'
        raise ConnectFailed(text, not_sent=True) from None
    probe.join()


def _ask(policy: ReferencePolicy, conversation: _Conversation) -> ServiceTypes:
    try:
        files = conversation.files(policy.interface)
        if files is None:
            raise _no_file(policy, conversation.services())
        return service_types(find_service(files, policy.interface), "server reflection")
    except (DecodeError, CycleError, LookupError, TypeError) as error:
        text = f'the server\'s reflection of "{policy.interface}" makes no service: {error}'
        raise RemoteProtocolError(text, is_remote=True) from error
    finally:
        conversation.end()


def _no_file(policy: ReferencePolicy, services: list[str]) -> ConfigError:
    if policy.interface not in services:
        text = f'the server has no service "{policy.interface}"'
        return policy.error("interface", text, nearest(policy.interface, services))
    # Dubbo's reflection lists Java interfaces without protobuf, of which there is no file.
    text = f'the server has "{policy.interface}", but its reflection has no file for it'
    hint = "for a Java interface give stub:, parameter_types: or generic: true"
    return NoReflection([policy.problem("interface", text, hint)])


class _Ended(Exception):
    """A conversation has ended by a status of gRPC.

    Attributes:
        status: Its name.
        text: What came with it.
    """

    def __init__(self, status: str, text: str) -> None:
        super().__init__(status, text)
        self.status = status
        self.text = text


@contextmanager
def _conversing() -> Iterator[None]:
    """Raise `_Ended` in the place of what a carrier raises where it has a status."""
    try:
        yield
    except Exception as error:
        ended = _ended(error)
        if ended is None:
            raise
        raise ended from error


def _ended(error: Any) -> _Ended | None:
    code, details = getattr(error, "code", None), getattr(error, "details", None)
    if callable(code) and callable(details):  # grpcio's own, and those of our channels, which have their face
        return _Ended(code().name, details() or "")
    if isinstance(error, CallTimeout):
        return _Ended("DEADLINE_EXCEEDED", error.message)
    if isinstance(error, ConnectFailed):
        return _Ended("UNAVAILABLE", error.message)
    return _Ended(error.status, error.status_text) if isinstance(error, RpcError) and error.status else None


def _fail(policy: ReferencePolicy, ended: _Ended) -> NoReturn:
    status, details = ended.status, ended.text
    if status == "DEADLINE_EXCEEDED":
        limit = f"{policy.connect_timeout_ms} ms (connect_timeout, {policy.origin('connect_timeout_ms')})"
        raise CallTimeout(f"the server's reflection did not answer within {limit}", not_sent=True) from ended
    if status == "UNAVAILABLE":
        text = f'cannot ask the server for the methods of "{policy.interface}" ({OTHER_SOURCES} not to ask): {details}'
        raise ConnectFailed(text, not_sent=True, status=status) from ended
    text = f'the server\'s reflection refused to describe "{policy.interface}": {status}: {details}'
    raise RemoteError(text, type_name=status, status=status) from ended


class _Conversation:
    """One reflection stream; each question waits for its answer. Raises `_Ended` and DecodeError."""

    def __init__(self, channel: Channel, path: str, timeout_s: float) -> None:
        from grpc_reflection.v1alpha import reflection_pb2  # which imports nothing of grpcio

        self._request: Any = reflection_pb2.ServerReflectionRequest
        self._response: Any = reflection_pb2.ServerReflectionResponse
        self._questions = _Questions()
        with _conversing():
            self._call: Any = channel.stream_stream(path)(self._questions, timeout=timeout_s)

    def end(self) -> None:
        self._questions.end()  # the channel is closed next, and the call with it

    def services(self) -> list[str]:
        answer = self._answer(list_services="*")
        return [service.name for service in answer.list_services_response.service]

    def files(self, symbol: str) -> list[FileDescriptorProto] | None:
        """Collect the file of *symbol* and all it imports, imported ones first; None if the server has none such."""
        first = self._answer(file_containing_symbol=symbol)
        if first.HasField("error_response"):
            if first.error_response.error_code == NO_SUCH_SYMBOL:
                return None
            raise LookupError(f"it says {first.error_response.error_message}")
        # The first file need not be the symbol's own, as some servers put imports first: so take all.
        known = {file.name: file for file in _files(first)}
        missing = _missing(known)
        while missing:
            if len(known) > MOST_FILES:
                raise LookupError(f"it imports more than {MOST_FILES} files")
            known.update((file.name, file) for name in sorted(missing) for file in self._imported(name))
            if lost := missing - known.keys():
                raise LookupError(f"the imported file {min(lost)} is not given")
            missing = _missing(known)
        order = TopologicalSorter({name: file.dependency for name, file in known.items()}).static_order()
        return [known[name] for name in order]

    def _imported(self, name: str) -> list[FileDescriptorProto]:
        answer = self._answer(file_by_filename=name)
        if not answer.HasField("error_response"):
            return _files(answer)
        # Some servers do not serve protobuf's own files, which every client has.
        own = _well_known().get(name)
        return [] if own is None else [own]

    def _answer(self, **question: str) -> Any:
        self._questions.put(self._request(**question).SerializeToString())
        with _conversing():
            answer = next(self._call, None)
        if answer is None:
            raise LookupError("it ended the stream instead of an answer")
        return self._response.FromString(answer)


@cache
def _well_known() -> Mapping[str, FileDescriptorProto]:
    """Describe protobuf's own files by name; from a fixed list, since what is missing is named by the peer."""
    from google.protobuf import (
        any_pb2,
        api_pb2,
        descriptor_pb2,
        duration_pb2,
        empty_pb2,
        field_mask_pb2,
        source_context_pb2,
        struct_pb2,
        timestamp_pb2,
        type_pb2,
        wrappers_pb2,
    )

    modules = (any_pb2, api_pb2, descriptor_pb2, duration_pb2, empty_pb2, field_mask_pb2)
    more = (source_context_pb2, struct_pb2, timestamp_pb2, type_pb2, wrappers_pb2)
    files = (module.DESCRIPTOR for module in (*modules, *more))
    return {file.name: FileDescriptorProto.FromString(file.serialized_pb) for file in files}


def _missing(known: Mapping[str, FileDescriptorProto]) -> set[str]:
    return {name for file in known.values() for name in file.dependency} - known.keys()


def _files(answer: Any) -> list[FileDescriptorProto]:
    return [FileDescriptorProto.FromString(data) for data in answer.file_descriptor_response.file_descriptor_proto]


class _Questions(Iterator[bytes]):
    """The request side of the stream, read by a thread of whoever carries it until `end`."""

    def __init__(self) -> None:
        self._queue: SimpleQueue[bytes | None] = SimpleQueue()

    def put(self, question: bytes) -> None:
        self._queue.put(question)

    def end(self) -> None:
        self._queue.put(None)

    def __next__(self) -> bytes:
        question = self._queue.get()
        if question is None:
            raise StopIteration
        return question
