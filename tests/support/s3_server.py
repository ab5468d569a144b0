"""A real S3 server, moto's, in a process of its own, each of whose answers takes some time on its way."""

from __future__ import annotations

import subprocess
import sys
from types import TracebackType
from typing import Self

_PROGRAM = """
import sys, time, logging
from moto.server import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import make_server

logging.getLogger("werkzeug").setLevel(logging.ERROR)
latency = float(sys.argv[1])
served = DomainDispatcherApplication(create_backend_app)

def delayed(environ, start_response):
    time.sleep(latency)
    return served(environ, start_response)

server = make_server("127.0.0.1", 0, delayed, threaded=True)
print(server.port, flush=True)
server.serve_forever()
"""


class S3Server:
    """Serves S3 on a free port until it is closed.

    Args:
        latency: Seconds that each request takes beside the work.
    """

    def __init__(self, latency: float = 0.0) -> None:
        command = [sys.executable, "-c", _PROGRAM, str(latency)]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        port = self._process.stdout.readline().strip()
        assert port, "the server has not started"
        self.url = f"http://127.0.0.1:{port}"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.communicate()
