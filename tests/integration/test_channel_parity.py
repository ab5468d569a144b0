"""`Consumer.channel` beside grpcio's own channel: what a program sees of a call is the same, whoever carries it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import pytest

from callahead.consumer import Consumer, SerializationError

CARRIERS = ("grpcio", "http2")
SOON = 20.0
SENT = (("x-a", "1"), ("x-a", "2"), ("x-b-bin", b"\x00\xff"))

Scenario = Callable[[Any], Any]


# -- the server -------------------------------------------------------------------------------------------------------


class Echoes(grpc.GenericRpcHandler):
    """Methods ``U``, ``S``, ``G`` and ``C``, one of each kind: ``gone`` fails, ``held`` takes as long as it may."""

    def service(self, details: Any) -> Any:
        """Find one."""
        made: dict[str, Any] = {
            "/a.B/U": grpc.unary_unary_rpc_method_handler(self._one),
            "/a.B/S": grpc.unary_stream_rpc_method_handler(self._answers),
            "/a.B/G": grpc.stream_unary_rpc_method_handler(self._upload),
            "/a.B/C": grpc.stream_stream_rpc_method_handler(self._both),
        }
        return made.get(details.method)

    def _begin(self, context: Any) -> None:
        context.send_initial_metadata((("first", "1"), ("first-bin", b"\x00\xff")))
        back = [(f"got-{key}", value) for key, value in context.invocation_metadata() if key.startswith("x-")]
        context.set_trailing_metadata((("last", "1"), ("last", "2"), ("last-bin", b"\xfe"), *back))

    def _look(self, request: bytes, context: Any) -> bytes:
        if request == b"gone":
            context.abort(grpc.StatusCode.NOT_FOUND, "gone \u00e4 50%")
        if request == b"held":
            over = threading.Event()
            context.add_callback(over.set)
            over.wait(SOON)
        return request

    def _one(self, request: bytes, context: Any) -> bytes:
        self._begin(context)
        return self._look(request, context)

    def _answers(self, request: bytes, context: Any) -> Iterator[bytes]:
        self._begin(context)
        yield from (b"0", b"1")
        yield self._look(request, context)

    def _upload(self, requests: Iterator[bytes], context: Any) -> bytes:
        self._begin(context)
        return b"".join(self._look(request, context) for request in requests)

    def _both(self, requests: Iterator[bytes], context: Any) -> Iterator[bytes]:
        self._begin(context)
        for request in requests:
            yield self._look(request, context)


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    """Where they are served."""
    with ThreadPoolExecutor(16, thread_name_prefix="grpc-server") as pool:
        server = grpc.server(pool, handlers=(Echoes(),))
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        yield port
        server.stop(0).wait(SOON)


@pytest.fixture
def theirs(port: int) -> Iterator[grpc.Channel]:
    """Grpcio's own channel."""
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        yield channel


@pytest.fixture
def ours(consume: Callable[..., Consumer], port: int) -> Any:
    """One of a consumer."""
    reference = {"interface": "a.B", "url": f"tri://127.0.0.1:{port}", "retries": 0, "timeout": "20s"}
    return consume({"references": {"b": reference}}).channel("b")


# -- what is seen -----------------------------------------------------------------------------------------------------


def seen(look: Callable[[], Any]) -> Any:
    """What *look* returns; of what it raises the kinds that programs catch, and what the error tells."""
    kinds = (grpc.RpcError, grpc.Call, grpc.FutureCancelledError, grpc.FutureTimeoutError, ValueError, StopIteration)
    try:
        return look()
    except Exception as error:
        named = [kind.__name__ for kind in kinds if isinstance(error, kind)]
        return (*named, *(told(error) if isinstance(error, grpc.Call) else ()))


def told(call: Any) -> tuple[Any, ...]:
    """What a call tells of how it has ended."""
    return call.code(), call.details(), pairs(call.initial_metadata()), pairs(call.trailing_metadata())


def is_over(call: Any) -> tuple[bool, ...]:
    """What a call says to those who come too late."""
    return not call.is_active(), not call.add_callback(print), call.done(), not call.running(), not call.cancelled()


def pairs(metadata: Any) -> list[tuple[str, Any]]:
    """Pairs as they are, which have names, too."""
    return [(one.key, one.value) for one in metadata if one.key != "user-agent"]


