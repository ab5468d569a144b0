"""A Java interface: what may be called, and by which names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ...codec.dubbo import ECHO
from ...codec.hessian2.binding import camel_case
from ..spelling import Spellings
from .method import JavaMethod
from .signature import ECHO_SIGNATURE

ECHO_METHOD = JavaMethod(name=ECHO, signatures=(ECHO_SIGNATURE,))


@dataclass(frozen=True, slots=True, kw_only=True)
class JavaInterface:
    """The methods of one Java interface; every interface has ``$echo`` besides.

    Attributes:
        name: Full name, such as ``com.alibaba.foo.FooService``.
        methods: The methods that are known, by the name that callers use: Java's, or what the stub calls an overload
            that it declares apart.
        is_generic: Any other method may be called too, through ``$invoke``.
        source: Where the methods were read, for messages: ``stub shop.foo:FooService``.
    """

    name: str
    methods: Mapping[str, JavaMethod]
    is_generic: bool = False
    source: str = ""
    _spellings: Spellings[JavaMethod] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_spellings", Spellings(self.methods))

    def find(self, name: str) -> JavaMethod | None:
        """Look a method up by its own spelling or, where only one fits, by any mix of case and underscores.

        ``$echo``, reached by ``getattr(reference, "$echo")``, answers its argument and is a cheap test of a provider.
        A generic interface knows every name, ``find_foo`` as ``findFoo``; not those that begin with an underscore, nor
        those that end in ``Async``, for these ask for the future of the method before it: a Java method of such a name
        must be declared, in the stub or under ``methods`` with its ``parameter_types``.

        Returns:
            None where nothing fits or two methods do.
        """
        exact = self.methods.get(name)
        if exact is not None:
            return exact
        if name == ECHO:
            return ECHO_METHOD
        if self._spellings.knows(name):
            return self._spellings.find(name)
        if not self.is_generic or not name.isidentifier() or name.startswith("_") or name.endswith(("Async", "_async")):
            return None
        return JavaMethod(name=camel_case(name), is_generic=True)

    def nearest(self, name: str) -> str:
        """Phrase a hint for a *name* that `find` does not find: the nearest method, else all of them."""
        return self._spellings.nearest(name)
