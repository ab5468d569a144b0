"""Reading what the YAML says of a registry, with errors that name the line."""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import parse_qsl, unquote

from callahead.config.errors import ConfigError
from callahead.config.extension import nearest
from callahead.config.policy import RegistryPolicy
from callahead.config.values import quantity
from callahead.config.values.secret import masked

from .errors import ProviderDataError
from .url import Url


def scheme_of(policy: RegistryPolicy) -> str:
    """Take the scheme of the address, which names the kind of registry.

    Raises:
        ConfigError: The address has none.
    """
    scheme, colon, _ = policy.address.partition(":")
    if not (colon and re.fullmatch(r"[A-Za-z][A-Za-z0-9+_-]*", scheme)):
        text = f'the address "{masked(policy.address)}" has no scheme'
        raise policy.error("address", text, "write it like file:providers.yml or memory://name")
    return scheme.lower()


def location_of(policy: RegistryPolicy) -> str:
    """Take what stands between the scheme and the query of the address: for ``memory://shop`` that is ``shop``."""
    return policy.address.partition(":")[2].removeprefix("//").partition("?")[0]


def named_at(policy: RegistryPolicy) -> str:
    """Say, for the end of a message, which line of the YAML names the registry; "" where none does."""
    line = policy.origins.get("address", "")
    return f" (registries.{policy.id}.address, {line})" if line else ""


def login_of(policy: RegistryPolicy) -> tuple[str, str, str]:
    """Take user and password from the settings, else from the address, and give what stands behind them there, too.

    They are "" where nobody logs in.
    """
    given = settings_of(policy)
    user, _, place = location_of(policy).rpartition("@")
    username, _, password = user.partition(":")
    return given.get("username", unquote(username)), given.get("password", unquote(password)), place


def servers_of(policy: RegistryPolicy, place: str, example: str) -> list[Url]:
    """Read the servers of *place*, a part of the address, and of ``backup``; *example* shows how to write an address.

    Raises:
        ConfigError: It names none, or what is no host and port.
    """
    texts = f"{place},{settings_of(policy).get('backup', '')}".split(",")
    try:
        urls = [Url.parse(f"{scheme_of(policy)}://{text.strip()}") for text in texts if text.strip()]
    except ProviderDataError as error:
        raise policy.error("address", str(error), example) from None
    if not urls or not all(url.host for url in urls):
        raise policy.error("address", f'"{masked(policy.address)}" names no server', example)
    return urls


def settings_of(policy: RegistryPolicy) -> dict[str, str]:
    """Join the query of the address with the YAML's ``parameters``, which win."""
    return {**dict(parse_qsl(policy.address.partition("?")[2], keep_blank_values=True)), **policy.parameters}


def reject_unknown(policy: RegistryPolicy, known: Iterable[str], *, takes_ssl: bool = False) -> None:
    """Refuse every setting that a registry of this kind does not obey.

    Raises:
        ConfigError: There is one; all of them are reported.
    """
    names = tuple(known)
    text = f"a {scheme_of(policy)} registry has no setting"
    unknown = [key for key in settings_of(policy) if key not in names]
    errors = [policy.error(key, f'{text} "{key}"', nearest(key, names)) for key in unknown]
    if policy.ssl is not None and not takes_ssl:
        errors.append(policy.error("ssl", f'{text} "ssl"', "remove it"))
    if errors:
        raise ConfigError([problem for error in errors for problem in error.problems])


def duration_ms(policy: RegistryPolicy, key: str, default_ms: int) -> int:
    """Read a duration > 0 in whole milliseconds: a bare number of them, ``50ms`` or ``1.5s``.

    Raises:
        ConfigError: It is none.
    """
    text = settings_of(policy).get(key)
    if text is None:
        return default_ms
    try:
        return quantity.duration_ms(1)(int(text) if text.isdecimal() else text)
    except quantity.Unfit as error:
        which = "" if key in policy.parameters else f"{key} "  # one of the address has no key of its own
        raise policy.error(key, f"{which}{error}", error.hint) from error


def flag(policy: RegistryPolicy, key: str, *, default: bool) -> bool:
    """Read ``true`` or ``false``.

    Raises:
        ConfigError: It is neither.
    """
    text = settings_of(policy).get(key)
    if text is None:
        return default
    if text.lower() not in {"true", "false"}:
        which = "" if key in policy.parameters else f"{key} "
        raise policy.error(key, f'{which}"{text}" is neither true nor false')
    return text.lower() == "true"
