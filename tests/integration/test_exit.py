"""What becomes of the calls that still run when the interpreter exits and nobody has closed the consumer."""

from __future__ import annotations

import re
import signal
import subprocess
import time
from collections.abc import Iterator

import pytest
from support.programs import Programs

from callahead.consumer.testing import EmbeddedProvider

HEAD = """
url, is_java = sys.argv[1], sys.argv[1].startswith("dubbo")

def reference(url, **method):
    if is_java:
        method["parameter_types"] = ["java.lang.String"]
    types = {} if is_java else {"module": "helloworld_pb2", "carrier": os.environ["CARRIER"]}
    base = {"interface": "helloworld.Greeter", "url": url, "timeout": 30000, "retries": 0}
    return {**base, **types, "methods": {"SayHello": method}}

def consume(shutdown_timeout="20s", mute_url=url):
    references = {
        "ahead": reference(url, **{"async": True}),
        "teller": reference(url, **{"return": False}),
        "waiter": reference(mute_url),
    }
    return Consumer({"application": {"shutdown_timeout": shutdown_timeout}, "references": references})

def call(reference, number=0):
    return reference.SayHello(str(number)) if is_java else reference.SayHello(name=str(number))

consumer = consume()
ahead, teller = consumer.reference("ahead"), consumer.reference("teller")
"""
pytestmark = pytest.mark.slow


# grpcio takes long to import, and what is not grpcio's own is the same over http2 and dubbo.
@pytest.fixture(params=[*(pytest.param(one, marks=pytest.mark.long) for one in ("grpcio", "http2")), "dubbo"])
def served(request: pytest.FixtureRequest) -> str:
    """What is spoken: ``dubbo``, or ``tri`` over either carrier."""
    return str(request.param)


@pytest.fixture
def carrier(request: pytest.FixtureRequest) -> str:
    """The carrier of ``tri``; one of dubbo has none."""
    served = request.getfixturevalue("served") if "served" in request.fixturenames else "dubbo"
    return "" if served == "dubbo" else str(served)


@pytest.fixture
def greeter(served: str) -> Iterator[EmbeddedProvider]:
    """Serve one method."""
    with EmbeddedProvider(protocol="dubbo" if served == "dubbo" else "tri") as provider:
        if served != "dubbo":
            provider.serve(
                "helloworld.Greeter", module="helloworld_pb2", SayHello=lambda asked: {"message": asked.name}
            )
        else:
            provider.serve("helloworld.Greeter", SayHello=lambda name: name)
        yield provider


def said(done: subprocess.CompletedProcess[str]) -> list[str]:
    """Lines of the standard error."""
    return done.stderr.splitlines()


ENDS = {
    "the end": "",
    "sys.exit": "sys.exit(0)",
    "exit in a function": "(lambda: exit())()",
    "a forgotten consumer": "del consumer, ahead, teller",
}


@pytest.mark.parametrize("end", ENDS)
def test_what_is_queued_is_flushed(programs: Programs, greeter: EmbeddedProvider, end: str) -> None:
    """One-way and async calls made just before the end are executed, all of them, and nothing is said."""
    program = f"""
    for number in range(100):
        call(teller, number)
        call(ahead, number)
    {ENDS[end]}
    """
    done = programs.run(program, greeter.url)
    assert (done.returncode, said(done)) == (0, [])
    greeter.wait_for_calls("SayHello", 200)


def test_an_unhandled_exception_flushes_too(programs: Programs, greeter: EmbeddedProvider) -> None:
    """The program's status and its traceback are those of the exception."""
    done = programs.run('for number in range(100):\n    call(teller, number)\nraise SystemError("mine")', greeter.url)
    assert (done.returncode, said(done)[-1]) == (1, "SystemError: mine")
    greeter.wait_for_calls("SayHello", 100)


