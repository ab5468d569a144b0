"""What becomes of dubbo connections when their process forks or ends."""

from __future__ import annotations

import signal
import ssl
import threading
from pathlib import Path

import pytest
from support.dubbo_peer import INTERFACE, DubboPeer, Link, argument, echo, wait_until
from support.programs import Programs

HEAD = """
from support.dubbo_peer import INTERFACE, foo_config
settings = {"ssl": {"ca": sys.argv[2]}} if len(sys.argv) > 2 else {}
application = {"shutdown_timeout": os.environ.get("SHUTDOWN_TIMEOUT", "10s")}
consumer = Consumer({"application": application, **foo_config(sys.argv[1], timeout=20000, **settings)})
foo = consumer.reference("foo")
"""
pytestmark = pytest.mark.slow


def test_a_child_makes_connections_of_its_own(programs: Programs) -> None:
    """A forked child calls on a connection of its own, in every mode; the parent keeps its own."""
    program = """
    say(foo.echo("parent"))
    def work():
        say(foo.echo("child"), foo.echo.future("ahead").result(5), foo.tellSent("told"), foo.echo("led"))
        consumer.close()
    say("status", in_child(work))
    say(foo.echo("parent again"), foo.echo.future("and ahead").result(5))
    consumer.close()
    """
    with DubboPeer(echo) as peer:
        done = programs.run(program, peer.url)
        assert (done.stderr, done.returncode) == ("", 0)
        assert done.stdout.splitlines() == ["parent", "child ahead None led", "status 0", "parent again and ahead"]
        assert len(peer.links) == 2


def test_tls_after_a_fork(programs: Programs, certificates: Path) -> None:
    """The child says no word on the parent's TLS connection, neither by calling nor by closing."""
    program = """
    say(foo.echo("parent"))
    def work():
        say(foo.echo("child"))
        consumer.close()
    say("status", in_child(work))
    say("status", in_child(consumer.close))
    say(foo.echo("parent again"))
    consumer.close()
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates / "server.pem", certificates / "server.key")
    with DubboPeer(echo, tls=context) as peer:
        done = programs.run(program, peer.url, str(certificates / "ca.pem"))
        assert (done.stderr, done.returncode) == ("", 0)
        assert done.stdout.splitlines() == ["parent", "child", "status 0", "status 0", "parent again"]
        assert len(peer.links) == 2


def test_calls_that_ran_at_the_fork(programs: Programs) -> None:
    """In the child a running call ends at once as the parent's; in the parent it is answered."""
    program = """
    future = foo.echo.future("running")
    time.sleep(0.2)
    def work():
        try:
            say(future.result(0))
        except ConsumerClosed as error:
            say(error.message, error.in_doubt)
        consumer.close()
    say("status", in_child(work))
    say(foo.echo("go"), future.result(5))
    consumer.close()
    """
    with DubboPeer() as peer:

        def serve() -> None:
            held, running = peer.next_call(15)
            link, request = peer.next_call(15)
            held.answer(running, argument(running))
            link.answer(request, argument(request))

        thread = threading.Thread(target=serve)
        thread.start()
        done = programs.run(program, peer.url)
        thread.join()
    assert (done.stderr, done.returncode) == ("", 0)
    assert done.stdout.splitlines() == [
        "the process was forked while the call ran; its answer goes to the parent True",
        "status 0",
        "go running",
    ]


def test_a_fork_while_a_caller_leads_or_connects(programs: Programs) -> None:
    """A child forked while another thread waits for an answer or a connection is neither blocked nor confused."""
    program = """
    import socket
    stuck = socket.create_server(("127.0.0.1", 0), backlog=0)
    fillers = [socket.socket() for _ in range(4)]  # then a further SYN is never answered
    for one in fillers:
        one.setblocking(False)
        one.connect_ex(stuck.getsockname())
    config = foo_config(sys.argv[1], timeout=20000)
    url = f"dubbo://127.0.0.1:{stuck.getsockname()[1]}"
    config["references"]["bar"] = foo_config(url, timeout=20000)["references"]["foo"]
    consumer = Consumer(config)
    foo, bar = consumer.reference("foo"), consumer.reference("bar")
    say(foo.echo("warm"))
    leader = threading.Thread(target=lambda: say(foo.echo("hold")))
    leader.start()
    connecting = [bar.echo.future(number) for number in range(3)]
    time.sleep(0.2)
    def work():
        say(foo.echo("child"))
        say(all(isinstance(future.exception(5), ConsumerClosed) for future in connecting))
        consumer.close(0)
    say("status", in_child(work))
    say(foo.echo("release"))
    leader.join()
    consumer.close(0)
    for one in (stuck, *fillers): one.close()
    """

    def serve(link: Link) -> None:
        held = []
        for request in link.requests():
            if argument(request) == "hold":
                held.append(request)
                continue
            link.answer(request, argument(request))
            if argument(request) == "release":
                for one in held:
                    link.answer(one, "held")

    with DubboPeer(serve) as peer:
        done = programs.run(program, peer.url)
    assert (done.stderr, done.returncode) == ("", 0)
    lines = done.stdout.splitlines()
    assert lines[:4] == ["warm", "child", "True", "status 0"]
    assert sorted(lines[4:]) == ["held", "release"]


