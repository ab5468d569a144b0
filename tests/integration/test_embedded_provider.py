"""An embedded provider on a real socket, called by plain grpcio: what it serves, its scripts, its records, its end."""

from __future__ import annotations

import os
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest

from callahead.conf import foo_pb2, foo_pb2_grpc
from callahead.config.policy import SslPolicy
from callahead.consumer.errors import CallaheadError, RemoteError
from callahead.consumer.testing import EmbeddedProvider, ProviderCall, ProviderProcess

PROTOS = Path(__file__).parents[1] / "support" / "protos"
FOO = "com.alibaba.foo.FooService"
GREETER = "helloworld.Greeter"
Request = foo_pb2.FindFooRequest


@pytest.fixture(autouse=True)
def nothing_is_left() -> Iterator[None]:
    """Every test ends with the threads and the sockets that it began with."""
    threads, sockets = set(threading.enumerate()), open_sockets()
    yield
    deadline = time.monotonic() + 5
    while (set(threading.enumerate()) - threads or open_sockets() > sockets) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert set(threading.enumerate()) - threads == set()
    assert open_sockets() <= sockets


def open_sockets() -> int:
    folder = "/proc/self/fd"
    if not os.path.isdir(folder):
        return 0
    links = []
    for name in os.listdir(folder):
        try:
            links.append(os.readlink(f"{folder}/{name}"))
        except OSError:
            continue
    return sum(link.startswith("socket:") for link in links)


def find_foo(request: Any) -> Any:
    return {"foo_id": request.foo_id, "name": f"foo {request.foo_id}"}


@pytest.fixture
def provider() -> Iterator[EmbeddedProvider]:
    with EmbeddedProvider() as made:
        made.serve(
            FOO,
            module="callahead.conf.foo_pb2",
            find_foo=find_foo,
            listFoos=lambda r: ({"foo_id": i} for i in r.foo_ids),
        )
        yield made


@contextmanager
def calling(provider: EmbeddedProvider) -> Iterator[Any]:
    with grpc.insecure_channel(provider.address) as channel:
        yield foo_pb2_grpc.FooServiceStub(channel)


@pytest.fixture
def stub(provider: EmbeddedProvider) -> Iterator[Any]:
    with calling(provider) as made:
        yield made


def status(call: Callable[[], Any]) -> tuple[str, str]:
    with pytest.raises(grpc.RpcError) as caught:
        call()
    return caught.value.code().name, caught.value.details()


# What it serves


def test_a_function_answers_with_a_mapping(stub: Any) -> None:
    """The mapping becomes the method's own answer."""
    assert stub.findFoo(Request(foo_id=7)) == foo_pb2.Foo(foo_id=7, name="foo 7")


def test_a_server_stream_is_an_iterable(stub: Any) -> None:
    """Each item of the iterable is one answer."""
    answers = stub.listFoos(foo_pb2.ListFoosRequest(foo_ids=[3, 1]))
    assert [foo.foo_id for foo in answers] == [3, 1]


def test_all_streaming_kinds_over_a_proto_file() -> None:
    """A .proto file is enough, and an object's methods do as functions."""

    class Greeter:
        def say_hello(self, request: Any) -> str:
            return f"Hello {request.name}"

        def spell_hello(self, request: Any, call: ProviderCall) -> list[str]:
            return list(request.name)

        def gather_hellos(self, requests: Any) -> str:
            return " and ".join(request.name for request in requests)

        def chat_hello(self, requests: Any) -> Iterator[str]:
            for request in requests:
                yield f"Hello {request.name}"

    with EmbeddedProvider() as provider:
        types = provider.serve(GREETER, Greeter(), proto=str(PROTOS / "helloworld.proto"))
        request, reply = types.methods["SayHello"].request_class, types.methods["SayHello"].response_class
        assert request is not None
        assert reply is not None
        coding = (request.SerializeToString, reply.FromString)
        with grpc.insecure_channel(provider.address) as channel:
            say = channel.unary_unary(f"/{GREETER}/SayHello", *coding)
            spell = channel.unary_stream(f"/{GREETER}/SpellHello", *coding)
            gather = channel.stream_unary(f"/{GREETER}/GatherHellos", *coding)
            chat = channel.stream_stream(f"/{GREETER}/ChatHello", *coding)
            names = [request(name="Ann"), request(name="Bob")]
            assert say(names[0]).message == "Hello Ann"
            assert [one.message for one in spell(names[0])] == ["A", "n", "n"]
            assert gather(iter(names)).message == "Ann and Bob"
            assert [one.message for one in chat(iter(names))] == ["Hello Ann", "Hello Bob"]


