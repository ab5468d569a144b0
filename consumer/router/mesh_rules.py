"""Rules for service meshes as Dubbo 3 has them: subsets of an application's providers, and which calls go to which.

Source: Dubbo's ``router.mesh.rule``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Final

from pydantic import Field, field_validator

from callahead.config.settings import Text
from callahead.config.values.quantity import Unfit

from ..call.invocation import Invocation
from .rules import OneOf, Part, TextMatch

_SUBSETS: Final = "DestinationRule"
_ROUTES: Final = "VirtualService"
# Of metadata.name; what stands behind a dot names an extension of Dubbo's that the document is for.
_EXTENSION: Final = "."
_MOST_DOCUMENTS: Final = 1000
_MOST_PARTS: Final = 1000


class NumberRange(Part):
    """Numbers from ``start`` on that are less than ``end``."""

    start: float | None = None
    end: float | None = None

    def holds(self, value: float) -> bool:
        """Tell whether *value* is one of them; where neither end is written none is."""
        is_bounded = self.start is not None or self.end is not None
        return is_bounded and (self.start is None or value >= self.start) and (self.end is None or value < self.end)


class NumberMatch(Part):
    """What a number must be, or what must remain of it."""

    exact: float | None = None
    range: NumberRange | None = None
    mod: float | None = Field(None, gt=0)

    def accepts(self, value: float) -> bool:
        """Tell whether *value* is so. Source: Dubbo's ``DoubleMatch``."""
        if self.exact is not None and self.mod is None:
            return value == self.exact
        if self.range is not None:
            return self.range.holds(value)
        return self.exact is not None and self.mod is not None and math.fmod(value, self.mod) == self.exact


class OneOfNumbers(Part):
    """What a number must be, in one of several ways."""

    oneof: tuple[NumberMatch, ...]


class FlagMatch(Part):
    """True or false."""

    exact: bool


class OneOfFlags(Part):
    """One of these."""

    oneof: tuple[FlagMatch, ...]


class Argument(Part):
    """What a positional argument must be; of several ways the first that is written counts."""

    index: int = Field(0, ge=0)
    type: Any = None
    str_value: OneOf | None = None
    num_value: OneOfNumbers | None = None
    bool_value: OneOfFlags | None = None

    def accepts(self, arguments: Sequence[object]) -> bool:
        """Tell whether it is so; one that is not there never is.

        Source: Dubbo's ``DubboMethodArg``; differs: what is no number costs the match, and not the call.
        """
        if self.index >= len(arguments):
            return False
        value = arguments[self.index]
        if self.str_value is not None:
            return isinstance(value, str) and self.str_value.accepts(value)
        if self.num_value is not None:
            number = _number(value)
            return number is not None and any(one.accepts(number) for one in self.num_value.oneof)
        return self.bool_value is not None and any(value is one.exact for one in self.bool_value.oneof)


def _number(value: object) -> float | None:
    """Read a number, or a text that is one, as Dubbo does."""
    if isinstance(value, bool):
        return None
    try:
        return float(value) if isinstance(value, str | int | float) else None
    except (ValueError, OverflowError):
        return None


class MethodMatch(Part):
    """What method and arguments must be."""

    name_match: TextMatch | None = None
    argc: int | None = None
    args: tuple[Argument, ...] = ()
    argp: Any = None
    headers: Any = None

    @field_validator("argp")
    @classmethod
    def _is_absent(cls, value: Any) -> Any:
        if value:
            raise Unfit("the types of parameters are not known here", "write args, argc or name_match")
        return value

    def accepts(self, invocation: Invocation) -> bool:
        """Tell whether the call is so. Source: Dubbo's ``DubboMethodMatch``."""
        if self.name_match is not None and not self.name_match.accepts(invocation.method):
            return False
        if self.argc is not None and self.argc != len(invocation.args):
            return False
        return all(argument.accepts(invocation.args) for argument in self.args)


class AttachmentMatch(Part):
    """What attachments must be."""

    dubbo_context: Mapping[str, TextMatch] = {}
    tracing_context: Mapping[str, TextMatch] = {}

    def accepts(self, attachments: Mapping[str, str | bytes]) -> bool:
        """Tell whether they are so; of a trace nothing is known, as in Dubbo without an extension for it."""
        said = ((attachments.get(name), match) for name, match in self.dubbo_context.items())
        return not self.tracing_context and all(match.accepts(_text(value)) for value, match in said)


