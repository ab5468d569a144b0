"""Round trips and robustness over generated values and bytes."""

from __future__ import annotations

import math
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

from hypothesis import example, given, settings
from hypothesis import strategies as st

from callahead.consumer.codec.hessian2 import (
    BigInteger,
    Decoder,
    Encoder,
    JavaObject,
    Limits,
    Long,
    TypedList,
    TypedMap,
    dumps,
    loads,
)
from callahead.consumer.errors import SerializationError

_MILLIS = st.datetimes(timezones=st.just(UTC)).map(lambda d: d.replace(microsecond=d.microsecond // 1000 * 1000))
_TEXT = st.text(st.characters(exclude_categories=()), max_size=60)
_NAMES = st.from_regex(r"[a-z]{1,8}(\.[A-Z][a-z]{0,8}){0,2}", fullmatch=True)
_SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False)
    | _TEXT
    | st.binary(max_size=60)
    | _MILLIS
    | st.dates()
    | st.times()
    | st.datetimes()
    | st.timedeltas()
    | st.decimals(allow_nan=False, allow_infinity=False)
    | st.uuids()
    | st.integers().map(BigInteger)
)
_KEYS = st.text(max_size=8) | st.integers(-(2**63), 2**63 - 1)


def _containers(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return (
        st.lists(inner, max_size=10)
        | st.dictionaries(_KEYS, inner, max_size=6)
        | st.builds(TypedList, st.lists(inner, max_size=9), _NAMES)
        | st.builds(TypedMap, st.dictionaries(_KEYS, inner, max_size=4), _NAMES)
        | st.builds(JavaObject, _NAMES, st.dictionaries(st.text(max_size=5), inner, max_size=6))
    )


VALUES = st.recursive(_SCALARS, _containers, max_leaves=12)


@settings(deadline=None)
@given(VALUES)
def test_what_is_written_is_read(value: Any) -> None:
    """Equal values come back."""
    assert loads(dumps(value)) == value


@settings(deadline=None)
@given(st.lists(VALUES, max_size=3))
def test_a_body_is_read_as_it_was_written(values: list[Any]) -> None:
    """Several values in one stream."""
    encoder = Encoder()
    for value in values:
        encoder.write(value)
    decoder = Decoder(encoder.getvalue())
    assert [decoder.read() for _ in values] == values
    assert decoder.at_end


@settings(deadline=None)
@given(VALUES)
def test_unbound_objects_are_written_back_byte_by_byte(value: Any) -> None:
    """Whatever is inside."""
    data = dumps(JavaObject("a.Holder", {"value": value, "long": Long(1)}))
    assert dumps(loads(data)) == data


@settings(max_examples=40, deadline=None)
@given(st.text(st.characters(exclude_categories=()), min_size=1, max_size=5), st.integers(32_760, 32_772))
def test_texts_around_the_length_of_a_chunk(text: str, length: int) -> None:
    """Pairs of surrogates that meet the edge of a chunk come back whole."""
    long = text + "\U0001f600" * ((length - len(text)) // 2) + "x"
    assert loads(dumps(long)) == _joined(long)


def _joined(text: str) -> str:
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")


@settings(deadline=None)
@given(st.floats())
@example(-0.0)
@example(math.nan)
def test_doubles_are_exact(value: float) -> None:
    """To the bit, but for the many kinds of NaN."""
    again = loads(dumps(value))
    assert math.copysign(1, again) == math.copysign(1, value) or math.isnan(value)
    assert again == value or math.isnan(again)


@settings(deadline=None)
@given(st.dates(), st.times(), st.timedeltas(), st.uuids(), st.decimals(allow_nan=False, allow_infinity=False))
def test_values_of_handles_keep_their_bytes(d: date, t: time, span: timedelta, key: UUID, number: Decimal) -> None:
    """Encoding what was decoded gives the same bytes."""
    data = dumps([d, t, datetime.combine(d, t), span, key, number])
    assert dumps(loads(data)) == data


_SMALL = Limits(depth=50, elements=2000, references=500, bytes=20_000)
_VECTORS = sorted(
    {
        bytes.fromhex(line.split(" ")[1])
        for line in (Path(__file__).parents[2] / "wire" / "vectors" / "hessian2.txt").read_text().splitlines()
        if len(line) < 3000
    }
)


def _message(data: bytes) -> str:
    """Read everything there is and write it again; give the message of the error that ends it, or ""."""
    try:
        decoder, encoder = Decoder(data, _SMALL), Encoder()
        while not decoder.at_end:
            value = decoder.read()
            assert repr(value)
            encoder.write(value)
    except SerializationError as error:
        return str(error)
    return ""


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_are_a_value_or_a_clear_error(data: bytes) -> None:
    """Nothing else is raised."""
    message = _message(data)
    assert not message or message.startswith("hessian2: ")


@settings(deadline=None)
@given(st.sampled_from(_VECTORS), st.data())
def test_damaged_vectors_are_a_value_or_a_clear_error(vector: bytes, data: st.DataObject) -> None:
    """Bytes changed, inserted and cut off in what Java wrote."""
    damaged = bytearray(vector)
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(damaged)))
        damaged[at : at + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=3))
    message = _message(bytes(damaged))
    assert not message or message.startswith("hessian2: ")


@settings(deadline=None)
@given(st.sampled_from(_VECTORS), st.integers(0, 10_000))
def test_vectors_cut_off_anywhere_are_an_early_end(vector: bytes, cut: int) -> None:
    """Or a shorter stream, where it has several values."""
    data = vector[: cut % max(len(vector), 1)]
    message = _message(data)
    assert not message or message.startswith(f"hessian2: the data ends after {len(data)} bytes")


_CORPUS = Path(__file__).parents[2] / "fuzz" / "corpus" / "hessian2"


def test_what_the_fuzzer_found_stays_right() -> None:
    """Each kept input of the fuzzer is a value or a clear error."""
    inputs = sorted(_CORPUS.iterdir())
    assert len(inputs) > 50
    messages = [_message(path.read_bytes()) for path in inputs]
    assert all(not message or message.startswith("hessian2: ") for message in messages)