def test_a_generated_servicer_is_served_as_it_is() -> None:
    """The generated registration function takes the provider for a server, and scripts work on it too."""

    class Servicer(foo_pb2_grpc.FooServiceServicer):
        def findFoo(self, request: Any, context: Any) -> Any:
            if request.foo_id == 0:
                context.set_code(grpc.StatusCode.OUT_OF_RANGE)
                context.set_details("no zero")
            if request.foo_id < 0:
                context.abort(grpc.StatusCode.INVALID_ARGUMENT, "negative")
            return foo_pb2.Foo(foo_id=request.foo_id)

    with EmbeddedProvider() as provider:
        foo_pb2_grpc.add_FooServiceServicer_to_server(Servicer(), provider)
        with calling(provider) as stub:
            assert stub.findFoo(Request(foo_id=4)).foo_id == 4
            assert status(lambda: stub.findFoo(Request(foo_id=0))) == ("OUT_OF_RANGE", "no zero")
            assert status(lambda: stub.findFoo(Request(foo_id=-1))) == ("INVALID_ARGUMENT", "negative")
            provider.script("findFoo", error="ABORTED", times=1)
            assert status(lambda: stub.findFoo(Request(foo_id=4))) == ("ABORTED", "scripted")
    assert [call.outcome for call in provider.calls] == ["OK", "OUT_OF_RANGE", "INVALID_ARGUMENT", "ABORTED"]


def test_a_method_without_a_function_is_unimplemented() -> None:
    """As on any gRPC server."""
    with EmbeddedProvider() as provider:
        provider.serve(FOO, module="callahead.conf.foo_pb2")
        with calling(provider) as stub:
            assert status(lambda: stub.findFoo(Request()))[0] == "UNIMPLEMENTED"


@pytest.mark.parametrize("delay", [0, 10])
def test_an_empty_answer_is_an_answer(delay: int) -> None:
    """None, and a function that returns nothing, give the empty message, at once or delayed."""
    from callahead.conf import bar_pb2, bar_pb2_grpc

    with EmbeddedProvider() as provider:
        provider.serve("com.alibaba.bar.BarService", stub="callahead.conf.bar_pb2_grpc", touch=lambda request: None)
        provider.script("touch", delay=delay)
        with grpc.insecure_channel(provider.address) as channel:
            answer = bar_pb2_grpc.BarServiceStub(channel).touch(bar_pb2.TouchRequest(bar_id=1))
    assert answer == bar_pb2.TouchReply()


def test_functions_may_be_changed_while_it_runs(provider: EmbeddedProvider, stub: Any) -> None:
    """The next call meets the new function; a fixed answer needs none."""
    stub.findFoo(Request())
    provider.serve(FOO, module="callahead.conf.foo_pb2", findFoo={"name": "fixed"})
    assert stub.findFoo(Request()).name == "fixed"


def test_an_error_of_a_function_reaches_the_client(provider: EmbeddedProvider, stub: Any) -> None:
    """Our errors by their status and with details as trailers; any other as UNKNOWN with its type, and logged."""

    def fail(request: Any) -> None:
        if request.foo_id:
            raise RemoteError("no such foo", status="NOT_FOUND", details={"hint": "ask later"})
        raise KeyError("foo")

    provider.serve(FOO, module="callahead.conf.foo_pb2", findFoo=fail)
    with pytest.raises(grpc.RpcError) as caught:
        stub.findFoo(Request(foo_id=1))
    assert (caught.value.code(), caught.value.details()) == (grpc.StatusCode.NOT_FOUND, "no such foo")
    assert dict(caught.value.trailing_metadata())["hint"] == "ask later"
    assert status(lambda: stub.findFoo(Request())) == ("UNKNOWN", "KeyError: 'foo'")


