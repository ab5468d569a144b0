"""Which failure may be tried again: the whole table of consumer/errors.py."""

from __future__ import annotations

import itertools

import pytest

from callahead.config.policy import MethodPolicy
from callahead.consumer import errors
from callahead.consumer.cluster.retry import may_repeat

ALL = sorted(
    (
        kind
        for name, kind in vars(errors).items()
        if name in errors.__all__ and isinstance(kind, type) and issubclass(kind, errors.RpcError)
    ),
    key=lambda kind: kind.__name__,
)
CARRIED = (errors.TransportError, errors.ConnectFailed, errors.ConnectionLost, errors.CallTimeout)
REFUSALS = (errors.LimitExceeded, errors.NoProviderAvailable)
FATES = [(False, False), (True, False), (False, True)]


@pytest.mark.parametrize("kind", ALL)
@pytest.mark.parametrize("idempotent", [False, True])
@pytest.mark.parametrize("is_remote", [False, True])
@pytest.mark.parametrize("fate", FATES, ids=["neither", "not_sent", "in_doubt"])
def test_the_table(kind: type[errors.RpcError], idempotent: bool, is_remote: bool, fate: tuple[bool, bool]) -> None:
    """Carriers and timeouts if unsent or idempotent; what a provider refuses or does not know as not in doubt."""
    not_sent, in_doubt = fate
    error = kind("text", is_remote=is_remote, not_sent=not_sent, in_doubt=in_doubt)
    if kind in CARRIED:
        expected = not_sent or idempotent
    elif kind in REFUSALS:
        expected = is_remote and (not in_doubt or idempotent)
    elif kind is errors.RemoteProtocolError:
        expected = is_remote and not in_doubt and idempotent
    else:
        expected = False
    policy = MethodPolicy(reference="foo", method="find", idempotent=idempotent)
    assert may_repeat(error, policy) is expected


@pytest.mark.parametrize("idempotent", [False, True])
@pytest.mark.parametrize("not_run", [False, True])
def test_what_no_call_was_made_of_is_repeated(idempotent: bool, not_run: bool) -> None:
    """A provider that says so has run nothing; else a method of its own may have said that it understands nothing."""
    error = errors.RemoteProtocolError("text", is_remote=True)
    error.not_run = not_run
    policy = MethodPolicy(reference="foo", method="find", idempotent=idempotent)
    assert may_repeat(error, policy) is (not_run or idempotent)


def test_the_table_knows_every_class() -> None:
    """A new class of error has to be thought about here."""
    assert len(ALL) == 15


@pytest.mark.parametrize("idempotent", [False, True])
def test_foreign_errors_are_never_repeated(idempotent: bool) -> None:
    """What is not ours says nothing of what the provider did."""
    policy = MethodPolicy(reference="foo", method="find", idempotent=idempotent)
    assert not any(may_repeat(error, policy) for error in (None, KeyError("x"), TimeoutError(), KeyboardInterrupt()))


@pytest.mark.parametrize(
    ("error", "idempotent", "expected"),
    [
        (KeyError("x"), True, True),
        (KeyError("x"), False, False),
        (ValueError("x"), True, False),
        (errors.RemoteError("x"), True, True),
        (errors.RemoteError("x"), False, False),
        (errors.Rejected("x"), True, False),
    ],
)
def test_what_is_listed_may_be_repeated(error: Exception, idempotent: bool, expected: bool) -> None:
    """Whatever it is, and by any class above it; but only where the method may run twice."""
    listed = ("builtins:LookupError", "callahead.consumer.errors:RemoteError")
    policy = MethodPolicy(reference="foo", method="find", idempotent=idempotent, retry_on=listed)
    assert may_repeat(error, policy) is expected
    assert not may_repeat(error, MethodPolicy(reference="foo", method="find", idempotent=True))


def test_an_error_of_another_call_says_nothing_of_this_one() -> None:
    """A method of this process may have done anything before the call that it made was refused."""
    policy = MethodPolicy(reference="foo", method="find")
    error = errors.ConnectFailed("refused", not_sent=True)
    error.reference = "inner"
    assert not may_repeat(error, policy)
    error.reference = "foo"
    assert may_repeat(error, policy)


def test_all_fates_are_tried() -> None:
    """The three fates are those that an error can have: never both."""
    assert set(FATES) == set(itertools.product([False, True], repeat=2)) - {(True, True)}
