"""The state of `Consumer.channel`, as grpcio's channels tell it, over both carriers."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable

import grpc
import pytest

from callahead.consumer import Consumer, NoProviderAvailable
from callahead.consumer.testing import EmbeddedProvider
from callahead.registry.memory import MemoryRegistry

CARRIERS = ("grpcio", "http2")
SOON = 20.0
State = grpc.ChannelConnectivity

Greeting = Callable[..., Consumer]


class Seen:
    """A subscriber that keeps what it was told."""

    def __init__(self) -> None:
        self.states: list[State] = []
        self.threads: set[str] = set()
        self._told: queue.SimpleQueue[State] = queue.SimpleQueue()

    def __call__(self, state: State) -> None:
        """Keep it."""
        self.threads.add(threading.current_thread().name)
        self.states.append(state)
        self._told.put(state)

    def next(self) -> State:
        """Wait for one more."""
        return self._told.get(timeout=SOON)

    def wait_for(self, state: State) -> None:
        """Wait until it was told that."""
        while self.next() is not state:
            continue


def test_who_subscribes_hears_of_the_state_of_now(greeting: Greeting, provider: EmbeddedProvider) -> None:
    """Nothing is dialled for that, so it is idle."""
    seen = Seen()
    greeting(provider.url).channel("greeter").subscribe(seen)
    seen.wait_for(State.IDLE)
    assert seen.states == [State.IDLE]


def test_who_wants_a_connection_hears_that_it_is_ready(greeting: Greeting, provider: EmbeddedProvider) -> None:
    """With ``try_to_connect``; who subscribes later hears so at once."""
    channel = greeting(provider.url).channel("greeter")
    first, second = Seen(), Seen()
    channel.subscribe(first, try_to_connect=True)
    first.wait_for(State.READY)
    channel.subscribe(second)
    second.wait_for(State.READY)
    assert second.states == [State.READY]
    assert set(first.states) <= {State.IDLE, State.CONNECTING, State.READY}


def test_a_failure_passes(greeting: Greeting, unused_port: int) -> None:
    """Where nobody listens the state is TRANSIENT_FAILURE, and READY once somebody does, without any call."""
    channel = greeting(f"tri://127.0.0.1:{unused_port}").channel("greeter")
    seen = Seen()
    channel.subscribe(seen, try_to_connect=True)
    seen.wait_for(State.TRANSIENT_FAILURE)
    with EmbeddedProvider(port=unused_port):
        seen.wait_for(State.READY)
    channel.unsubscribe(seen)


def test_a_lost_connection_is_told(greeting: Greeting) -> None:
    """It is ready no more."""
    seen = Seen()
    with EmbeddedProvider() as provider:
        channel = greeting(provider.url).channel("greeter")
        channel.subscribe(seen, try_to_connect=True)
        seen.wait_for(State.READY)
    assert seen.next() is not State.READY
    channel.unsubscribe(seen)


def test_who_has_unsubscribed_hears_nothing(greeting: Greeting, provider: EmbeddedProvider) -> None:
    """Others go on hearing; who never subscribed may unsubscribe."""
    channel = greeting(provider.url).channel("greeter")
    gone, stays = Seen(), Seen()
    for one in (gone, stays):
        channel.subscribe(one)
        one.wait_for(State.IDLE)
    channel.unsubscribe(gone)
    channel.unsubscribe(print)
    grpc.channel_ready_future(channel).result(SOON)
    stays.wait_for(State.READY)
    assert gone.states == [State.IDLE]


def test_a_closed_channel_tells_nothing(greeting: Greeting, provider: EmbeddedProvider) -> None:
    """Those who had subscribed hear nothing, and another channel of the reference goes on; one more cannot."""
    consumer = greeting(provider.url)
    closed, other = consumer.channel("greeter"), consumer.channel("greeter")
    seen = Seen()
    closed.subscribe(seen)
    seen.wait_for(State.IDLE)
    closed.close()
    grpc.channel_ready_future(other).result(SOON)
    assert seen.states == [State.IDLE]
    with pytest.raises(ValueError, match="closed channel"):
        closed.subscribe(seen)


def test_a_subscriber_that_raises_hears_on(greeting: Greeting, provider: EmbeddedProvider) -> None:
    """What it raises goes to the log."""
    seen = Seen()

    def subscriber(state: State) -> None:
        seen(state)
        raise ValueError(state)

    channel = greeting(provider.url).channel("greeter")
    channel.subscribe(subscriber, try_to_connect=True)
    seen.wait_for(State.READY)
    channel.unsubscribe(subscriber)


def test_a_subscriber_runs_on_no_thread_of_a_connection(
    greeting: Greeting, provider: EmbeddedProvider, carrier: str
) -> None:
    """It may take its time; over http2 it runs where callbacks do."""
    seen = Seen()
    channel = greeting(provider.url).channel("greeter")
    channel.subscribe(seen, try_to_connect=True)
    seen.wait_for(State.READY)
    assert not any("-io" in name for name in seen.threads)
    assert carrier == "grpcio" or all(name.startswith("callahead-callback") for name in seen.threads)


def test_without_a_provider_there_is_no_state(consume: Greeting) -> None:
    """Who subscribes hears why."""
    reference = {"interface": "helloworld.Greeter", "module": "helloworld_pb2", "registry": "main", "check": False}
    with MemoryRegistry.named("channel-state"):
        consumer = consume(
            {
                "registries": {"main": {"address": "memory://channel-state"}},
                "references": {"greeter": reference},
            }
        )
        with pytest.raises(NoProviderAvailable):
            consumer.channel("greeter").subscribe(print)
