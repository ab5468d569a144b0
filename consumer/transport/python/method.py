"""One method of a client."""

from __future__ import annotations

import contextvars
from collections.abc import Mapping
from typing import Any

from ...call.attempt import Attempt
from ...call.invocation import Done
from .pool import BoundedPool
from .task import Arguments, Task


class PythonMethod:
    """Calls one method of a client on a thread of the pool; a `MethodTransport`."""

    __slots__ = ("_pool", "name")

    is_streaming = is_upload = False

    def __init__(self, name: str, pool: BoundedPool) -> None:
        self.name = name
        self._pool = pool

    def encode(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Arguments:
        """Keep the arguments as they are, with the context that the method is to run in."""
        return args, kwargs, contextvars.copy_context()

    def send(self, attempt: Attempt, done: Done) -> None:
        """Queue an attempt; it is sent once a thread begins it; see `MethodTransport.send`."""
        task = Task(self.name, attempt, done, self._pool)
        attempt.carried_by(task)
        refusal = self._pool.put(task)
        if refusal is not None:
            task.refuse(refusal)

    def stream(self, attempt: Attempt) -> Any:
        """Refuse: nothing here streams."""
        raise NotImplementedError(f"{attempt} cannot be a stream: a method of this process answers once")