def test_an_answer_that_does_not_fit_is_an_internal_error(provider: EmbeddedProvider, stub: Any) -> None:
    """The client learns which field of the answer was wrong."""
    provider.serve(FOO, module="callahead.conf.foo_pb2", findFoo={"nam": "x"}, listFoos=5)
    code, message = status(lambda: stub.findFoo(Request()))
    assert code == "INTERNAL"
    assert message == (
        "the function of com.alibaba.foo.FooService.findFoo gave what is no answer: "
        'com.alibaba.foo.Foo has no field "nam" (did you mean "name"?)'
    )
    assert status(lambda: list(stub.listFoos(foo_pb2.ListFoosRequest()))) == (
        "INTERNAL",
        "com.alibaba.foo.FooService.listFoos streams its answers, but its function gave a int",
    )


def test_a_call_carries_attachments_both_ways(provider: EmbeddedProvider, stub: Any) -> None:
    """Metadata comes in as attachments, and response attachments go out as trailers."""

    def echo(request: Any, call: ProviderCall) -> dict[str, str]:
        call.response_attachments.update(call.attachments, bits=str(len(call.metadata["raw-bin"])))
        return {"name": call.method}

    provider.serve(FOO, module="callahead.conf.foo_pb2", findFoo=echo)
    metadata = (("who", "ann"), ("tri-service-version", "1"), ("raw-bin", b"\x00\xff"))
    _, call = stub.findFoo.with_call(Request(), metadata=metadata)
    assert dict(call.trailing_metadata()) == {"who": "ann", "bits": "2"}


def test_a_call_knows_its_deadline(provider: EmbeddedProvider, stub: Any) -> None:
    """The client's timeout is seen at the provider, and its absence too."""
    stub.findFoo(Request(), timeout=5)
    stub.findFoo(Request())
    timed, endless = provider.calls
    assert timed.timeout is not None
    assert 3 < timed.timeout < 6  # gRPC sends it rounded up
    assert timed.time_remaining is not None
    assert timed.time_remaining <= timed.timeout
    assert (endless.timeout, endless.time_remaining) == (None, None)


# What a test tells it


def test_a_delay_holds_one_call(provider: EmbeddedProvider, stub: Any) -> None:
    """The first call waits, the second does not."""
    provider.script("findFoo", delay="1m", times=1)
    held = stub.findFoo.future(Request(foo_id=1))
    provider.wait_for_calls("findFoo", 1)
    assert stub.findFoo(Request(foo_id=2)).foo_id == 2
    assert not held.done()
    held.cancel()


def test_a_delayed_stream_comes_whole(provider: EmbeddedProvider, stub: Any) -> None:
    """A delay before a server stream loses nothing."""
    provider.script("list_foos", delay=10)
    assert [foo.foo_id for foo in stub.listFoos(foo_pb2.ListFoosRequest(foo_ids=[1, 2, 3]))] == [1, 2, 3]


def test_a_delayed_call_carries_its_response_attachments(provider: EmbeddedProvider, stub: Any) -> None:
    """Trailers travel with a delayed answer and with a delayed error alike."""

    def answer(request: Any, call: ProviderCall) -> None:
        call.response_attachments["seen"] = "yes"
        if request.foo_id:
            call.abort("ABORTED", "late")

    provider.serve(FOO, module="callahead.conf.foo_pb2", findFoo=answer)
    provider.script("findFoo", delay=10)
    _, call = stub.findFoo.with_call(Request())
    assert dict(call.trailing_metadata())["seen"] == "yes"
    with pytest.raises(grpc.RpcError) as caught:
        stub.findFoo(Request(foo_id=1))
    assert (caught.value.code(), caught.value.details()) == (grpc.StatusCode.ABORTED, "late")
    assert dict(caught.value.trailing_metadata())["seen"] == "yes"


def test_a_scripted_error_comes_after_its_delay(provider: EmbeddedProvider, stub: Any) -> None:
    """Delay and error go together."""
    provider.script("findFoo", delay=50, error=("UNAVAILABLE", "overloaded"))
    began = time.monotonic()
    assert status(lambda: stub.findFoo(Request())) == ("UNAVAILABLE", "overloaded")
    assert time.monotonic() - began >= 0.05


