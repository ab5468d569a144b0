"""Header blocks: reading a peer's, and writing this side's as literals.

Source: RFC 7541; differs: this side keeps no dynamic table of what it sends, which is mostly bytes that were made once.
The peer is told to keep none either; one that does, as a server by grpc-okhttp, is read nonetheless.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from .frames import COMPRESSION_ERROR
from .huffman import decode_huffman
from .static_table import STATIC_TABLE, Field, Fields
from .violation import Violation

FIELD_BYTES: Final = 32
"""What each header counts beyond its name and value. Source: RFC 9113, 10.5.1."""

FIRST_TABLE_BYTES: Final = 4096
"""What a peer's table may hold until it says otherwise. Source: RFC 9113, 6.5.2."""

_MOST_INTEGER_BYTES: Final = 5
_HUFFMAN: Final = 0x80
_INDEXED: Final = 0x80
_WITH_INDEXING: Final = 0x40
_TABLE_SIZE: Final = 0x20

_KIND_OF_LITERAL: Final = 0xC0

_NEW_NAMES: Final = frozenset({0, 0x10, _WITH_INDEXING})
"""What literals begin with that have a name of their own."""

_MOST_RESIZES: Final = 2
"""So often the size of the table may change before a block. Source: RFC 7541, 4.2."""

_SHORT: Final = 12
"""Such strings are mostly names, which come again and again."""

_SHORT_FIELD: Final = 24
"""Such fields, too, such as the status of gRPC."""

_decode_short = lru_cache(256)(decode_huffman)


class TooLarge(Exception):
    """The headers are larger than this side allows.

    Attributes:
        size: What they have at least, in bytes as `FIELD_BYTES` counts them.
    """

    def __init__(self, size: int) -> None:
        super().__init__(size)
        self.size = size


class DynamicTable:
    """The headers that blocks of one peer have put aside for later ones to refer to.

    Args:
        room: Bytes that it holds, as `FIELD_BYTES` counts them.

    Attributes:
        room: Likewise; 0 for good, once the peer says that it keeps none.
        held: The headers, the newest first, and their bytes; who has read a block in vain puts back those of before.
        was_used: A block meant an entry, or added one, so that its bytes may mean something else another time.
    """

    __slots__ = ("held", "room", "was_used")

    def __init__(self, room: int) -> None:
        self.room = room
        self.held: tuple[Fields, int] = ((), 0)
        self.was_used = False

    def field(self, index: int) -> Field:
        """Return what a block means by *index*, the static table's entries first.

        Raises:
            Violation: There is no such entry.
        """
        own = index - len(STATIC_TABLE)
        if own <= 0 < index:
            return STATIC_TABLE[index - 1]
        self.was_used = True
        entries, _ = self.held
        if not 0 < own <= len(entries):
            raise _wrong(f"it means entry {index}, and there are {len(STATIC_TABLE) + len(entries)}")
        return entries[own - 1]

    def add(self, field: Field) -> None:
        """Put *field* aside, and drop the oldest ones for which there is no room any more, be it all of them."""
        self.was_used = True
        entries, size = self.held
        size += size_of_fields((field,))
        last = len(entries)
        while size > self.room and last:
            last -= 1
            size -= size_of_fields(entries[last : last + 1])
        self.held = ((field, *entries[:last]), size) if size <= self.room else ((), 0)

    def empty(self) -> None:
        """Hold nothing, now and later."""
        self.room, self.held = 0, ((), 0)


def decode_block(block: bytes, most: int, table: DynamicTable) -> Fields:
    """Read the headers of *block*, which may have *most* bytes as `FIELD_BYTES` counts them.

    What it puts aside for later blocks goes to *table*, which has what the peer's earlier blocks have put there.

    Raises:
        Violation: It is no header block, or means an entry that *table* has not.
        TooLarge: With what has been read until then; of a peer that may keep a table, with all of it.
    """
    fields: list[Field] = []
    at = size = resized = 0
    while at < len(block):
        first = block[at]
        if first in _NEW_NAMES and (end := _short_end(block, at)):
            field, at = _read_short(block[at:end]), end
        elif first & _INDEXED:
            index, at = _integer(block, at, 0x7F)
            field = table.field(index)
        elif first & _WITH_INDEXING:
            field, at = _literal(block, at, 0x3F, table)
        elif first & _TABLE_SIZE:
            at = _resize(block, at, is_late=size > 0 or resized == _MOST_RESIZES)
            table.empty()
            resized += 1
            continue
        else:
            field, at = _literal(block, at, 0x0F, table)
        size += len(field[0]) + len(field[1]) + FIELD_BYTES
        if size <= most:
            fields.append(field)
        elif not table.room:
            break
        if table.room and first & _KIND_OF_LITERAL == _WITH_INDEXING:
            table.add(field)
    if size > most:
        raise TooLarge(size)
    return tuple(fields)


