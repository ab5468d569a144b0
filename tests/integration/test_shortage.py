"""A process that has no descriptor or no thread left: every call ends, and later ones work."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
from support.dubbo_peer import DubboPeer, echo, foo_config, wait_until
from support.programs import Programs
from support.shortage import Shortage, no_descriptors, no_threads, no_threads_called

from callahead.consumer import ConnectFailed, Consumer
from callahead.consumer.testing import ProviderProcess

Consume = Callable[..., Consumer]

TRI = pytest.mark.parametrize("carrier", ["grpcio", "http2"])
SHORTAGES = pytest.mark.parametrize("shortage", [no_descriptors, no_threads])


@SHORTAGES
def test_the_first_calls_over_dubbo(consume: Consume, shortage: Shortage) -> None:
    """A call of any mode ends at once as not sent, whoever waits for it; with room again the next ones are answered."""
    with DubboPeer(echo) as peer:
        consumer = consume(foo_config(peer.url, retries=0))
        foo = consumer.reference("foo")
        methods = {name: getattr(foo, name) for name in ("echo", "ahead", "aheadSent", "tell", "tellSent")}
        with shortage():
            for name in ("echo", "aheadSent", "tellSent"):
                with pytest.raises(ConnectFailed, match="the I/O thread cannot be started") as caught:
                    methods[name](1)
                assert caught.value.not_sent
            futures = [foo.echo.future(number) for number in range(3)]
            assert [type(future.exception(0)) for future in futures] == [ConnectFailed] * 3
            assert [methods["ahead"](1), methods["tell"](1)] == [None, None]
            assert sum(counts.running for counts in consumer.counts()["foo"].values()) == 0
        assert (foo.echo(1), foo.echo.future(2).result(5), foo.aheadSent(3)) == (1, 2, None)


@SHORTAGES
@pytest.mark.parametrize("carrier", ["http2"])
def test_the_first_calls_over_http2(
    greeting: Consume, server: ProviderProcess, shortage: Shortage, carrier: str
) -> None:
    """As over dubbo: a call of any mode ends at once as not sent, and the next ones are answered."""
    greeter = greeting(server.url).reference("greeter")
    hello = greeter.say_hello
    with shortage():
        with pytest.raises(ConnectFailed, match="the I/O thread cannot be started") as caught:
            hello.sync(name="Ann")
        assert caught.value.not_sent
        futures = [hello.future(name="Ann") for _ in range(3)]
        assert [type(future.exception(0)) for future in futures] == [ConnectFailed] * 3
        with pytest.raises(ConnectFailed):
            next(greeter.spell_hello(name="Ann"))
        with pytest.raises(ConnectFailed):
            greeter.gather_hellos([{"name": "Ann"}])
    assert hello.sync(name="Ann").message == hello.future(name="Ann").result(5).message == "Hello, Ann"
    assert [answer.message for answer in greeter.spell_hello(name="A")] == ["Hello, A"]


@SHORTAGES
def test_close_after_a_shortage(shortage: Shortage) -> None:
    """A consumer that could never begin is closed without a word, in the midst of it."""
    consumer = Consumer(foo_config("dubbo://127.0.0.1:1", retries=0))
    foo = consumer.reference("foo")
    method = foo.echo
    with shortage():
        assert isinstance(method.future(1).exception(5), ConnectFailed)
        consumer.close()


def test_no_thread_to_look_a_host_up(consume: Consume) -> None:
    """The calls to a host by name end at once as not sent, and so do those that were posted with them."""
    with DubboPeer(echo) as peer:
        other = consume(foo_config(peer.url)).reference("foo")
        assert other.echo(1) == 1
        foo = consume(foo_config(peer.url.replace("127.0.0.1", "localhost"), retries=0)).reference("foo")
        with no_threads_called("-dns"):
            futures = [foo.echo.future(number) for number in range(3)]
            errors = [future.exception(5) for future in futures]
        assert [type(error) for error in errors] == [ConnectFailed] * 3
        assert "localhost cannot be looked up: can't start new thread" in str(errors[0])
        wait_until(lambda: _is_answered(foo), 10)


def _is_answered(foo: Any) -> bool:
    try:
        return bool(foo.echo(2) == 2)
    except ConnectFailed:  # it waits a moment before it looks the host up again
        time.sleep(0.05)
        return False


HEAD = """
from support.shortage import no_descriptors, no_threads

