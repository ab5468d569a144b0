"""A consumer that nobody can reach any more, and that nobody has closed, over each protocol."""

from __future__ import annotations

import gc
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import helloworld_pb2 as pb
import helloworld_pb2_grpc as pb_grpc
import pytest
from support.forked import WARNING, in_child
from support.programs import Programs
from support.sockets import sockets_to

from callahead.consumer import Consumer, RpcContext, resolve
from callahead.consumer.testing import EmbeddedProvider
from callahead.registry.memory import MemoryRegistry, MemorySpace

SOON = 10.0
GREETER = "helloworld.Greeter"
HEAD = "import gc\nfrom test_dropped_consumers import Served\n"
pytestmark = pytest.mark.filterwarnings("ignore:unclosed <Consumer:ResourceWarning")


class Client:
    """What the `python` protocol calls, as slow as its provider elsewhere would be."""

    def __init__(self) -> None:
        self.heard: list[str] = []
        self.go_on = threading.Event()
        self.go_on.set()

    def say_hello(self, name: str) -> str:
        """Greet, once that may be."""
        self.heard.append(name)
        assert self.go_on.wait(SOON)
        return f"Hello, {name}"


class Served:
    """One greeter, by which a consumer calls it, and how it is held up."""

    def __init__(self, protocol: str, provider: EmbeddedProvider | None) -> None:
        self.client = Client()
        self.url = "" if provider is None else provider.url
        self.protocol = protocol
        if provider is not None:
            self._serve(provider)

    def _serve(self, provider: EmbeddedProvider) -> None:
        if self.protocol == "dubbo":
            provider.serve(GREETER, SayHello=self.client.say_hello)
        else:
            provider.serve(
                GREETER,
                module="helloworld_pb2",
                SayHello=lambda asked: {"message": self.client.say_hello(asked.name)},
                SpellHello=lambda asked: [{"message": letter} for letter in asked.name],
            )

    def _reference(self, **method: Any) -> dict[str, Any]:
        base: dict[str, Any] = {"timeout": 5000, "retries": 0}
        if self.protocol == "python":
            return {**base, "protocol": "python", "methods": {"say_hello": method}}
        base |= {"interface": GREETER, "registry": "main", "methods": {"SayHello": method}}
        if self.protocol == "dubbo":
            method["parameter_types"] = ["java.lang.String"]
            return {**base, "protocol": "dubbo"}
        return {**base, "module": "helloworld_pb2", "carrier": self.protocol}

    def consumer(self, address: str = "memory://dropped-consumers", **method: Any) -> Consumer:
        """Make one whose reference is ``greeter``, of providers that the registry at *address* has."""
        registries = {"main": {"address": address}}
        consumer = Consumer({"registries": registries, "references": {"greeter": self._reference(**method)}})
        if self.protocol == "python":
            consumer.wrap("greeter", self.client)
        return consumer

    def call(self, method: Callable[..., Any], name: str = "Ann") -> Any:
        """Call *method*, or a view of one, as its protocol wants it called."""
        return method(name) if self.protocol in {"dubbo", "python"} else method(name=name)

    def future(self, reference: Any, name: str = "Ann") -> Future[Any]:
        """Begin a call."""
        future: Future[Any] = self.call(reference.say_hello.future, name)
        return future

    def sockets(self) -> int:
        """Count connections to the provider."""
        return sockets_to(self.url) if self.url else 0


@pytest.fixture
def space() -> Iterator[MemorySpace]:
    """A registry that outlives every consumer."""
    with MemoryRegistry.named("dropped-consumers") as made:
        yield made


@pytest.fixture(params=["dubbo", "http2", "grpcio", "python"])
def served(request: pytest.FixtureRequest, space: MemorySpace) -> Iterator[Served]:
    """A greeter of each protocol, ``tri`` by either carrier."""
    protocol = str(request.param)
    if protocol == "python":
        yield Served(protocol, None)
        return
    with EmbeddedProvider(protocol="dubbo" if protocol == "dubbo" else "tri") as provider:
        made = Served(protocol, provider)
        space.publish(GREETER, [provider.url])
        yield made


