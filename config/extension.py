"""Extension points: named implementations that any installed distribution may add.

Each is an entry-point group; our own implementations are declared the same way in ``setup.cfg`` and imported only when
a configuration names them.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

REGISTRY = "callahead.registry"
TRANSPORT = "callahead.transport"
LOADBALANCE = "callahead.loadbalance"
CLUSTER = "callahead.cluster"
INTERCEPTOR = "callahead.interceptor"

# More names than this do not help who mistyped one.
_MOST_NAMES = 10
# What others call ours.
_OTHER_NAMES = {"grpc": "tri", "grpcs": "tri", "triple": "tri"}


@cache
def _declared(group: str) -> dict[str, EntryPoint]:
    from importlib.metadata import entry_points  # a quarter of the time that an import of the consumer would take

    return {point.name: point for point in entry_points(group=group)}


def available(group: str) -> tuple[str, ...]:
    """Names that *group* offers in this environment, sorted."""
    return tuple(sorted(_declared(group)))


def nearest(name: str, names: Iterable[str]) -> str:
    """Phrase a hint for an unknown *name*: the nearest of *names* if one is near, else the first ten; "" for none."""
    known = sorted(names)
    other = _OTHER_NAMES.get(name)
    near = [other] if other in known else difflib.get_close_matches(name, known, n=1)
    if near:
        return f'did you mean "{near[0]}"?'
    more = f" and {len(known) - _MOST_NAMES} more" if len(known) > _MOST_NAMES else ""
    return f"known: {', '.join(known[:_MOST_NAMES])}{more}" if known else ""


def load(group: str, name: str) -> Any:
    """Import the implementation that *name* stands for in *group*.

    Raises:
        LookupError: *group* has no such name; the message ends with the nearest one.
        ImportError: The implementation needs a package that is not installed.
    """
    point = _declared(group).get(name)
    if point is None:
        kind = group.removeprefix("callahead.")
        raise LookupError(f'unknown {kind} "{name}"; {nearest(name, available(group))}')
    return point.load()


def load_object(path: str) -> Any:
    """Import ``package.module:name`` and return what *name* (dots allowed) stands for.

    Raises:
        LookupError: *path* is not of that form, or the module has no such name; the message says which.
        ImportError: The module cannot be imported.
    """
    module_name, colon, attributes = path.partition(":")
    if not (colon and module_name and attributes):
        raise LookupError(f'"{path}" is not of the form "package.module:name"')
    found: Any = import_module(module_name)
    for attribute in attributes.split("."):
        if not hasattr(found, attribute):
            hint = nearest(attribute, [name for name in dir(found) if not name.startswith("_")])
            raise LookupError(f'"{path}": {module_name} has no "{attribute}"' + (f"; {hint}" if hint else ""))
        found = getattr(found, attribute)
    return found
