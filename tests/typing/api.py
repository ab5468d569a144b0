"""What type checkers know of the public interface; checked by tests/unit/consumer/test_typing.py, never run."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Protocol, assert_type

import callahead
from callahead.consumer import (
    AllAttemptsFailed,
    CallNext,
    Consumer,
    Interceptor,
    Invocation,
    InvocationFuture,
    LastCall,
    Method,
    Observer,
    Outcome,
    Reference,
    RpcContext,
    RpcError,
    answer,
    async_view,
    oneway,
    resolve,
    sync_view,
)


def names_of_the_package(found: callahead.Consumer, version: str = callahead.__version__) -> None:
    assert_type(found, Consumer)


def consumers() -> None:
    with Consumer.from_file("conf/consumer.yml") as consumer:
        assert_type(consumer, Consumer)
        assert_type(consumer.reference("foo"), Reference)
    Consumer({"references": {}}).close(timeout=1.5)
    Consumer({}, on_drop=dropped)
    Consumer({}, callback_executor=ThreadPoolExecutor(1))
    Consumer({}, callback_executor=asyncio.new_event_loop())
    Consumer({}, callback_executor=7)  # type: ignore[arg-type]
    Consumer(7)  # type: ignore[arg-type]


def dropped(invocation: Invocation, error: BaseException) -> None: ...


def contexts() -> None:
    context = RpcContext.get_context()
    assert_type(context, RpcContext)
    assert_type(context.get_future(), InvocationFuture)
    assert_type(context.future, InvocationFuture | None)
    assert_type(context.last_call, LastCall | None)
    assert_type(context.remote_address, str | None)
    assert_type(context.response_attachments, Mapping[str, Any])
    context.attachments["trace"] = "1"
    context.last_call = None  # type: ignore[misc]


def methods(method: Method) -> None:
    assert_type(method.future(1, key=2), InvocationFuture)
    assert_type(method.with_options(timeout="1s"), Method)
    assert_type(method.with_options(retries=0).sync(1), Any)


class Declared(Protocol):
    def find_foo(self, foo_id: int) -> str: ...


def views(foo: Declared, reference: Reference) -> None:
    assert_type(sync_view(foo), Declared)
    assert_type(sync_view(foo).find_foo(1), str)
    assert_type(sync_view(reference), Reference)
    assert_type(oneway(foo), Declared)
    assert_type(async_view(foo).find_foo(1), Any)
    sync_view(foo).find_foo("one")  # type: ignore[arg-type]


def lazy_results(declared: str) -> None:
    assert_type(resolve(declared), str)
    assert_type(callahead.resolve(declared), str)


async def futures(future: InvocationFuture) -> None:
    plain: Future[Any] = future
    del plain
    assert_type(await future, Any)
    assert_type(future.cancel(), bool)
    assert_type(future.provider, str | None)
    assert_type(future.attempts, int)
    assert_type(future.call_site, str)
    assert_type(future.then(str), InvocationFuture[str])
    assert_type(future.sent(0), bool)
    assert_type(future.when_sent(lambda sent, error: print(sent, error)), InvocationFuture[bool])
    assert_type(future.when_complete(lambda answer, error: print(answer, error)), InvocationFuture)
    future.add_sent_callback(lambda written: print(written.is_sent()))
    future.add_done_callback(lambda done: print(done.response_attachments))


class Decides:
    scope = "attempt"

    def intercept(self, invocation: Invocation, call_next: CallNext) -> InvocationFuture:
        if invocation.kwargs:
            return answer(invocation, error=RpcError("no keywords"))
        return call_next(invocation.replace(args=())).then(lambda value: value)


class Watches:
    inline = True

    def on_start(self, invocation: Invocation) -> float:
        return invocation.record.started

    def on_end(self, token: float, outcome: Outcome) -> None:
        assert_type(outcome.error, BaseException | None)


def interceptors() -> None:
    decides: Interceptor = Decides()
    watches: Observer = Watches()
    neither: Interceptor = Watches()  # type: ignore[assignment]
    del decides, watches, neither


def errors(error: RpcError) -> None:
    assert_type(error.endpoint, str | None)
    assert_type(error.not_sent, bool)
    if isinstance(error, AllAttemptsFailed):
        assert_type(error.failures, tuple[RpcError, ...])
