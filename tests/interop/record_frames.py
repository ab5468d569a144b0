"""Record what real Dubbo consumers and providers say to each other into ``tests/wire/vectors/dubbo_frames.json``.

Run from the root of the repository, once for each change of a Dubbo version or of the list below::

    python -m tests.interop.record_frames

For each version a provider is started, and the Java ``FrameConsumer`` of the same version calls it through a proxy in
this process, one exchange at a time. The proxy passes bytes on untouched and cuts a copy of them into frames by their
16-byte headers. Request ids, timings and line numbers of Java stacks differ from one recording to the next; every byte
in the file was sent by Java.

The file is a list of ``{dubbo, name, description, result, frames: [{from: consumer | provider, hex}]}``, frames in the
order of their arrival; ``result`` is what the Java consumer made of the answer.
"""

from __future__ import annotations

import json
import selectors
import socket
import subprocess
import sys
import threading
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from tests.interop.provider import VERSIONS, JavaProvider, build, java_command, missing

OUTPUT: Final = Path(__file__).parents[1] / "wire" / "vectors" / "dubbo_frames.json"
HEADER: Final = 16

EXCHANGES: Final = {
    "value": 'EchoService.echo("hello") answers "hello"',
    "object": 'FooService.findFoo("7", 0) answers an object with two strings and an int',
    "null": "FooService.findFoo(null, 0): a null argument, a null answer",
    "void": "VoidService.run(): no argument, empty descriptor, null answer",
    "void-arguments": 'VoidService.runAfter("text", 1)',
    "emoji": "EchoService.echo of one-, two- and three-byte characters and a surrogate pair",
    "nested": "TypesService.echoPerson: superclass, enum, shared references, list and map of objects",
    "cycle": "TypesService.makeRing(2): objects that point at each other, and one list shared by both",
    "overload-two": 'OverloadService.of("text", 2) answers which overload was called',
    "overload-array": 'OverloadService.of(new String[] {"a", "b"})',
    "async": 'EchoService.echoAfter("later", 50) with async=true: attachment "id"',
    "one-way": 'CounterService.touchKey("vector") with return=false: a one-way request, no answer',
    "attachments": "AttachmentService.seen() with x-trace=t-1: attachments both ways",
    "token": "TokenService.secret() with the right token",
    "token-missing": "TokenService.secret() without a token: refused by the provider's TokenFilter",
    "group-version": "VariantService.whoAmI() of group blue, version 2.0.0",
    "echo": '$echo("ping"), which every service answers',
    "generic": '$invoke("findFoo", {"java.lang.String", "int"}, {"7", 0}) with generic=true answers a map',
    "exception-declared": "ExceptionService.declared: a checked exception with fields of its own",
    "exception-undeclared": "ExceptionService.undeclared: IllegalStateException travels as it is",
    "exception-foreign": "ExceptionService.foreign: an unknown class, replaced by RuntimeException with the stack",
    "exception-nested": "ExceptionService.nested: cause and cause of the cause",
    "exception-error": "ExceptionService.error: an AssertionError",
    "exception-rpc": "ExceptionService.rpc: Dubbo's RpcException with code 4",
    "unserializable": "ExceptionService.unserializable: the provider cannot write its answer",
    "unknown-service": "a service that the provider does not export",
    "unknown-method": "EchoService asked for noSuchMethod(String)",
    "pool-exhausted": "two calls at once on a provider with one thread and no queue: the second is refused",
    "idle": "2.5 s of silence with heartbeat=1000: heartbeats of the consumer and their answers",
}
READONLY: Final = "the provider is told to stop (SIGTERM): its read-only event (3.3 sends two), and heartbeats"

Frame = dict[str, str]


