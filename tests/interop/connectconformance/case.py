"""One case of the suite, carried out in the order that it asks for, whoever makes the call."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol

from connectrpc.conformance.v1 import client_compat_pb2 as compat
from connectrpc.conformance.v1 import config_pb2 as config

from .messages import Cancellation, headers_of, messages_of

_OF_ONE_REQUEST = (config.STREAM_TYPE_UNARY, config.STREAM_TYPE_SERVER_STREAM)


class Call(Protocol):
    """One call of a client under test, whose answers come by iteration, a single one likewise.

    Attributes:
        failures: What `begin` and ``next`` raise where the call has failed or was cancelled.
    """

    failures: tuple[type[BaseException], ...]

    def begin(self, request: Any) -> None:
        """Send *request*, or where the client streams all of that iterator."""

    def __next__(self) -> Any:
        """Wait for the next answer."""

    def cancel(self) -> None:
        """Give the call up; from any thread."""

    def error_of(self, error: BaseException) -> Any:
        """Make the suite's error of one of `failures`."""

    def headers(self) -> Any:
        """Return the metadata before the answers; asked for at the end."""

    def trailers(self) -> Any:
        """Return the metadata after the answers, likewise."""


class _Requests(Iterator[Any]):
    """The requests of a client stream; gRPC's clients read them on a thread of their own.

    Attributes:
        read: How many were asked for.
    """

    def __init__(self, messages: Sequence[Any], delay_s: float, at_end: Callable[[], None]) -> None:
        self._messages = messages
        self._delay_s = delay_s
        self._at_end = at_end
        self._let = threading.Semaphore(0)
        self.read = 0

    def let(self, count: int) -> None:
        """Let so many more go; the end counts as one."""
        self._let.release(count)

    def let_all(self) -> None:
        """Let all go, and end."""
        self.let(len(self._messages) + 1)

    def __next__(self) -> Any:
        self._let.acquire()
        if self.read == len(self._messages):
            self._at_end()
            raise StopIteration
        time.sleep(self._delay_s)
        self.read += 1
        return self._messages[self.read - 1]


class Case:
    """One case.

    Args:
        call: Not yet begun.
        request: What the case asks for.
    """

    def __init__(self, call: Call, request: Any) -> None:
        self._call = call
        self._request = request
        self._messages = messages_of(request)
        self._cancellation = Cancellation.of(request)
        self._begun = threading.Event()
        self._result = compat.ClientResponseResult()

    def run(self) -> Any:
        """Make the call, and return what became of it."""
        call, result = self._call, self._result
        try:
            if self._request.stream_type in _OF_ONE_REQUEST:
                self._send_one()
            else:
                self._send_many()
        except call.failures as error:
            result.error.CopyFrom(call.error_of(error))
        result.response_headers.extend(headers_of(call.headers()))
        result.response_trailers.extend(headers_of(call.trailers()))
        return result

    def _send_one(self) -> None:
        self._call.begin(self._messages[0])
        self._cancel_later()
        self._read()

    def _send_many(self) -> None:
        requests = _Requests(self._messages, self._request.request_delay_ms / 1000, self._at_end)
        try:
            if self._request.stream_type == config.STREAM_TYPE_FULL_DUPLEX_BIDI_STREAM:
                self._take_turns(requests)
            else:
                requests.let_all()
                self._begin(requests)
            self._read()
        finally:
            self._result.num_unsent_requests = len(self._messages) - requests.read

    def _take_turns(self, requests: _Requests) -> None:
        """Send each request, but for the first, once the one before is answered."""
        self._begin(requests)
        for _ in self._messages:
            requests.let(1)
            if not self._read(1):
                break
        requests.let_all()

    def _begin(self, requests: _Requests) -> None:
        self._call.begin(requests)
        self._begun.set()

    def _at_end(self) -> None:
        """Cancel at the end of the requests where the case wants that; a call that blocks is never cancelled."""
        if self._cancellation.is_wanted:
            self._begun.wait()
        if self._cancellation.before_close:
            self._call.cancel()
        else:
            self._cancel_later()

    def _cancel_later(self) -> None:
        if self._cancellation.after_close_s is not None:
            threading.Timer(self._cancellation.after_close_s, self._call.cancel).start()

    def _read(self, count: int | None = None) -> bool:
        """Read *count* answers, None for all; returns whether there were so many."""
        while count != 0:
            try:
                answer = next(self._call)
            except StopIteration:
                return False
            self._note(answer)
            count = count and count - 1
        return True

    def _note(self, answer: Any) -> None:
        payloads = self._result.payloads
        payloads.append(answer.payload)
        if len(payloads) == self._cancellation.after_answers:
            self._call.cancel()
