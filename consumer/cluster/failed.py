"""Which ends of an attempt are failures, and what several of them add up to."""

from __future__ import annotations

from collections.abc import Sequence

from callahead.config.policy import MethodPolicy

from ..call.invocation import Invocation, Outcome
from ..errors import AllAttemptsFailed, CallTimeout, ConsumerClosed, RemoteError, RpcError
from .api import ClusterParts
from .retry import is_listed

# A message that shows more attempts than these, or more of one's own text, is not read. A reason says first what
# happened, and last which line of which file set it: what is cut lies between.
_SHOWN = 6
_REASON_START = 120
_REASON_END = 180


def has_failed(outcome: Outcome, policy: MethodPolicy) -> bool:
    """Tell whether *outcome* is a failure of the attempt, and no answer, not even the method's own error.

    A cancellation and a closed consumer are neither, for no other provider could do better.
    """
    error = outcome.error
    if isinstance(error, RpcError) and not isinstance(error, RemoteError | ConsumerClosed):
        return True
    return error is not None and is_listed(error, policy)


def sum_up(
    parts: ClusterParts, invocation: Invocation, causes: Sequence[BaseException], head: str = ""
) -> BaseException:
    """Make one error of *causes*, the failures of a call's attempts, of which the last came last.

    A single one is handed up as it is, unless there is a *head* of the message; so is the exception of a client in this
    process, with a note.
    """
    last = causes[-1]
    if len(causes) == 1 and not head:
        return last
    if not isinstance(last, RpcError):
        last.add_note(f"{invocation.record.name} was tried {len(causes)} times")
        return last
    return _all_failed(parts, invocation, [_as_ours(cause) for cause in causes], last, head)


def _all_failed(
    parts: ClusterParts, invocation: Invocation, failures: Sequence[RpcError], last: RpcError, head: str
) -> AllAttemptsFailed:
    error = AllAttemptsFailed(
        f"{head or _head(parts, invocation, failures, last)}: {_listed(failures)}",
        failures=failures,
        is_remote=last.is_remote,
        not_sent=all(failure.not_sent for failure in failures) and not head,
        in_doubt=bool(head) or any(failure.in_doubt for failure in failures),
        status=last.status,
    )
    error.reference, error.method, error.endpoint = invocation.policy.reference, invocation.method, last.endpoint
    error.attempt = len(failures)
    error.elapsed_ms = (parts.clock() - invocation.record.started) * 1000
    error.__cause__ = last
    return error


def _head(parts: ClusterParts, invocation: Invocation, failures: Sequence[RpcError], last: RpcError) -> str:
    asked = {failure.endpoint for failure in failures if failure.endpoint}
    why = " by the deadline" if isinstance(last, CallTimeout) and invocation.deadline.remaining() <= 0 else ""
    return f"all {len(failures)} attempts failed{why}, at {len(asked)} of {len(parts.directory.providers)} providers"


def _listed(failures: Sequence[RpcError]) -> str:
    """List each attempt with its provider and reason, but of very many the first ones and the last."""
    lines = [f"{place}. {_line(failure)}" for place, failure in enumerate(failures, 1)]
    if len(lines) > _SHOWN:
        lines[_SHOWN - 1 : -1] = [f"{len(lines) - _SHOWN} more"]
    return "; ".join(lines)


def _line(failure: RpcError) -> str:
    text = failure.message
    is_short = len(text) <= _REASON_START + _REASON_END
    reason = text if is_short else f"{text[: _REASON_START - 3]}...{text[-_REASON_END:]}"
    return f"{failure.endpoint}: {reason}" if failure.endpoint else reason


def _as_ours(error: BaseException) -> RpcError:
    """Return *error*, or for the exception of a client in this process one of ours that stands for it."""
    if isinstance(error, RpcError):
        return error
    kind = type(error)
    told = RemoteError(f"{kind.__name__}: {error}", type_name=f"{kind.__module__}:{kind.__qualname__}")
    told.__cause__ = error
    return told
