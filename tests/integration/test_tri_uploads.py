"""Streams under asyncio and in every mode: uploads give futures, and answers can be read by ``async for``."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError
from typing import Any

import pytest

from callahead.consumer import CallTimeout, Consumer, Reference, RemoteError, RpcContext, RpcError, resolve
from callahead.consumer.testing import EmbeddedProvider

CARRIERS = ("grpcio", "http2")

NAMES = [{"name": "a"}, {"name": "b"}]
Consume = Callable[..., Consumer]


def greeter(consume: Consume, url: str, **settings: Any) -> Any:
    reference = {"interface": "helloworld.Greeter", "module": "helloworld_pb2", "url": url, **settings}
    return consume({"references": {"greeter": reference}}).reference("greeter")


def upload(consume: Consume, url: str, **settings: Any) -> Any:
    """The method, with settings of its own."""
    return greeter(consume, url, methods={"GatherHellos": settings}).gather_hellos


def endless(gate: threading.Event) -> Iterator[dict[str, str]]:
    yield {"name": "a"}
    gate.wait(20)


@pytest.fixture
def gate() -> Iterator[threading.Event]:
    """Ends what `endless` gives."""
    gate = threading.Event()
    yield gate
    gate.set()


def test_an_upload_that_is_async_gives_a_future(consume: Consume, provider: EmbeddedProvider) -> None:
    """None at once, and the future is the context's."""
    assert upload(consume, provider.url, **{"async": True})(NAMES) is None
    assert RpcContext.get_context().get_future().result(20).message == "a and b"


def test_an_upload_obeys_the_mode_that_it_inherits(consume: Consume, provider: EmbeddedProvider) -> None:
    """As any method does."""
    made = greeter(consume, provider.url, **{"async": "lazy"})
    assert resolve(made.gather_hellos(NAMES)).message == "a and b"


def test_the_views_of_an_upload(consume: Consume, provider: EmbeddedProvider) -> None:
    """They do not depend on the configuration."""
    made = greeter(consume, provider.url)
    assert made.gather_hellos.future(NAMES).result(20).message == "a and b"
    assert made.gather_hellos_async(NAMES).result(20).message == "a and b"
    assert made.gather_hellos.outcome(NAMES).result.message == "a and b"
    assert made.gather_hellos.sync(NAMES).message == "a and b"


def test_sent_waits_until_the_last_request_is_written(consume: Consume, provider: EmbeddedProvider) -> None:
    """The answer is still to come then."""
    provider.script("GatherHellos", delay=200)
    taken: list[str] = []

    def requests() -> Iterator[dict[str, str]]:
        for one in NAMES:
            yield one
            taken.append(one["name"])

    upload(consume, provider.url, **{"async": True, "sent": True})(requests())
    assert taken == ["a", "b"]
    assert RpcContext.get_context().get_future().result(20).message == "a and b"


def test_a_cancelled_upload_ends_at_once(consume: Consume, provider: EmbeddedProvider, gate: threading.Event) -> None:
    """Though requests are still to come."""
    future = upload(consume, provider.url).future(endless(gate))
    assert future.cancel()
    with pytest.raises(CancelledError):
        future.result(20)


def test_an_upload_has_a_deadline_where_one_is_set(
    consume: Consume, provider: EmbeddedProvider, gate: threading.Event
) -> None:
    """By the configuration, or by the call."""
    provider.script("GatherHellos", hang=True)
    method = upload(consume, provider.url)
    with pytest.raises(CallTimeout):
        method.with_options(timeout=100)(endless(gate))
    with pytest.raises(CallTimeout):
        upload(consume, provider.url, timeout=100, retries=0).future(NAMES).result(20)


def test_a_scope_bounds_an_upload(consume: Consume, provider: EmbeddedProvider, gate: threading.Event) -> None:
    """By its own deadline, like every call inside."""
    settings = {"interface": "helloworld.Greeter", "module": "helloworld_pb2", "url": provider.url}
    consumer = consume({"references": {"greeter": settings}})
    made: Reference = consumer.reference("greeter")
    provider.script("GatherHellos", hang=True)
    with pytest.raises(ExceptionGroup) as caught, consumer.scope(timeout=0.2):
        made.gather_hellos.future(endless(gate))
    assert [type(error) for error in caught.value.exceptions] == [CallTimeout]


def test_requests_that_raise_are_the_error_of_the_future(consume: Consume, provider: EmbeddedProvider) -> None:
    """Which is in doubt: what came before them may have been worked upon."""

    def requests() -> Iterator[dict[str, str]]:
        yield {"name": "a"}
        raise ValueError("no more names")

    error = upload(consume, provider.url).future(requests()).exception(20)
    assert isinstance(error, RpcError)
    assert isinstance(error.__cause__, ValueError)
    assert error.in_doubt


def test_an_upload_is_asked_once(consume: Consume, provider: EmbeddedProvider) -> None:
    """The requests are gone by then, so nothing is retried."""
    provider.script("GatherHellos", error="UNAVAILABLE")
    error = upload(consume, provider.url, idempotent=True, retries=2).future(NAMES).exception(20)
    assert isinstance(error, RpcError)
    assert error.attempt == 1
    assert len(provider.calls) == 1


async def spelled(made: Any) -> list[str]:
    return [answer.message async for answer in made.spell_hello(name="abc")]


def test_answers_are_iterated_in_a_loop(consume: Consume, provider: EmbeddedProvider) -> None:
    """One after the other, to the end."""
    assert asyncio.run(spelled(greeter(consume, provider.url))) == ["a", "b", "c"]


def test_a_failed_stream_raises_in_a_loop(consume: Consume, provider: EmbeddedProvider) -> None:
    """As it does elsewhere."""
    provider.script("SpellHello", error="NOT_FOUND")
    with pytest.raises(RemoteError):
        asyncio.run(spelled(greeter(consume, provider.url)))


def test_a_cancelled_task_cancels_its_stream(consume: Consume, provider: EmbeddedProvider) -> None:
    """The loop does not wait for an answer that never comes."""
    provider.script("SpellHello", hang=True)
    made = greeter(consume, provider.url)

    async def body() -> None:
        async with asyncio.timeout(0.1):
            await spelled(made)

    with pytest.raises(TimeoutError):
        asyncio.run(body())
