"""What the address and the parameters of a ``zookeeper`` registry say.

Source: Dubbo's ``zookeeper://host:port?backup=host:port,...&group=dubbo``; differs: a path in the address stands before
the group, as in ZooKeeper's own connection strings, and ``session`` is shorter, so that a mute server is left sooner.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Self
from urllib.parse import unquote

from callahead.config.policy import RegistryPolicy, SslPolicy

from ..models import bracketed
from ..settings import duration_ms, flag, login_of, reject_unknown, servers_of, settings_of
from ..url import Url

_KNOWN = ("backup", "group", "password", "register", "session", "timeout", "username")
_EXAMPLE = "write it like zookeeper://127.0.0.1:2181?backup=127.0.0.1:2182"
_PORT = 2181
_TIMEOUT_MS = 5_000
_SESSION_MS = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How to reach the servers, and where in them to look.

    Attributes:
        hosts: ``host:port`` of each server, joined by commas.
        top: Path of the address, such as ``/estate``; "" for none.
        root: Path under which the interfaces stand, such as ``/dubbo``; "" for the top.
        username: "" where the session says no name.
        password: Beside *username*.
        timeout_s: How long the first subscriptions wait for an answer.
        session_s: How long the servers keep a session of which they hear nothing.
        ssl: How TLS is spoken with the servers; None for plain TCP.
        registers: A node of its own tells the registry of each subscription.
    """

    hosts: str
    top: str
    root: str
    username: str = field(default="", repr=False)
    password: str = field(default="", repr=False)
    timeout_s: float
    session_s: float
    registers: bool
    ssl: SslPolicy | None = None

    @classmethod
    def of(cls, policy: RegistryPolicy) -> Self:
        """Read those of *policy*.

        Raises:
            ConfigError: The address names no server, or a setting is unknown or wrong.
        """
        reject_unknown(policy, _KNOWN, takes_ssl=True)
        username, password, location = login_of(policy)
        place, _, path = location.partition("/")
        return cls(
            hosts=",".join(map(_server, servers_of(policy, place, _EXAMPLE))),
            top=_joined(unquote(path)),
            root=_joined(unquote(path), settings_of(policy).get("group", "dubbo")),
            username=username,
            password=password,
            timeout_s=duration_ms(policy, "timeout", _TIMEOUT_MS) / 1000,
            session_s=duration_ms(policy, "session", _SESSION_MS) / 1000,
            ssl=policy.ssl,
            registers=flag(policy, "register", default=True),
        )

    @property
    def address(self) -> str:
        """What errors and the log call the registry."""
        return f"zookeeper://{self.hosts}{self.root}"


def _server(url: Url) -> str:
    return f"{bracketed(url.host)}:{url.port or _PORT}"


def _joined(*parts: str) -> str:
    names = [name for part in parts for name in part.split("/") if name]
    return "".join(f"/{name}" for name in names)
