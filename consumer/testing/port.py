"""A port that stays ours while nothing listens on it."""

from __future__ import annotations

import socket

from .mistake import wrong

HOST = "127.0.0.1"


class Port:
    """A TCP port of 127.0.0.1, held by a socket that is bound and never listens.

    Connections are refused as on any closed port, nobody else is given it, and a server that sets ``SO_REUSEPORT``, as
    grpcio's does, may listen on it and stop as often as it likes.

    Args:
        number: 0 lets the system choose.
    """

    def __init__(self, number: int) -> None:
        self._wanted = number
        self._holder: socket.socket | None = None

    @property
    def number(self) -> int:
        """The port held now.

        Raises:
            ConfigError: None is.
        """
        if self._holder is None:
            raise wrong("it has no address: it was not started, or is stopped")
        number: int = self._holder.getsockname()[1]
        return number

    def hold(self) -> int:
        """Take the port, unless it is held already.

        Raises:
            ConfigError: Somebody else has it.
        """
        if self._holder is None:
            if self._wanted:
                _bound(self._wanted, reuse_port=False).close()  # fails where the next line would share the port
            self._holder = _bound(self._wanted, reuse_port=True)
        return self.number

    def release(self) -> None:
        """Give the port back."""
        holder, self._holder = self._holder, None
        if holder is not None:
            holder.close()


def _bound(number: int, *, reuse_port: bool) -> socket.socket:
    holder = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        # A port is free while old connections of it are still in TIME_WAIT.
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if reuse_port:
            holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        holder.bind((HOST, number))
    except OSError as error:
        holder.close()
        raise wrong(f"cannot listen on {HOST}:{number}: {error.strerror}") from error
    return holder