def ours() -> set[str]:
    """Names of the threads that consumers have started."""
    return {thread.name for thread in threading.enumerate() if thread.name.startswith("callahead-")}


def wait_until(is_so: Callable[[], bool]) -> None:
    until = time.monotonic() + SOON
    while not is_so():
        assert time.monotonic() < until, ours()
        gc.collect()
        time.sleep(0.01)


def all_gone(served: Served) -> bool:
    return not ours() and not served.sockets()


def test_it_is_closed_with_its_threads_and_connections(served: Served) -> None:
    """What it has opened is closed once nobody holds it, while its registry lives on and forgets it."""
    consumer = served.consumer()
    assert "Ann" in str(served.future(consumer.reference("greeter")).result())
    assert ours()

    del consumer

    wait_until(lambda: all_gone(served))


def test_a_held_reference_keeps_it(served: Served) -> None:
    """Calls go on as long as one can be made."""
    reference = served.consumer().reference("greeter")
    served.future(reference).result()

    gc.collect()
    assert "Bob" in str(served.future(reference, "Bob").result())


def test_a_held_method_view_keeps_it(served: Served) -> None:
    """A view of one method is enough to make calls by."""
    view = served.consumer().reference("greeter").say_hello.with_options(timeout=3000)

    gc.collect()
    assert "Bob" in str(served.call(view.sync, "Bob"))


def test_a_pending_future_keeps_it(served: Served) -> None:
    """A call that is under way ends well though only its future is held, and then all is closed."""
    served.client.go_on.clear()
    future = served.future(served.consumer().reference("greeter"))

    gc.collect()
    served.client.go_on.set()

    assert "Ann" in str(future.result(SOON))
    wait_until(lambda: all_gone(served))


def test_a_one_way_call_that_is_queued_leaves(served: Served) -> None:
    """It reaches the provider though its consumer is dropped at once, and then all is closed."""
    served.call(served.consumer(**{"return": False}).reference("greeter").say_hello)

    wait_until(lambda: served.client.heard == ["Ann"])
    wait_until(lambda: all_gone(served))


def test_a_lazy_result_keeps_it(served: Served) -> None:
    """What stands for an answer to come becomes that."""
    served.client.go_on.clear()
    answer = served.call(served.consumer(**{"async": "lazy"}).reference("greeter").say_hello)

    gc.collect()
    served.client.go_on.set()

    assert "Ann" in str(resolve(answer))


def test_a_future_of_the_context_keeps_it(served: Served) -> None:
    """The answer can be collected where the call was made, as ever."""
    served.client.go_on.clear()
    served.call(served.consumer(**{"async": True}).reference("greeter").say_hello)

    gc.collect()
    served.client.go_on.set()

    assert "Ann" in str(RpcContext.get_context().get_future().result(SOON))


def test_a_future_that_is_done_does_not_keep_it(served: Served) -> None:
    """Whoever collects futures does not collect connections."""
    future = served.future(served.consumer().reference("greeter"))
    assert "Ann" in str(future.result())

    wait_until(lambda: all_gone(served))
    assert "Ann" in str(future.result())


def test_a_callback_that_is_due_runs(served: Served) -> None:
    """It may even call, as one does that a consumer waits for at its end."""
    done: list[str] = []
    served.client.go_on.clear()
    future = served.future(served.consumer().reference("greeter"))
    future.add_done_callback(lambda ended: done.append(str(ended.result())))

    del future
    gc.collect()
    served.client.go_on.set()

    wait_until(lambda: len(done) == 1)
    wait_until(lambda: all_gone(served))


@pytest.mark.parametrize("served", ["http2", "grpcio"], indirect=True)
def test_a_stub_keeps_it_and_lets_it_go(served: Served) -> None:
    """A generated stub is a way to call as any other."""
    stub = pb_grpc.GreeterStub(served.consumer().channel("greeter"))
    gc.collect()
    assert "Ann" in stub.SayHello(pb.HelloRequest(name="Ann")).message

    del stub

    wait_until(lambda: all_gone(served))