def test_a_scripted_answer_replaces_the_function(provider: EmbeddedProvider, stub: Any) -> None:
    """For as many calls as it was said for."""
    provider.script("findFoo", answer={"name": "scripted"}, times=1)
    assert [stub.findFoo(Request(foo_id=1)).name for _ in range(2)] == ["scripted", "foo 1"]


def test_a_hanging_call_ends_with_its_client(provider: EmbeddedProvider, stub: Any) -> None:
    """The deadline passes, and the provider sees that nobody waits any more."""
    provider.script("findFoo", hang=True)
    future = stub.findFoo.future(Request(foo_id=9), timeout=0.5)
    provider.wait_for_calls("findFoo", 1)
    assert status(future.result)[0] == "DEADLINE_EXCEEDED"
    (call,) = provider.calls
    assert call.wait_ended(5) == "CANCELLED"
    assert call.request.foo_id == 9


def test_a_cancelled_call_is_seen(provider: EmbeddedProvider, stub: Any) -> None:
    """cancel() on the client ends the call at the provider."""
    provider.script("findFoo", hang=True)
    future = stub.findFoo.future(Request())
    provider.wait_for_calls("findFoo", 1)
    assert provider.calls[0].outcome == "RUNNING"
    future.cancel()
    assert provider.calls[0].wait_ended(5) == "CANCELLED"


def test_a_delayed_call_that_is_cancelled_never_runs(provider: EmbeddedProvider, stub: Any) -> None:
    """The function is not called for an answer that nobody awaits."""
    ran: list[Any] = []
    provider.serve(FOO, module="callahead.conf.foo_pb2", findFoo=ran.append)
    provider.script("findFoo", delay=700, times=1)
    future = stub.findFoo.future(Request(foo_id=1))
    provider.wait_for_calls("findFoo", 1)
    future.cancel()
    provider.calls[0].wait_ended(5)
    provider.script("findFoo", delay=800, times=1)
    stub.findFoo(Request(foo_id=2))
    assert [request.foo_id for request in ran] == [2]


def test_a_function_can_wait_for_the_end(provider: EmbeddedProvider, stub: Any) -> None:
    """call.wait wakes when the client is gone."""
    woke = threading.Event()

    def slow(request: Any, call: ProviderCall) -> None:
        if not call.wait(60):
            woke.set()

    provider.serve(FOO, module="callahead.conf.foo_pb2", findFoo=slow)
    future = stub.findFoo.future(Request())
    provider.wait_for_calls("findFoo", 1)
    future.cancel()
    assert woke.wait(5)


def test_a_client_stream_can_be_delayed_and_hung() -> None:
    """Methods whose requests are a stream obey the script too."""
    with EmbeddedProvider() as provider:
        provider.serve(GREETER, proto=str(PROTOS / "helloworld.proto"), GatherHellos=lambda requests: "done")
        with grpc.insecure_channel(provider.address) as channel:
            gather = channel.stream_unary(f"/{GREETER}/GatherHellos")
            provider.script("GatherHellos", delay=50, times=1)
            began = time.monotonic()
            assert gather(iter([b""])) == b"\n\x04done"
            assert time.monotonic() - began >= 0.05
            provider.script("GatherHellos", hang=True)
            assert status(lambda: gather(iter([b""]), timeout=0.05))[0] == "DEADLINE_EXCEEDED"
            assert provider.calls[-1].wait_ended(5) == "CANCELLED"


def test_a_thousand_delayed_calls_take_few_threads(provider: EmbeddedProvider, stub: Any) -> None:
    """1,000 calls of 50 ms run at once on a bounded number of threads, all with the right answer."""
    provider.script("findFoo", delay="50ms")
    futures = [stub.findFoo.future(Request(foo_id=i)) for i in range(1000)]
    threads = [thread for thread in threading.enumerate() if thread.name.startswith("EmbeddedProvider-")]
    assert [future.result().foo_id for future in futures] == list(range(1000))
    assert len(threads) <= 65  # the clock is one more
    assert provider.count("findFoo") == 1000


