"""Configuration: from YAML, or a mapping made in code, to immutable policies that know where each value was set.

Importing this package imports neither PyYAML nor pydantic; the first load does. All functions may be called from any
thread.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from .errors import CallaheadError, ConfigError, Problem
from .policy import (
    BatchPolicy,
    CallbackPolicy,
    ConsumerConfig,
    MethodPolicy,
    ReferencePolicy,
    RegistryPolicy,
    SslPolicy,
)

__all__ = [
    "BatchPolicy",
    "CallaheadError",
    "CallbackPolicy",
    "ConfigError",
    "ConsumerConfig",
    "MethodPolicy",
    "Problem",
    "ReferencePolicy",
    "RegistryPolicy",
    "SslPolicy",
    "json_schema",
    "load_file",
    "load_mapping",
    "load_text",
]


def load_file(path: str | os.PathLike[str]) -> ConsumerConfig:
    """Load the YAML file at *path*, which is UTF-8.

    ``${VAR}`` and ``${VAR:default}`` in values are replaced from the environment, ``$${`` stands for ``${``. A value
    that is one whole placeholder has the type that its text has in YAML, and is not set where the text is empty. Keys
    may be snake_case, kebab-case or camelCase. Root keys that begin with ``x-`` are skipped: a place for YAML anchors.
    Relative paths (``proto``, ``proto_path``, ``ssl``, the address ``file:providers.yml`` of a registry) start at the
    folder of the file.

    Raises:
        ConfigError: The file cannot be read or obeyed; it holds every problem of the file, by line.

    Source: the key names are Dubbo's; differs: nothing that cannot be obeyed is accepted.
    """
    from .load import load_file as load

    return load(path)


def load_text(text: str, source: str = "<text>") -> ConsumerConfig:
    """Load YAML *text* as `load_file` does; relative paths start at the current folder.

    Args:
        text: One YAML document.
        source: What errors and origins name as the file.

    Raises:
        ConfigError: As for `load_file`.
    """
    from .load import load_text as load

    return load(text, source)


def load_mapping(mapping: Mapping[str, Any], source: str = "<mapping>") -> ConsumerConfig:
    """Load a configuration made in code: what the same YAML would mean, but no line is known.

    A value of None is not set; tuples are lists, paths are text. Relative paths start at the current folder.

    Args:
        mapping: Shaped like the YAML, with the same keys, placeholders and durations.
        source: What errors and origins name as the file.

    Raises:
        ConfigError: As for `load_file`.
    """
    from .load import load_mapping as load

    return load(mapping, source)


def json_schema() -> dict[str, Any]:
    """Make a JSON Schema (draft 2020-12) of the configuration, for editors.

    It knows the keys in all three spellings, types and ranges; what spans two settings only a load finds.
    """
    from .check.schema import json_schema as make

    return make()
