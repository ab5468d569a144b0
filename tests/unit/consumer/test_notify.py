"""oninvoke, onreturn and onthrow: functions of the YAML that hear of calls."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest
from support.shop import Background, Shop

from callahead.consumer import ConfigError, ConnectFailed, Invocation, RemoteError, RpcContext

HEARD: list[Any] = []
CONTEXT = RpcContext.get_context()
NUMBER = 7


@pytest.fixture(autouse=True)
def _forget() -> Iterator[None]:
    yield
    HEARD.clear()


def invoked(*args: Any, **kwargs: Any) -> None:
    HEARD.append(("invoked", args, kwargs))


def returned(value: Any) -> None:
    HEARD.append(("returned", value, threading.current_thread().name.rstrip("0123456789_")))


def returned_with(value: Any, invocation: Invocation) -> None:
    HEARD.append(("returned", value, invocation.args))


def thrown(error: BaseException, invocation: Invocation) -> None:
    HEARD.append(("thrown", type(error).__name__, invocation.args))


def refusing(*_: Any) -> None:
    raise PermissionError("not today")


def raising(*_: Any) -> None:
    raise KeyError("of the function")


def named(**functions: Any) -> dict[str, Any]:
    return {key: f"{__name__}:{function.__name__}" for key, function in functions.items()}


def test_a_value_is_told_after_the_arguments() -> None:
    """The first gets the call's own arguments, onreturn the value, on the caller's thread where that waits."""
    with Shop(lambda _: 42, methods={"findFoo": named(oninvoke=invoked, onreturn=returned, onthrow=thrown)}) as shop:
        assert shop.foo.findFoo(1, key=2) == 42
    assert HEARD == [("invoked", (1,), {"key": 2}), ("returned", 42, threading.current_thread().name)]


def test_an_asynchronous_call_is_told_on_a_callback_thread_before_the_future_settles() -> None:
    """Who waits for the future finds that onreturn has run."""
    with Shop(methods={"findFoo": {"async": True, **named(onreturn=returned)}}) as shop:
        shop.foo.findFoo(1)
        future = CONTEXT.get_future()
        Background(shop.next_call().reply, 42).join()
        assert future.result(5) == 42
        assert HEARD == [("returned", 42, "callahead-callback")]


def test_the_invocation_comes_second_where_it_is_taken() -> None:
    """A function with a second parameter gets the invocation."""
    with Shop(lambda _: 42, methods={"findFoo": named(onreturn=returned_with)}) as shop:
        shop.foo.findFoo(1)
    assert HEARD == [("returned", 42, (1,))]


def test_an_error_is_told_once_after_the_last_attempt() -> None:
    """The function hears of what the caller hears of, not of each attempt."""

    def fail(_: Any) -> Any:
        raise ConnectFailed("refused", not_sent=True)

    with Shop(fail, methods={"findFoo": named(onreturn=returned, onthrow=thrown)}, providers=3) as shop:
        future = shop.foo.findFoo.future(1)
        assert future.exception(5) is not None
    assert HEARD == [("thrown", "AllAttemptsFailed", (1,))]


def test_oninvoke_may_refuse_the_call() -> None:
    """What it raises ends the call, and neither of the others hears of a call that was not let pass."""
    methods = {"findFoo": named(oninvoke=refusing, onreturn=returned, onthrow=thrown)}
    with (
        Shop(lambda _: HEARD.append("asked"), methods=methods) as shop,
        pytest.raises(PermissionError, match="not today"),
    ):
        shop.foo.findFoo(1)
    assert HEARD == []


def test_what_the_others_raise_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    """The answer and the error arrive all the same."""

    def reply(invocation: Invocation) -> Any:
        if invocation.args[0]:
            return "value"
        raise RemoteError("no")

    with Shop(reply, methods={"findFoo": named(onreturn=raising, onthrow=raising)}) as shop:
        assert shop.foo.findFoo(True) == "value"
        with pytest.raises(RemoteError):
            shop.foo.findFoo(False)
    messages = [record.getMessage() for record in caplog.records if record.name == "callahead.consumer.interceptor"]
    assert len(messages) == 2
    assert all(message.endswith("raised at the end of foo.findFoo") for message in messages)


@pytest.mark.parametrize("key", ["oninvoke", "onreturn", "onthrow"])
@pytest.mark.parametrize(
    ("path", "text"),
    [
        (f"{__name__}:absent", f'"{__name__}:absent": {__name__} has no "absent"'),
        ("no_such_module:f", "No module named 'no_such_module'"),
        (f"{__name__}:NUMBER", f'"{__name__}:NUMBER" is int, which cannot be called'),
    ],
)
def test_a_function_that_is_not_there_is_a_config_error(key: str, path: str, text: str) -> None:
    """The error names the setting by its path."""
    with Shop(lambda _: 1, methods={"findFoo": {key: path}}) as shop, pytest.raises(ConfigError) as caught:
        shop.foo.findFoo  # noqa: B018
    [problem] = caught.value.problems
    assert problem.key == f"references.foo.methods.findFoo.{key}"
    assert problem.text.startswith(text)
