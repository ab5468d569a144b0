"""Consumer.reference where making one takes long: nobody else waits for it, and it is made once."""

from __future__ import annotations

import gc
import threading
from typing import Any

import pytest
from support.forked import WARNING, in_child
from support.shop import Background

from callahead.config import MethodPolicy, ReferencePolicy
from callahead.consumer import Consumer, ConsumerClosed
from callahead.consumer.call.attempt import Attempt
from callahead.consumer.call.invocation import Done
from callahead.consumer.testing.scripted_transport import ScriptedMethod, ScriptedTransport
from callahead.consumer.transport.api import Providers
from callahead.consumer.transport.dubbo.reference import DubboReference
from callahead.consumer.transport.tri.reference import TriReference
from callahead.registry import (
    Endpoint,
    NotifyListener,
    RegistryError,
    RegistryUnavailable,
    ServiceKey,
    Snapshot,
    Subscription,
)

PROVIDERS = Snapshot(1, (Endpoint(protocol="tri", host="h", port=1),))


class Gate:
    """Where somebody comes by who is let through later."""

    def __init__(self) -> None:
        self.entered = threading.Event()
        self.opened = threading.Event()
        self.count = 0

    def pass_through(self) -> None:
        self.count += 1
        self.entered.set()
        assert self.opened.wait(10)


class SlowRegistry:
    """Answers once its gate is open; what is subscribed to it is counted."""

    def __init__(self) -> None:
        self.gate = Gate()
        self.subscriptions = 0
        self.is_down = False

    def subscribe(self, key: ServiceKey, listener: NotifyListener) -> Subscription:
        self.gate.pass_through()
        if self.is_down:
            raise RegistryUnavailable("it is down")
        self.subscriptions += 1
        listener(PROVIDERS)
        return OneSubscription(self)

    def close(self) -> None:
        self.is_down = True


class OneSubscription:
    def __init__(self, registry: SlowRegistry) -> None:
        self._registry = registry

    def close(self) -> None:
        self._registry.subscriptions -= 1


class SlowTransport(ScriptedTransport):
    """Knows the types of ``slow`` once its gate is open."""

    def __init__(self) -> None:
        super().__init__(lambda _: 7)
        self.gate = Gate()

    def open(self, policy: ReferencePolicy, providers: Providers) -> Any:
        return SlowReference(self) if policy.id == "slow" else self


class SlowReference:
    def __init__(self, transport: SlowTransport) -> None:
        self._transport = transport

    def method(self, name: str, policy: MethodPolicy) -> ScriptedMethod:
        return self._transport.method(name, policy)

    def connect(self, attempt: Attempt, done: Done) -> None:
        self._transport.connect(attempt, done)

    def attribute(self, name: str) -> Any:
        raise LookupError(name)

    def methods(self) -> tuple[str, ...]:
        self._transport.gate.pass_through()
        return ()


def consumer(registry: SlowRegistry, transport: ScriptedTransport) -> Consumer:
    config = {
        "registries": {"main": {"address": "memory://any"}},
        "references": {
            "slow": {"interface": "a.Slow", "registry": "main"},
            "quick": {"interface": "a.Quick", "url": "tri://h:1"},
        },
    }
    return Consumer(config, transports={"tri": transport}, registries={"main": registry})


def slow_at(where: str) -> tuple[SlowRegistry, SlowTransport, Gate]:
    """Make a registry and a transport of which one waits at the gate that is returned."""
    registry, transport = SlowRegistry(), SlowTransport()
    waited, other = (registry.gate, transport.gate) if where == "registry" else (transport.gate, registry.gate)
    other.opened.set()
    return registry, transport, waited


@pytest.mark.parametrize("where", ["registry", "types"])
def test_a_slow_reference_holds_up_no_other(where: str) -> None:
    """Neither a reference of another id, nor its calls, nor the consumer's counts."""
    registry, transport, waited = slow_at(where)
    with consumer(registry, transport) as made:
        making = Background(made.reference, "slow")
        assert waited.entered.wait(10)
        assert Background(made.reference, "quick").join().find() == 7
        assert set(made.counts()) >= {"quick"}
        assert making.is_running
        waited.opened.set()
        assert making.join().find() == 7


