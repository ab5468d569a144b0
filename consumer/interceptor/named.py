"""Functions of the user's that settings name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from callahead.config.extension import load_object
from callahead.config.policy import MethodPolicy


def named_function(policy: MethodPolicy, key: str, path: str) -> Callable[..., Any]:
    """Import the function that the setting *key* of *policy* names as *path*, ``module:function``.

    Raises:
        ConfigError: There is none, or its module raises; at the line of the setting.
    """
    try:
        function = load_object(path)
    except (LookupError, ImportError) as error:
        raise policy.error(key, str(error)) from error
    except Exception as error:  # the user's module runs, so anything may come out of it
        raise policy.error(key, f'cannot import "{path}": {type(error).__name__}: {error}') from error
    if not callable(function):
        raise policy.error(key, f'"{path}" is {type(function).__name__}, which cannot be called')
    return function  # type: ignore[no-any-return]
