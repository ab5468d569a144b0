"""How a rule of Dubbo's compares a value with what it says of it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Final

from callahead.config.values.quantity import Unfit, show

_NUMBER: Final = re.compile(r"[0-9]{1,18}")
_NAME: Final = re.compile(r"[A-Za-z_][\w.-]*")
_PORT: Final = re.compile(r"[0-9]{1,5}")
_ANY_HOST: Final = ("*", "*.*.*.*", "0.0.0.0")  # noqa: S104 - nothing is bound to it


def fits(pattern: str, value: str, caller: Mapping[str, str] | None = None) -> bool:
    """Tell whether *value* is what *pattern* says.

    Args:
        pattern: A text with at most one ``*`` that counts, ``10~20`` for numbers, or ``$key`` for the caller's value.
        value: Of a call, a caller or a provider.
        caller: What ``$key`` refers to; None where it refers to nothing.

    Source: Dubbo's ``RangeValuePattern`` and ``UrlUtils.isMatchGlobPattern``; differs: ``10~`` is 10 and more.
    """
    if "~" in pattern:
        return _in_range(pattern, value)
    if caller is not None and pattern.startswith("$"):
        pattern = caller.get(pattern[1:], "")
    return like(pattern, value)


def like(pattern: str, value: str) -> bool:
    """Compare with the last ``*`` of *pattern* standing for anything; an empty text is like an empty one only."""
    if pattern == "*" or pattern == value:
        return True
    head, star, tail = pattern.rpartition("*")
    if not star or not value:
        return False
    return value.startswith(head) and value.endswith(tail)


def _in_range(pattern: str, value: str) -> bool:
    low, _, high = pattern.partition("~")
    number = int(value) if _NUMBER.fullmatch(value) else 0  # which is what Dubbo takes it for
    return (not low or number >= int(low)) and (not high or number <= int(high))


def check_pattern(pattern: str) -> None:
    """Refuse with `Unfit` a range that is none."""
    if "~" in pattern:
        ends = pattern.split("~")
        if len(ends) != 2 or not any(ends) or not all(_NUMBER.fullmatch(end) for end in ends if end):
            raise Unfit(f"{show(pattern)} is no range", "write 10~20, 10~ or ~20")


@dataclass(frozen=True, slots=True)
class AddressPattern:
    """What a rule says of addresses: ``10.0.0.1``, ``10.0.0.*:20880``, ``10.0.0.1-5``, ``10.0.0.0/8``, or a name.

    Source: Dubbo's ``NetUtils.matchIpExpression``; differs: loopback addresses are compared like others, and no name is
    looked up, so that a provider registered by its name is matched by that name alone.

    Attributes:
        text: As it was written, without its port.
        port: 0 for any.
        network: Of ``10.0.0.0/8``, else None.
        groups: Lowest and highest number of each group of an IP address; empty for a name, or for any host.
    """

    text: str
    port: int = 0
    network: IPv4Network | IPv6Network | None = None
    groups: tuple[tuple[int, int], ...] = ()

    @classmethod
    def parse(cls, written: str) -> AddressPattern:
        """Read one; raises `Unfit`."""
        text = written.strip()
        if "/" in text:
            return cls(text, network=_network(text))
        host, port = _host_and_port(text)
        return cls(host, port, groups=() if host in _ANY_HOST or _NAME.fullmatch(host) else _groups(host))

    def matches(self, host: str, port: int) -> bool:
        """Tell whether an address is one of those meant."""
        if self.port not in (0, port):
            return False
        if self.network is None and not self.groups:
            return self.text == host or self.text in _ANY_HOST[:2] or (self.text in _ANY_HOST and self.port > 0)
        return self._holds(host)

    def _holds(self, host: str) -> bool:
        try:
            address = ip_address(host)
        except ValueError:
            return False
        if self.network is not None:
            return address in self.network
        packed, size = address.packed, 1 if address.version == 4 else 2
        numbers = [int.from_bytes(packed[at : at + size]) for at in range(0, len(packed), size)]
        if len(numbers) != len(self.groups):
            return False
        return all(low <= number <= high for number, (low, high) in zip(numbers, self.groups, strict=True))


def _network(text: str) -> IPv4Network | IPv6Network:
    try:
        return ip_network(text, strict=False)
    except ValueError:
        raise Unfit(f"{show(text)} is no network", "write it like 10.0.0.0/8") from None


def _host_and_port(text: str) -> tuple[str, int]:
    host, colon, port = text, "", ""
    if text.startswith("["):
        host, closed, rest = text[1:].partition("]")
        host, colon, port = host if closed else "", rest[:1], rest[1:]
    elif text.count(":") == 1:
        host, colon, port = text.partition(":")
    if not host or (colon and not (_PORT.fullmatch(port) and 0 < int(port) <= 0xFFFF)):
        raise Unfit(f"{show(text)} is no address", "write it like 10.0.0.1, 10.0.0.*:20880 or [::1]:20880")
    return host, int(port) if colon else 0


def _groups(host: str) -> tuple[tuple[int, int], ...]:
    separator, count, base, most = (":", 8, 16, 0xFFFF) if ":" in host else (".", 4, 10, 0xFF)
    if "::" in host:
        host = _spelt_out(host)
    groups = tuple(_group(part, base, most) for part in host.split(separator))
    if len(groups) != count or None in groups:
        hint = "write it like 10.0.0.1, 10.0.0.* or 10.0.0.1-5, or a name"
        raise Unfit(f"{show(host)} is no address", hint)
    return tuple(group for group in groups if group is not None)


def _spelt_out(host: str) -> str:
    try:
        return ip_address(host).exploded
    except ValueError:
        return host


def _group(part: str, base: int, most: int) -> tuple[int, int] | None:
    if part == "*":
        return 0, most
    low, dash, high = part.partition("-")
    try:
        return int(low, base), int(high if dash else low, base)
    except ValueError:
        return None
