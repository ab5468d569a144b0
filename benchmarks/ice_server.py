"""An Ice server in its own process that gives each text back; prints its port, ends when its input closes."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import Ice  # type: ignore[import-not-found]

Ice.loadSlice(str(Path(__file__).with_name("echo.ice")))
import CallaheadBench  # type: ignore[import-not-found]  # noqa: E402 - loadSlice makes it


class Echo(CallaheadBench.Echo):  # type: ignore[misc]
    def sayBack(self, text: str, current: Any = None) -> str:  # noqa: N802 - as the slice spells it
        del current
        return text


def main() -> None:
    with Ice.initialize(["--Ice.ThreadPool.Server.Size=1"]) as communicator:
        adapter = communicator.createObjectAdapterWithEndpoints("Echo", "tcp -h 127.0.0.1 -p 0")
        adapter.add(Echo(), Ice.stringToIdentity("echo"))
        adapter.activate()
        port = adapter.getEndpoints()[0].getInfo().port if hasattr(adapter.getEndpoints()[0].getInfo(), "port") else 0
        print(port or adapter.getPublishedEndpoints()[0].getInfo().underlying.port, flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main()
