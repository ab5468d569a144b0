"""The local stand-in of a remote service: its attributes are the methods of the interface."""

from __future__ import annotations

import sys
import weakref
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any, Generic, Self

from callahead.config.policy import LAZY, MethodPolicy

from ..call.current import current_ahead
from ..call.future import InvocationFuture
from ..call.invocation import Outcome
from ..call.plain import plain_arguments
from ..call.typed import P, T
from ..interface.spelling import snake_case
from .caller import Caller, Chain
from .prompt import Describe, Overloads, show_types


def nothing_known(_: str) -> Overloads:
    """Tell nothing of any method's types."""
    return ()


def nobody() -> None:
    """Give the reference of a method that was made without any."""


class Method(Generic[P, T]):
    """One method of a reference; call it as the plain method that it stands for.

    ``foo.find_foo(x)`` obeys the configuration; the other ways to call it do not:

    * ``foo.find_foo.future(x)`` always returns the future, at once,
    * ``foo.find_foo.sync(x)`` always waits and returns the value,
    * ``foo.find_foo.outcome(x)`` always waits and returns how the call ended, failures included,
    * ``foo.find_foo.with_options(timeout=500)(x)`` obeys, but for what it is told.
    """

    __slots__ = ("_caller", "_client", "_describe", "_options", "_overridden")

    def __init__(
        self,
        caller: Caller,
        describe: Describe = nothing_known,
        client: Callable[[], Any] = nobody,
        options: tuple[Mapping[str, Any], ...] = (),
    ) -> None:
        self._caller = caller
        self._client = client
        self._describe = describe
        self._options = options
        self._overridden = self._override(caller.binding.chain)

    @property
    def policy(self) -> MethodPolicy:
        """What a call obeys at this moment, the options of `with_options` included."""
        return self._chain().policy

    def _chain(self) -> Chain:
        """Return what the next call runs through: one of the binding's, but for what the options override."""
        current = self._caller.binding.chain
        if not self._options:
            return current
        if self._overridden[0] is not current:  # it was swapped
            self._overridden = self._override(current)
        return self._overridden[1]

    def _override(self, current: Chain) -> tuple[Chain, Chain]:
        if not self._options:
            return current, current
        from callahead.config.percall import override

        policy = current.policy
        for options in self._options:
            policy = override(policy, options)
        return current, replace(current, policy=policy)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> T:
        """Call as the configuration says.

        Returns:
            The value of a synchronous call; None for an asynchronous one, whose future is
            ``RpcContext.get_context().get_future()``, and for one whose ``return`` is false. Where ``async`` is
            ``lazy``, an object that becomes the value at its first use.

        Raises:
            RpcError: The call failed, in a mode that says so here.
            ConsumerClosed: The consumer was closed before, in any mode.
        """
        chain = self._chain() if self._options else self._caller.binding.chain  # a method costs a call
        policy = chain.policy
        if policy.returns and not policy.is_async and current_ahead() is None:
            answer: T = self._caller.sync(chain, args, kwargs)
        else:
            answer = self._caller.call(chain, args, kwargs, sys._getframe(1))
        return answer

    def future(self, *args: P.args, **kwargs: P.kwargs) -> InvocationFuture[T]:
        """Call and return the future, whatever the configuration says of ``async`` and ``return``."""
        chain = self._chain() if self._options else self._caller.binding.chain
        return self._caller.future(chain, args, kwargs, sys._getframe(1))

    def sync(self, *args: P.args, **kwargs: P.kwargs) -> T:
        """Call, wait and return the value, whatever the configuration says of ``async`` and ``return``."""
        answer: T = self._caller.sync(self._chain(), args, kwargs, view="it was called through .sync")
        return answer

    def _asynchronous(self) -> AsyncMethod[P, T]:
        return AsyncMethod(self._caller, self._describe, self._client, self._options)

    def outcome(self, *args: P.args, **kwargs: P.kwargs) -> Outcome:
        """Call, wait and return how the call ended, which raises nothing that the call failed by.

        Raises:
            ConsumerClosed: The consumer was closed before, so there was no call.
        """
        return self._caller.outcome(self._chain(), args, kwargs, view="it was called through .outcome")

    def with_options(self, **options: Any) -> Self:
        """Return this method with settings for the calls made through what is returned.

        Args:
            options: ``timeout`` and ``total_timeout`` as in YAML (milliseconds, or text such as ``"1.5s"``),
                ``retries``, ``idempotent``, ``async_`` for the ``async`` of YAML, and ``attachments``, which go before
                the configured ones and the context's. Besides those settings, who hears of each call's end, exactly
                once and on a callback thread: ``handler``, called as ``handler(reference, request, outcome,
                caller_context)`` with the ``caller_context`` given here, and ``listener``, whose ``on_success(result)``
                or ``on_failure(error)`` is called. The *request* is the single argument of the call; several are their
                tuple, keywords their mapping, and both a tuple of the two.

        Raises:
            TypeError: An option is unknown, or a handler or listener cannot be called.
            ConfigError: A value is out of its range.
        """
        from .heard import HEARING, heard  # which few programs need

        hearing = {name: options.pop(name) for name in HEARING if name in options}
        _, plain = plain_arguments((), options)
        caller = heard(self._caller, self._client, hearing) if hearing else self._caller
        settings = (*self._options, plain) if plain else self._options
        return type(self)(caller, self._describe, self._client, settings)

    def __repr__(self) -> str:
        policy = self.policy
        return f"<method {policy.reference}.{policy.method}, {_mode(policy)}>"