@pytest.mark.parametrize("served", ["http2", "grpcio"], indirect=True)
@pytest.mark.parametrize("is_stub", [False, True], ids=["reference", "stub"])
def test_a_stream_keeps_it(served: Served, *, is_stub: bool) -> None:
    """Answers come until there are no more, though only their iterator is held."""
    asked = pb.HelloRequest(name="x" * 50)
    consumer = served.consumer()
    if is_stub:
        answers = pb_grpc.GreeterStub(consumer.channel("greeter")).SpellHello(asked)
    else:
        answers = consumer.reference("greeter").spell_hello(asked)
    first = next(answers)
    closed = weakref.ref(consumer)

    del consumer
    gc.collect()

    assert closed() is not None
    assert [first.message, *(one.message for one in answers)] == ["x"] * 50
    del answers
    wait_until(lambda: all_gone(served))


def test_a_warning_says_which_it_was() -> None:
    """As for a socket or a file that is not closed, Python says so where it is told to."""
    held = [Consumer({"references": {"greeter": {"protocol": "python"}}})]
    held[0].wrap("greeter", Client())

    def drop() -> None:
        held.clear()
        gc.collect()

    with pytest.warns(ResourceWarning, match="unclosed <Consumer of <mapping>: greeter; 0 calls running>"):
        drop()


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("is_closed", [False, True])
def test_nothing_is_said_of_one_that_has_nothing_open(*, is_closed: bool) -> None:
    """One that was closed, or from which nothing was asked, goes without a word."""
    consumer = Consumer({"references": {"greeter": {"protocol": "python"}}})
    if is_closed:
        consumer.wrap("greeter", Client())
        consumer.close()

    del consumer
    gc.collect()


@pytest.mark.parametrize("served", ["dubbo", "http2", "grpcio"], indirect=True)
def test_its_registry_ends_with_it(served: Served, tmp_path: Path) -> None:
    """The thread that watches a file of providers keeps no consumer."""
    providers = tmp_path / "providers.yml"
    providers.write_text(f"{GREETER}: [{served.url!r}]")
    consumer = served.consumer(address=f"file:{providers}")
    assert "Ann" in str(served.future(consumer.reference("greeter")).result())
    assert "callahead-registry-main" in ours()

    del consumer

    wait_until(lambda: all_gone(served))


@pytest.mark.filterwarnings(WARNING)
@pytest.mark.parametrize("served", ["dubbo", "http2", "python"], indirect=True)
def test_a_forked_child_drops_its_own(served: Served) -> None:
    """What a child has opened by its copy ends there, and the parent's consumer goes on."""
    held = [served.consumer()]
    served.future(held[0].reference("greeter")).result()
    open_here = served.sockets()

    def work() -> None:
        served.future(held.pop().reference("greeter"), "Bob").result(SOON)
        wait_until(lambda: all_gone(served))

    assert in_child(work) == 0
    assert served.sockets() == open_here
    assert "Cid" in str(served.future(held[0].reference("greeter"), "Cid").result(SOON))


@pytest.mark.slow
@pytest.mark.parametrize("served", ["dubbo", "grpcio"], indirect=True)
def test_the_exit_waits_for_what_is_being_closed(served: Served, programs: Programs, tmp_path: Path) -> None:
    """A program that drops its consumer as the last thing it does ends as any other."""
    program = """
    served = Served(sys.argv[1], None)
    consumer = served.consumer(sys.argv[2])
    say(served.future(consumer.reference("greeter")).result())
    warnings.simplefilter("ignore", ResourceWarning)
    del consumer
    gc.collect()
    """
    providers = tmp_path / "providers.yml"
    providers.write_text(f"{GREETER}: [{served.url!r}]")
    done = programs.run(program, served.protocol, f"file:{providers}")

    assert (done.returncode, done.stderr) == (0, "")
    assert "Ann" in done.stdout


@pytest.mark.slow
@pytest.mark.parametrize("served", ["dubbo", "http2"], indirect=True)
def test_many_in_a_loop_leave_no_thread(served: Served) -> None:
    """Whoever makes a consumer for each request pays for it, but not for ever."""
    for number in range(200):
        served.future(served.consumer().reference("greeter"), str(number)).result()

    wait_until(lambda: all_gone(served))
