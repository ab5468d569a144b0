"""What becomes of a consumer when its process forks, ends, or is told to end."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from support.programs import Programs

from callahead.config.policy import SslPolicy
from callahead.consumer.testing import EmbeddedProvider

HEAD = """
reference = {"interface": "helloworld.Greeter", "module": "helloworld_pb2", "url": sys.argv[1], "timeout": 20000}
reference["carrier"] = os.environ["CARRIER"]
application = {"shutdown_timeout": os.environ.get("SHUTDOWN_TIMEOUT", "10s")}
consumer = Consumer({"application": application, "references": {"greeter": {**reference, "retries": 0}}})
greeter = consumer.reference("greeter")
"""

CARRIERS = ("grpcio", "http2")
START = 10.0
BUSY = "since calls were running at the fork; fork while none runs, or spawn"
# A program of its own for each, most of which import grpcio: together they take as long as hundreds of other tests.
pytestmark = [pytest.mark.slow, pytest.mark.long]


@pytest.mark.parametrize("support", ["", "0", "1"], ids=["default", "no fork support", "fork support"])
def test_a_child_makes_connections_of_its_own(
    programs: Programs, provider: EmbeddedProvider, support: str, carrier: str
) -> None:
    """A forked child calls on connections of its own, or is told why it cannot; the parent goes on; nothing hangs."""
    program = """
    say(greeter.say_hello(name="parent").message)
    def work():
        try:
            say(greeter.say_hello(name="child").message)
            say(greeter.say_hello.future(name="child ahead").result(10).message)
            say([reply.message for reply in greeter.spell_hello(name="c")])
        except RpcError as error:
            say("no:", error)
        consumer.close()
    say("status", in_child(work))
    say(greeter.say_hello(name="parent again").message)
    consumer.close()
    """
    done = programs.run(program, provider.url, **({"GRPC_ENABLE_FORK_SUPPORT": support} if support else {}))
    assert done.stderr == ""
    first, *child, status, last = done.stdout.splitlines()
    assert (first, status, last) == ("Hello, parent", "status 0", "Hello, parent again")
    if carrier == "grpcio" and support == "0":
        assert len(child) == 1
        assert "gRPC cannot be used in this forked process, since GRPC_ENABLE_FORK_SUPPORT is 0" in child[0]
    else:
        assert child == ["Hello, child", "Hello, child ahead", "['c']"]
    assert done.returncode == 0


def test_futures_of_the_parent_raise_in_the_child(programs: Programs, provider: EmbeddedProvider, carrier: str) -> None:
    """A call that ran at the fork ends in the child as ConsumerClosed.

    The child can make others over http2, and is told why it can make none over grpcio.
    """
    provider.script("SayHello", times=1)
    provider.script("SayHello", delay="1s", times=1)
    program = """
    greeter.say_hello(name="warm")  # gRPC core is not proof against a fork while it connects
    future = greeter.say_hello.future(name="slow")
    def work():
        try:
            say(future.result(0))
        except ConsumerClosed as error:
            say(error.message, error.in_doubt)
        try:
            say(greeter.say_hello(name="child").message)
        except RpcError as error:
            say(error.message)
    say("status", in_child(work))
    say(future.result(10).message)
    consumer.close()
    """
    done = programs.run(program, provider.url)
    assert done.stderr == ""
    assert done.stdout.splitlines() == [
        "the process was forked while the call ran; its answer goes to the parent True",
        "Hello, child" if carrier == "http2" else f"gRPC cannot be used in this forked process, {BUSY}",
        "status 0",
        "Hello, slow",
    ]


def test_a_fork_under_load(programs: Programs, provider: EmbeddedProvider) -> None:
    """Children forked while other threads call do not disturb the parent's calls.

    They are answered over http2, and get a clear error at once over grpcio.
    """
    provider.script("SpellHello", hang=True)
    program = """
    stop, errors, counts = threading.Event(), [], [0, 0]
    def load(number):
        while not stop.is_set():
            try:
                name = f"{number}-{counts[number]}"
                assert greeter.say_hello(name=name).message == f"Hello, {name}"
                assert greeter.say_hello.future(name=name).result(10).message == f"Hello, {name}"
                counts[number] += 1
            except BaseException as error:
                errors.append(error)
                return
    greeter.say_hello.future(name="warm").result(10)  # a fork under a first import would be Python's own trouble
    threads = [threading.Thread(target=load, args=(number,)) for number in range(2)]
    for thread in threads: thread.start()
    def work():
        try:
            assert greeter.say_hello(name="child").message == "Hello, child"
            assert os.environ["CARRIER"] == "http2"
        except RpcError as error:
            assert "gRPC cannot be used in this forked process" in str(error), error
            assert os.environ["CARRIER"] == "grpcio"
        consumer.close(timeout=1)
    stream = greeter.spell_hello(name="a")  # so that at each fork some call runs
    statuses = [in_child(work) for _ in range(5)]
    before = list(counts)
    time.sleep(0.3)
    stop.set()
    for thread in threads: thread.join()
    say(statuses, errors, all(now > then for now, then in zip(counts, before)))
    consumer.close()
    """
    done = programs.run(program, provider.url)
    assert done.stderr == ""
    assert done.stdout.splitlines() == ["[0, 0, 0, 0, 0] [] True"]


def test_multiprocessing_by_fork(programs: Programs, provider: EmbeddedProvider) -> None:
    """A fork pool of multiprocessing calls through the inherited consumer, and all its processes end."""
    program = """
    import multiprocessing
    def work(number):
        return greeter.say_hello(name=str(number)).message
    say(greeter.say_hello(name="parent").message)
    with multiprocessing.get_context("fork").Pool(2) as pool:
        say(sorted(pool.map_async(work, range(6)).get(20)))
        pool.close()
        pool.join()
    say(greeter.say_hello(name="parent").message)
    consumer.close()
    """
    done = programs.run(program, provider.url)
    assert done.stderr == ""
    expected = [f"Hello, {number}" for number in range(6)]
    assert done.stdout.splitlines() == ["Hello, parent", str(expected), "Hello, parent"]


EXITS = {
    "end": "",
    "sys.exit": "sys.exit(0)",
    "exit in a function": "(lambda: exit())()",
}


@pytest.mark.parametrize("how", EXITS)
def test_the_interpreter_ends_with_calls_pending(programs: Programs, provider: EmbeddedProvider, how: str) -> None:
    """A program that ends with streams and calls of daemons pending ends at once, with status 0 and without noise."""
    provider.script("*", hang=True)
    program = f"""
    stream = greeter.spell_hello(name="a")
    threading.Thread(target=lambda: greeter.say_hello.sync(name="b"), daemon=True).start()
    time.sleep(0.3)
    {EXITS[how]}
    """
    done = programs.run(program, provider.url)
    assert (done.returncode, done.stderr) == (0, "")


def test_an_answer_during_the_end_of_the_interpreter(programs: Programs, provider: EmbeddedProvider) -> None:
    """Answers and callbacks that come while the interpreter ends make no noise."""
    provider.script("*", delay="300ms")
    program = """
    futures = [greeter.say_hello.future(name=str(number)) for number in range(200)]
    for future in futures:
        future.add_done_callback(lambda future: future.response_attachments)
    time.sleep(0.25)
    """
    done = programs.run(program, provider.url)
    assert (done.returncode, done.stderr) == (0, "")


def test_sys_exit_with_an_open_consumer_in_a_with_block(programs: Programs, provider: EmbeddedProvider) -> None:
    """sys.exit inside the with block drains for the time of the configuration, and exits with its status."""
    provider.script("*", delay="300ms")
    program = """
    with consumer:
        future = greeter.say_hello.future(name="a")
        future.add_done_callback(lambda future: say(future.result().message))
        sys.exit(3)
    """
    done = programs.run(program, provider.url)
    assert (done.returncode, done.stderr, done.stdout) == (3, "", "Hello, a\n")


INTERRUPTED = {
    "sync": "greeter.say_hello.sync(name='a')",
    "result": "greeter.say_hello.future(name='a').result()",
    "result with timeout": "greeter.say_hello.future(name='a').result(15)",
    "stream": "next(greeter.spell_hello(name='a'))",
    "gather": "greeter.gather_hellos([{'name': 'a'}])",
}


@pytest.mark.parametrize("where", INTERRUPTED)
def test_ctrl_c(programs: Programs, provider: EmbeddedProvider, where: str) -> None:
    """Ctrl-C during a call raises KeyboardInterrupt there at once, and the call is ended at the provider too."""
    provider.script("*", hang=True)
    program = f"""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    say("ready")
    try:
        {INTERRUPTED[where]}
    except KeyboardInterrupt:
        say("interrupted")
    consumer.close(timeout=0)
    say("closed")
    """
    method = {"stream": "SpellHello", "gather": "GatherHellos"}.get(where, "SayHello")
    process = programs.start(program, provider.url)
    provider.wait_for_calls(method, 1, timeout=START)
    time.sleep(0.2)  # a signal between the caller's last look and its wait would be noticed after the wait only
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert (out.splitlines(), err) == (["ready", "interrupted", "closed"], "")
    assert process.returncode == 0
    assert provider.calls[0].wait_ended(5) == "CANCELLED"


@pytest.mark.parametrize("where", ["sync", "result"])
def test_sigterm(programs: Programs, provider: EmbeddedProvider, where: str) -> None:
    """SIGTERM ends a program that waits for a call, by default at once, and by a handler that exits in order.

    The order includes `shutdown_timeout` for a future that the program still might want.
    """
    provider.script("*", hang=True)
    process = programs.start(INTERRUPTED[where], provider.url)
    handler = "signal.signal(signal.SIGTERM, lambda *_: sys.exit(7))"
    handled = programs.start(f"{handler}\n{INTERRUPTED[where]}", provider.url, SHUTDOWN_TIMEOUT="1ms")
    provider.wait_for_calls("SayHello", 2, timeout=START)
    process.terminate()
    handled.terminate()
    _, err = process.communicate(timeout=30)
    _, handled_err = handled.communicate(timeout=30)
    assert (process.returncode, err) == (-signal.SIGTERM, "")
    assert handled.returncode == 7
    assert all("gives up 1 calls" in line for line in handled_err.splitlines())


def test_call_credentials(
    programs: Programs, make_provider: Callable[..., EmbeddedProvider], certificates: Path
) -> None:
    """Credentials of grpcio that a stub's call gives travel with it over TLS, in every way to call, and in a child.

    In a process of its own, since gRPC core asks for them on a thread of its own, which Python then lists for ever.
    """
    files = {name: str(certificates / f"server{end}") for name, end in (("cert", ".pem"), ("key", ".key"))}
    provider = make_provider(ssl=SslPolicy(**files))
    program = """
    import grpc, helloworld_pb2 as pb, helloworld_pb2_grpc as pb_grpc
    safe = {**reference, "ssl": {"ca": os.environ["TEST_CA"]}}
    with Consumer({"references": {"greeter": safe}}) as consumer:
        stub = pb_grpc.GreeterStub(consumer.channel("greeter"))
        options = {"credentials": grpc.access_token_call_credentials("secret"), "timeout": 5}
        stub.SayHello(pb.HelloRequest(name="a"), **options)
        stub.SayHello.with_call(pb.HelloRequest(name="a"), **options)
        stub.SayHello.future(pb.HelloRequest(name="a"), **options).result()
        list(stub.SpellHello(pb.HelloRequest(name="a"), **options))
        say(in_child(lambda: stub.SayHello(pb.HelloRequest(name="child"), **options)))
        stub.SayHello(pb.HelloRequest(name="parent again"), **options)
    """
    done = programs.run(program, provider.url, TEST_CA=str(certificates / "ca.pem"))
    assert (done.returncode, done.stderr, done.stdout) == (0, "", "0\n")
    assert [call.metadata["authorization"] for call in provider.calls] == ["Bearer secret"] * 6


@pytest.mark.grpcio
def test_grpc_core_says_nothing_on_stderr(
    programs: Programs, provider: EmbeddedProvider, certificates: Path, closed_port: str
) -> None:
    """What goes wrong is in the errors: refused connections, failed handshakes and forks leave no line on stderr."""
    program = """
    import grpc
    safe = {**reference, "ssl": {"ca": os.environ["TEST_CA"]}, "retries": 0}
    refused = {**reference, "url": os.environ["TEST_REFUSED"], "retries": 0}
    with Consumer({"references": {"safe": safe, "refused": refused}}) as other:
        futures = [other.reference(name).say_hello.future(name="a") for name in other.references]
        say(*(type(future.exception(10)).__name__ for future in futures))
    greeter.say_hello.future(name="a")
    say(in_child(lambda: None))
    channel = grpc.secure_channel(sys.argv[1].removeprefix("tri://"), grpc.ssl_channel_credentials(b"x", b"y", b"z"))
    say(channel.unary_unary("/a.B/c").future(b"", timeout=0.5).code())
    consumer.close()
    """
    environment = {"TEST_CA": str(certificates / "ca.pem"), "TEST_REFUSED": closed_port}
    done = programs.run(program, provider.url, **environment)
    assert done.stdout.splitlines() == ["ConnectFailed ConnectFailed", "0", "StatusCode.UNAVAILABLE"]
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.grpcio
def test_a_level_that_the_user_sets_stays(programs: Programs, provider: EmbeddedProvider) -> None:
    """Who wants to hear gRPC core sets GRPC_VERBOSITY, as ever."""
    program = """
    import grpc
    channel = grpc.secure_channel(sys.argv[1].removeprefix("tri://"), grpc.ssl_channel_credentials(b"x", b"y", b"z"))
    say(channel.unary_unary("/a.B/c").future(b"", timeout=0.5).code())
    """
    done = programs.run(program, provider.url, GRPC_VERBOSITY="ERROR")
    assert "Invalid cert chain file" in done.stderr
