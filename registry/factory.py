"""From the address in a configuration to the registry that it means."""

from __future__ import annotations

from importlib.metadata import entry_points

from callahead.config.extension import REGISTRY, load
from callahead.config.policy import RegistryPolicy

from .api import Registry
from .settings import scheme_of


def open_registry(policy: RegistryPolicy) -> Registry:
    """Make the registry of *policy*; nothing is read or connected to before the first subscription.

    The scheme of the address is the name of an entry point in the group ``callahead.registry``, which is called with
    the policy.

    Raises:
        ConfigError: The scheme is unknown, the package behind it is not installed, or a setting is wrong; the message
            names the registry and the line.
    """
    scheme = scheme_of(policy)
    try:
        kind = load(REGISTRY, scheme)
    except LookupError as error:
        text, _, hint = str(error.args[0]).partition("; ")
        raise policy.error("address", text, hint) from None
    except ImportError as error:
        raise policy.error("address", f"a {scheme} registry cannot be loaded: {error}", _extra(scheme)) from error
    registry: Registry = kind(policy)
    return registry


def _extra(scheme: str) -> str:
    """Name the extra to install, where the distribution that offers *scheme* has one of that name."""
    for point in entry_points(group=REGISTRY, name=scheme):
        if point.dist is not None and scheme in (point.dist.metadata.get_all("Provides-Extra") or ()):
            return f'pip install "{point.dist.name}[{scheme}]"'
    return "install the package that it names"
