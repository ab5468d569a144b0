"""What the address and the parameters of a ``nacos`` registry say.

Source: Dubbo's ``nacos://host:port?namespace=&group=&backup=host:port,...&username=&password=``; differs: ``settle``,
and user and password may stand before the host.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple, Self

from callahead.config.policy import RegistryPolicy, SslPolicy

from ..models import bracketed
from ..settings import duration_ms, login_of, reject_unknown, servers_of, settings_of

_KNOWN = ("backup", "group", "namespace", "password", "settle", "timeout", "username")
_EXAMPLE = "write it like nacos://127.0.0.1:8848?backup=127.0.0.2:8848"
_PORT = 8848
_GRPC_OFFSET = 1000
_GROUP = "DEFAULT_GROUP"
_PUBLIC = "public"
_TIMEOUT_MS = 5_000
_SETTLE_MS = 5_000


class Server(NamedTuple):
    """One server: its port is that of HTTP, beside which gRPC has one by the rule of Nacos."""

    host: str
    port: int

    @property
    def grpc_port(self) -> int:
        """Where it is spoken to but for the log-in."""
        return self.port + _GRPC_OFFSET

    @property
    def grpc_target(self) -> str:
        """``host:port`` for gRPC."""
        return f"{bracketed(self.host)}:{self.grpc_port}"

    def __str__(self) -> str:
        return f"{bracketed(self.host)}:{self.port}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How to reach the servers, and where in them to look.

    Attributes:
        servers: At least one.
        namespace: "" for the public one.
        group: Of the services.
        ssl: How TLS is spoken, over HTTP and gRPC; None for plain TCP.
        username: "" where nobody logs in.
        password: Beside *username*.
        timeout_s: How long the first subscriptions wait for an answer.
        settle_s: How long a list that has become empty must stay so before it is taken.
    """

    servers: tuple[Server, ...]
    namespace: str
    group: str
    ssl: SslPolicy | None
    username: str = field(default="", repr=False)
    password: str = field(default="", repr=False)
    timeout_s: float
    settle_s: float

    @classmethod
    def of(cls, policy: RegistryPolicy) -> Self:
        """Read those of *policy*.

        Raises:
            ConfigError: The address names no server, or a setting is unknown or wrong.
        """
        reject_unknown(policy, _KNOWN, takes_ssl=True)
        given = settings_of(policy)
        username, password, place = login_of(policy)
        namespace = given.get("namespace", "")
        return cls(
            servers=_servers(policy, place),
            namespace="" if namespace == _PUBLIC else namespace,
            group=given.get("group") or _GROUP,
            ssl=policy.ssl,
            username=username,
            password=password,
            timeout_s=duration_ms(policy, "timeout", _TIMEOUT_MS) / 1000,
            settle_s=duration_ms(policy, "settle", _SETTLE_MS) / 1000,
        )

    @property
    def naming_namespace(self) -> str:
        """The namespace, as requests for services name it."""
        return self.namespace or _PUBLIC

    @property
    def address(self) -> str:
        """What errors and the log call the registry."""
        return f"nacos://{','.join(map(str, self.servers))}/{self.naming_namespace}/{self.group}"


def _servers(policy: RegistryPolicy, place: str) -> tuple[Server, ...]:
    servers = tuple(Server(url.host, url.port or _PORT) for url in servers_of(policy, place, _EXAMPLE))
    for server in servers:
        _require_ports(policy, server)
    return servers


def _require_ports(policy: RegistryPolicy, server: Server) -> None:
    if server.grpc_port > 0xFFFF:
        text = f'"{server}": gRPC has the port {_GRPC_OFFSET} above that of HTTP, which would be {server.grpc_port}'
        raise policy.error("address", text, _EXAMPLE)