def _wrong(text: str) -> Violation:
    return Violation(COMPRESSION_ERROR, f"a header block cannot be read: {text}")


def _integer(block: bytes, at: int, mask: int) -> tuple[int, int]:
    """Read an integer that begins in the bits of *mask*; returns it, and where what follows begins."""
    value = block[at] & mask
    at += 1
    if value < mask:
        return value, at
    for shift in range(0, 7 * _MOST_INTEGER_BYTES, 7):
        if at >= len(block):
            raise _wrong("it ends in an integer")
        byte = block[at]
        at += 1
        value += (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
    raise _wrong("an integer has more than 35 bits")


def _resize(block: bytes, at: int, *, is_late: bool) -> int:
    size, at = _integer(block, at, 0x1F)
    if size or is_late:
        raise _wrong(f"the dynamic table is to have {size} bytes, " + ("too late" if is_late else "and may have 0"))
    return at


def _literal(block: bytes, at: int, mask: int, table: DynamicTable) -> tuple[Field, int]:
    """Read a field of which the name is new, or that of an entry, which the bits of *mask* tell."""
    if block[at] & mask:
        index, at = _integer(block, at, mask)
        name = table.field(index)[0]
    else:
        name, at = _string(block, at + 1)
    value, at = _string(block, at)
    return (name, value), at


def _short_end(block: bytes, at: int) -> int:
    """Tell where a field with a name of its own ends that is short; 0 for another."""
    most = min(len(block), at + _SHORT_FIELD)
    if at + 1 < most and (middle := at + 2 + (block[at + 1] & 0x7F)) < most:
        end = middle + 1 + (block[middle] & 0x7F)
        return end if end <= most else 0
    return 0


@lru_cache(256)
def _read_short(field: bytes) -> Field:
    name, at = _string(field, 1)
    return name, _string(field, at)[0]


def _string(block: bytes, at: int) -> tuple[bytes, int]:
    if at >= len(block):
        raise _wrong("it ends where a string should be")
    first = block[at]
    length = first & 0x7F
    if length == 0x7F:
        length, at = _integer(block, at, 0x7F)
    else:
        at += 1
    end = at + length
    if end > len(block):
        raise _wrong(f"a string of {length} bytes goes beyond its end")
    text = block[at:end]
    if first < _HUFFMAN:
        return text, end
    return (_decode_short(text) if length <= _SHORT else decode_huffman(text)), end


def encode_fields(fields: Fields) -> bytes:
    """Write headers as literals, each name that the static table has by its index."""
    return b"".join(map(_encode, fields))


def _encode(field: Field) -> bytes:
    name, value = field
    exact = _EXACT.get(field)
    if exact is not None:
        return bytes([_INDEXED | exact])
    index = _NAMED.get(name)
    start = b"\0" + _encode_string(name) if index is None else _encode_integer(index, 0x0F)
    return start + _encode_string(value)


def _encode_string(text: bytes) -> bytes:
    return _encode_integer(len(text), 0x7F) + text


def _encode_integer(value: int, mask: int) -> bytes:
    if value < mask:
        return bytes([value])
    out, rest = bytearray([mask]), value - mask
    while rest >= 0x80:
        out.append(rest & 0x7F | 0x80)
        rest >>= 7
    out.append(rest)
    return bytes(out)


def size_of_fields(fields: Fields) -> int:
    """Count the bytes of headers as a peer's limit does."""
    return sum(len(name) + len(value) + FIELD_BYTES for name, value in fields)


_EXACT: Final = {field: index for index, field in enumerate(STATIC_TABLE, 1) if field[1]}
_NAMED: Final = {field[0]: index for index, field in reversed([*enumerate(STATIC_TABLE, 1)])}