def test_calls_of_daemon_threads_are_flushed(programs: Programs, greeter: EmbeddedProvider) -> None:
    """What a daemon thread has called is flushed; what it waits for itself is left behind."""
    program = """
    import socket
    mute = socket.create_server(("127.0.0.1", 0))
    consumer = consume(mute_url=f"{url[:url.rindex(':')]}:{mute.getsockname()[1]}")
    teller, waiter = consumer.reference("teller"), consumer.reference("waiter")
    threading.Thread(target=lambda: call(waiter), daemon=True).start()
    while not consumer.counts().get("waiter", {}).get("SayHello"):
        time.sleep(0.01)
    called = threading.Event()
    def work():
        for number in range(50):
            call(teller, number)
        called.set()
    threading.Thread(target=work, daemon=True).start()
    called.wait()
    mute.detach()
    """
    done = programs.run(program, greeter.url)
    assert (done.returncode, said(done)) == (0, [])
    greeter.wait_for_calls("SayHello", 50)


def test_what_is_given_up_is_said(programs: Programs, greeter: EmbeddedProvider) -> None:
    """After shutdown_timeout one warning tells how many calls of which methods did not end."""
    greeter.script("SayHello", hang=True)
    program = """
    consumer = consume(shutdown_timeout="300ms")
    ahead = consumer.reference("ahead")
    for number in range(4):
        call(ahead, number)
    """
    done = programs.run(program, greeter.url)
    [line] = said(done)
    found = re.fullmatch(r"the interpreter exits and gives up 4 calls after (\d+) ms: 4 of ahead\.SayHello", line)
    assert found is not None, line
    assert int(found[1]) >= 300
    assert done.returncode == 0


def test_callbacks_run_before_the_end(programs: Programs, greeter: EmbeddedProvider) -> None:
    """What was to happen with an answer happens, on the thread that exits, since the callback threads have ended."""
    greeter.script("SayHello", delay="300ms")
    program = """
    def done(future):
        say(future.exception(), threading.current_thread().name)
    for number in range(3):
        call(ahead, number)
        RpcContext.get_context().get_future().add_done_callback(done)
    """
    done = programs.run(program, greeter.url)
    assert (done.returncode, said(done)) == (0, [])
    assert done.stdout.splitlines() == ["None MainThread"] * 3


def test_the_childs_exit_leaves_the_parents_calls(programs: Programs, greeter: EmbeddedProvider) -> None:
    """A forked child that exits neither waits for the parent's calls nor speaks of them."""
    greeter.script("SayHello", hang=True, times=1)
    program = """
    call(ahead)
    time.sleep(0.3)
    child = os.fork()
    if child == 0:
        sys.exit(5)
    say(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    consumer.close(0)
    """
    done = programs.run(program, greeter.url)
    assert (done.returncode, said(done), done.stdout) == (0, [], "5\n")


HOLDERS = {
    "the context": 'broken.SayHello("a") if is_java else broken.SayHello(name="a")',
    "a name": 'kept = broken.SayHello.future("a") if is_java else broken.SayHello.future(name="a")',
}


@pytest.mark.parametrize("holder", HOLDERS)
@pytest.mark.parametrize("unobserved", ["log", "raise"])
def test_a_failure_that_nobody_looked_at_is_reported(
    programs: Programs, greeter: EmbeddedProvider, holder: str, unobserved: str
) -> None:
    """What holds a future to the end of the program makes no difference, and one that failed is reported once."""
    program = f"""
    ahead = reference(url[:url.rindex(":")] + ":1", **{{"async": True, "unobserved": "{unobserved}"}})
    broken = Consumer({{"references": {{"ahead": ahead}}}}).reference("ahead")
    {HOLDERS[holder]}
    """
    done = programs.run(program, greeter.url)
    named = [line for line in said(done) if "ahead.SayHello failed and nobody looked at its future: " in line]
    assert done.returncode == 0
    assert len(named) == 1
    assert "program0.py:" in named[0]


# The end of the main thread, the signal that the program gets there, and its status.
WAYS = {
    "the end": ("", None, 0),
    "sys.exit": ("sys.exit(3)", None, 3),
    "Ctrl-C": ("time.sleep(60)", signal.SIGINT, -signal.SIGINT),
    "SIGTERM": ("time.sleep(60)", signal.SIGTERM, 143),
    "a dropped consumer": ("del consumer, ahead, method; gc.collect()", None, 0),
}


