"""The wires that the tests go over: a protocol of one Dubbo version each, and what a reference to it needs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from tests.interop.provider import JavaProvider

PROTO: Final = Path(__file__).parent / "java" / "dubbo33" / "src" / "main" / "proto" / "greeter.proto"
GREETER: Final = "org.callahead.interop.greeter.Greeter"
STUBS: Final = "tests.interop.services"
_PACKAGES = {"FooService": "com.alibaba.foo", "BarService": "com.alibaba.bar"}


@dataclass(frozen=True)
class Wire:
    """How a call gets to Java.

    Attributes:
        name: As it stands in the names of the tests.
        version: Of Dubbo.
        protocol: ``dubbo`` or ``tri``.
        is_protobuf: The service is one of protobuf.
        more: What a reference to it says beside the protocol.
    """

    name: str
    version: str
    protocol: str
    is_protobuf: bool = False
    more: Mapping[str, str] = field(default_factory=dict, hash=False)

    def url(self, provider: JavaProvider) -> str:
        """Where the provider answers."""
        port = provider.dubbo_port if self.protocol == "dubbo" else provider.tri_port
        return f"{self.protocol}://127.0.0.1:{port}"

    def java(self, provider: JavaProvider, service: str, **settings: Any) -> dict[str, Any]:
        """The reference to a Java interface, with its stub; ``stub=None`` is one without."""
        own = {"interface": java_name(service), "stub": f"{STUBS}:{service}"}
        found = {"url": self.url(provider), **self.more, **own, **settings}
        return {key: value for key, value in found.items() if value is not None}

    def greeter(self, provider: JavaProvider, **settings: Any) -> dict[str, Any]:
        """The reference to the protobuf service."""
        return {"url": self.url(provider), "interface": GREETER, "proto": str(PROTO), **self.more, **settings}


def java_name(service: str) -> str:
    """The full name of an interface of ``java/api``."""
    return f"{_PACKAGES.get(service, 'org.callahead.interop')}.{service}"


DUBBO_27: Final = Wire("dubbo-2.7", "2.7", "dubbo")
DUBBO_33: Final = Wire("dubbo-3.3", "3.3", "dubbo")
TRI_33: Final = Wire("tri-3.3-wrapper", "3.3", "tri")
PROTOBUF_33: Final = Wire("tri-3.3-protobuf", "3.3", "tri", is_protobuf=True)
HTTP2_33: Final = replace(TRI_33, name="tri-3.3-wrapper-http2", more={"carrier": "http2"})
PROTOBUF_HTTP2_33: Final = replace(PROTOBUF_33, name="tri-3.3-protobuf-http2", more={"carrier": "http2"})
JAVA_WIRES: Final = (DUBBO_27, DUBBO_33, TRI_33, HTTP2_33)
ALL_WIRES: Final = (*JAVA_WIRES, PROTOBUF_33, PROTOBUF_HTTP2_33)
