"""Streams in a timeline."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from callahead.conf.foo_pb2 import ListFoosRequest
from callahead.conf.foo_pb2_grpc import FooServiceStub
from callahead.consumer import Consumer, RemoteError
from callahead.consumer.scope.recorder import recording
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
    with EmbeddedProvider() as provider:
        provider.serve(FOO, module="callahead.conf.foo_pb2", listFoos=list_foos)
        foo = {"interface": FOO, "module": "callahead.conf.foo_pb2", "url": provider.url}
        with Consumer({"consumer": {"timeout": 20_000, "carrier": carrier}, "references": {"foo": foo}}) as made:
            yield made


def take_all(answers: Any) -> list[int]:
    return [answer.foo_id for answer in answers]


def test_a_stream_is_waited_for_by_what_takes_its_answers(consumer: Consumer) -> None:
    """From its call to its end, but not while nobody asks it for an answer."""
    with consumer.scope() as calls:
        assert take_all(consumer.reference("foo").list_foos(foo_ids=[1, 2])) == [1, 2]
    [span] = calls.timeline().spans
    assert (span.name, span.mode, span.error) == ("foo.listFoos", "stream", "")
    assert span.end_ms is not None
    first, *others = (wait.site.rpartition(" ")[2] for wait in span.waits)
    assert first == "test_a_stream_is_waited_for_by_what_takes_its_answers"
    assert len(others) == 3
    assert {"take_all", "<listcomp>"} >= set(others)


def test_a_stream_that_failed_shows_its_error(consumer: Consumer) -> None:
    """Once, however often it is asked."""
    with consumer.scope() as calls:
        answers = consumer.reference("foo").list_foos(foo_ids=[-1])
        with pytest.raises(RemoteError):
            take_all(answers)
        end = calls.timeline().spans[0].end_ms
        with pytest.raises(RemoteError):
            take_all(answers)
    [span] = calls.timeline().spans
    assert (span.error, span.end_ms) == ("RemoteError", end)


def test_a_stream_of_a_generated_stub_has_an_end(consumer: Consumer) -> None:
    """Its answers are handed over by grpcio, whose waits nobody sees."""
    stub = FooServiceStub(consumer.channel("foo"))
    with recording() as recorder:
        answers = stub.listFoos(ListFoosRequest(foo_ids=[1]))
        assert take_all(answers) == [1]
        answers.code()  # once the end is there
    [span] = recorder.timeline().spans
    assert (span.name, span.mode) == ("foo.listFoos", "stream")
