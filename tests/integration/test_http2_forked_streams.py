"""Streams that run as their process forks: in the child they end, and in the parent they go on."""

from __future__ import annotations

import threading

import pytest
from support import http2_frames
from support.http2_frames import OK, data, headers, message
from support.http2_peer import Line, http2_peer, reply
from support.programs import Programs

from callahead.consumer.wire.http2 import frames

HEAD = """
import queue
import helloworld_pb2 as pb, helloworld_pb2_grpc as pb_grpc
settings = {"interface": "helloworld.Greeter", "module": "helloworld_pb2", "url": sys.argv[1], "carrier": "http2"}
consumer = Consumer({"references": {"greeter": settings}})
greeter, stub = consumer.reference("greeter"), pb_grpc.GreeterStub(consumer.channel("greeter"))
requests = queue.Queue()
asked = iter(requests.get, None)
ann = pb.HelloRequest(name="Ann")
"""
# A program of its own for each.
pytestmark = pytest.mark.slow

# How it begins, and how to wait for more of it.
STREAMS = {
    "answers": ("stream = greeter.spell_hello(name='Ann')", "next(stream)"),
    "answers of a stub": ("stream = stub.SpellHello(ann)", "next(stream)"),
    "answers to requests": ("stream = greeter.chat_hello(asked); requests.put({'name': 'Ann'})", "next(stream)"),
    "answers of a stub to requests": ("stream = stub.ChatHello(asked); requests.put(ann)", "next(stream)"),
    "requests": ("stream = greeter.gather_hellos.future(asked); requests.put({'name': 'Ann'})", "stream.result()"),
    "requests of a stub": ("stream = stub.GatherHellos.future(asked); requests.put(ann)", "stream.result()"),
}


@pytest.mark.parametrize("kind", STREAMS)
def test_a_stream_ends_in_the_child_and_goes_on_in_the_parent(programs: Programs, kind: str) -> None:
    """Whoever waits for more of it in the child hears whose it is; there is nobody else who could tell."""
    begin, more = STREAMS[kind]
    is_upload = "result" in more
    go_on = threading.Event()
    program = f"""
    {begin}
    {"time.sleep(0.3)" if is_upload else more}
    def work():
        try:
            say("the child has", {more})
        except Exception as error:
            say("its answer goes to the parent" in str(error))
    say("status", in_child(work))
    say("forked")
    requests.put(None)
    say({more}.message)
    consumer.close(0)
    """

    def serve(line: Line) -> None:
        stream = line.next(frames.HEADERS).stream
        if not is_upload:
            line.send(headers(stream, *http2_frames.HEAD), data(stream, message(reply("first"))))
        go_on.wait(20)
        first = [headers(stream, *http2_frames.HEAD)] if is_upload else []
        line.send(*first, data(stream, message(reply("second"))), headers(stream, *OK, ends=True))
        line.wait_closed()

    with http2_peer(serve) as peer:
        process = programs.start(program, peer.url)
        limit = threading.Timer(20, process.kill)
        limit.start()
        assert process.stdout is not None
        said = []
        while not said or said[-1] not in ("forked\n", ""):
            said.append(process.stdout.readline())
        go_on.set()
        out, err = process.communicate(timeout=20)
        limit.cancel()
    assert (said, out, err) == (["True\n", "status 0\n", "forked\n"], "second\n", "")