@pytest.mark.parametrize("way", WAYS)
def test_a_thousand_pending_calls_are_listed_in_time(programs: Programs, greeter: EmbeddedProvider, way: str) -> None:
    """However the program ends, one line says what it gave up, and the handler of each call has heard of that."""
    greeter.script("SayHello", hang=True)
    end, number, status = WAYS[way]
    program = f"""
    import atexit, gc
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    consumer = consume(shutdown_timeout="300ms")
    ahead = consumer.reference("ahead")
    heard = []
    def hear(client, request, outcome, context):
        heard.append(type(outcome.error).__name__)
        if len(heard) == 1000:
            say(*set(heard))
    method = ahead.SayHello.with_options(handler=hear)
    for number in range(1000):
        method(str(number)) if is_java else method(name=str(number))
    say("ready")
    {end}
    """
    process = programs.start(program, greeter.url)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    if number is not None:
        process.send_signal(number)
    began = time.monotonic()
    out, err = process.communicate(timeout=60)
    assert time.monotonic() - began < 30  # the calls' own timeout, which nobody waits for
    assert (process.returncode, out) == (status, "ConsumerClosed\n")
    [line] = [line for line in err.splitlines() if line.startswith("the interpreter exits and gives up 1000 calls")]
    assert line.endswith(" ms: 1000 of ahead.SayHello")


@pytest.mark.parametrize("served", ["grpcio", "http2"], indirect=True)  # dubbo knows nothing of such once it is written
def test_one_way_calls_that_are_given_up_are_said_once(programs: Programs, greeter: EmbeddedProvider) -> None:
    """In the one line of all, whose number is theirs, and on_drop hears of each."""
    greeter.script("SayHello", hang=True)
    program = """
    teller = reference(url, **{"return": False})
    settings = {"application": {"shutdown_timeout": "300ms"}, "references": {"teller": teller}}
    consumer = Consumer(settings, on_drop=lambda invocation, error: say(type(error).__name__))
    for number in range(3):
        call(consumer.reference("teller"), number)
    """
    done = programs.run(program, greeter.url)
    [line] = said(done)
    assert line.endswith(" ms: 3 of teller.SayHello")
    assert (done.returncode, done.stdout) == (0, "ConsumerClosed\n" * 3)


def test_a_reference_outlives_the_name_of_its_consumer(programs: Programs, greeter: EmbeddedProvider) -> None:
    """Who keeps a reference, a method or only a future needs to keep nothing else."""
    greeter.script("SayHello", delay="500ms")  # so that the call still runs when the rest is forgotten
    program = """
    import gc
    method = consumer.reference("ahead").SayHello
    del consumer, ahead, teller
    gc.collect()
    future = method.future("ann") if is_java else method.future(name="ann")
    del method
    gc.collect()
    say(getattr(future.result(), "message", future.result()))
    """
    done = programs.run(program, greeter.url)
    assert (done.returncode, said(done), done.stdout) == (0, [], "ann\n")


PLACES = {
    "an executor": "callback_executor = ThreadPoolExecutor(1)",
    "a loop that is closed": "callback_executor = asyncio.new_event_loop(); atexit.register(callback_executor.close)",
}


@pytest.mark.parametrize("place", PLACES)
def test_callbacks_elsewhere_run_at_the_exit(programs: Programs, place: str) -> None:
    """The interpreter has ended the executor's threads, and the loop is no more: the callback runs all the same."""
    program = f"""
    import asyncio, atexit
    from concurrent.futures import ThreadPoolExecutor

    class Slow:
        def say(self, text):
            time.sleep(0.3)
            return text

    {PLACES[place]}
    local = Consumer({{"references": {{"slow": {{"protocol": "python"}}}}}}, callback_executor=callback_executor)
    slow = local.wrap("slow", Slow())
    slow.say.future("pending").add_done_callback(lambda future: say(future.result()))
    """
    done = programs.run(program, "dubbo://127.0.0.1:1")
    assert (done.returncode, done.stdout, said(done)) == (0, "pending\n", [])
