"""The Dubbo URL: ``protocol://[user[:password]@]host[:port][/path][?key=value&<method>.<key>=value]``.

Source: Dubbo ``URL``, ``URLStrParser`` and ``UrlUtils``. Differs: parts are percent-decoded one by one (RFC 3986), a
parameter without ``=`` is the empty text, and secrets do not show in ``str()``, ``repr()`` or an error.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import IPv6Address
from types import MappingProxyType
from urllib.parse import quote, unquote

from callahead.config.values.secret import MASK, masked, masked_value

from .errors import ProviderDataError
from .models import ANY, MAX_WEIGHT, Endpoint, ServiceKey

DEFAULT_WEIGHT = 100
MAX_CHARACTERS = 64 * 1024
"""More than that no URL has: one with hundreds of methods has some ten thousand."""

_PROTOCOL = re.compile(r"[a-z][a-z0-9+._-]*")
_NAME = re.compile(r"[^\s/?#@\[\]:,;%&=\\]+")
_SCOPED = re.compile(r"[0-9A-Fa-f:.]+(?:%[A-Za-z0-9._~-]+)?")
_PORT = re.compile(r"[0-9]{1,5}")
_NUMBER = re.compile(r"[0-9]{1,9}")
_UNWRITABLE = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")
_SEPARATOR = re.compile(r";|,(?=\s*[A-Za-z][\w+.-]*://)")
_JAVA_IPV6_COLONS = 8
_LONGEST_HOST = 255
_SHOWN = 100
# A ":" in a path and a "/" in a value are escaped, so that no part of a URL looks like the next URL of a list.
_PATH_SAFE = "/@!$&'()*+,=~"
_VALUE_SAFE = ":@!$'()*,~"
# What else a registry may hold beside providers; older Dubbo writes some of these without a category.
_NOT_PROVIDERS = frozenset({"absent", "consumer", "empty", "override", "route"})


def _nothing() -> Mapping[str, str]:
    return MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Url:
    """One address with its parameters, every part decoded.

    ``str()`` and ``repr()`` mask user, password and each parameter whose name speaks of a secret; `format` does not.

    Attributes:
        protocol: Lower case.
        username: "" where the URL has none.
        password: "" where the URL has none.
        host: Name or address, IPv6 without brackets; "" where the URL has none, as in ``file:///providers.yml``.
        port: 1..65535, or 0 where the URL has none.
        path: Without its first slash.
        parameters: In the order written; of a key written twice the last value, as in Dubbo.

    Raises:
        ValueError: A part cannot stand in a URL.
    """

    protocol: str
    username: str = ""
    password: str = ""
    host: str = ""
    port: int = 0
    path: str = ""
    parameters: Mapping[str, str] = field(default_factory=_nothing, hash=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "parameters", MappingProxyType(dict(self.parameters)))
        problem = _problem(self)
        if problem:
            raise ValueError(problem)

    @classmethod
    def parse(cls, text: str, *, default_protocol: str | None = None) -> Url:
        """Read one URL; *default_protocol* is taken where the text has none.

        Raises:
            ProviderDataError: The text is not a URL; the message quotes it, masked, and says what is wrong.
        """
        text = text.strip()
        if len(text) > MAX_CHARACTERS:  # of which no part is shown: what is cut off may be what tells a secret
            raise ProviderDataError(f"a URL has {len(text)} characters, and may have {MAX_CHARACTERS}")
        head, _, query = text.partition("?")
        protocol, found, rest = head.partition("://")
        if not found:
            if default_protocol is None:
                problem = "it has no protocol; write it like tri://host:port"
                raise ProviderDataError(f'"{masked(text)}": {problem}')
            protocol, rest = default_protocol, head
        authority, _, path = rest.partition("/")
        userinfo, _, location = authority.rpartition("@")
        username, _, password = userinfo.partition(":")
        try:
            host, port = _host_and_port(location)
            return cls(
                protocol=protocol.lower(),
                username=_decode(username),
                password=_decode(password),
                host=host,
                port=port,
                path=_decode(path),
                parameters=_parameters(query),
            )
        except ValueError as error:
            raise ProviderDataError(f'"{masked(text)}": {error}') from None

    def format(self) -> str:
        """Write the URL with every secret in it, so that `parse` gives an equal one."""
        return self._written(mask=False)

    def parameter(self, key: str, default: str = "", *, method: str = "") -> str:
        """Look *key* up as ``<method>.<key>``, then ``<key>``, then ``default.<key>`` (providers of Dubbo 2.6)."""
        names = (f"{method}.{key}",) if method else ()
        for name in (*names, key, f"default.{key}"):
            if name in self.parameters:
                return self.parameters[name]
        return default

    @property
    def service(self) -> ServiceKey:
        """What is served there: the ``interface`` parameter, else the path, else any interface."""
        interface = self.parameter("interface") or self.path or ANY
        return ServiceKey(interface, self.parameter("group"), self.parameter("version"))

    def __str__(self) -> str:
        return self._written(mask=True)

    def __repr__(self) -> str:
        return f"<Url {self}>"

    def _written(self, *, mask: bool) -> str:
        host = f"[{self.host.replace('%', '%25')}]" if ":" in self.host else self.host
        port = f":{self.port}" if self.port else ""
        path = f"/{quote(self.path, safe=_PATH_SAFE)}" if self.path else ""
        query = "&".join(
            f"{_quoted(key)}={_shown(key, value) if mask else _quoted(value)}" for key, value in self.parameters.items()
        )
        return f"{self.protocol}://{self._user(mask)}{host}{port}{path}{'?' if query else ''}{query}"

    def _user(self, mask: bool) -> str:
        if not (self.username or self.password):
            return ""
        password = f":{quote(self.password, safe='')}" if self.password else ""
        return f"{MASK if mask else quote(self.username, safe='') + password}@"


def parse_urls(text: str, *, default_protocol: str | None = None) -> tuple[Url, ...]:
    """Read one or more URLs, separated by ``;``, or by ``,`` before the next ``protocol://``.

    Raises:
        ProviderDataError: One of them is not a URL, or there is none.
    """
    parts = [part for part in map(str.strip, _SEPARATOR.split(text)) if part]
    if not parts:
        raise ProviderDataError("there is no URL where one or more are expected")
    return tuple(Url.parse(part, default_protocol=default_protocol) for part in parts)


def matches(url: Url, key: ServiceKey) -> bool:
    """Tell whether *url* is of a provider, switched on, of what *key* asks for."""
    return is_provider(url) and key.accepts(url.service)


def is_provider(url: Url) -> bool:
    """Tell whether *url* is of a provider and not switched off by ``enabled=false`` or ``disabled=true``."""
    return (
        url.protocol not in _NOT_PROVIDERS
        and url.parameter("category", "providers") == "providers"
        and url.parameter("enabled", "true").lower() != "false"
        and url.parameter("disabled", "false").lower() != "true"
    )


def endpoint_of(url: Url) -> Endpoint | None:
    """Make the endpoint that *url* describes, or None where it is not of a provider or is switched off.

    Raises:
        ProviderDataError: The URL has no host or port, or its weight is not a whole number in 0..10000.
    """
    if not is_provider(url):
        return None
    if not url.host or not url.port:
        raise ProviderDataError(
            f'"{url}": it has no {"port" if url.host else "host"}; write {url.protocol}://host:port'
        )
    return Endpoint(
        protocol=url.protocol,
        host=url.host,
        port=url.port,
        path=url.path,
        weight=_weight_in(url),
        parameters=url.parameters,
    )


def weight_of(text: str) -> int:
    """Read a weight.

    Raises:
        ValueError: It is not a whole number in 0..10000.
    """
    if not _NUMBER.fullmatch(text) or int(text) > MAX_WEIGHT:
        raise ValueError(f'the weight "{text[:_SHOWN]}" is not a whole number in 0..{MAX_WEIGHT}')
    return int(text)


def _weight_in(url: Url) -> int:
    try:
        return weight_of(url.parameter("weight", str(DEFAULT_WEIGHT)))
    except ValueError as error:
        raise ProviderDataError(f'"{url}": {error}') from None


def _shown(key: str, value: str) -> str:
    return MASK if masked_value(key, value) == MASK else _quoted(value)


def _quoted(text: str) -> str:
    return quote(text, safe=_VALUE_SAFE)


def _decode(text: str) -> str:
    try:
        return unquote(text, errors="strict")
    except UnicodeDecodeError:
        raise ValueError("its percent-escapes are not UTF-8") from None


def _parameters(query: str) -> dict[str, str]:
    pairs = (part.partition("=") for part in query.split("&") if part)
    return {_decode(key): _decode(value) for key, _, value in pairs}


# No part is quoted in what follows: with a stray "/" or "@" the port may be a piece of a password.
def _host_and_port(location: str) -> tuple[str, int]:
    if location.startswith("["):
        host, closed, rest = _decode(location[1:]).partition("]")
        if not closed or (rest and not rest.startswith(":")):
            raise ValueError("its IPv6 host is not written like [::1]:20880")
        return host, _port(rest[1:]) if rest else 0
    if location.count(":") == _JAVA_IPV6_COLONS:  # Java writes an IPv6 address in full and without brackets
        host, _, port = location.rpartition(":")
        return host, _port(port)
    host, colon, port = location.partition(":")
    if "," in location:
        raise ValueError("its host is a list; write each address as a URL of its own, separated by ;")
    if ":" in port:
        raise ValueError("its IPv6 host is not written like [::1]:20880")
    return host, _port(port) if colon else 0


def _port(text: str) -> int:
    if not _PORT.fullmatch(text) or int(text) == 0:
        raise ValueError("its port is not a number in 1..65535")
    return int(text)


def _problem(url: Url) -> str:
    """Say what keeps *url* from being written and read back, "" for nothing."""
    texts = (url.username, url.password, url.path, *url.parameters, *url.parameters.values())
    if not _PROTOCOL.fullmatch(url.protocol):
        return "its protocol is not a lower-case name such as tri"
    if not 0 <= url.port <= 0xFFFF:
        return "its port is not a number in 1..65535"
    if any(map(_UNWRITABLE.search, texts)):
        return "it holds a control character or half a surrogate pair"
    if "" in url.parameters:
        return "it has a parameter without a name"
    return _host_problem(url)


def _host_problem(url: Url) -> str:
    if not url.host:
        return "it has no host" if url.port or url.username or url.password else ""
    if len(url.host) > _LONGEST_HOST:
        return f"its host has {len(url.host)} characters, and a host has at most {_LONGEST_HOST}"
    if ":" in url.host:
        return "" if _SCOPED.fullmatch(url.host) and _is_ipv6(url.host) else "its host is not an IPv6 address"
    return "" if _NAME.fullmatch(url.host) else "its host holds a character that no host has"


def _is_ipv6(host: str) -> bool:
    try:
        IPv6Address(host)
    except ValueError:
        return False
    return True
