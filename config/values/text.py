"""Conversion of one written text to what the policy holds: words, names of Python objects, addresses.

Each function takes what YAML gave, and returns the value or raises `Unfit`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final

from .quantity import Unfit, show, written_value

HESSIAN2: Final = "hessian2"

_DOTTED = r"[^\W\d]\w*(?:\.[^\W\d]\w*)*"
_MODULE = re.compile(_DOTTED)
_OBJECT = re.compile(f"{_DOTTED}:{_DOTTED}")
# A comma parts two addresses only where the next one says its protocol: a value in a query may hold commas.
_BETWEEN_URLS = re.compile(r"\s*(?:;|,(?=\s*[A-Za-z][\w+.-]*://))\s*")
_URL = re.compile(
    r"(?:[A-Za-z][\w+.-]*://)?(?:[^/?#]*@)?(?:\[[0-9A-Fa-f:.%\w]+\]|[^\s/?#@\[\]:]+)(?::([0-9]{1,5}))?(?:[/?].*)?"
)

# What a transport resolves by itself, such as dns:///host:port of gRPC.
_TARGET = re.compile(r"[A-Za-z][\w+.-]*:///[^\s?#@/]+|unix:///[^\s?#]+|unix-abstract:[^\s?#]+")
_UNIX = re.compile(r"unix:(?=/(?!/))")
_SCHEME = re.compile(r"([A-Za-z][\w+.-]*)://|(unix-abstract):")


def text(value: Any) -> str:
    """Convert text; a number or a truth value must be quoted, since ``1.10`` would lose its zero."""
    if isinstance(value, str):
        return str(value)
    written = written_value(value)
    hint = "write it in quotes" if isinstance(written, bool | int | float) else ""
    raise Unfit(f"must be text, not {show(written)}", hint)


def word(value: Any) -> str:
    """Convert text that is not empty and holds no white space."""
    written = text(value)
    if not written or written.split() != [written]:
        raise Unfit(f"must be one word, not {show(written)}")
    return written


def words(value: Any) -> tuple[str, ...]:
    """Convert a list of words, or one text with commas between them."""
    written = value.split(",") if isinstance(value, str) else written_value(value)
    if not isinstance(written, list | tuple):
        raise Unfit(f"must be a list, or one text with commas, not {show(written)}")
    return tuple(word(item.strip() if isinstance(item, str) else item) for item in written if item != "")


def places(value: Any) -> tuple[str, ...]:
    """Convert places of arguments from 0, or their names: one, a list, or one text with commas."""
    listed = value if isinstance(value, list | tuple) else [value]
    found = words([part for one in listed for part in (str(one) if type(one) is int else text(one)).split(",")])
    wrong = next((one for one in found if not (one.isdecimal() or one.isidentifier())), None)
    if wrong is not None or not found:
        what = "nothing" if wrong is None else show(wrong)
        raise Unfit(f"must be places of arguments from 0, or their names, not {what}", "such as 0 or 0,1")
    return found


def parameter(value: Any) -> str:
    """Convert the value of a free parameter to text; a truth value becomes ``true`` or ``false``."""
    if isinstance(value, bool | int | float):
        return show(value)
    return text(value)


def _name(form: str, *patterns: re.Pattern[str]) -> Callable[[Any], str]:
    """Make the conversion of a name of *form*, which fits one of *patterns*."""

    def convert(value: Any) -> str:
        written = text(value)
        if not any(pattern.fullmatch(written) for pattern in patterns):
            raise Unfit(f"must be {form}, not {show(written)}")
        return written

    return convert


module_path: Final = _name("the name of a module such as shop.foo_pb2", _MODULE)
stub_path: Final = _name("of the form package.module:Class", _MODULE, _OBJECT)
object_path: Final = _name("of the form package.module:Class", _OBJECT)
target_path: Final = _name("the name of a module, or of the form package.module:name", _MODULE, _OBJECT)
function_path: Final = _name("of the form package.module:function", _OBJECT)


def object_paths(value: Any) -> tuple[str, ...]:
    """Convert names of objects in modules, as a list or as one text with commas between them."""
    return tuple(map(object_path, words(value)))


def serialization(value: Any) -> str:
    """Convert the name of a serialization; there is one."""
    written = text(value)
    if written != HESSIAN2:
        raise Unfit(
            f"{show(written)} is not supported yet",
            f"write {HESSIAN2}, the only codec here, which Dubbo providers read by default",
        )
    return written


def one_of(*words: str) -> Callable[[Any], str]:
    """Make the conversion of one of *words*."""

    def convert(value: Any) -> str:
        written = text(value)
        if written not in words:
            raise Unfit(f"must be {', '.join(words[:-1])} or {words[-1]}, not {show(written)}")
        return written

    return convert


def is_object_path(written: str) -> bool:
    """Tell whether *written* is of the form ``package.module:name``."""
    return _OBJECT.fullmatch(written) is not None


def scheme_of(url: str) -> str:
    """Give the scheme of an address in lower case, "" where it has none."""
    match = _SCHEME.match(url)
    return "" if match is None else (match[1] or match[2]).lower()


def is_target(url: str) -> bool:
    """Tell whether an address is one that a transport resolves by itself, such as ``dns:///host:port``."""
    return ":///" in url or url.startswith("unix-abstract:")


def urls(value: Any) -> tuple[str, ...]:
    """Convert one or more provider addresses, as a list or as one text with ``;`` between them.

    That of a Unix socket becomes ``unix:///path``. What is wrong is said by position, never quoted: an address may
    hold a password.
    """
    written = value if isinstance(value, list) else [text(value)]
    parts = [part for item in written for part in _BETWEEN_URLS.split(text(item).strip()) if part]
    found = [_UNIX.sub("unix://", part) for part in parts]
    if not found:
        raise Unfit("has no address", "write one such as tri://127.0.0.1:50051")
    for number, url in enumerate(found, 1):
        if _TARGET.fullmatch(url):
            continue
        match = _URL.fullmatch(url)
        which = f"address {number} of {len(found)}" if len(found) > 1 else "the address"
        if url.startswith("unix:"):
            raise Unfit(f"{which} is not of the form unix:///path", "the path begins at the root, and has no spaces")
        if match is None:
            raise Unfit(f"{which} is not of the form protocol://host:port", "several are separated by ;")
        if match[1] is None:
            raise Unfit(f"{which} has no port", "write it like tri://127.0.0.1:50051")
        if not 1 <= int(match[1]) <= 65535:
            raise Unfit(f"{which} has port {match[1]}, which is not from 1 to 65535")
    return tuple(found)