@pytest.mark.parametrize("where", ["registry", "types"])
def test_threads_that_ask_for_a_slow_reference_get_one(where: str) -> None:
    """The registry is asked once, the types are looked for once, and all get the same object."""
    registry, transport = SlowRegistry(), SlowTransport()
    waited = registry.gate if where == "registry" else transport.gate
    with consumer(registry, transport) as made:
        asking = [Background(made.reference, "slow") for _ in range(4)]
        registry.gate.opened.set()
        assert waited.entered.wait(10)
        transport.gate.opened.set()
        assert len({id(one.join()) for one in asking}) == 1
        assert (registry.gate.count, transport.gate.count) == (1, 1)


def test_a_reference_that_failed_is_made_at_the_next_try() -> None:
    """A failure is told to who asked, and is not kept."""
    registry, transport = SlowRegistry(), ScriptedTransport(lambda _: 7)
    registry.gate.opened.set()
    registry.is_down = True
    with consumer(registry, transport) as made:
        with pytest.raises(RegistryUnavailable, match="^it is down$"):
            made.reference("slow")
        registry.is_down = False
        assert made.reference("slow").find() == 7


@pytest.mark.parametrize("where", ["registry", "types"])
def test_a_consumer_that_is_closed_under_the_making(where: str) -> None:
    """Closing does not wait for it; who asked gets ConsumerClosed, and nothing stays subscribed."""
    registry, transport, waited = slow_at(where)
    made = consumer(registry, transport)
    making = Background(made.reference, "slow")
    assert waited.entered.wait(10)
    Background(made.close).join()
    if where == "registry":
        registry.is_down = False  # a registry that answers all the same
    waited.opened.set()
    with pytest.raises(ConsumerClosed, match=r"^the consumer is closed$"):
        making.join()
    assert registry.subscriptions == 0


def test_what_a_close_under_the_making_leads_to_is_consumer_closed() -> None:
    """A registry that was closed meanwhile is no news to who asked."""
    registry = SlowRegistry()
    made = consumer(registry, ScriptedTransport())
    making = Background(made.reference, "slow")
    assert registry.gate.entered.wait(10)
    made.close()
    registry.gate.opened.set()
    with pytest.raises(ConsumerClosed) as caught:
        making.join()
    assert isinstance(caught.value.__context__, RegistryUnavailable)


@pytest.mark.filterwarnings(WARNING)
def test_a_child_makes_what_was_being_made_at_the_fork() -> None:
    """It waits for no thread of the parent."""
    registry, transport = SlowRegistry(), ScriptedTransport(lambda _: 7)
    with consumer(registry, transport) as made:
        making = Background(made.reference, "slow")
        assert registry.gate.entered.wait(10)

        def work() -> None:
            registry.gate.opened.set()
            assert made.reference("slow").find() == 7

        assert in_child(work) == 0
        registry.gate.opened.set()
        making.join()


class DownRegistry:
    """Cannot be read."""

    def subscribe(self, key: ServiceKey, listener: NotifyListener) -> Subscription:
        raise RegistryUnavailable("it is down")

    def close(self) -> None:
        return None


def of_transports() -> int:
    """Count the references that transports have prepared and somebody holds, those of other tests included."""
    gc.collect()
    return sum(type(thing) in (DubboReference, TriReference) for thing in gc.get_objects())


@pytest.mark.parametrize("protocol", ["dubbo", "tri"])
def test_what_could_not_be_made_leaves_nothing(protocol: str) -> None:
    """A program that asks again and again while its registries are down does not grow."""
    addresses = {name: {"address": f"memory://{name}"} for name in ("one", "two")}
    types = {"generic": True} if protocol == "dubbo" else {"module": "callahead.conf.foo_pb2"}
    foo = {"interface": "com.alibaba.foo.FooService", "protocol": protocol, "registry": ["one", "two"], **types}
    down: Any = {name: DownRegistry() for name in addresses}
    with Consumer({"registries": addresses, "references": {"foo": foo}}, registries=down) as consumer:
        before = of_transports()
        for _ in range(10):
            with pytest.raises(RegistryError):
                consumer.reference("foo")
        assert of_transports() <= before
        assert len(consumer._registries._own) == 1