def _text(value: str | bytes | None) -> str | None:
    return value.decode(errors="replace") if isinstance(value, bytes) else value


class Request(Part):
    """What a call and its caller must be."""

    name: Text = ""
    method: MethodMatch | None = None
    source_labels: Mapping[str, Text] = {}
    attachments: AttachmentMatch | None = None
    headers: Any = None

    def is_of(self, caller: Mapping[str, str]) -> bool:
        """Tell whether it speaks of calls of *caller* at all."""
        return all(caller.get(key) == value for key, value in self.source_labels.items())

    def accepts(self, invocation: Invocation) -> bool:
        """Tell whether the call is so."""
        if self.method is not None and not self.method.accepts(invocation):
            return False
        return self.attachments is None or self.attachments.accepts(invocation.attachments)


class Destination(Part):
    """A subset, and where calls go while it has nobody."""

    host: Any = None
    subset: Text = ""
    port: Any = None
    fallback: Target | None = None


class Target(Part):
    """A destination and its share of the calls."""

    destination: Destination
    weight: int = Field(1, ge=0, le=1_000_000, description="Below 1 it is 1, as in Dubbo")


class Route(Part):
    """Where the calls go that are so in every point."""

    name: Text = ""
    match: tuple[Request, ...] = Field((), max_length=_MOST_PARTS)
    route: tuple[Target, ...] = Field(max_length=_MOST_PARTS, min_length=1)


class Service(Part):
    """The routes of some interfaces, or of all, of which the first that fits counts."""

    name: Text = ""
    services: tuple[TextMatch, ...] = ()
    routedetail: tuple[Route, ...] = Field((), max_length=_MOST_PARTS)

    def is_of(self, interface: str) -> bool:
        """Tell whether it speaks of *interface*."""
        return not self.services or any(one.accepts(interface) for one in self.services)


class Subset(Part):
    """Providers by their parameters; all of them where none is named."""

    name: Text
    labels: Mapping[str, Text] = {}


class Spec(Part):
    """What a document says: of subsets, or of routes."""

    host: Any = None
    hosts: Any = None
    traffic_policy: Any = None
    subsets: tuple[Subset, ...] = Field((), max_length=_MOST_PARTS)
    dubbo: tuple[Service, ...] = Field((), max_length=_MOST_PARTS)


class Metadata(Part):
    """Its name."""

    name: Text
    labels: Any = None
    annotations: Any = None


class Document(Part):
    """A part of a rule."""

    api_version: Any = None
    kind: Text
    metadata: Metadata
    spec: Spec = Spec()

    def is_of(self, kind: str) -> bool:
        """Tell whether it is of *kind*, and for no extension of Dubbo's."""
        return self.kind == kind and _EXTENSION not in self.metadata.name


class MeshRule(Part):
    """Which calls go to which of an application's providers; what has no effect in Dubbo 3 has none here."""

    as_written: ClassVar = frozenset({"dubbo_context", "labels", "source_labels", "tracing_context"})

    application: Text = Field("", description="Whose providers are meant; default those of all")
    documents: tuple[Document, ...] = Field(
        max_length=_MOST_DOCUMENTS, description="Of the kinds DestinationRule and VirtualService"
    )

    @field_validator("documents")
    @classmethod
    def _are_both_there(cls, documents: tuple[Document, ...]) -> tuple[Document, ...]:
        for kind in (_SUBSETS, _ROUTES):
            if not any(one.is_of(kind) for one in documents):
                raise Unfit(f"has no {kind}", "a rule needs a DestinationRule and a VirtualService")
        return documents

    @property
    def subsets(self) -> list[Subset]:
        """Those of all documents; of one name there may be several."""
        return [subset for one in self.documents if one.is_of(_SUBSETS) for subset in one.spec.subsets]

    @property
    def services(self) -> list[Service]:
        """Those of all documents."""
        return [service for one in self.documents if one.is_of(_ROUTES) for service in one.spec.dubbo]
