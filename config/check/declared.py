"""The settings that one transport declares, and what a section writes of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Any, Final, get_args

from pydantic import BaseModel, Field, ValidationError, create_model
from pydantic.fields import FieldInfo

from ..policy import ReferencePolicy
from ..read.keys import normalise
from ..read.tree import BROKEN, Entry
from ..settings import Located, Spelt, TransportSettings
from ..values.quantity import Unfit, show
from .fields import Written
from .models import ConsumerModel, InterfaceModel, ReferenceModel, yaml_keys

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

# Where the JSON Schema of a setting names the protocols that honour it.
ONLY: Final = "x-only-protocol"

# The sections that take them, by their names in messages.
SECTIONS: Final[Mapping[str, type[InterfaceModel]]] = {"consumer": ConsumerModel, "reference": ReferenceModel}
# Behind it stand the settings that name no other place.
LAST_COMMON: Final = tuple(yaml_keys(InterfaceModel).values())[-1]

# Where, what is wrong, and what to do.
Misfit = tuple[Entry, str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class DeclaredSetting:
    """One setting of one protocol.

    Attributes:
        protocol: Whose it is.
        attribute: Name in `TransportSettings`.
        key: In the YAML, in snake_case.
        default: What holds where nothing is written.
        after: Key behind which it is listed.
        instead: What to do where the reference has another protocol.
        sections: Which of `SECTIONS` take it.
        located: How its value is joined to the folder of the file, None where it is no path.
        is_spelt: The keys within it are the user's own.
    """

    protocol: str
    attribute: str
    key: str
    default: Any
    after: str
    instead: str
    sections: tuple[str, ...]
    located: Located | None
    is_spelt: bool

    def plain(self, entry: Entry) -> Any:
        """Give what stands at *entry*, for pydantic."""
        return entry.spelt() if self.is_spelt else entry.plain()


@dataclass(slots=True)
class Read:
    """What one section writes of the settings of one protocol.

    Attributes:
        values: By attribute; None for one that does not fit.
        places: Where each of these stands.
        misfits: What is wrong with those that do not fit, by key: nothing where that was said before.
    """

    values: dict[str, Any] = field(default_factory=dict)
    places: dict[str, Entry] = field(default_factory=dict)
    misfits: dict[str, list[Misfit]] = field(default_factory=dict)


class Declaration:
    """The settings that one protocol declares.

    Args:
        protocol: Entry point name of the transport.
        model: What its class has as ``settings``.

    Raises:
        TypeError: A key is taken or is not in snake_case, a default is missing, or settings are judged together in
            another way than `TransportSettings.conflicts`.
    """

    def __init__(self, protocol: str, model: type[TransportSettings]) -> None:
        self.protocol = protocol
        self.model = model
        if model.__pydantic_decorators__.model_validators:
            raise TypeError("its settings have a validator of the whole model, which is what conflicts is for")
        self.by_key: dict[str, DeclaredSetting] = {}
        after = LAST_COMMON
        for attribute, info in model.model_fields.items():
            one = _setting(protocol, attribute, info, after)
            self.by_key[one.key] = one
            after = one.key

    @cached_property
    def written(self) -> type[BaseModel]:
        """The model of what one level writes: nothing is required, and a default is "not set"."""
        fields: dict[str, Any] = {
            name: (_written(info), _described(self.protocol, info)) for name, info in self.model.model_fields.items()
        }
        return create_model(self.model.__name__, __base__=self.model, **fields)

    def keys(self, section: str) -> set[str]:
        """Keys that may stand in *section*."""
        return {key for key, one in self.by_key.items() if section in one.sections}

    def read(self, entry: Entry, section: str) -> Read:
        """Take what *entry*, a *section*, writes of these settings."""
        found = Read()
        taken = self.keys(section) & entry.section.keys()
        places = {one.attribute: entry.section[key] for key, one in self.by_key.items() if key in taken}
        if places:
            found.places = places
            model = self._fitting({key: self.by_key[key].plain(entry.section[key]) for key in taken}, entry, found)
            found.values = {attribute: getattr(model, attribute) for attribute in places}
        return found

    def _fitting(self, plain: dict[str, Any], entry: Entry, found: Read) -> BaseModel:
        """Validate *plain*, from which whatever does not fit is taken out."""
        try:
            return self.written.model_validate(plain)
        except ValidationError as error:
            faults = error.errors(include_url=False)
        for fault in faults:
            key = str(fault["loc"][0])
            plain.pop(key, None)
            misfits = found.misfits.setdefault(key, [])
            if fault["input"] is not BROKEN:
                misfits.append((entry.find(fault["loc"]), *said(fault)))
        return self.written.model_validate(plain)


def _setting(protocol: str, attribute: str, info: FieldInfo, before: str) -> DeclaredSetting:
    key = info.alias or attribute
    _check_name(attribute, key, info)
    extra: Mapping[str, Any] = info.json_schema_extra if isinstance(info.json_schema_extra, dict) else {}
    return DeclaredSetting(
        protocol=protocol,
        attribute=attribute,
        key=key,
        default=info.get_default(call_default_factory=True),
        after=extra.get("after") or before,
        instead=extra.get("instead", "remove it"),
        sections=tuple(SECTIONS) if extra.get("in_consumer", True) else ("reference",),
        located=next((mark for mark in _marks(info) if isinstance(mark, Located)), None),
        is_spelt=any(isinstance(mark, Spelt) for mark in _marks(info)),
    )


def _check_name(attribute: str, key: str, info: FieldInfo) -> None:
    if key != normalise(key):
        raise TypeError(f'it declares "{key}", which is not in snake_case')
    taken = {*yaml_keys(ReferenceModel).values(), *yaml_keys(ConsumerModel).values()}
    if key in taken or attribute in ReferencePolicy.__slots__:
        raise TypeError(f'it declares "{key}", which is a setting of every reference')
    if info.is_required():
        raise TypeError(f'it declares "{key}" without a default')


def _marks(info: FieldInfo) -> Iterator[Any]:
    yield from info.metadata
    for kind in get_args(info.annotation):  # of "File | None"
        yield from getattr(kind, "__metadata__", ())


def _written(info: FieldInfo) -> Any:
    kind: Any = info.annotation
    return Written[Annotated[(kind, *info.metadata)] if info.metadata else kind]  # type: ignore[misc]


def _described(protocol: str, info: FieldInfo) -> Any:
    text = f"Only {protocol}: {info.description}" if info.description else f"Only {protocol}"
    return Field(None, alias=info.alias, description=text, json_schema_extra={ONLY: protocol})


def said(fault: ErrorDetails) -> tuple[str, str]:
    """Word what pydantic, or a validator of whoever declares the setting, has against a value; and what to do."""
    cause = fault.get("ctx", {}).get("error")
    if isinstance(cause, Unfit):
        return str(cause), cause.hint
    if cause is not None:
        return str(cause), ""
    said = fault["msg"].replace("Input should", "must", 1)
    return f"{said[:1].lower()}{said[1:]}, not {show(fault['input'])}", ""