def test_many_hanging_calls_leave_the_others_alone(stub: Any, provider: EmbeddedProvider) -> None:
    """Hanging calls take no threads, so other methods go on."""
    provider.script("findFoo", hang=True)
    hanging = [stub.findFoo.future(Request()) for _ in range(200)]
    provider.wait_for_calls("findFoo", 200)
    assert len(list(stub.listFoos(foo_pb2.ListFoosRequest(foo_ids=[1]), timeout=5))) == 1
    for future in hanging:
        future.cancel()


# What a test looks at


def test_calls_are_kept_up_to_a_limit_and_counted_beyond() -> None:
    """The most recent calls stay, the count goes on."""
    with EmbeddedProvider(keep_calls=2) as provider:
        provider.serve(FOO, module="callahead.conf.foo_pb2", findFoo=find_foo)
        with calling(provider) as stub:
            for foo_id in range(5):
                stub.findFoo(Request(foo_id=foo_id))
        assert [call.request.foo_id for call in provider.calls_of("find_foo")] == [3, 4]
        assert (provider.count(), provider.count("findFoo")) == (5, 5)
        assert repr(provider.calls[0]) == "<ProviderCall com.alibaba.foo.FooService.findFoo OK>"


def test_waiting_for_calls_that_do_not_come_ends(provider: EmbeddedProvider) -> None:
    """The message says how many came."""
    with pytest.raises(TimeoutError) as caught:
        provider.wait_for_calls("findFoo", 2, timeout=0.01)
    assert str(caught.value) == "0 of 2 calls of findFoo came within 0.01 s"


# Its life


def test_stop_ends_running_calls_and_frees_the_port(provider: EmbeddedProvider, stub: Any) -> None:
    """No call is left waiting, and the port can be listened on."""
    provider.script("findFoo", hang=True)
    future = stub.findFoo.future(Request())
    provider.wait_for_calls("findFoo", 1)
    port = int(provider.address.rpartition(":")[2])
    provider.stop()
    assert future.exception(5).code() is grpc.StatusCode.UNAVAILABLE
    assert provider.calls[0].wait_ended(5) == "CANCELLED"
    with socket.socket() as free:
        free.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        free.bind(("127.0.0.1", port))
    provider.stop()


def test_a_killed_provider_refuses_and_comes_back_on_its_port(provider: EmbeddedProvider) -> None:
    """Kill drops the connections, the port refuses, restart serves again with what was there before."""
    provider.script("findFoo", hang=True, times=1)
    with calling(provider) as stub:
        future = stub.findFoo.future(Request())
        provider.wait_for_calls("findFoo", 1)
        address = provider.address
        provider.kill()
        assert future.exception(5).code() is grpc.StatusCode.UNAVAILABLE
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", int(address.rpartition(":")[2]))) != 0
    provider.restart()
    assert provider.address == address
    with calling(provider) as stub:
        assert stub.findFoo(Request(foo_id=3), timeout=5).name == "foo 3"


def test_stop_does_not_wait_for_a_function_for_ever() -> None:
    """A function that does not return is told; the port is free all the same."""
    release = threading.Event()
    provider = EmbeddedProvider(stop_timeout=0.1).start()
    provider.serve(FOO, module="callahead.conf.foo_pb2", findFoo=lambda request: release.wait(30) and None)
    with calling(provider) as stub:
        future = stub.findFoo.future(Request())
        provider.wait_for_calls("findFoo", 1)
        with pytest.raises(TimeoutError) as caught:
            provider.stop()
        assert str(caught.value) == (
            "a function still runs 0.1 s after the provider stopped; served: com.alibaba.foo.FooService.findFoo"
        )
        assert future.exception(5) is not None
    release.set()


def test_two_providers_live_side_by_side() -> None:
    """Each has its own port, functions and records."""
    with EmbeddedProvider() as one, EmbeddedProvider() as two:
        for provider, name in ((one, "one"), (two, "two")):
            provider.serve(FOO, module="callahead.conf.foo_pb2", findFoo={"name": name})
            with calling(provider) as stub:
                assert stub.findFoo(Request()).name == name
        assert one.url.startswith("tri://127.0.0.1:")
        assert one.url != two.url


