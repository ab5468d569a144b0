"""Values without parts: every form of the wire, ours and those that Java never writes."""

from __future__ import annotations

import math
import struct
from typing import Any

import pytest

from callahead.consumer.codec.hessian2 import (
    BigInteger,
    Byte,
    Char,
    DateMillis,
    Double,
    Encoder,
    Float,
    Int,
    Long,
    Short,
    dumps,
    loads,
)
from callahead.consumer.errors import SerializationError


def written(value: Any, java_name: str) -> bytes:
    """Give the bytes of a value that is declared to be of a Java type."""
    encoder = Encoder()
    encoder.write(value, java_name)
    return encoder.getvalue()


@pytest.mark.parametrize(
    ("data", "value"),
    [
        ("49 00000001", 1),
        ("c805", 5),
        ("d4 0005", 5),
        ("4c 0000000000000005", 5),
        ("59 ffffffff", -1),
        ("38 0000", -262144),
        ("44 3ff0000000000000", 1.0),
        ("5d 80", -128.0),
        ("5e ffff", -1.0),
        ("5f 00000001", 0.001),
        ("53 0001 61", "a"),
        ("30 01 61", "a"),
        ("52 0001 61 52 0001 62 00", "ab"),
        ("52 0001 61 30 01 62", "ab"),
        ("42 0002 0102", b"\1\2"),
        ("41 0001 01 41 0001 02 20", b"\1\2"),
        ("41 0001 01 34 01 02", b"\1\2"),
    ],
)
def test_long_forms_of_short_values_are_read(data: str, value: Any) -> None:
    """A peer may write a longer form than it needs."""
    assert loads(bytes.fromhex(data)) == value


@pytest.mark.parametrize(
    ("value", "data"),
    [
        (2**31, "4c 0000000080000000"),
        (-(2**31) - 1, "4c ffffffff7fffffff"),
        (Long(0), "e0"),
        (Long(16), "f810"),
        (Long(2048), "3c0800"),
        (Long(262144), "59 00040000"),
        (Int(7), "97"),
        (Byte(-1), "8f"),
        (Short(300), "c92c"),
        (Double(2), "5d02"),
        (Float(1.1), "5f 0000044c"),
        (Char("x"), "0178"),
        (bytearray(b"ab"), "22 6162"),
        (memoryview(b"ab"), "22 6162"),
        (DateMillis(60_000), "4b 00000001"),
        (DateMillis(1), "4a 0000000000000001"),
    ],
)
def test_forced_and_large_values(value: Any, data: str) -> None:
    """The type of the value says which Java type is written."""
    assert dumps(value) == bytes.fromhex(data)


def test_an_int_beyond_64_bits_is_a_big_integer() -> None:
    """Nothing smaller holds it."""
    assert dumps(1 << 64) == dumps(BigInteger(1 << 64))
    assert loads(dumps(-(1 << 64))) == -(1 << 64)


def test_negative_zero_keeps_its_sign() -> None:
    """Java's own writer loses it."""
    assert dumps(-0.0) == b"D" + struct.pack(">d", -0.0)
    assert math.copysign(1, loads(dumps(-0.0))) == -1


