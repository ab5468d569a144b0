"""What only references of ``tri`` may set."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Annotated, ClassVar, Final

from callahead.config.settings import (
    Conflict,
    Duration,
    DurationOrZero,
    File,
    Flag,
    Folders,
    Module,
    Size,
    TransportSettings,
    choice,
    setting,
    size,
)

_JAVA: Final = "describe the Java interface by stub, parameter_types or generic"

_FRAMES: Final = (16_384, 262_144)
"""From what a provider may send unasked, to what is still cheap to join where it comes in small pieces."""


class TriSettings(TransportSettings):
    """Who carries the calls, pings of the connection, a limit, and where the types of messages come from."""

    targets: ClassVar[tuple[str, ...]] = ("dns", "unix", "unix-abstract", "xds")
    knows_sent: ClassVar[str] = "by http2 once it has left; by grpcio where sent is true, else with the answer"

    carrier: Annotated[str, *choice("http2", "grpcio")] = setting(
        "http2", "who speaks HTTP/2: http2 of callahead's own, or grpcio; default http2", after="max_response_bytes"
    )
    keepalive_ms: DurationOrZero = setting(0, "idle time before a ping, 0 for none; default 0", key="keepalive")
    keepalive_timeout_ms: Duration = setting(
        20_000, "longest wait for the answer to a ping; default 20s", key="keepalive_timeout"
    )
    max_metadata_bytes: Size = setting(65_536, "largest headers, or trailers, of an answer; default 64KiB")
    max_frame_bytes: Annotated[int, *size(*_FRAMES)] = setting(
        _FRAMES[0], "largest frame of HTTP/2 that is read; 16KiB to 256KiB, default 16KiB"
    )
    http_proxy: Flag = setting(True, "obey the variables http_proxy, grpc_proxy and so on; default true")
    module: Module | None = setting(
        None, "module of generated messages, such as shop.foo_pb2", after="stub", instead=_JAVA, in_consumer=False
    )
    proto: File | None = setting(
        None, "path of a .proto file, from the folder of this file", instead=_JAVA, in_consumer=False
    )
    proto_path: Folders = setting(
        (), "folders to search for imports of proto, from this file's folder", in_consumer=False
    )

    def conflicts(self, own: Collection[str]) -> Iterator[Conflict]:
        """Say which sources of types exclude each other, and what does nothing alone."""
        sources = [name for name in ("stub", "module", "proto") if name in own]
        if len(sources) > 1:
            yield Conflict(sources[1], f"excludes {sources[0]}, which is set too", "keep one of them")
        if "proto_path" in own and "proto" not in own:
            yield Conflict("proto_path", "needs proto beside it")
        if "keepalive_timeout_ms" in own and self.keepalive_ms == 0:
            yield Conflict("keepalive_timeout_ms", "does nothing without keepalive", "set keepalive, or remove it")
