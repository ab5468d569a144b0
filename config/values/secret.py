"""What is shown of a URL or a setting that may hold a secret; the one place that decides it.

Rather too much is hidden than too little: what is shown goes to terminals and logs, where it stays.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import unquote

MASK: Final = "***"

_SECRET = re.compile(
    r"passw(or)?d|passphrase|pwd|secret|token|credential|authorization|signature|(api|access|private)key", re.IGNORECASE
)
_BETWEEN_WORDS = re.compile(r"[-_.\s]")
# Names begin behind what parts a URL; one without a "?" before it may be of a URL that is written wrong.
_PARAMETER = re.compile(r"(?<![^=&?#;,\s/])([^=&?#;,\s/]++)=([^&]*)")
_MOST_LAYERS = 4


def is_secret(name: str) -> bool:
    """Tell whether a setting or parameter of that *name* is not to be shown, however it is spelled or escaped."""
    return _SECRET.search(_BETWEEN_WORDS.sub("", _plain(name))) is not None


def masked(text: str) -> str:
    """Hide what may be a secret in *text*, a URL that perhaps cannot be parsed: user, password, and parameters."""
    return _masked(text, _MOST_LAYERS)


def masked_value(name: str, value: str) -> str:
    """Give what is shown of *value*, which the setting or parameter *name* has; it may be a URL itself."""
    return _masked_value(name, value, _MOST_LAYERS)


def shown_value(name: str, value: Any) -> Any:
    """Give what is shown of *value*, which may be a mapping or a list that holds secrets."""
    if isinstance(value, Mapping):
        return {key: shown_value(key, one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [shown_value(name, one) for one in value]
    if isinstance(value, str):
        return masked_value(name, value)
    return MASK if value is not None and is_secret(name) else value


def _masked(text: str, layers: int) -> str:
    scheme, found, rest = text.partition("://")
    user, at, place = (rest if found else text).rpartition("@")
    before = f"{MASK if '@' in scheme else scheme}{found}" if found else ""
    shown = f"{before}{MASK}@{place}" if at and user else before + rest if found else text
    return _PARAMETER.sub(lambda match: f"{match[1]}={_masked_value(match[1], match[2], layers)}", shown)


def _masked_value(name: str, value: str, layers: int) -> str:
    if is_secret(name) or not layers:
        return MASK
    plain = _plain(value)
    is_url = "://" in plain or "=" in plain or ":" in plain.rpartition("@")[0]
    return MASK if is_url and _masked(plain, layers - 1) != plain else value


def _plain(text: str) -> str:
    """Undo percent-escapes, one within the other too."""
    for _ in range(_MOST_LAYERS):
        if "%" not in text:
            break
        text = unquote(text)
    return text
