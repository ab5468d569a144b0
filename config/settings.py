"""How a transport declares settings of its own, which are keys of references and of ``consumer`` like any other.

.. code-block:: python

    class PigeonSettings(TransportSettings):
        rest_ms: Duration = setting(500, "longest rest on a roof; default 500 ms", key="rest")

    class PigeonTransport:
        settings = PigeonSettings

Loading, ``check``, ``explain`` and ``schema`` learn the keys from there; the transport reads ``policy.transport``.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar, Final, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, PlainValidator, WithJsonSchema
from pydantic.config import JsonDict

from .values import quantity, structure, text

PLACEHOLDER: Final = r"\$\{"
_UNITS_OF_TIME: Final = "[mM]?[sS]|[mMhH]"
_TEXT: Final = {"type": "string"}


class Conflict(NamedTuple):
    """What is wrong with a setting beside others.

    Attributes:
        attribute: The setting that is blamed: one of these, or one of every reference.
        text: What is wrong, without a full stop.
        hint: What to do, "" where there is nothing to say.
    """

    attribute: str
    text: str
    hint: str = ""


class TransportSettings(BaseModel):
    """What references of one protocol may set beside the settings of every reference; immutable.

    A field is made by `setting`, and its default is the only one there is. Its type is one of this module's, which take
    placeholders, units and a key without a value as every setting does, or any that pydantic knows.

    Attributes:
        is_local: Its references are served in this process: they have neither addresses nor a registry, and may do
            without ``interface``. Each has one provider, and may be given an object by `Consumer.wrap`.
        targets: Schemes of addresses that the transport resolves and balances by itself, such as the ``dns`` of gRPC's
            ``dns:///host:port``; a reference has one provider for each.
        knows_sent: When it is known that a request is written, for ``callahead explain``; "" where that is not said.
    """

    is_local: ClassVar[bool] = False
    targets: ClassVar[tuple[str, ...]] = ()
    knows_sent: ClassVar[str] = ""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True, protected_namespaces=())

    def conflicts(self, own: Collection[str]) -> Iterable[Conflict]:
        """Say what is wrong between settings. A value that is wrong by itself was told already, and is None here.

        Args:
            own: Attributes that the reference itself sets, of these settings and of every reference's; the values of
                others are inherited or defaults.
        """
        del own
        return ()

    @classmethod
    def key_of(cls, attribute: str) -> str | None:
        """Give the key of *attribute* in the YAML, None where it is no setting of these."""
        info = cls.model_fields.get(attribute)
        return None if info is None else info.alias or attribute


def setting(
    default: Any,
    description: str,
    *,
    key: str | None = None,
    after: str | None = None,
    instead: str = "remove it",
    in_consumer: bool = True,
    is_shown: bool = True,
) -> Any:
    """Make the field of one setting.

    Args:
        default: What holds where nothing is written.
        description: For editors, in one sentence that ends with the range and the default.
        key: In the YAML, in snake_case; by default the attribute's name.
        after: Key behind which it is listed; by default that of the setting declared before it.
        instead: What to do where the reference has another protocol.
        in_consumer: ``consumer`` may set it for all references.
        is_shown: It stands in the ``repr`` of the settings; False for what may hold a secret.
    """
    extra: JsonDict = {"after": after, "instead": instead, "in_consumer": in_consumer}
    return Field(default, alias=key, description=description, json_schema_extra=extra, repr=is_shown)


@dataclass(frozen=True, slots=True)
class Located:
    """Marks a type whose values are paths, relative ones from the folder of the configuration file.

    Attributes:
        find: Makes of that folder and a value the effective value, and says what is wrong with it.
    """

    find: Callable[[Path, Any], tuple[Any, list[str]]]


@dataclass(frozen=True, slots=True)
class Spelt:
    """Marks a type whose mappings have keys of the user's own, which are kept as they are spelt."""


def unreadable(path: Path) -> str:
    """Say why the file at *path* cannot be read; "" where it can."""
    try:
        with path.open("rb"):
            return ""
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        return f"cannot read {path}: {reason}"


