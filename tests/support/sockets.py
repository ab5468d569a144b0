"""What this process has open, as the system sees it, and what nobody has."""

from __future__ import annotations

import os
import random
import socket
from pathlib import Path


def descriptors() -> set[str]:
    """List what the open descriptors of this process lead to, each with its number."""
    found: set[str] = set()
    try:
        numbers = os.listdir("/proc/self/fd")
    except OSError:  # not Linux
        return found
    for number in numbers:
        try:
            found.add(f"{number} {os.readlink(f'/proc/self/fd/{number}')}")
        except OSError:  # closed meanwhile
            continue
    return found


def sockets() -> set[str]:
    """List this process' sockets, each as the system names it."""
    return {place for descriptor in descriptors() if (place := descriptor.partition(" ")[2]).startswith("socket:")}


def sockets_to(url: str) -> int:
    """Count this process' established client connections to *url*."""
    port = f":{int(url.rpartition(':')[2]):04X}"
    tables = [
        Path(f"/proc/self/net/{name}").read_text() for name in ("tcp", "tcp6")
    ]  # grpcio's sockets are of both kinds
    rows = [line.split() for table in tables for line in table.splitlines()[1:]]
    inodes = {row[9] for row in rows if row[2].endswith(port) and row[3] == "01"}
    mine = sockets()
    return sum(f"socket:[{inode}]" in mine for inode in inodes)


def free_port() -> int:
    """Below the range that Linux uses for outgoing connections, so that none is taken while its server is down."""
    while True:
        port = random.randrange(20_000, 32_000)
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) != 0:
                return port