class FrameProxy:
    """Passes one consumer's connections on to a port and keeps a copy of every frame.

    Args:
        target: The provider's port on this machine.
    """

    def __init__(self, target: int) -> None:
        self._target = target
        # On every address: Dubbo's NetUtils.filterLocalHost turns 127.0.0.1 of a URL into the machine's own address.
        self._listener = socket.create_server(("", 0))
        self._lock = threading.Lock()
        self._frames: list[Frame] = []
        self._stopping, self._stopped = socket.socketpair()
        self._thread = threading.Thread(target=self._run, name="frame-proxy")

    @property
    def port(self) -> int:
        """Where the consumer connects to."""
        port: int = self._listener.getsockname()[1]
        return port

    def take(self) -> list[Frame]:
        """The frames since the last time."""
        with self._lock:
            taken, self._frames = self._frames, []
        return taken

    def __enter__(self) -> Self:
        """Begin to pass bytes on."""
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close every connection."""
        self._stopping.close()
        self._thread.join()
        self._stopped.close()

    def _run(self) -> None:
        with selectors.DefaultSelector() as ready, self._listener:
            ready.register(self._stopped, selectors.EVENT_READ)
            ready.register(self._listener, selectors.EVENT_READ)
            while True:
                for key, _ in ready.select():
                    if key.fileobj is self._stopped:
                        _close_all(ready)
                        return
                    if key.fileobj is self._listener:
                        self._accept(ready)
                    else:
                        self._pass_on(ready, key)

    def _accept(self, ready: selectors.BaseSelector) -> None:
        consumer, _ = self._listener.accept()
        try:
            provider = socket.create_connection(("127.0.0.1", self._target))
        except ConnectionRefusedError:  # the provider has been stopped and the consumer tries to come back
            consumer.close()
            return
        ready.register(consumer, selectors.EVENT_READ, ("consumer", provider, bytearray()))
        ready.register(provider, selectors.EVENT_READ, ("provider", consumer, bytearray()))

    def _pass_on(self, ready: selectors.BaseSelector, key: selectors.SelectorKey) -> None:
        source = key.fileobj
        assert isinstance(source, socket.socket)
        sender, destination, unread = key.data
        data = _read(source)
        if not data:
            ready.unregister(source)
            _shut_down(destination)
            if destination not in ready.get_map():  # that one has ended before
                source.close()
                destination.close()
            return
        unread += data
        with self._lock:
            self._frames += [{"from": sender, "hex": frame.hex()} for frame in _cut(unread)]
        destination.sendall(data)


class Consumer:
    """The Java ``FrameConsumer`` of one version, calling through that port."""

    def __init__(self, version: str, port: int) -> None:
        command = java_command(version, "FrameConsumer", {"interop.dubboPort": port})
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, text=True)
        assert self._answer() == "READY"

    def call(self, name: str) -> str:
        """Make that call and give what the consumer made of it."""
        assert self._process.stdin is not None
        self._process.stdin.write(name + "\n")
        self._process.stdin.flush()
        return self._answer().removeprefix(f"DONE {name} ")

    def close(self) -> None:
        """End the JVM."""
        self._process.communicate()

    def _answer(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().rstrip("\n")


def record(version: str) -> list[dict[str, Any]]:
    """Every exchange of one Dubbo version."""
    recorded = []
    provider = JavaProvider(version, properties={"interop.threads": 1})
    with provider, FrameProxy(provider.dubbo_port) as proxy:
        consumer = Consumer(version, proxy.port)
        try:
            for name, description in EXCHANGES.items():
                result = consumer.call(name)
                recorded.append(_entry(provider, name, description, result, proxy.take()))
            provider.stop()
            recorded.append(_entry(provider, "readonly", READONLY, "", proxy.take()))
        finally:
            consumer.close()
    return recorded


def main() -> None:
    """Record each version and write the file."""
    why_not = missing()
    if why_not is not None:
        sys.exit(why_not)
    build()
    recorded = [entry for version in VERSIONS for entry in record(version)]
    OUTPUT.parent.mkdir(parents=True, exist_ok=True)
    OUTPUT.write_text(json.dumps(recorded, indent=1) + "\n")
    print(f"{len(recorded)} exchanges, {sum(len(entry['frames']) for entry in recorded)} frames -> {OUTPUT.name}")


def _entry(provider: JavaProvider, name: str, description: str, result: str, frames: list[Frame]) -> dict[str, Any]:
    if not frames:
        msg = f"Dubbo {provider.version}, {name}: no frame went through the proxy; the consumer said {result!r}"
        raise RuntimeError(msg)
    print(f"{provider.release} {name:22} {len(frames)} frames  {result[:110]}", file=sys.stderr)
    return {
        "dubbo": provider.release,
        "name": name,
        "description": description,
        "result": result[:300],
        "frames": frames,
    }


def _cut(unread: bytearray) -> list[bytes]:
    """Take every whole frame off the front of what was read."""
    frames = []
    while len(unread) >= HEADER:
        length = HEADER + int.from_bytes(unread[12:HEADER], "big")
        if len(unread) < length:
            break
        frames.append(bytes(unread[:length]))
        del unread[:length]
    return frames


def _read(source: socket.socket) -> bytes:
    try:
        return source.recv(1 << 16)
    except ConnectionError:
        return b""


def _shut_down(destination: socket.socket) -> None:
    try:
        destination.shutdown(socket.SHUT_WR)
    except OSError:  # the other side is gone already
        return


def _close_all(ready: selectors.BaseSelector) -> None:
    for key in list(ready.get_map().values()):
        if isinstance(key.fileobj, socket.socket) and key.data is not None:
            key.fileobj.close()
            key.data[1].close()


if __name__ == "__main__":
    main()
