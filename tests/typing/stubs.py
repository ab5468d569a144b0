"""What type checkers know of a reference whose methods a class declares; checked likewise, never run."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from concurrent.futures import as_completed
from dataclasses import dataclass
from typing import Annotated, Protocol, assert_type, overload

import grpc

from callahead.consumer import Consumer, InvocationFuture, Method, Reference, remote
from callahead.consumer.codec.hessian2 import Long
from callahead.consumer.interface.java import java_method


@dataclass
class Foo:
    name: str


class Plain(Protocol):
    def find_foo(self, foo_id: int, *, deep: bool = False) -> Foo: ...
    def find_foo_async(self, foo_id: int) -> InvocationFuture[Foo]: ...
    def list_foos(self, first: int) -> Iterator[Foo]: ...


class Marked(Protocol):
    @remote
    def find_foo(self, foo_id: int, *, deep: bool = False) -> Foo: ...
    @remote
    @java_method("tagOf")
    def tag(self, names: list[str]) -> None: ...
    @overload
    def of(self, value: int) -> str: ...
    @overload
    def of(self, value: str) -> int: ...


class OfAClass:
    """As a stub of Java's that is no Protocol, whose functions need a body."""

    @remote
    def count(self, since: Annotated[int, Long] | None = None) -> Annotated[int, Long]:
        raise NotImplementedError


class GeneratedStub:
    """As the generators of typed gRPC stubs write it."""

    def __init__(self, channel: grpc.Channel) -> None:
        self.findFoo: grpc.UnaryUnaryMultiCallable[int, Foo]


def without_a_stub(consumer: Consumer) -> None:
    foo = consumer.reference("foo")
    assert_type(foo, Reference)
    assert_type(foo.find_foo(1).anything, object)  # type: ignore[assert-type]  # it is Any


def as_the_class_declares(consumer: Consumer) -> None:
    foo = consumer.reference("foo", Plain)
    assert_type(foo, Plain)
    assert_type(foo.find_foo(1, deep=True), Foo)
    assert_type(foo.find_foo_async(1), InvocationFuture[Foo])
    assert_type([one.name for one in foo.list_foos(1)], list[str])
    foo.find_foo("one")  # type: ignore[arg-type]
    foo.find_bar(1)  # type: ignore[attr-defined]
    foo.find_foo(1).nam  # type: ignore[attr-defined]  # noqa: B018


def every_view(consumer: Consumer) -> None:
    foo = consumer.reference("foo", Marked)
    assert_type(foo.find_foo(1, deep=True), Foo)
    assert_type(foo.find_foo.sync(foo_id=1), Foo)
    assert_type(foo.find_foo.future(1), InvocationFuture[Foo])
    assert_type(foo.find_foo.with_options(timeout="1s", retries=0).future(1).result(2), Foo)
    assert_type(foo.find_foo.with_options(timeout=5)(1).name, str)
    assert_type(foo.tag.future(["a"]), InvocationFuture[None])
    assert_type(foo.of(1), str)
    assert_type(foo.of("1"), int)
    foo.find_foo.future("one")  # type: ignore[arg-type]
    foo.find_foo.sync(1, deeply=True)  # type: ignore[call-arg]
    foo.find_foo.later(1)  # type: ignore[attr-defined]


def of_a_class(consumer: Consumer) -> None:
    foo = consumer.reference("foo", OfAClass)
    assert_type(foo.count(), int)
    assert_type(foo.count.future(since=5), InvocationFuture[int])
    consumer.reference("foo", "Marked")  # type: ignore[call-overload]


def what_futures_give(future: InvocationFuture[Foo]) -> None:
    assert_type(future.result(), Foo)
    assert_type(future.exception(), BaseException | None)
    assert_type(future.then(name_of), InvocationFuture[str])
    assert_type(future.then(fetched), InvocationFuture[int])
    assert_type(future.then(on_error=lambda _: None), InvocationFuture)
    future.then(len)  # type: ignore[arg-type]
    future.reslt()  # type: ignore[attr-defined]
    assert_type([one.result() for one in as_completed([future])], list[Foo])
    future.add_done_callback(lambda done: print(done.result().name, done.provider))


def name_of(foo: Foo) -> str:
    return foo.name


def fetched(foo: Foo) -> InvocationFuture[int]:
    raise NotImplementedError


async def in_a_loop(future: InvocationFuture[Foo]) -> None:
    assert_type(await future, Foo)
    assert_type(await asyncio.wrap_future(future), Foo)
    assert_type(await asyncio.gather(future, future), tuple[Foo, Foo])
    assert_type(await asyncio.ensure_future(future), Foo)


def a_generated_stub(consumer: Consumer) -> None:
    stub = GeneratedStub(consumer.channel("foo"))
    assert_type(stub.findFoo(1), Foo)
    assert_type(stub.findFoo.future(1).result(), Foo)


def any_method(method: Method, one: Method[[int], Foo]) -> None:
    assert_type(method.future(1, "x"), InvocationFuture)
    assert_type(one.future(1), InvocationFuture[Foo])