def greeter(**settings):
    reference = {"interface": "helloworld.Greeter", "url": sys.argv[1], "retries": 0, "carrier": os.environ["CARRIER"]}
    reference |= settings
    return Consumer({"references": {"foo": reference}})

def config(protocol):
    types = {"methods": {"find": {"parameter_types": ["java.lang.String"]}}}
    if protocol == "tri":
        types["carrier"] = os.environ["CARRIER"]
    url = f"{protocol}://127.0.0.1:1"
    return {"references": {"foo": {"interface": "a.Foo", "protocol": protocol, "url": url, "retries": 0, **types}}}

def told(function, *args):
    try:
        return function(*args)
    except RpcError as error:
        say(type(error).__name__, error.not_sent)
"""


@pytest.mark.parametrize(("protocol", "carrier"), [("dubbo", ""), ("tri", "grpcio"), ("tri", "http2")])
def test_the_first_steps_without_a_descriptor(programs: Programs, protocol: str, carrier: str) -> None:
    """A reference, a call, and a method where modules are imported for it, says that it was not sent."""
    program = """
    with Consumer(config(sys.argv[1])) as consumer:
        with no_descriptors():
            told(consumer.reference, "foo")
        foo = told(consumer.reference, "foo")
        with no_descriptors():
            told(getattr, foo, "find")
        find = foo.find
        with no_descriptors():
            told(find, "x")
        told(find, "x")
    say("closed")
    """
    done = programs.run(program, protocol)
    assert done.stderr == ""
    *first, last, end = done.stdout.splitlines()
    assert len(first) >= 2
    assert {line.split()[1] for line in first} == {"True"}
    assert (last, end) == ("ConnectFailed True", "closed")


# A program of its own each: what grpcio waits for in vain it never closes.


@pytest.mark.long
@pytest.mark.parametrize("carrier", ["grpcio"])  # HTTP/2 of our own needs no further thread
def test_grpcio_without_a_thread(programs: Programs, server: ProviderProcess, carrier: str) -> None:
    """What grpcio leaves without an outcome ends all the same, nothing is said to be not sent, and close returns."""
    program = """
    with greeter(module="support.protos.helloworld_pb2", timeout=200) as consumer:
        hello = consumer.reference("foo").say_hello
        hello.sync(name="Ann")
        with no_threads():
            futures = [hello.future(name="Ann") for _ in range(3)]
            errors = [future.exception() for future in futures]
            hello.sync(name="Ann")
        for error in errors:
            say(type(error).__name__, error.not_sent, error.in_doubt)
    say("closed")
    """
    done = programs.run(program, server.url)
    first, *others, end = done.stdout.splitlines()
    assert (first, set(others), end) == ("TransportError False True", {"CallTimeout False True"}, "closed")


@pytest.mark.long
@TRI
def test_a_connection_without_a_descriptor(programs: Programs, server: ProviderProcess, carrier: str) -> None:
    """A connection that cannot be made is told as such in every mode, and is made once there is room."""
    program = """
    with greeter(module="support.protos.helloworld_pb2", timeout=5000) as consumer:
        hello = consumer.reference("foo").say_hello
        Consumer(config("tri")).reference("foo").find.future("x").exception()  # grpcio has what it needs for itself
        with no_descriptors():
            told(lambda: hello.sync(name="Ann"))
            told(hello.future(name="Ann").result)
        time.sleep(0.5)  # grpcio waits a moment before it connects anew
        say(hello.future(name="Ann").result().message)
    """
    done = programs.run(program, server.url)
    assert done.stdout.splitlines() == ["ConnectFailed True", "ConnectFailed True", "Hello, Ann"]


@pytest.mark.long
@TRI
def test_reflection_without_a_thread(programs: Programs, server: ProviderProcess, carrier: str) -> None:
    """That the server cannot be asked for its methods is said, and it can be asked later on."""
    program = """
    with greeter() as consumer:
        with no_threads():
            told(consumer.reference, "foo")
        say(consumer.reference("foo").say_hello.sync(name="Ann").message)
    """
    done = programs.run(program, server.url)
    assert done.stdout.splitlines() == ["ConnectFailed True", "Hello, Ann"]
