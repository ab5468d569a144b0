"""Calls through nginx before a server by grpc-go, reloaded again and again while they run."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final, Self

import pytest
from support.dubbo_peer import wait_until
from support.sockets import free_port

from callahead.consumer import Reference

from .conftest import consumer_of, require
from .servers import Server, grpc_go
from .test_goodbyes import CALLERS, LONG_S, connects, download, duplex, in_flight, unary, upload

pytestmark = pytest.mark.long

RELOADS: Final = 10
EACH_S: Final = 0.3
_NEEDS: Final = "the proxy is nginx (apt-get install nginx)"
_CONFIGURATION: Final = """
daemon off;
pid {folder}/pid;
error_log {folder}/errors.log notice;
events {{}}
http {{
  access_log off;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  upstream server_of_grpc {{ server 127.0.0.1:{server}; keepalive 32; keepalive_requests 1000000; }}
  server {{
    listen 127.0.0.1:{port} http2;
    location / {{ grpc_pass grpc://server_of_grpc; }}
  }}
}}
"""


class Nginx:
    """A process of nginx, with one worker at a time.

    Args:
        folder: Has its configuration, and what it says.
        server: Port to which it passes calls on.
    """

    def __init__(self, folder: Path, server: int) -> None:
        self.port = free_port()
        self._errors = folder / "errors.log"
        self._configuration = folder / "nginx.conf"
        self._configuration.write_text(_CONFIGURATION.format(folder=folder, server=server, port=self.port))
        self._reloads = 0

    @property
    def url(self) -> str:
        """For a configuration."""
        return f"tri://127.0.0.1:{self.port}"

    def reload(self) -> None:
        """Let a new worker take what comes, and the old one end; waits until it is asked to."""
        self._reloads += 1
        self._process.send_signal(signal.SIGHUP)
        wait_until(lambda: self._said("gracefully shutting down") >= self._reloads)

    def _said(self, text: str) -> int:
        return self._errors.read_text().count(text) if self._errors.exists() else 0

    def __enter__(self) -> Self:
        """Start it, and wait until a worker serves."""
        self._process = subprocess.Popen(["nginx", "-c", self._configuration])
        wait_until(lambda: self._said("start worker process "))
        return self

    def __exit__(self, *_: object) -> None:
        """End it, and every worker."""
        self._process.terminate()
        self._process.wait(LONG_S)


@pytest.fixture
def server() -> Iterator[Server]:
    """A server that counts the calls that it begins."""
    require("grpc-go")
    if shutil.which("nginx") is None:
        if os.environ.get("CALLAHEAD_CI"):
            pytest.fail(f"CALLAHEAD_CI is set, so nothing may be skipped, but {_NEEDS}")
        pytest.skip(_NEEDS)
    with grpc_go() as started:
        yield started


def call_until(over: threading.Event, call: Callable[[Reference], None], service: Reference) -> int:
    """Make one call after the other, and count them."""
    made = 0
    while not over.is_set():
        call(service)
        made += 1
    return made


def flood_until(over: threading.Event, service: Reference) -> int:
    """Make a hundred calls at once, and count them; none fails."""
    made = 0
    while not over.is_set():
        assert [error for call in in_flight(service, 1_000) if (error := call.exception(LONG_S))] == []
        made += 1_000
    return made


def test_no_call_fails_as_nginx_is_reloaded(server: Server, tmp_path: Path) -> None:
    """Nor as it says goodbye after each thousand of them; the server begins each call once."""
    over = threading.Event()
    with (
        Nginx(tmp_path, server.port) as proxy,
        consumer_of(proxy.url, "http2") as consumer,
        ThreadPoolExecutor(CALLERS + 1) as callers,
    ):
        service = consumer.reference("TestService")
        counts = [callers.submit(flood_until, over, service)]
        counts += [callers.submit(call_until, over, call, service) for call in (unary, download, upload, duplex) * 2]
        try:
            for _ in range(RELOADS):
                over.wait(EACH_S)
                proxy.reload()
        finally:
            over.set()
        made = sum(count.result(LONG_S) for count in counts)
        assert connects(consumer) > RELOADS
    assert server.stop() == str(made)
