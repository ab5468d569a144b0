"""What an embedded provider serves over the dubbo protocol."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Callable, Mapping
from typing import Any

from callahead.config.policy import SslPolicy

from ...interface.spelling import folded
from ..functions import functions_of
from ..mistake import wrong
from ..provider_call import ProviderCall
from ..script import Error
from ..workers import Workers
from .answer import make_dubbo_error
from .server import DubboServer
from .service import DubboService, ExportedMethod, Overload, plain_version
from .stub import StubTypes


class DubboExporter:
    """The services of one provider over ``dubbo``.

    Args:
        tls: As the provider takes it.
        note: Is told of every call that begins.

    Raises:
        ConfigError: A file of *tls* cannot be read.
    """

    scheme = "dubbo"

    def __init__(self, tls: SslPolicy | None, note: Callable[[ProviderCall], None]) -> None:
        self._tls = None if tls is None else server_context(tls)
        self._note = note
        self._lock = threading.Lock()
        self._services: dict[tuple[str, str, str], DubboService] = {}

    @property
    def methods(self) -> tuple[ExportedMethod, ...]:
        """All that are served now."""
        served = (one.method for service in self._services.values() for one in service.methods.values())
        return tuple(dict.fromkeys(served))

    def serve(
        self,
        interface: str,
        given: Mapping[str, Any] | object | None,
        more: Mapping[str, Any],
        *,
        stub: str | None,
        group: str,
        version: str,
        token: str | None,
    ) -> None:
        """Add functions to a service, which is made if it is new.

        Raises:
            ConfigError: A name of an overload cannot be read, *given* has no function, or none that *stub* declares.
        """
        if stub is None:
            made = [ExportedMethod(interface, name, one) for name, one in {**functions_of(given), **more}.items()]
            added = {(folded(one.method), one.descriptor): Overload(one) for one in made}
        else:
            added = StubTypes(interface, stub).overloads(given, more)
        key = (interface, group, plain_version(version))
        with self._lock:
            known = self._services.get(key)
            methods = {**known.methods, **added} if known is not None else added
            kept = "" if known is None else known.token
            service = DubboService(*key, kept if token is None else token, methods)
            self._services = {**self._services, key: service}

    def error(self, error: Error) -> BaseException:
        """Make the exception for what a script asks."""
        return make_dubbo_error(error)

    def open(self, port: int, workers: Workers) -> DubboServer:
        """Listen on *port*."""
        return DubboServer(port, lambda: self._services, workers, self._tls, self._note)


def server_context(tls: SslPolicy) -> ssl.SSLContext:
    """Make the server's side of TLS of PEM files.

    Raises:
        ConfigError: ``cert`` or ``key`` is missing, or a file cannot be read.
    """
    if tls.cert is None or tls.key is None:
        raise wrong("ssl needs cert and key")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    paths = f"{tls.key} and {tls.cert}"
    try:
        context.load_cert_chain(tls.cert, tls.key)
        if tls.ca is not None:
            paths = tls.ca
            context.load_verify_locations(tls.ca)
            context.verify_mode = ssl.CERT_REQUIRED
    except OSError as error:
        raise wrong(f"cannot read {paths}: {error.strerror or error}") from error
    return context
