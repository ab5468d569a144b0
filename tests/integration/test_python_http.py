"""HTTP clients, made parallel by configuration: calls overlap on the server's side."""

from __future__ import annotations

import threading
import urllib.error
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from support.held_client import SOON

from callahead.consumer import Consumer, RpcContext

CALLS = 8


class Site(ThreadingHTTPServer):
    """Answers each path with itself, once as many ask as there are calls, or somebody asks for ``/alone``."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.together = threading.Barrier(CALLS)

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        if self.path == "/missing":
            self.send_error(404)
            return
        if self.path != "/alone":
            self.server.together.wait(SOON)  # type: ignore[attr-defined]
        body = self.path.encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: Any) -> None:
        """Be silent."""


@pytest.fixture
def site() -> Iterator[Site]:
    """A server of its own for each test."""
    with Site() as made:
        thread = threading.Thread(target=made.serve_forever)
        thread.start()
        yield made
        made.shutdown()
        thread.join()


def test_a_function_of_the_standard_library(site: Site) -> None:
    """A module is a client, too: its functions are the methods, and its errors are those that they always raise."""
    settings = {"protocol": "python", "target": "urllib.request", "timeout": "30s"}
    methods = {"urlopen": {"async": True}}
    with Consumer({"references": {"web": {**settings, "methods": methods}}}) as consumer:
        web, context = consumer.reference("web"), RpcContext.get_context()
        futures = []
        for number in range(CALLS):
            assert web.urlopen(f"{site.url}/{number}") is None
            futures.append(context.get_future())
        for number, future in enumerate(futures):
            with future.result(SOON) as answer:
                assert answer.read() == f"/{number}".encode()
        with pytest.raises(urllib.error.HTTPError) as caught:
            web.urlopen.sync(f"{site.url}/missing")
        caught.value.close()


@pytest.mark.long
def test_a_session_of_requests(site: Site) -> None:
    """Its sessions are best not shared by threads, so each has its own, which is closed with it."""
    settings = {"protocol": "python", "target": "requests:Session", "timeout": "30s", "threads": CALLS}
    with Consumer({"references": {"web": {**settings, "clients": "per_thread", "close": "close"}}}) as consumer:
        web = consumer.reference("web")
        futures = [web.get.future(f"{site.url}/{number}", timeout=SOON) for number in range(CALLS)]
        assert [future.result(SOON).text for future in futures] == [f"/{number}" for number in range(CALLS)]
        assert web.get(f"{site.url}/alone").text == "/alone"