def test_health_is_served() -> None:
    """A health check of the whole server says SERVING, and is no call of the test's."""
    from grpc_health.v1 import health_pb2, health_pb2_grpc

    with EmbeddedProvider(health=True) as provider, grpc.insecure_channel(provider.address) as channel:
        answer = health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest())
        assert answer.status == health_pb2.HealthCheckResponse.SERVING
        assert provider.calls == ()


# TLS


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """A certificate authority, and a certificate of it for localhost; paths of PEM files."""
    x509 = pytest.importorskip("cryptography.x509")
    import datetime as dt

    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    folder = tmp_path_factory.mktemp("certificates")
    now = dt.datetime.now(dt.UTC)
    authority_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())

    def named(name: str) -> Any:
        return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])

    def certificate(subject: str, public: Any, extension: Any) -> Any:
        builder = x509.CertificateBuilder().subject_name(named(subject)).issuer_name(named("authority"))
        builder = builder.public_key(public).serial_number(x509.random_serial_number())
        builder = builder.not_valid_before(now).not_valid_after(now + dt.timedelta(days=1))
        issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key())
        builder = builder.add_extension(issuer, critical=False)  # from 3.13 on Python insists on it
        builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        critical = isinstance(extension, x509.BasicConstraints)
        return builder.add_extension(extension, critical=critical).sign(authority_key, hashes.SHA256())

    authority = certificate("authority", authority_key.public_key(), x509.BasicConstraints(ca=True, path_length=None))
    own = certificate("localhost", key.public_key(), x509.SubjectAlternativeName([x509.DNSName("localhost")]))
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    contents = {"ca": authority.public_bytes(pem), "cert": own.public_bytes(pem), "key": private}
    for name, data in contents.items():
        (folder / name).write_bytes(data)
    return {name: str(folder / name) for name in contents}


@pytest.mark.parametrize("mutual", [False, True])
def test_tls_and_mutual_tls(certificates: dict[str, str], mutual: bool) -> None:
    """With an authority of its own, the provider only talks to clients which that has signed."""
    ssl = SslPolicy(cert=certificates["cert"], key=certificates["key"], ca=certificates["ca"] if mutual else None)
    data = {name: Path(path).read_bytes() for name, path in certificates.items()}
    anonymous = grpc.ssl_channel_credentials(data["ca"])
    known = grpc.ssl_channel_credentials(data["ca"], data["key"], data["cert"])
    options = [("grpc.ssl_target_name_override", "localhost")]
    with EmbeddedProvider(ssl=ssl) as provider:
        provider.serve(FOO, module="callahead.conf.foo_pb2", findFoo=find_foo)
        with grpc.secure_channel(provider.address, known, options) as channel:
            assert foo_pb2_grpc.FooServiceStub(channel).findFoo(Request(foo_id=1)).foo_id == 1
        with grpc.secure_channel(provider.address, anonymous, options) as channel:
            stub = foo_pb2_grpc.FooServiceStub(channel)
            if mutual:
                assert status(lambda: stub.findFoo(Request()))[0] == "UNAVAILABLE"
            else:
                assert stub.findFoo(Request(foo_id=1)).foo_id == 1


# In another process

BUILDERS = """
import sys
from callahead.consumer.testing import EmbeddedProvider

def one(name="foo", delay=0):
    provider = EmbeddedProvider()
    provider.serve("com.alibaba.foo.FooService", module="callahead.conf.foo_pb2", findFoo={"name": name})
    provider.script("findFoo", delay=delay)
    return provider

def two():
    return {"a": one("a"), "b": one("b")}

def fails():
    raise ValueError("not today")

def wrong():
    return 5

def silent():
    import time
    time.sleep(60)
"""


