"""Record the messages of Java interfaces on ``tri`` into ``tests/wire/vectors/triple_wrapper.json``.

Run from the root of the repository, once for each change of the Dubbo version or of the list below::

    python -m tests.interop.record_wrapper

A real provider answers what this side asks, and the Java ``BenchConsumer`` asks what a gRPC server in this process
answers. Line numbers of Java stacks differ from one recording to the next; every byte of an ``answer``, and of the
request of the entry ``consumer``, was sent by Java.

The file is a list of ``{dubbo, name, description, path, status, headers, trailers, request, answer}``: ``status`` is a
gRPC code with its text, request and answer are in hex, and ``answer`` is "" where the status is not OK.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

import grpc

from callahead.consumer.codec.dubbo import invoke_arguments
from callahead.consumer.codec.triple import TripleRequestEncoder, decode_request, encode_response
from callahead.consumer.interface.java import JavaSignature
from callahead.consumer.interface.java.signature import INVOKE_SIGNATURE
from tests.interop.provider import JavaProvider, build, java_command, missing

OUTPUT: Final = Path(__file__).parents[1] / "wire" / "vectors" / "triple_wrapper.json"
_INTEROP: Final = "org.callahead.interop"
_FOO: Final = "com.alibaba.foo.FooService"
_FIND: Final = ("findFoo", ("java.lang.String", "int"), ("7", 0))

# name, service, method, types, arguments, metadata, description
Exchange = tuple[str, str, str, Iterable[str], tuple[Any, ...], tuple[tuple[str, str], ...], str]
EXCHANGES: Final[tuple[Exchange, ...]] = (
    ("object", _FOO, *_FIND, (), "an object with two strings and an int"),
    ("null", _FOO, "findFoo", _FIND[1], (None, 0), (), "a null argument, a null answer"),
    ("void", f"{_INTEROP}.VoidService", "run", (), (), (), "no argument, no answer"),
    ("overload", f"{_INTEROP}.OverloadService", "of", ("int", "java.lang.String"), (1, "a"), (), "by argTypes"),
    ("array", f"{_INTEROP}.OverloadService", "of", ("java.lang.String[]",), (["a"],), (), "by argTypes"),
    ("no-overload", f"{_INTEROP}.OverloadService", "of", ("float",), (1.0,), (), "no such signature"),
    ("no-method", f"{_INTEROP}.EchoService", "nope", ("java.lang.String",), ("x",), (), "no such method"),
    ("no-service", f"{_INTEROP}.NopeService", "echo", ("java.lang.String",), ("x",), (), "no such service"),
    ("attachments", f"{_INTEROP}.AttachmentService", "seen", (), (), (("x-trace", "t-1"),), "both ways"),
    ("declared", f"{_INTEROP}.ExceptionService", "declared", ("int", "java.lang.String"), (5, "no"), (), "checked"),
    ("nested", f"{_INTEROP}.ExceptionService", "nested", ("java.lang.String",), ("no",), (), "cause of a cause"),
    ("rpc", f"{_INTEROP}.ExceptionService", "rpc", ("int", "java.lang.String"), (4, "no"), (), "RpcException, code 4"),
    ("echo", f"{_INTEROP}.EchoService", "$echo", ("java.lang.Object",), ("hi",), (), "which every service answers"),
)
_GENERIC: Final = (("generic", "true"),)


def record() -> list[dict[str, Any]]:
    """Every exchange."""
    with JavaProvider("3.3") as provider, grpc.insecure_channel(f"127.0.0.1:{provider.tri_port}") as channel:
        recorded = [_entry(provider, channel, one, JavaSignature.of_names(one[2], one[3])) for one in EXCHANGES]
        find = invoke_arguments(*_FIND)
        one = ("generic", _FOO, "$invoke", (), find, _GENERIC, "findFoo by its name: a map")
        recorded.append(_entry(provider, channel, one, INVOKE_SIGNATURE))
        failing = invoke_arguments("declared", ("int", "java.lang.String"), (5, "no"))
        one = ("generic-declared", f"{_INTEROP}.ExceptionService", "$invoke", (), failing, _GENERIC, "GenericException")
        recorded.append(_entry(provider, channel, one, INVOKE_SIGNATURE))
        return [*recorded, _consumers(provider.release)]


def _entry(provider: JavaProvider, channel: grpc.Channel, one: Exchange, signature: JavaSignature) -> dict[str, Any]:
    name, service, method, _, args, metadata, description = one
    request = TripleRequestEncoder(method, signature.wire).encode(signature.convert(args))
    path = f"/{service}/{method}"
    answer = b""
    call: Any
    try:
        answer, call = channel.unary_unary(path).with_call(request, timeout=10, metadata=metadata)
    except grpc.RpcError as error:
        call = error
    return {
        "dubbo": provider.release,
        "name": name,
        "description": description,
        "path": path,
        "status": [call.code().name, call.details()],
        "headers": dict(call.initial_metadata()),
        "trailers": dict(call.trailing_metadata()),
        "request": request.hex(),
        "answer": answer.hex(),
    }


def _consumers(release: str) -> dict[str, Any]:
    """Answer the Java consumer, and keep the first thing it asked."""
    asked: list[tuple[str, dict[str, Any], bytes]] = []

    def answer(request: bytes, context: grpc.ServicerContext) -> bytes:
        asked.append(("/org.callahead.interop.EchoService/echo", dict(context.invocation_metadata()), request))
        return encode_response(decode_request(request).args[0], "java.lang.String")

    handler = grpc.method_handlers_generic_handler(
        f"{_INTEROP}.EchoService", {"echo": grpc.unary_unary_rpc_method_handler(answer)}
    )
    server = grpc.server(ThreadPoolExecutor(2), handlers=[handler])
    # On every address: Dubbo's NetUtils.filterLocalHost turns 127.0.0.1 of a URL into the machine's own address.
    settings = {"interop.port": server.add_insecure_port("0.0.0.0:0"), "interop.protocol": "tri", "interop.calls": 10}
    server.start()
    try:
        command = java_command("3.3", "BenchConsumer", {**settings, "interop.inFlight": 1, "interop.bytes": 5})
        subprocess.run(command, check=True, capture_output=True, timeout=60)
    finally:
        server.stop(0).wait()
    path, headers, request = asked[0]
    return {
        "dubbo": release,
        "name": "consumer",
        "description": 'EchoService.echo("xxxxx") as a Java consumer asks; headers are the request\'s',
        "path": path,
        "status": ["OK", ""],
        "headers": headers,
        "trailers": {},
        "request": request.hex(),
        "answer": encode_response("xxxxx", "java.lang.String").hex(),
    }


def main() -> None:
    """Record and write the file."""
    why_not = missing()
    if why_not is not None:
        sys.exit(why_not)
    build()
    recorded = record()
    OUTPUT.write_text(json.dumps(recorded, indent=1) + "\n")
    print(f"{len(recorded)} exchanges -> {OUTPUT.name}")


if __name__ == "__main__":
    main()
