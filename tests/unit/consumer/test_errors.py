"""The error tree: as drawn, with its fields, texts and pickles."""

from __future__ import annotations

import copy
import importlib
import pickle
import pkgutil
import re
from typing import Any

import pytest

import callahead.consumer
from callahead.consumer import NoFutureError, errors
from callahead.consumer.errors import CallaheadError, RpcError

ROW = re.compile(r"^(?P<indent>(?: {2}){2,5})(?P<name>[A-Z]\w+)(?:\((?P<more>[.\w ]+)\))?(?=\s|$)", re.MULTILINE)


def drawn() -> dict[str, tuple[str, str]]:
    """Read the tree at the head of errors.py: from a class to its parent and the built-in one beside it."""
    assert errors.__doc__ is not None
    rows: dict[str, tuple[str, str]] = {}
    path: list[tuple[int, str]] = []
    for row in ROW.finditer(errors.__doc__):
        indent, name, more = len(row["indent"]), row["name"], row["more"] or ""
        path = [(depth, above) for depth, above in path if depth < indent]
        rows[name] = (path[-1][1] if path else "Exception", more if more and more[0] != "." else "")
        path.append((indent, name))
    return rows


def ours(kind: type[Exception]) -> set[type[Exception]]:
    """Collect the subclasses that our modules define, faces made at run time apart."""
    below = {one for sub in kind.__subclasses__() for one in ours(sub)}
    return {kind, *below}


def real() -> dict[str, tuple[str, str]]:
    found = [one for one in ours(CallaheadError) if one.__module__.startswith("callahead.")]
    named = {one.__name__: one for one in found if "_ErrorFace" not in {base.__name__ for base in one.__mro__}}
    return {
        name: (one.__bases__[0].__name__, one.__bases__[1].__name__ if len(one.__bases__) > 1 else "")
        for name, one in named.items()
        if vars(importlib.import_module(one.__module__)).get(name) is one and not name.startswith("_")
    }


PUBLIC = [getattr(errors, name) for name in errors.__all__ if name != "Problem"] + [NoFutureError]
RPC = [kind for kind in PUBLIC if issubclass(kind, RpcError)]


def test_the_tree_is_as_drawn() -> None:
    """The drawing at the head of errors.py is the classes, parent by parent."""
    known = real()
    assert drawn() == {kind.__name__: known[kind.__name__] for kind in PUBLIC}


def test_errors_of_the_core_are_all_public() -> None:
    """No module of ours raises a class that the tree does not show."""
    for module in pkgutil.iter_modules(callahead.consumer.__path__, "callahead.consumer."):
        if not module.ispkg and not module.name.endswith(("channel", "grpc_faces")):
            importlib.import_module(module.name)
    shown = {kind.__name__ for kind in PUBLIC}
    mine = {
        one.__name__
        for one in ours(CallaheadError)
        if one.__module__.startswith("callahead.consumer.")
        and one.__module__.count(".") == 2
        and "Face" not in str(one.__mro__)
    }
    assert mine <= shown


def test_the_facade_offers_what_a_call_may_raise() -> None:
    """Every class of the tree that is the consumer's can be imported from callahead.consumer."""
    for kind in (*RPC, CallaheadError, errors.ConfigError, errors.RegistryError, NoFutureError):
        assert getattr(callahead.consumer, kind.__name__) is kind


def filled(kind: Any) -> RpcError:
    more: dict[str, Any] = {}
    if kind is errors.AllAttemptsFailed:
        more["failures"] = [errors.ConnectFailed("one", not_sent=True), errors.CallTimeout("two", in_doubt=True)]
    if kind is errors.RemoteError:
        more |= {"type_name": "java.lang.IllegalStateException", "details": {"code": 7}}
    error: RpcError = kind("it broke", is_remote=True, in_doubt=True, status="UNAVAILABLE", **more)
    error.reference, error.method, error.endpoint = "foo", "find", "tri://h:1"
    error.attempt, error.elapsed_ms, error.status_text = 2, 12.6, "upstream said so"
    error.add_note("foo.find was called at x.py:1 in main")
    return error


@pytest.mark.parametrize("kind", RPC)
@pytest.mark.parametrize("again", [lambda error: pickle.loads(pickle.dumps(error)), copy.copy, copy.deepcopy])
def test_a_pickle_keeps_all_fields(kind: Any, again: Any) -> None:
    """An error crosses to another process with its class, text, fields and notes."""
    error = filled(kind)
    other = again(error)
    assert type(other) is kind
    assert str(other) == str(error)
    fields = {name: value for name, value in vars(error).items() if name != "failures"}
    assert {name: value for name, value in vars(other).items() if name != "failures"} == fields
    assert other.args == error.args
    if kind is errors.AllAttemptsFailed:
        assert [str(failure) for failure in other.failures] == ["one", "two"]
        assert other.failures[0].not_sent


@pytest.mark.parametrize(
    "error",
    [
        errors.ConfigError.one("is wrong", file="x.yml", line=3, key="a.b", hint="fix it"),
        errors.RegistryError("down"),
        errors.RegistryUnavailable("down"),
        NoFutureError("none"),
        CallaheadError("root"),
    ],
)
def test_the_others_pickle_too(error: Exception) -> None:
    """Class, text and problems survive."""
    other = pickle.loads(pickle.dumps(error))
    assert (type(other), str(other), vars(other)) == (type(error), str(error), vars(error))


@pytest.mark.parametrize("kind", RPC)
def test_an_error_made_outside_a_call_is_its_message(kind: Any) -> None:
    """Without a reference there is nothing else to say; the fields have plain defaults."""
    error = kind("it broke")
    assert str(error) == error.message == "it broke"
    assert (error.reference, error.method, error.endpoint, error.attempt) == ("", "", None, 0)
    assert (error.elapsed_ms, error.status, error.status_text) == (0.0, "", "")
    assert (error.is_remote, error.not_sent, error.in_doubt) == (kind is errors.RemoteError, False, False)


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({}, "foo.find: it broke (13 ms)"),
        ({"endpoint": "tri://h:1"}, "foo.find at tri://h:1: it broke (13 ms)"),
        ({"endpoint": "tri://h:1", "attempt": 1}, "foo.find at tri://h:1: it broke (13 ms)"),
        ({"endpoint": "tri://h:1", "attempt": 3}, "foo.find at tri://h:1: it broke (13 ms, attempt 3)"),
        ({"not_sent": True}, "foo.find: it broke (13 ms) [not sent]"),
        ({"in_doubt": True}, "foo.find: it broke (13 ms) [in doubt]"),
    ],
)
def test_the_text_names_call_provider_time_and_fate(fields: dict[str, Any], text: str) -> None:
    """str() is one line for the log: what is known and nothing else."""
    error = RpcError("it broke")
    for name, value in {"reference": "foo", "method": "find", "elapsed_ms": 12.6, **fields}.items():
        setattr(error, name, value)
    assert str(error) == text


def test_familiar_bases() -> None:
    """Code that catches the built-in classes catches ours."""
    assert issubclass(errors.CallTimeout, TimeoutError)
    assert issubclass(errors.ConfigError, ValueError)
    assert issubclass(NoFutureError, LookupError)


def test_a_remote_error_is_remote_and_has_details() -> None:
    """The provider's own words are kept apart from ours."""
    error = errors.RemoteError("no such foo", type_name="NOT_FOUND", details={"reason": "gone"})
    assert (error.is_remote, error.type_name, error.details) == (True, "NOT_FOUND", {"reason": "gone"})
    assert errors.RemoteError("x").details == {}
