"""What a test may tell an embedded provider to do, and what it must not."""

from __future__ import annotations

from typing import Any

import grpc
import pytest

from callahead.config.errors import ConfigError
from callahead.consumer.errors import RemoteError, RpcError
from callahead.consumer.testing.script import NO_ANSWER, PLAIN, Script, Step, make_error, make_step, status_of


def step(delay: float) -> Step:
    return Step(delay_s=delay)


def test_a_method_without_a_script_runs_its_function() -> None:
    """Nothing said means nothing changed."""
    assert Script().next() == PLAIN
    assert not PLAIN.holds


def test_steps_are_used_up_in_order() -> None:
    """Each step lasts for its number of calls; after them the function runs again."""
    script = Script()
    script.add(step(1), 2)
    script.add(step(2), 1)
    assert [script.next().delay_s for _ in range(4)] == [1, 1, 2, 0]


def test_a_step_without_a_count_lasts_until_another_is_said() -> None:
    """What is said last for good wins, and one-off steps before it come first."""
    script = Script()
    script.add(step(1), None)
    assert [script.next().delay_s for _ in range(2)] == [1, 1]
    script.add(step(2), 1)
    script.add(step(3), None)
    assert [script.next().delay_s for _ in range(3)] == [2, 3, 3]


def test_clear_forgets_everything() -> None:
    """The function runs again."""
    script = Script()
    script.add(step(1), None)
    script.clear()
    assert script.next() == PLAIN


@pytest.mark.parametrize(("delay", "seconds"), [(0, 0), (50, 0.05), ("50ms", 0.05), ("1.5s", 1.5)])
def test_delays_are_durations(delay: Any, seconds: float) -> None:
    """A bare number is milliseconds, as everywhere."""
    assert make_step(delay, None, False, NO_ANSWER, make_error).delay_s == seconds


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ((-1, None, False, NO_ANSWER), "EmbeddedProvider: delay must be from 0 to 2147483647 ms, not -1 ms"),
        (
            (0, "UNAVAILBLE", False, NO_ANSWER),
            'EmbeddedProvider: "UNAVAILBLE" is no gRPC error status (did you mean "UNAVAILABLE"?)',
        ),
        ((0, "OK", False, NO_ANSWER), 'EmbeddedProvider: "OK" is no gRPC error status'),
        ((0, "ABORTED", True, NO_ANSWER), "EmbeddedProvider: one call cannot have both error and hang"),
        ((0, None, True, 1), "EmbeddedProvider: one call cannot have both hang and answer"),
    ],
)
def test_what_makes_no_sense_is_refused(arguments: Any, text: str) -> None:
    """A test that asks for the impossible is told at once, not by a strange call later."""
    with pytest.raises(ConfigError) as caught:
        make_step(*arguments, make_error)
    assert str(caught.value).startswith(text)


@pytest.mark.parametrize("error", ["NOT_FOUND", grpc.StatusCode.NOT_FOUND])
def test_a_status_is_an_error(error: Any) -> None:
    """By name or as itself."""
    assert status_of(make_error(error)) == (grpc.StatusCode.NOT_FOUND, "scripted")


def test_a_status_may_have_a_message() -> None:
    """A pair gives both."""
    assert status_of(make_error(("ABORTED", "try later"))) == (grpc.StatusCode.ABORTED, "try later")


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (RemoteError("no", status="INTERNAL"), (grpc.StatusCode.INTERNAL, "no")),
        (RemoteError("no", type_name="DATA_LOSS"), (grpc.StatusCode.DATA_LOSS, "no")),
        (RemoteError("no", type_name="java.lang.Error"), (grpc.StatusCode.UNKNOWN, "no")),
        (RpcError("no"), (grpc.StatusCode.UNKNOWN, "no")),
        (KeyError("x"), (grpc.StatusCode.UNKNOWN, "KeyError: 'x'")),
    ],
)
def test_exceptions_become_statuses(error: BaseException, status: tuple[grpc.StatusCode, str]) -> None:
    """Our own errors keep their status; any other is UNKNOWN, with its type."""
    assert status_of(error) == status
    assert make_error(error) is error