def all_of(stream: Any) -> tuple[Any, ...]:
    """The answers of a stream, what its end raises, and what it then tells."""
    answers: list[bytes] = []
    return seen(lambda: answers.extend(stream)), answers, told(stream), is_over(stream), seen(lambda: next(stream))


def cancelled(call: Any) -> tuple[Any, ...]:
    """What a call that is given up tells."""
    return (
        call.cancel(),
        call.cancelled(),
        call.done(),
        call.running(),
        call.is_active(),
        call.code(),
        call.details(),
        seen(lambda: call.result(SOON)),
        seen(lambda: call.exception(SOON)),
    )


def first_and_cancelled(stream: Any) -> tuple[Any, ...]:
    """The first answer of a stream, and what it tells once it is given up."""
    return (
        next(stream),
        stream.cancel(),
        stream.cancelled(),
        stream.code(),
        stream.details(),
        seen(lambda: next(stream)),
    )


def heard(call: Any) -> tuple[Any, ...]:
    """What those hear who want to know of the end: each once, and the one with the call."""
    over = threading.Semaphore(0)
    who: list[bool] = []
    is_added = call.add_callback(over.release)
    call.add_done_callback(lambda done: (who.append(done is call), over.release()))
    call.cancel()
    return is_added, over.acquire(timeout=SOON), over.acquire(timeout=SOON), who


def raising() -> Iterator[bytes]:
    """Requests that break off."""
    yield b"a"
    raise ValueError("mine")


class Adding(
    grpc.UnaryUnaryClientInterceptor,  # type: ignore[misc]
    grpc.UnaryStreamClientInterceptor,  # type: ignore[misc]
    grpc.StreamUnaryClientInterceptor,  # type: ignore[misc]
    grpc.StreamStreamClientInterceptor,  # type: ignore[misc]
):
    """Passes each call on."""

    def _pass(self, go_on: Any, details: Any, request: Any) -> Any:
        return go_on(details, request)

    intercept_unary_unary = intercept_unary_stream = intercept_stream_unary = intercept_stream_stream = _pass


def unary(channel: Any) -> Any:
    """The callable of each kind."""
    return channel.unary_unary("/a.B/U")


def answers(channel: Any) -> Any:
    """Likewise."""
    return channel.unary_stream("/a.B/S")


def upload(channel: Any) -> Any:
    """Likewise."""
    return channel.stream_unary("/a.B/G")


def both(channel: Any) -> Any:
    """Likewise."""
    return channel.stream_stream("/a.B/C")


def within(channel: Any) -> Any:
    """The channel within an interceptor of grpcio's."""
    return grpc.intercept_channel(channel, Adding())


def with_told(pair: tuple[Any, Any]) -> tuple[Any, ...]:
    """An answer, and what its call tells."""
    return pair[0], told(pair[1])


def ended(future: Any) -> tuple[Any, ...]:
    """What a future gives and tells."""
    return seen(lambda: future.result(SOON)), seen(lambda: future.exception(SOON) is None), told(future)


def not_waited_for(future: Any) -> tuple[Any, ...]:
    """What one gives that takes longer than somebody waits."""
    return seen(lambda: future.result(0.05)), future.cancel()


def result_of(stream: Any) -> tuple[Any, ...]:
    """What a stream tells as a future."""
    return list(stream), stream.exception(SOON), stream.traceback(SOON), stream.done()


def back(pair: tuple[Any, Any]) -> Any:
    """What the server got."""
    return pairs(pair[1].trailing_metadata())