def test_a_fork_under_load(programs: Programs) -> None:
    """Children forked while other threads call neither hang nor disturb the parent's calls."""
    program = """
    stop, errors, counts = threading.Event(), [], [0, 0, 0]
    def load(number):
        while not stop.is_set():
            try:
                name = f"{number}-{counts[number]}"
                assert foo.echo(name) == name
                assert foo.echo.future(name).result(10) == name
                counts[number] += 1
            except BaseException as error:
                errors.append(error)
                return
    # A fork under another thread's first import would be Python's own trouble.
    assert foo.echo("warm") == foo.echo.future("warm").result(10)
    threads = [threading.Thread(target=load, args=(number,)) for number in range(3)]
    for thread in threads: thread.start()
    def work():
        for number in range(3):
            assert foo.echo(number) == number
            assert foo.echo.future(number).result(5) == number
        consumer.close(timeout=1)
    statuses = [in_child(work) for _ in range(10)]
    before = list(counts)
    time.sleep(0.3)
    stop.set()
    for thread in threads: thread.join()
    say(statuses, errors, all(now > then for now, then in zip(counts, before)))
    consumer.close()
    """
    with DubboPeer(echo) as peer:
        done = programs.run(program, peer.url)
    assert (done.stderr, done.returncode) == ("", 0)
    assert done.stdout.splitlines() == [f"{[0] * 10} [] True"]


def test_a_child_follows_its_file_of_providers(programs: Programs, tmp_path: Path) -> None:
    """A provider that is listed after the fork is called by the child and by the parent; the one that left is not."""
    program = """
    listing, other = os.environ["LISTING"], os.environ["OTHER"]
    config = foo_config(timeout=20000)
    config["registries"] = {"main": {"address": f"file:{listing}", "parameters": {"interval": 20}}}
    consumer.close()
    consumer = Consumer(config)
    foo = consumer.reference("foo")
    say(foo.echo("parent"))
    def calls_reach_the_other():
        while foo.echo(0) == 0:
            time.sleep(0.01)
    def work():
        with open(listing, "w") as file:
            file.write(f"- {other}/{INTERFACE}")
        calls_reach_the_other()
        consumer.close()
    say("status", in_child(work))
    calls_reach_the_other()
    consumer.close()
    """

    def answer_one(link: Link) -> None:
        for request in link.requests():
            link.answer(request, 1)

    with DubboPeer(echo) as peer, DubboPeer(answer_one) as other:
        listing = tmp_path / "providers.yml"
        listing.write_text(f"- {peer.url}/{INTERFACE}")
        done = programs.run(program, peer.url, LISTING=str(listing), OTHER=other.url)
    assert (done.stderr, done.returncode) == ("", 0)
    assert done.stdout.splitlines() == ["parent", "status 0"]


EXITS = {"end": "", "sys.exit": "sys.exit(0)", "closed": "consumer.close(0)"}


@pytest.mark.parametrize("how", EXITS)
def test_the_interpreter_ends_with_calls_pending(programs: Programs, how: str) -> None:
    """A program that ends with calls and callbacks pending ends in time, with status 0 and at most one word of it."""
    program = f"""
    foo.echo("warm")
    def call():
        try: foo.echo("led")
        except ConsumerClosed: pass
    threading.Thread(target=call, daemon=True).start()
    time.sleep(0.1)
    futures = [foo.echo.future(number) for number in range(100)]
    for future in futures: future.add_done_callback(lambda future: future.cancelled())
    foo.tell(1)
    time.sleep(0.2)
    {EXITS[how]}
    """

    def serve(link: Link) -> None:
        for request in link.requests():
            if argument(request) == "warm":
                link.answer(request, 1)

    with DubboPeer(serve) as peer:
        done = programs.run(program, peer.url, SHUTDOWN_TIMEOUT="1ms")
    assert (done.returncode, done.stderr.count("\n")) == (0, int(how != "closed"))
    assert ("gives up 100 calls" in done.stderr) == (how != "closed")


@pytest.mark.parametrize("mode", ["first", "led", "result"])
def test_ctrl_c(programs: Programs, mode: str) -> None:
    """Ctrl-C during a call raises KeyboardInterrupt there at once; the connection goes on with the next call."""
    call = "future = foo.echo.future('hold'); say('waits'); future.result()" if mode == "result" else "foo.echo('hold')"
    program = f"""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if {mode != "first"}: foo.echo("warm")
    try:
        {call}
    except KeyboardInterrupt:
        say("interrupted")
    say(foo.echo("next"), foo.echo.future("and next").result(5))
    (connection,) = consumer._transports["dubbo"]._pool._shared.open()
    say(len(connection._calls.by_id), connection.counters.connects)
    consumer.close(0)
    """

    def serve(link: Link) -> None:
        for request in link.requests():
            if argument(request) != "hold":
                link.answer(request, argument(request))

    with DubboPeer(serve) as peer:
        process = programs.start(program, peer.url)
        wait_until(lambda: any(b"hold" in link.received for link in peer.links), 15)
        if mode == "result":  # Ctrl-C in the midst of `future` ends the call
            assert process.stdout is not None
            assert process.stdout.readline() == "waits\n"
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=10)
    running = 1 if mode == "result" else 0  # a future that nobody cancelled goes on
    assert (out.splitlines(), err) == (["interrupted", "next and next", f"{running} 1"], "")
    assert process.returncode == 0
