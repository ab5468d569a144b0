"""What the address and the parameters of a ``dns`` registry say."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from callahead.config.policy import RegistryPolicy
from callahead.config.values.secret import masked

from ..errors import ProviderDataError
from ..settings import duration_ms, flag, location_of, reject_unknown, settings_of
from ..url import Url

_KNOWN = ("empty_protection", "family", "protocol", "refresh", "server", "timeout")
_FAMILIES = ("any", "ipv4", "ipv6")
_EXAMPLE = "write it like dns://shop.default.svc.cluster.local:50051, or dns://_grpc._tcp.shop.internal for SRV records"
_DNS_PORT = 53
_REFRESH_MS = 5_000
_TIMEOUT_MS = 2_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Which name to look up, and how.

    Attributes:
        name: Without a dot at its end.
        port: Of the providers; 0 where SRV records tell it.
        protocol: That they speak.
        family: ``ipv4``, ``ipv6`` or ``any``.
        server: Host and port of the name server to ask; None for those of the system.
        refresh_s: Longest time between two looks; a shorter ttl shortens it.
        timeout_s: Longest time of one look.
        protects: An empty answer after one with providers is not taken.
    """

    name: str
    port: int
    protocol: str
    family: str
    server: tuple[str, int] | None
    refresh_s: float
    timeout_s: float
    protects: bool

    @classmethod
    def of(cls, policy: RegistryPolicy) -> Self:
        """Read those of *policy*.

        Raises:
            ConfigError: The address names no host and port, or a setting is unknown or wrong.
        """
        reject_unknown(policy, _KNOWN)
        given = settings_of(policy)
        url = _parsed(policy, "address", location_of(policy))
        is_service = url.host.startswith("_")
        if not url.host or (not url.port and not is_service):
            problem = "names no port" if url.host else "names no host"
            raise policy.error("address", f'"{masked(policy.address)}" {problem}', _EXAMPLE)
        family = given.get("family", "any")
        if family not in _FAMILIES:
            raise policy.error("family", f'must be {", ".join(_FAMILIES[:-1])} or {_FAMILIES[-1]}, not "{family}"')
        server = _parsed(policy, "server", given["server"]) if "server" in given else None
        return cls(
            name=url.host.rstrip("."),
            port=0 if is_service else url.port,
            protocol=given.get("protocol", "tri"),
            family=family,
            server=None if server is None else (server.host, server.port or _DNS_PORT),
            refresh_s=duration_ms(policy, "refresh", _REFRESH_MS) / 1000,
            timeout_s=duration_ms(policy, "timeout", _TIMEOUT_MS) / 1000,
            protects=flag(policy, "empty_protection", default=True),
        )

    @property
    def is_service(self) -> bool:
        """SRV records are asked for."""
        return not self.port

    def __str__(self) -> str:
        return f"dns://{self.name}:{self.port}" if self.port else f"dns://{self.name}"


def _parsed(policy: RegistryPolicy, setting: str, text: str) -> Url:
    try:
        return Url.parse(f"dns://{text}")
    except ProviderDataError as error:
        raise policy.error(setting, str(error), _EXAMPLE if setting == "address" else "write host:port") from None
