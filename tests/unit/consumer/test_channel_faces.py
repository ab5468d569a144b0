"""Errors of a channel, which are gRPC's and ours at once."""

from __future__ import annotations

import copy
import gc
import pickle
import weakref
from collections.abc import Callable
from typing import Any

import grpc
import pytest

from callahead.consumer import errors
from callahead.consumer.call.invocation import NO_ATTACHMENTS
from callahead.consumer.channel.faces import grpc_error
from callahead.consumer.errors import AllAttemptsFailed, CallTimeout, ConnectFailed, RemoteError, RpcError

KINDS = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, RpcError)]


def made(kind: type[RpcError], text: str = "no answer", **fields: Any) -> Any:
    """Make what a channel raises for an error of *kind*."""
    error = kind(text, **fields)
    error.reference, error.method = "greeter", "SayHello"
    return grpc_error(error)


@pytest.mark.parametrize("kind", KINDS)
def test_a_face_has_its_errors_text(kind: type[RpcError]) -> None:
    """In str, args and message, whichever built-in class the error derives from."""
    error = made(kind)
    assert (error.args, error.message) == (("no answer",), "no answer")
    assert str(error) == "greeter.SayHello: no answer (0 ms)"


@pytest.mark.parametrize("again", [copy.copy, copy.deepcopy, lambda error: pickle.loads(pickle.dumps(error))])
@pytest.mark.parametrize("faced", [False, True], ids=["plain", "faced"])
@pytest.mark.parametrize("kind", KINDS)
def test_an_error_pickles_and_copies(kind: type[RpcError], faced: bool, again: Callable[[Any], Any]) -> None:
    """Of a channel or of a reference; a task queue sends errors to another process."""
    error = kind("no answer", in_doubt=True, status="NOT_FOUND")
    error.reference, error.attempt = "greeter", 2
    if faced:
        error = grpc_error(error)
    found = again(error)
    assert type(found) is type(error)
    assert (str(found), found.args, vars(found)) == (str(error), error.args, vars(error))


@pytest.mark.parametrize("faced", [False, True], ids=["plain", "faced"])
def test_what_the_provider_said_pickles(faced: bool) -> None:
    """Nothing, or a mapping."""
    for details in (NO_ATTACHMENTS, {"x-why": "gone"}):
        error: Any = RemoteError("no", details=details)
        error = grpc_error(error) if faced else error
        found = pickle.loads(pickle.dumps(error))
        assert (found.remote_details if faced else found.details) == dict(details)


def test_the_failures_of_all_attempts_are_grpcs_too() -> None:
    """Each has a status, after pickling as well; the last is the cause."""
    failures = (ConnectFailed("no connection", not_sent=True), CallTimeout("no answer", in_doubt=True))
    error = made(AllAttemptsFailed, failures=failures)
    assert error.__cause__ is error.failures[-1]
    for found in (error, pickle.loads(pickle.dumps(error))):
        codes = [failure.code() for failure in found.failures]
        assert codes == [grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED]


@pytest.mark.parametrize(("status", "details"), [("NOT_FOUND", ""), ("", "greeter.SayHello: no answer (0 ms)")])
def test_the_details_of_a_status_without_text(status: str, details: str) -> None:
    """Are empty, as grpcio has it; where there was no status, our own message stands for it."""
    assert made(RpcError, status=status).details() == details


def test_the_traceback_of_an_error_that_nobody_raised() -> None:
    """There is one, as grpcio's errors have, and it keeps nothing alive."""
    error = made(RemoteError)
    assert error.traceback().tb_frame is not None
    gone = weakref.ref(error)
    gc.disable()
    try:
        del error
        assert gone() is None
    finally:
        gc.enable()
