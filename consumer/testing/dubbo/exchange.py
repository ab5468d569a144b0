"""One request to an embedded dubbo provider on its way to an answer."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from concurrent.futures import Future
from typing import Any

from ...codec.dubbo import RequestBody, to_generic
from ...codec.dubbo.attachments import DUBBOS_OWN
from ...errors import RpcError, SerializationError
from ...interface.java.misfit import Misfit
from ...wire import Request
from ..provider_call import CANCELLED, ProviderCall
from ..script import NO_ANSWER, Step
from .answer import (
    Reply,
    error_answer,
    make_dubbo_error,
    unwritable_answer,
    value_answer,
)
from .service import ExportedMethod, Target
from .sockets import AcceptedConnection

_log = logging.getLogger("callahead.testing")
_LONGEST_NUMBER = 18


class Exchange:
    """A request, the function it asks for, and what the script says of it.

    Args:
        connection: Where the answer goes.
        event: The request's frame.
        request: Its body.
        target: What it asks for; no echo.

    Attributes:
        call: As handlers and tests see it.
        step: Taken from the script.
        timer: Of the delay, where there is one.
    """

    def __init__(self, connection: AcceptedConnection, event: Request, request: RequestBody, target: Target) -> None:
        assert target.overload is not None
        self.connection = connection
        self.id = event.id
        self.two_way = event.two_way
        self.step: Step = target.overload.method.script.next()
        self.timer: Future[Any] | None = None
        self.call = _provider_call(target.overload.method, target.args, request, connection.peer)
        self._target = target
        self._overload = target.overload
        self._sends_attachments = takes_attachments(request.protocol)

    def answer(self) -> Reply:
        """Run the function, or what the script says in its place."""
        try:
            return self._answer()
        except SerializationError as error:
            return unwritable_answer(f"the answer of {self.call.interface}.{self.call.method}", error)

    def _answer(self) -> Reply:
        generic = self._target.generic
        try:
            value = self._value()
        except Exception as error:  # whatever a function raises reaches the client
            if not isinstance(error, RpcError):
                _log.error("the function of %s.%s failed", self.call.interface, self.call.method, exc_info=error)
            return error_answer(error, self._attachments, generic=generic)
        value = self._given(value)
        return value_answer(to_generic(value) if generic else value, self._attachments)

    def _given(self, value: Any) -> Any:
        try:
            return self._overload.give(value)
        except Misfit as misfit:
            where = ", ".join([str(self._overload.signature), *misfit.path])
            raise SerializationError(f"{where}: {misfit.reason}") from None

    def give_up(self) -> None:
        """Note that nobody waits any more."""
        self.call.end(CANCELLED)
        if self.timer is not None:
            self.timer.cancel()

    @property
    def _attachments(self) -> Mapping[str, Any] | None:
        return self.call.response_attachments if self._sends_attachments else None

    def _value(self) -> Any:
        if self.step.error is not None:
            raise self.step.error
        if self.step.answer is not NO_ANSWER:
            return self.step.answer
        return self._overload.method.run(self._target.args, self.call)


def takes_attachments(protocol: str) -> bool:
    """Tell whether the consumer reads attachments of answers: an old one sends its own release as the protocol.

    Source: Java ``Version.isSupportResponseAttachment``.
    """
    return len(protocol) == len("2.0.2") and "2.0.2" <= protocol <= "2.0.9"


def _provider_call(method: ExportedMethod, args: tuple[Any, ...], request: RequestBody, peer: str) -> ProviderCall:
    sent = request.attachments
    return ProviderCall(
        method.interface,
        method.method,
        args,
        metadata=sent,
        attachments={key: value for key, value in sent.items() if isinstance(value, str) and key not in DUBBOS_OWN},
        peer=peer,
        timeout=_timeout_s(str(sent.get("timeout"))),
        error=make_dubbo_error,
    )


def _timeout_s(sent: str) -> float | None:
    is_number = sent.isascii() and sent.isdecimal() and len(sent) <= _LONGEST_NUMBER
    return int(sent) / 1000 if is_number else None
