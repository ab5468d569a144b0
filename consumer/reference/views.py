"""Views of a whole reference: the same methods and arguments, whatever the configuration says of their mode.

They are functions, since a remote interface may have methods of any name.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, TypeVar, cast

from ..call.future import InvocationFuture
from ..call.typed import P, T
from ..errors import TwowayOnlyError
from ..interface.description import MethodDescription
from .caller import Caller, Chain
from .prompt import Describe, Overloads, show_types
from .reference import Method, Reference, named_types, nobody, nothing_known, view_of
from .stream import StreamMethod

S = TypeVar("S")

_NOTHING = frozenset({"", "void", "java.lang.Void", "google.protobuf.Empty"})


def sync_view(reference: S) -> S:
    """Return *reference* with methods that always wait and return the value."""
    return _view(reference, SyncMethod)


def async_view(reference: object) -> Any:
    """Return *reference* with methods that always return the `InvocationFuture`, at once."""
    return _view(reference, AsyncMethod)


def oneway(reference: S) -> S:
    """Return *reference* with methods that wait for no answer.

    A call returns None; with ``sent: true`` once the request is written, else at once. ``future`` of a method ends as
    soon as the request is written, by the error where it cannot be. What fails later is counted, logged and given to
    ``on_drop``, where the protocol can know. A method that is known to answer something raises `TwowayOnlyError`.
    """
    return _view(reference, OneWayMethod)


def _view(reference: S, kind: type[Method]) -> S:
    return cast("S", view_of(cast("Reference", reference), _maker(kind)))


def _maker(kind: type[Method]) -> Callable[[Any], Any]:
    def make(method: Any) -> Any:
        if isinstance(method, Method):
            return kind(method._caller, method._describe, method._client, method._options)
        return require_unary(method) if kind is OneWayMethod else method

    return make


def require_unary(method: Any) -> Any:
    """Return *method*, unless it streams.

    Raises:
        TwowayOnlyError: It does, which is an answer.
    """
    if isinstance(method, StreamMethod):
        raise TwowayOnlyError(f"{method!r} streams, and cannot be called one-way")
    return method


class SyncMethod(Method[P, T]):
    """One method of a `sync_view`."""

    __slots__ = ()

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> T:
        """Call, wait and return the value."""
        answer: T = self._caller.sync(self._chain(), args, kwargs, view="it was called through sync_view")
        return answer


class AsyncMethod(Method[P, T]):
    """One method of an `async_view`."""

    __slots__ = ()

    __call__ = Method.future  # type: ignore[assignment]  # the point of it


class OneWayMethod(Method[P, T]):
    """One method of a one-way view."""

    __slots__ = ("_answer",)

    def __init__(
        self,
        caller: Caller,
        describe: Describe = nothing_known,
        client: Callable[[], Any] = nobody,
        options: tuple[Mapping[str, Any], ...] = (),
    ) -> None:
        super().__init__(caller, describe, client, options)
        self._answer: str | None = None  # not looked for yet

    def _chain(self) -> Chain:
        """Return what the next call runs through, but that there is no answer."""
        current = self._caller.binding.chain
        if self._overridden[0] is not current:
            self._overridden = self._override(current)
        return self._overridden[1]

    def _override(self, current: Chain) -> tuple[Chain, Chain]:
        overridden = super()._override(current)[1]
        return current, replace(overridden, policy=replace(overridden.policy, returns=False))

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Any:
        """Call, and wait for no answer.

        Raises:
            TwowayOnlyError: The method answers something.
            RpcError: With ``sent: true``, the request cannot be written.
            ConsumerClosed: The consumer was closed before.
        """
        self._require_one_way()
        return self._caller.call(self._chain(), args, kwargs, sys._getframe(1))

    def future(self, *args: P.args, **kwargs: P.kwargs) -> InvocationFuture[T]:
        """Call, and return a future that ends once the request is written; raises as a call does."""
        self._require_one_way()
        return self._caller.future(self._chain(), args, kwargs, sys._getframe(1), one_way=True)

    def sync(self, *args: P.args, **kwargs: P.kwargs) -> T:
        """Call, and wait until the request is written; raises as a call does."""
        return self.future(*args, **kwargs).result()

    def _require_one_way(self) -> None:
        if self._answer is None:
            self._answer = _answer_of(named_types(self)[1])
        if self._answer:
            raise TwowayOnlyError(f"{named_types(self)[0]} answers {self._answer}, and cannot be called one-way")


def _answer_of(overloads: Overloads) -> str:
    """Name the type that each of *overloads* is known to answer; "" where one of them may answer nothing."""
    names = [one.returns if _answers(one) else "" for one in overloads]
    return names[0] if names and all(names) else ""


def _answers(method: MethodDescription) -> bool:
    message = method.response_class  # one without fields says nothing
    return bool(message.DESCRIPTOR.fields) if message is not None else method.returns not in _NOTHING


show_types(SyncMethod, named_types, "A method of `callahead.consumer.sync_view`: it waits and returns the value.")
show_types(AsyncMethod, named_types, "A method of `callahead.consumer.async_view`: it returns the future.")
show_types(OneWayMethod, named_types, "A method of a one-way view: its future ends once the request is written.")