def _file(folder: Path, written: str) -> tuple[str, list[str]]:
    path = folder / written
    wrong = unreadable(path)
    return str(path), [wrong] if wrong else []


def _folders(folder: Path, written: tuple[str, ...]) -> tuple[tuple[str, ...], list[str]]:
    paths = [folder / each for each in written]
    return tuple(map(str, paths)), [f"{path} is not a folder" for path in paths if not path.is_dir()]


def or_placeholder(pattern: str = "", **schema: Any) -> WithJsonSchema:
    """Describe to editors a value of *schema*, or a ``${...}`` in its place.

    Args:
        pattern: What a text may look like, too.
        schema: An ``enum``, or one ``type`` and keywords that mean nothing to a text.
    """
    # No anyOf, whose every branch an editor would blame for one value.
    if "enum" in schema:
        return WithJsonSchema({"if": {"type": "string", "pattern": PLACEHOLDER}, "else": schema})
    texts = f"{pattern}|{PLACEHOLDER}" if pattern else PLACEHOLDER
    return WithJsonSchema({**schema, "type": [schema["type"], "string"], "pattern": texts})


def count(least: int, most: int) -> tuple[PlainValidator, WithJsonSchema]:
    """Describe a whole number from *least* to *most*: ``Annotated[int, *count(1, 1000)]``."""
    schema = or_placeholder(type="integer", minimum=least, maximum=most)
    return PlainValidator(quantity.count(least, most)), schema


def choice(*words: str) -> tuple[PlainValidator, WithJsonSchema]:
    """Describe one of *words*: ``Annotated[str, *choice("grey", "white")]``."""
    return PlainValidator(text.one_of(*words)), or_placeholder(enum=list(words))


def _amount(least: int, most: int, units: str, *others: str) -> WithJsonSchema:
    texts = "|".join((rf"^[0-9]+(\.[0-9]+)? ?({units})$", *others))
    return or_placeholder(texts, type="number", minimum=least, maximum=most)


def amount_of_time(word: str) -> WithJsonSchema:
    """Describe to editors a duration, or a text in its place that is like the pattern *word*."""
    return _amount(1, quantity.LONGEST_MS, _UNITS_OF_TIME, f"^{word}$")


def size(least: int, most: int) -> tuple[PlainValidator, WithJsonSchema]:
    """Describe a size from *least* to *most* bytes: ``Annotated[int, *size(1024, 65536)]``."""
    return PlainValidator(quantity.size_bytes(least, most)), _amount(least, most, "[bB]|[kKmMgG][iI]?[bB]")


def _duration(least: int) -> tuple[PlainValidator, WithJsonSchema]:
    schema = _amount(least, quantity.LONGEST_MS, _UNITS_OF_TIME)
    return PlainValidator(quantity.duration_ms(least)), schema


_ARGUMENTS: Final[JsonDict] = {"type": ["object", "array"]}
TEXTS: Final = WithJsonSchema(
    {"type": ["string", "array"], "items": {"type": "string", "description": "One of several"}}
)

Flag = Annotated[bool, PlainValidator(quantity.flag), or_placeholder(type="boolean")]
Duration = Annotated[int, *_duration(1)]
DurationOrZero = Annotated[int, *_duration(0)]
Size = Annotated[int, *size(1, quantity.LARGEST_BYTES)]
Text = Annotated[str, PlainValidator(text.text), WithJsonSchema(_TEXT)]
Word = Annotated[str, PlainValidator(text.word), WithJsonSchema(_TEXT)]
Words = Annotated[tuple[str, ...], PlainValidator(text.words), TEXTS]
Module = Annotated[str, PlainValidator(text.module_path), WithJsonSchema(_TEXT)]
File = Annotated[str, PlainValidator(text.text), WithJsonSchema(_TEXT), Located(_file)]
Target = Annotated[str, PlainValidator(text.target_path), WithJsonSchema(_TEXT)]
Arguments = Annotated[Any, PlainValidator(structure.arguments), WithJsonSchema(_ARGUMENTS), Spelt()]
Folders = Annotated[tuple[str, ...], PlainValidator(text.words), TEXTS, Located(_folders)]