@pytest.mark.parametrize(
    ("java_name", "value", "data"),
    [
        ("long", 5, "e5"),
        ("java.lang.Long", 5, "e5"),
        ("int", 5, "95"),
        ("double", 3, "5d03"),
        ("double", 3.5, "5f 00000dac"),
        ("float", 1.1, "5f 0000044c"),
        ("java.lang.Short", None, "4e"),
        ("char", "x", "0178"),
        ("java.lang.String", "x", "0178"),
        ("long[]", [1, 2], "72 055b6c6f6e67 e1 e2"),
        ("java.lang.Long[]", [1, None], "72 0f5b6a6176612e6c616e672e4c6f6e67 e1 4e"),
        ("int[][]", [[1]], "71 055b5b696e74 71 045b696e74 91"),
        ("byte[]", b"\1", "21 01"),
        ("char[]", "ab", "02 6162"),
        ("java.util.List", [1], "79 91"),
    ],
)
def test_the_declared_java_type_decides(java_name: str, value: Any, data: str) -> None:
    """A parameter's Java name forces the form."""
    assert written(value, java_name) == bytes.fromhex(data)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Byte(128), "hessian2: 128 does not fit a Java byte (-128 to 127)"),
        (lambda: Short(-32769), "hessian2: -32769 does not fit a Java short (-32768 to 32767)"),
        (lambda: Int(2**31), "hessian2: 2147483648 does not fit a Java int (-2147483648 to 2147483647)"),
        (lambda: Float(1e39), "hessian2: 1e+39 does not fit a Java float (up to 3.4028235e+38)"),
        (lambda: Char("ab"), "hessian2: 'ab' is not one UTF-16 unit, which a Java char is"),
        (lambda: Char("\U0001f600"), "hessian2: '\U0001f600' is not one UTF-16 unit, which a Java char is"),
        (lambda: written("5", "long"), "hessian2: '5' is declared as a Java long"),
        (lambda: written(True, "int"), "hessian2: True is declared as a Java int"),
        (lambda: written(1.5, "int"), "hessian2: 1.5 is declared as a Java int"),
        (lambda: written(2**31, "int"), "hessian2: 2147483648 does not fit a Java int (-2147483648 to 2147483647)"),
        (lambda: written(["a"], "long[]"), "hessian2: 'a' is declared as a Java long"),
        (lambda: written(["a"], "float[]"), "hessian2: 'a' is declared as a Java float"),
    ],
)
def test_what_does_not_fit_is_an_error_before_anything_is_sent(make: Any, message: str) -> None:
    """It names the value, the Java type and its range."""
    with pytest.raises(SerializationError) as caught:
        make()
    assert str(caught.value) == message
    assert caught.value.not_sent


@pytest.mark.parametrize("value", [float("inf"), float("-inf")])
def test_infinities_are_floats_too(value: float) -> None:
    """They need no rounding."""
    assert Float(value) == value
    assert loads(dumps(Float(value))) == value


def test_four_byte_characters_of_other_writers_are_read() -> None:
    """Not every hessian splits what is beyond U+FFFF; the length counts two units all the same."""
    assert loads(b"\x03" + "\U0001f600a".encode()) == "\U0001f600a"


def test_a_pair_split_between_chunks_is_one_character() -> None:
    """Each half is in its own chunk."""
    assert loads(b"R\0\1\xed\xa0\xbd\x01\xed\xb8\x80") == "\U0001f600"


def test_what_follows_a_string_is_not_taken_for_its_end() -> None:
    """The int after the string begins with a byte that looks like the middle of a character."""
    assert loads(b"\x7a\x01\xc3\xa9\x90") == ["\u00e9", 0]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ("01 ff", "hessian2: byte 1: a string is not UTF-8: invalid start byte"),
        ("01 f09f9880", "hessian2: byte 1: a string is not UTF-8: the length ends inside a surrogate pair"),
        ("02 61", "hessian2: the data ends after 2 bytes, inside the value that begins at 0"),
        ("02 c3a9", "hessian2: the data ends after 3 bytes, inside the value that begins at 0"),
        ("01 e4", "hessian2: the data ends after 2 bytes, inside the value that begins at 0"),
        ("52 0001 61 4e", "hessian2: byte 4: 0x4e does not go on with a string"),
        ("41 0001 61 4e", "hessian2: byte 4: 0x4e does not go on with binary data"),
        ("53 00", "hessian2: the data ends after 2 bytes, inside the value that begins at 0"),
        ("23 01", "hessian2: the data ends after 2 bytes, inside the value that begins at 0"),
        ("49 000000", "hessian2: the data ends after 4 bytes, inside the value that begins at 0"),
        ("d4 00", "hessian2: the data ends after 2 bytes, inside the value that begins at 0"),
        ("", "hessian2: the data ends after 0 bytes, inside the value that begins at 0"),
        ("40", "hessian2: byte 0: 0x40 begins no value"),
        ("5a", "hessian2: byte 0: 0x5a begins no value"),
        ("90 90", "hessian2: 1 bytes follow the value"),
    ],
)
def test_broken_scalars(data: str, message: str) -> None:
    """The error says where and what."""
    with pytest.raises(SerializationError) as caught:
        loads(bytes.fromhex(data))
    assert str(caught.value) == message


def test_forced_values_say_what_they_are() -> None:
    """Also inside containers that are printed."""
    assert repr([Long(5), BigInteger(6), DateMillis(7)]) == "[Long(5), BigInteger(6), DateMillis(7)]"