@pytest.fixture(scope="module")
def builders(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    folder = tmp_path_factory.mktemp("builders")
    (folder / "some_builders.py").write_text(BUILDERS)
    return [str(folder)]


def name_of(url: str, **options: Any) -> str:
    with grpc.insecure_channel(url.removeprefix("tri://")) as channel:
        name: str = foo_pb2_grpc.FooServiceStub(channel).findFoo(Request(), **options).name
        return name


def test_a_provider_in_a_process_of_its_own(builders: list[str]) -> None:
    """It is built there with our arguments, answers, and is gone afterwards."""
    with ProviderProcess("some_builders:one", "far", path=builders, delay=1) as process:
        assert name_of(process.url) == "far"
        assert process.pid != os.getpid()
    with pytest.raises(CallaheadError) as caught:
        _ = process.pid
    assert str(caught.value) == "the process does not run"


def test_two_providers_in_one_process(builders: list[str]) -> None:
    """Each has its address under its name, and no one is the only one."""
    with ProviderProcess("some_builders:two", path=builders) as process:
        assert {name: name_of(url) for name, url in process.urls.items()} == {"a": "a", "b": "b"}
        with pytest.raises(CallaheadError) as caught:
            _ = process.url
    assert str(caught.value) == "this process has 2 providers; urls has each by its name"


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="how a process stands is read from /proc (Linux)")
def test_a_paused_process_stands_still(builders: list[str]) -> None:
    """Once `pause` has returned none of its threads runs, on whichever core."""
    with ProviderProcess("some_builders:one", path=builders) as process:
        for _ in range(50):
            process.pause()
            states = {Path(one, "stat").read_text().rpartition(") ")[2][0] for one in tasks(process.pid)}
            process.resume()
            assert states == {"T"}


def tasks(pid: int) -> Iterable[Path]:
    """The folders of a process' threads."""
    return Path(f"/proc/{pid}/task").iterdir()


def test_a_paused_process_answers_when_it_goes_on(builders: list[str]) -> None:
    """While paused it accepts and never speaks; afterwards all is as before. A pause does not keep it from ending."""
    with ProviderProcess("some_builders:one", path=builders) as process:
        process.pause()
        assert status(lambda: name_of(process.url, timeout=0.2))[0] == "DEADLINE_EXCEEDED"
        process.resume()
        assert name_of(process.url, timeout=5) == "foo"
        process.pause()


def test_a_killed_process_is_gone_at_once(builders: list[str]) -> None:
    """As after a crash, connections are refused; the end of the with does not mind."""
    with ProviderProcess("some_builders:one", path=builders) as process:
        process.kill()
        assert status(lambda: name_of(process.url, timeout=5))[0] == "UNAVAILABLE"


@pytest.mark.parametrize(
    ("builder", "said"),
    [
        ("fails", "ValueError: not today"),
        ("wrong", "some_builders:wrong gave a int for provider, not an EmbeddedProvider"),
        ("nope", 'LookupError: "some_builders:nope": some_builders has no "nope"'),
    ],
)
def test_a_process_that_does_not_start_says_why(builders: list[str], builder: str, said: str) -> None:
    """What the process wrote to its standard error is in our error."""
    with pytest.raises(CallaheadError) as caught:
        ProviderProcess(f"some_builders:{builder}", path=builders).start()
    assert str(caught.value).startswith(f"some_builders:{builder} did not start:\nTraceback")
    assert said in str(caught.value)


def test_a_process_that_never_listens_is_given_up(builders: list[str]) -> None:
    """The wait for its address is bounded, and it is ended by force."""
    with pytest.raises(CallaheadError) as caught:
        ProviderProcess("some_builders:silent", path=builders, start_timeout=0.5, stop_timeout=0.1).start()
    assert str(caught.value) == "some_builders:silent did not start within 0.5 s"


def test_a_process_ends_when_its_parent_is_gone(builders: list[str], tmp_path: Path) -> None:
    """A parent that dies without a word does not leave its provider behind."""
    import subprocess

    parent = tmp_path / "parent.py"
    parent.write_text(
        "import os, sys\n"
        "from callahead.consumer.testing import ProviderProcess\n"
        f"process = ProviderProcess('some_builders:one', path={builders!r}).start()\n"
        "print(process.pid, flush=True)\n"
        "os._exit(1)\n"
    )
    done = subprocess.run([sys.executable, str(parent)], capture_output=True, timeout=60, check=False)
    pid = int(done.stdout)
    deadline = time.monotonic() + 10
    while is_running(pid) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not is_running(pid)


def is_running(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"
