"""One consumer shared by many threads and several event loops at once: every answer is that of its own call."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from support.shop import Background

from callahead.consumer import Consumer, resolve
from callahead.consumer.testing import EmbeddedProvider

pytestmark = pytest.mark.slow

Request = Callable[[str], Any]
THREADS, LOOPS = 64, 4
# Of each thread, and of each loop.
CALLS, TASKS = 30, 150


class Client:
    """A blocking client of this process."""

    def SayHello(self, name: str) -> str:
        return name


def kind_of(protocol: str) -> dict[str, Any]:
    """What the configuration says of a protocol's reference besides its address."""
    if protocol == "python":
        return {"protocol": "python", "queue": 5000}
    if protocol == "tri":
        return {"interface": "helloworld.Greeter", "module": "helloworld_pb2"}
    return {"interface": "helloworld.Greeter", "methods": {"SayHello": {"parameter_types": ["java.lang.String"]}}}


def text_of(answer: Any) -> str:
    """The text in an answer of any protocol."""
    text: str = getattr(answer, "message", answer)
    return text


def texts(who: str, count: int) -> list[str]:
    return [f"{who} {number}" for number in range(count)]


def by_thread(say: Any, request: Request, asked: list[str], heard: list[str]) -> list[str]:
    """Ask in every mode in turn, and return the answers in order; a listener hears of some of them."""

    class Ear:
        def on_success(self, result: Any) -> None:
            heard.append(text_of(result))

        def on_failure(self, error: BaseException) -> None:
            heard.append(repr(error))

    modes: list[Callable[[Any], Any]] = [
        say,
        lambda request: say.future(request).result(60),
        lambda request: say.outcome(request).result,
        say.with_options(async_="lazy"),
        lambda request: say.with_options(listener=Ear()).future(request).result(60),
    ]
    return [text_of(resolve(modes[number % len(modes)](one))) for number, one in enumerate(map(request, asked))]


async def by_loop(say: Any, request: Request, asked: list[str]) -> list[str]:
    """Ask all at once."""
    return list(map(text_of, await asyncio.gather(*map(say.future, map(request, asked)))))


@pytest.fixture
def served() -> Iterator[dict[str, EmbeddedProvider]]:
    """A provider of each protocol."""
    with EmbeddedProvider(protocol="dubbo") as dubbo, EmbeddedProvider() as tri:
        dubbo.serve("helloworld.Greeter", SayHello=lambda name: name)
        tri.serve("helloworld.Greeter", module="helloworld_pb2", SayHello=lambda asked: {"message": asked.name})
        yield {"dubbo": dubbo, "tri": tri}


@pytest.mark.parametrize("protocol", ["dubbo", "tri", "python"])
def test_every_answer_is_that_of_its_own_call(protocol: str, served: dict[str, EmbeddedProvider]) -> None:
    """Whatever runs beside it, and each listener hears once."""
    settings = {"timeout": 60_000, "retries": 0, **kind_of(protocol)}
    if protocol in served:
        settings["url"] = served[protocol].url
    with Consumer({"references": {"greeter": settings}}) as consumer:
        greeter: Any = consumer.wrap("greeter", Client()) if protocol == "python" else consumer.reference("greeter")
        say, heard = greeter.SayHello, list[str]()
        request: Request = (lambda text: {"name": text}) if protocol == "tri" else str
        asked = {who: texts(f"thread {who}", CALLS) for who in range(THREADS)}
        at_once = {who: texts(f"loop {who}", TASKS) for who in range(LOOPS)}
        threads = {who: Background(by_thread, say, request, mine, heard) for who, mine in asked.items()}
        loops = {who: Background(asyncio.run, by_loop(say, request, mine)) for who, mine in at_once.items()}

        assert {who: one.join(120) for who, one in threads.items()} == asked
        assert {who: one.join(120) for who, one in loops.items()} == at_once
        assert consumer.wait_idle(60)
        assert sorted(heard) == sorted(text for mine in asked.values() for text in mine[4::5])
