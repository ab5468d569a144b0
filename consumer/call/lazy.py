"""Lazy results: what a call gives whose ``async`` is ``lazy``, an object that becomes the answer at its first use.

The only module that knows wrapt. Its proxy hands on whatever is done with it to the object that it wraps, and asks
``__wrapped_get__`` for that when it is wanted first. wrapt's own lazy proxy makes a class and a lock for each object,
which takes 30 us and waits for the garbage collector; the class here is one for all, and needs no lock.
"""

from __future__ import annotations

import copy
import operator
from collections.abc import Callable, Generator
from typing import Any

from wrapt import BaseObjectProxy

from . import plain
from .current import let_go
from .future import InvocationFuture
from .plain import resolve

_IN_PLACE = ("add", "sub", "mul", "matmul", "truediv", "floordiv", "mod", "pow", "lshift", "rshift", "and", "xor", "or")


def _of_answer(function: Callable[..., Any]) -> Callable[..., Any]:
    """Make the special method that gives what *function* makes of the answer."""

    def method(lazy: LazyResult, *others: Any) -> Any:
        try:
            return function(lazy.__wrapped__, *map(resolve, others))
        finally:
            del lazy  # it would tie an error that is raised to its own traceback

    return method


def _reduced(answer: Any, *_: Any) -> tuple[Any, ...]:
    """Have pickle make the answer itself, also where there is no callahead."""
    return operator.getitem, ((answer,), 0)


class LazyResult(BaseObjectProxy[Any]):
    """The answer of a call to whoever uses it; ``docs/lazy.rst`` says what cannot be so.

    Its attributes are the answer's, so it has none but those that Python or wrapt ask for.
    """

    def __init__(self, future: object) -> None:
        if not isinstance(future, InvocationFuture):
            given = type(future).__name__
            raise TypeError(f"the type of a lazy result makes nothing of a {given}; use callahead.resolve(...)")
        super().__init__(None)  # is not wrapped, since there is a factory
        self._self_future = future

    def __wrapped_factory__(self) -> Any:
        """Be there, so that wrapt asks `__wrapped_get__`."""

    def __wrapped_get__(self) -> Any:
        """Wait for the answer and keep it; threads that do so at the same time get the same."""
        future = self._self_future
        let_go(future)
        try:
            self.__wrapped__ = answer = resolve(future.result())
            return answer
        finally:
            del self, future  # as above

    def __wrapped_setattr_fixups__(self) -> None:
        """Leave the class as it is; wrapt would otherwise ask the answer for such a method."""

    def __await__(self) -> Generator[Any, None, Any]:
        """Wait in the running loop; gives the answer itself."""
        let_go(self._self_future)
        return self._self_future.__await__()

    __iter__ = _of_answer(iter)
    __repr__ = _of_answer(repr)
    __copy__ = _of_answer(copy.copy)
    __deepcopy__ = _of_answer(copy.deepcopy)
    __reduce__ = __reduce_ex__ = _of_answer(_reduced)


for _name in _IN_PLACE:  # wrapt would make another proxy where the plain object is wanted
    setattr(LazyResult, f"__i{_name}__", _of_answer(getattr(operator, f"__i{_name}__")))

plain.lazy_kind = LazyResult  # from now on calls look for them among their arguments
