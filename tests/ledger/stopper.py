"""Stops another process for some seconds: ``python -m ledger.stopper PID SECONDS LEDGER``; the ledger is told."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

from ledger.lines import Writer


def main(process: str, seconds: str, ledger: str) -> None:
    """Stop it, and let it go on."""
    writer = Writer(Path(ledger))
    began = time.monotonic()
    os.kill(int(process), signal.SIGSTOP)
    time.sleep(float(seconds))
    os.kill(int(process), signal.SIGCONT)
    writer.write("pause", begin=f"{began:.6f}", seconds=f"{time.monotonic() - began:.6f}")


if __name__ == "__main__":
    main(*sys.argv[1:])