class AsyncMethod(Method[P, T]):
    """A method whose plain call is its `Method.future`: ``foo.find_foo_async``."""

    __slots__ = ()
    __call__ = Method.future  # type: ignore[assignment]  # which is what it is for


def _mode(policy: MethodPolicy) -> str:
    if not policy.returns:
        return "one-way"
    return LAZY if policy.is_async == LAZY else "async" if policy.is_async else "sync"


def named_types(method: Method) -> tuple[str, Overloads]:
    """Give the full name of *method*, and what is known of its types."""
    name = method._caller.binding.name
    return f"{method.policy.reference}.{name}", method._describe(name)


show_types(Method, named_types, "`callahead.consumer.Method` tells of the ways to call it.")


class Reference:
    """The stand-in of one remote service; made by `Consumer.reference`.

    Each method of the interface is an attribute, as the interface spells it and in snake_case: ``findFoo`` and
    ``find_foo``. ``findFooAsync`` and ``find_foo_async`` are ``findFoo.future``. That of a client in this process has
    the client's other attributes, too, as they are at the moment.
    """

    def __init__(
        self,
        name: str,
        interface: str,
        find: Callable[[str], Any],
        names: Callable[[], Iterable[str]],
        attribute: Callable[[str], Any],
    ) -> None:
        self._name = name
        self._interface = interface
        self._find = find
        self._names = names
        self._attribute = attribute
        self._batches: weakref.WeakSet[Any] = weakref.WeakSet()  # of its batch views

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        try:
            found = self._lookup(name)
        except LookupError as error:
            return self._other(name, str(error.args[0]))
        self.__dict__[name] = found  # from now on Python finds it without asking here
        return found

    def _lookup(self, name: str) -> Any:
        try:
            return self._find(name)
        except LookupError:
            for suffix in ("_async", "Async"):
                if name.endswith(suffix) and len(name) > len(suffix):
                    found = self._find(name.removesuffix(suffix))
                    if isinstance(found, Method):
                        return found._asynchronous()
            raise

    def _other(self, name: str, why_no_method: str) -> Any:
        try:
            return self._attribute(name)
        except LookupError:
            raise AttributeError(f"{self._name}: {why_no_method}", name=name, obj=self) from None

    def __dir__(self) -> list[str]:
        names = set(self._names())
        return sorted({*super().__dir__(), *names, *map(snake_case, names)})

    def __repr__(self) -> str:
        return f"<Reference {self._name} to {self._interface}>"


def view_of(reference: Reference, change: Callable[[Any], Any]) -> Reference:
    """Make a reference whose methods are what *change* makes of those of *reference*.

    Raises:
        TypeError: It is no reference.
    """
    if not isinstance(reference, Reference):
        raise TypeError(f"a view is made of a reference, as consumer.reference(...) gives it, not of {reference!r}")
    find = reference._find
    view = Reference(
        reference._name,
        reference._interface,
        lambda name: change(find(name)),
        reference._names,
        reference._attribute,
    )
    view._batches = reference._batches
    return view