SCENARIOS: dict[str, Scenario] = {
    "an answer": lambda one: unary(one)(b"hi"),
    "an answer with its call": lambda one: with_told(unary(one).with_call(b"hi", metadata=SENT)),
    "a future": lambda one: ended(unary(one).future(b"hi")),
    "an error": lambda one: unary(one)(b"gone", metadata=SENT),
    "an error with its call": lambda one: unary(one).with_call(b"gone"),
    "an error of a future": lambda one: ended(unary(one).future(b"gone")),
    "a future given up": lambda one: cancelled(unary(one).future(b"held")),
    "a future not waited for": lambda one: not_waited_for(unary(one).future(b"held")),
    "who hears of a future": lambda one: heard(unary(one).future(b"held")),
    "no such method": lambda one: one.unary_unary("/a.B/No")(b""),
    "metadata of bytes": lambda one: back(unary(one).with_call(b"", metadata=[("x-a", b"abc")])),
    "large metadata": lambda one: back(unary(one).with_call(b"", metadata=[("x-a", "y" * 3000)])),
    "answers": lambda one: all_of(answers(one)(b"hi", metadata=SENT)),
    "answers and an error": lambda one: all_of(answers(one)(b"gone")),
    "answers given up": lambda one: first_and_cancelled(answers(one)(b"held")),
    "who hears of answers": lambda one: heard(answers(one)(b"held")),
    "the result of answers": lambda one: result_of(answers(one)(b"hi")),
    "an upload": lambda one: upload(one)(iter([b"a", b"b"])),
    "an upload with its call": lambda one: with_told(upload(one).with_call(iter([b"a"]), metadata=SENT)),
    "an upload's future": lambda one: ended(upload(one).future(iter([b"a"]))),
    "an upload's error": lambda one: upload(one)(iter([b"gone"])),
    "an upload given up": lambda one: cancelled(upload(one).future(iter([b"held"]))),
    "who hears of an upload": lambda one: heard(upload(one).future(iter([b"held"]))),
    "both ways": lambda one: all_of(both(one)(iter([b"a", b"b"]))),
    "both ways and an error": lambda one: all_of(both(one)(iter([b"a", b"gone"]))),
    "both ways given up": lambda one: first_and_cancelled(both(one)(iter([b"a", b"held"]))),
    "an answer within": lambda one: unary(within(one))(b"hi"),
    "an error within": lambda one: unary(within(one))(b"gone"),
    "answers within": lambda one: all_of(answers(within(one))(b"hi")),
    "answers and an error within": lambda one: all_of(answers(within(one))(b"gone")),
    "an upload within": lambda one: upload(within(one))(iter([b"a"])),
    "both ways within": lambda one: all_of(both(within(one))(iter([b"a"]))),
}


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_call_looks_as_grpcios_own(theirs: grpc.Channel, ours: Any, name: str) -> None:
    """Its answer, its error, its metadata and its state are told alike, and so are callbacks."""
    scenario = SCENARIOS[name]
    assert seen(lambda: scenario(ours)) == seen(lambda: scenario(theirs))


@pytest.mark.parametrize("kind", [unary, answers, upload, both])
def test_a_closed_channel_is_used_as_grpcios_own(theirs: grpc.Channel, ours: Any, kind: Callable[[Any], Any]) -> None:
    """Every kind of call raises, and closing it again does nothing."""
    methods = [kind(theirs), kind(ours)]
    for channel in (theirs, ours):
        channel.close()
        channel.close()
    theirs_raises, ours_raises = (seen(lambda method=method: method(b"")) for method in methods)
    assert theirs_raises == ours_raises == ("ValueError",)


@pytest.mark.parametrize("kind", [upload, both])
def test_requests_that_break_off(ours: Any, kind: Callable[[Any], Any]) -> None:
    """The call fails as grpcio lets it."""
    with pytest.raises(grpc.RpcError) as caught:
        list(kind(ours)(raising()))
    assert isinstance(caught.value, grpc.Call)
    assert (caught.value.code(), caught.value.details()) == (
        grpc.StatusCode.UNKNOWN,
        "Exception iterating requests!",
    )


@pytest.mark.parametrize("view", ["__call__", "future"])
def test_a_request_that_is_no_bytes(ours: Any, view: str) -> None:
    """Is refused before any thread of a connection has it; grpcio raises a TypeError."""
    with pytest.raises(SerializationError) as caught:
        getattr(getattr(unary(ours), view)("text"), "result", None)()
    assert isinstance(caught.value, grpc.Call)
    assert caught.value.code() is grpc.StatusCode.INTERNAL


def test_a_stream_says_what_time_it_had(ours: Any, carrier: str) -> None:
    """That of the call, where the call has one."""
    with pytest.raises(grpc.RpcError) as caught:
        list(answers(ours)(b"held", timeout=0.2))
    assert carrier == "grpcio" or "200 ms (timeout 200 ms, call)" in str(caught.value)


def test_a_call_shows_how_far_it_is(ours: Any) -> None:
    """In its text, as grpcio's calls do."""
    stream = answers(ours)(b"gone")
    with pytest.raises(grpc.RpcError):
        list(stream)
    assert "NOT_FOUND" in repr(stream)
    assert "gone" in stream.debug_error_string()
