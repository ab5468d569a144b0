"""What an embedded provider does in place of, or before, its functions."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import grpc

from callahead.config.errors import ConfigError
from callahead.config.extension import nearest
from callahead.config.values.quantity import Unfit, duration_ms

from ..codec.hessian2 import JavaThrowable
from ..errors import RemoteError, RpcError
from .mistake import wrong

STATUSES = frozenset(code.name for code in grpc.StatusCode) - {"OK"}
NO_ANSWER = object()
SCRIPTED = "scripted"

Code = str | int | grpc.StatusCode
Error = Code | tuple[Code, str] | BaseException | JavaThrowable


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What becomes of one call: first the delay, then the hang, the error, the answer or, by default, the function.

    Attributes:
        delay_s: Seconds before anything else happens.
        hang: Nothing else ever happens.
        error: Raised in place of the function, or None.
        answer: Given in place of the function's, or `NO_ANSWER`.
    """

    delay_s: float = 0.0
    hang: bool = False
    error: BaseException | None = None
    answer: Any = NO_ANSWER

    @property
    def holds(self) -> bool:
        """The call waits, so a thread should not."""
        return self.hang or self.delay_s > 0


PLAIN = Step()


class Script:
    """The steps of one method, used up in the order in which they were given; thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._steps: list[tuple[Step, int | None]] = []

    def add(self, step: Step, times: int | None) -> None:
        """Put *step* behind the others, for *times* calls or, with None, for all that follow until one is added."""
        with self._lock:
            self._steps = [*(kept for kept in self._steps if kept[1] is not None), (step, times)]

    def clear(self) -> None:
        """Forget every step."""
        with self._lock:
            self._steps = []

    def next(self) -> Step:
        """Take the step of the next call."""
        if not self._steps:  # most methods have none, and reading one reference needs no lock
            return PLAIN
        with self._lock:
            if not self._steps:
                return PLAIN
            step, times = self._steps[0]
            if times is not None:
                self._steps = [(step, times - 1), *self._steps[1:]] if times > 1 else self._steps[1:]
            return step


def make_step(
    delay: float | str,
    error: Error | None,
    hang: bool,
    answer: Any,
    to_error: Callable[[Error], BaseException],
) -> Step:
    """Check what a test asked for.

    Args:
        delay: As `EmbeddedProvider.script` takes it, and so the next three.
        error: What *to_error* turns into an exception.
        hang: No answer ever.
        answer: In place of the function's.
        to_error: `make_error`, or that of another protocol.

    Raises:
        ConfigError: *delay* is no duration, *error* means nothing, or two things are asked of one call.
    """
    asked = [
        name for name, on in (("error", error is not None), ("hang", hang), ("answer", answer is not NO_ANSWER)) if on
    ]
    if len(asked) > 1:
        raise wrong(f"one call cannot have both {asked[0]} and {asked[1]}")
    try:
        delay_s = duration_ms(0)(delay) / 1000
    except Unfit as unfit:
        raise wrong(f"delay {unfit}", unfit.hint) from None
    made = None if error is None else to_error(error)
    return Step(delay_s=delay_s, hang=hang, error=made, answer=answer)


def make_error(error: Error) -> BaseException:
    """Make the exception that ends a call as *error* says: an exception, a status, or a status and a message."""
    if isinstance(error, BaseException):
        return error
    code, message = error if isinstance(error, tuple) else (error, SCRIPTED)
    name = code.name if isinstance(code, grpc.StatusCode) else str(code)
    if name not in STATUSES:
        raise wrong(f'"{name}" is no gRPC error status', nearest(name, STATUSES))
    made = RemoteError(message, status=name)
    made.status_text = message  # whole, where an error's message is cut
    return made


def status_of(error: BaseException) -> tuple[grpc.StatusCode, str]:
    """Say as which status and message *error* reaches the client; an error of no known status is UNKNOWN."""
    if isinstance(error, RpcError):
        name = error.status if error.status in STATUSES else getattr(error, "type_name", "")
        return grpc.StatusCode[
            name
        ] if name in STATUSES else grpc.StatusCode.UNKNOWN, error.status_text or error.message
    return grpc.StatusCode.UNKNOWN, f"{type(error).__name__}: {error}"


def of_provider(error: ConfigError) -> ConfigError:
    """Make, of the error of a reference with the same types, that of the provider."""
    problems = [
        dataclasses.replace(problem, file="EmbeddedProvider", key=problem.key.rpartition(".")[2])
        for problem in error.problems
    ]
    return ConfigError(problems)
