"""Logging in at a Nacos server, over HTTP, for the token that each request then shows."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from http.client import HTTPConnection, HTTPException
from socket import socket
from ssl import SSLSocket, create_default_context
from typing import Any
from urllib.parse import urlencode

from callahead.config.policy import SslPolicy

from .errors import Lost, why
from .settings import Server, Settings

_PATH = "/nacos/v1/auth/users/login"
_ANSWER_S = 3.0
_MOST_BYTES = 65_536
# A token is renewed when this share of its time has passed.
_RENEWED_AT = 0.8
_OK = 200
_FORM = {"Content-Type": "application/x-www-form-urlencoded"}


class Login:
    """Who asks, and the token that says so; without a user name there is none.

    Args:
        settings: The name and the password.
    """

    def __init__(self, settings: Settings) -> None:
        self._username = settings.username
        self._password = settings.password
        self._ssl = settings.ssl
        self._token = ""
        self._until = 0.0

    def headers(self, server: Server) -> Mapping[str, str]:
        """Give what goes with a request, after logging in where the token is too old.

        Raises:
            Lost: The server refuses name and password, or does not answer.
        """
        if not self._username:
            return {}
        if not self._token or time.monotonic() >= self._until:
            self._renew(server)
        return {"accessToken": self._token}

    def forget(self) -> bool:
        """Log in anew at the next request; tells whether there is anybody to log in."""
        self._token = ""
        return bool(self._username)

    def _renew(self, server: Server) -> None:
        given = {"username": self._username, "password": self._password}
        status, text = _post(server, self._ssl, urlencode(given))
        if status != _OK:
            reason = "refuses user name and password" if status in (401, 403) else "does not log in"
            raise Lost(f"{server} {reason} (HTTP {status})")
        self._token, ttl_s = _token(server, text)
        self._until = time.monotonic() + _RENEWED_AT * ttl_s


def _post(server: Server, ssl: SslPolicy | None, form: str) -> tuple[int, bytes]:
    connection = HTTPConnection(server.host, server.port, timeout=_ANSWER_S)
    try:
        connection.connect()
        if ssl is not None:
            connection.sock = _secured(connection.sock, ssl, server.host)
        connection.request("POST", _PATH, form, _FORM)
        answer = connection.getresponse()
        return answer.status, answer.read(_MOST_BYTES)
    except (OSError, HTTPException) as error:
        raise Lost(f"{server} does not log in: {why(error)}") from None
    finally:
        connection.close()


def _secured(connection: socket, ssl: SslPolicy, host: str) -> SSLSocket:
    """Speak TLS on *connection*; files are read for each, so that renewed ones are taken."""
    context = create_default_context(cafile=ssl.ca)
    if ssl.cert is not None:
        context.load_cert_chain(ssl.cert, ssl.key)
    return context.wrap_socket(connection, server_hostname=ssl.server_name or host)


def _token(server: Server, text: bytes) -> tuple[str, float]:
    try:
        found: Any = json.loads(text)
        return str(found["accessToken"]), float(found["tokenTtl"])
    except (ValueError, TypeError, KeyError, RecursionError):
        raise Lost(f"{server} answered the log-in with something that holds no token") from None
