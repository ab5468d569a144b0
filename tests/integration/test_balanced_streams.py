"""Streams and uploads count where load balancers count what runs, until their end."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from typing import Any

import pytest

from callahead.conf.foo_pb2 import ListFoosRequest
from callahead.conf.foo_pb2_grpc import FooServiceStub
from callahead.consumer import Consumer, RemoteError
from callahead.consumer.testing import EmbeddedProvider

CARRIERS = ("grpcio", "http2")
FOO = "com.alibaba.foo.FooService"


def list_foos(request: Any) -> Iterator[dict[str, int]]:
    for foo_id in request.foo_ids:
        if foo_id < 0:
            raise RemoteError("no such foo")
        yield {"foo_id": foo_id}


@pytest.fixture
def consumer(carrier: str) -> Iterator[Consumer]:
    with EmbeddedProvider() as provider, EmbeddedProvider() as other:
        for one in (provider, other):
            one.serve(FOO, module="callahead.conf.foo_pb2", listFoos=list_foos)
        urls = [provider.url, other.url]
        foo = {"interface": FOO, "module": "callahead.conf.foo_pb2", "url": urls, "loadbalance": "leastactive"}
        with Consumer({"consumer": {"timeout": 20_000, "carrier": carrier}, "references": {"foo": foo}}) as made:
            yield made


def running(consumer: Consumer) -> list[int]:
    pipeline = consumer._pipeline("foo")
    records: Any = pipeline.stream_watcher
    return sorted(records.records.running(one) for one in pipeline.directory.providers)


def test_streams_go_where_fewer_run(consumer: Consumer) -> None:
    """Two of them are at two providers, and count until their last answer was read."""
    foo = consumer.reference("foo")
    streams = [foo.list_foos(foo_ids=[1, 2]) for _ in range(2)]
    assert running(consumer) == [1, 1]
    for stream in streams:
        assert [answer.foo_id for answer in stream] == [1, 2]
    assert running(consumer) == [0, 0]


def test_a_stream_that_fails_is_counted_no_more(consumer: Consumer) -> None:
    """At once."""
    stream = consumer.reference("foo").list_foos(foo_ids=[1, -1])
    next(stream)
    assert running(consumer) == [0, 1]
    with pytest.raises(RemoteError):
        next(stream)
    assert running(consumer) == [0, 0]


@pytest.mark.parametrize("end", ["is cancelled", "is dropped"])
def test_a_stream_that_nobody_reads_to_its_end_is_counted_no_more(consumer: Consumer, end: str) -> None:
    """By the choice of the next one; the collector itself, which may come at any moment, tells nobody."""
    foo = consumer.reference("foo")
    stream = foo.list_foos(foo_ids=[1, 2])
    next(stream)
    if end == "is cancelled":
        stream.cancel()
    del stream
    gc.collect()
    following = foo.list_foos(foo_ids=[1])
    assert running(consumer) == [0, 1]
    assert len(list(following)) == 1
    assert running(consumer) == [0, 0]


def test_a_stream_of_a_generated_stub_counts_until_its_end(consumer: Consumer) -> None:
    """Though grpcio hands its answers over."""
    stub = FooServiceStub(consumer.channel("foo"))
    answers = stub.listFoos(ListFoosRequest(foo_ids=[1]))
    assert running(consumer) == [0, 1]
    assert [answer.foo_id for answer in answers] == [1]
    answers.code()  # once the end is there
    assert running(consumer) == [0, 0]
