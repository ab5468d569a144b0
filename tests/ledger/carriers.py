"""The transports that the experiments run over. A new one is one line of `CARRIERS`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from operator import attrgetter, itemgetter
from typing import Any, Final, Protocol
from urllib.parse import parse_qs, urlsplit

import grpc
from ledger.damage import DUBBO, HTTP2, Framing

from callahead.consumer.testing import EmbeddedProvider

INTERFACE: Final = "helloworld.Greeter"
METHOD: Final = "SayHello"
MODULE: Final = "support.protos.helloworld_pb2"
_DRAIN_S: Final = 5.0


class Aborting(Protocol):
    """What a handler ends a call with in place of an answer."""

    def abort(self, code: Any, details: str) -> Any:
        """End it."""


Handler = Callable[[str, Aborting], str]


class Served(Protocol):
    """A provider that listens."""

    def drain(self) -> None:
        """Ask for no more calls, finish those that run, and stop listening."""


class MethodFailed(Exception):
    """What a method of the client's own process raises."""


def _listening(urls: Sequence[str]) -> Mapping[str, Any]:
    """Ask providers that listen."""
    return {"interface": INTERFACE, "url": list(urls)}


def _inside(urls: Sequence[str]) -> Mapping[str, Any]:
    """Ask an object of this process; the address is that of its ledger, with the number of its threads."""
    (url,) = map(urlsplit, urls)
    (threads,) = parse_qs(url.query)["threads"]
    target = {"target": "ledger.inside:Provider", "arguments": {"ledger": url.path}, "close": "close"}
    return {**target, "threads": int(threads)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Carrier:
    """A transport, and what serves it.

    Attributes:
        name: As it is asked for, and told.
        protocol: What the addresses begin with.
        reference: The YAML of a reference that has `METHOD`.
        arguments: Makes the arguments that carry a text.
        text_in: Reads it back.
        text_of: Reads the text of an answer.
        failure: The code by which a method fails.
        serve: Serves a handler on a port, with so many threads; None where the provider is in the client's process.
        asked_at: Makes the YAML that says where providers are.
        refusal: The code by which a provider says that it has no room for a call.
        framing: How the answers are cut into frames, for damage that hits one of them; None where there are none.
        alert: Settings by which it soon notices that an answer goes on no more.
        late_s: How late a call may end while the connection takes no more bytes.
        minds_time_of_day: A timeout is turned into a time of day and back, so that it must not jump between the two.
        recovers_threads: It goes on once threads can be started again.
        survives_forks: A fork while calls run loses no answer and breaks no child.
    """

    name: str
    protocol: str
    reference: Mapping[str, Any]
    arguments: Callable[[str], tuple[Any, ...]]
    text_in: Callable[[tuple[Any, ...]], str]
    text_of: Callable[[Any], str]
    failure: Any
    serve: Callable[[Handler, int, int], Served] | None = None
    asked_at: Callable[[Sequence[str]], Mapping[str, Any]] = _listening
    refusal: Any = None
    framing: Framing | None = None
    alert: Mapping[str, Any] = field(default_factory=dict)
    late_s: float = 0.0
    minds_time_of_day: bool = False
    recovers_threads: bool = True
    survives_forks: bool = True

    @property
    def is_inside(self) -> bool:
        """The provider is in the client's process: nothing lies between them, and neither goes alone."""
        return self.serve is None


class _Dubbo:
    def __init__(self, handler: Handler, port: int, threads: int) -> None:
        self._provider = EmbeddedProvider(protocol="dubbo", port=port, threads=threads, keep_calls=1)
        self._provider.serve(INTERFACE, {METHOD: handler})
        self._provider.start()

    def drain(self) -> None:
        self._provider.stop()


class _Grpc(grpc.GenericRpcHandler):
    """A plain server of grpcio: an embedded one ends its calls when it stops, as no graceful server would."""

    def __init__(self, handler: Handler, port: int, threads: int) -> None:
        from support.protos import helloworld_pb2

        self._handler = handler
        self._types: Any = helloworld_pb2
        self._server = grpc.server(ThreadPoolExecutor(threads), handlers=[self])
        self._server.add_insecure_port(f"127.0.0.1:{port}")
        self._server.start()

    def service(self, handler_call_details: Any) -> Any:
        if not handler_call_details.method.endswith(METHOD):
            return None
        return grpc.unary_unary_rpc_method_handler(
            lambda request, context: self._types.HelloReply(message=self._handler(request.name, context)),
            self._types.HelloRequest.FromString,
            self._types.HelloReply.SerializeToString,
        )

    def drain(self) -> None:
        self._server.stop(_DRAIN_S).wait()


_GRPCIO: Final = Carrier(
    name="tri",
    protocol="tri",
    reference={"module": MODULE, "carrier": "grpcio"},
    arguments=lambda text: ({"name": text},),
    text_in=lambda arguments: arguments[0]["name"],
    text_of=attrgetter("message"),
    serve=_Grpc,
    refusal=grpc.StatusCode.RESOURCE_EXHAUSTED,
    failure=grpc.StatusCode.FAILED_PRECONDITION,
    framing=HTTP2,
    late_s=1.1,  # gRPC's core ends no call whose bytes it is writing; a second past its time the watchdog does
    minds_time_of_day=True,  # within grpcio, whose core reads the system's clock and not Python's
    recovers_threads=False,  # grpcio itself does not
    survives_forks=False,  # likewise: now and then an answer is lost, or a child is ended by a fault of memory
)
CARRIERS: Final[Mapping[str, Carrier]] = {
    carrier.name: carrier
    for carrier in (
        Carrier(
            name="dubbo",
            protocol="dubbo",
            reference={"methods": {METHOD: {"parameter_types": ["java.lang.String"]}}},
            arguments=lambda text: (text,),
            text_in=itemgetter(0),
            text_of=str,
            serve=_Dubbo,
            refusal=100,
            failure="com.alibaba.foo.NoSuchFoo",
            framing=DUBBO,
            alert={"heartbeat": 500},
        ),
        replace(
            _GRPCIO,
            name="http2",
            reference={"module": MODULE, "carrier": "http2"},
            late_s=0.0,
            minds_time_of_day=False,
            recovers_threads=True,
            survives_forks=True,
        ),
        _GRPCIO,
        Carrier(
            name="python",
            protocol="python",
            reference={},
            arguments=lambda text: (text,),
            text_in=itemgetter(0),
            text_of=str,
            failure=MethodFailed,
            asked_at=_inside,
        ),
    )
}
