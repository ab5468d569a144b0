"""Header blocks, against the `hpack` package as an oracle."""

from __future__ import annotations

import hpack
import pytest
from hpack.huffman import HuffmanEncoder
from hpack.huffman_constants import REQUEST_CODES, REQUEST_CODES_LENGTH
from hypothesis import given
from hypothesis import strategies as st

from callahead.consumer.wire.http2.hpack import (
    FIRST_TABLE_BYTES,
    DynamicTable,
    TooLarge,
    decode_block,
    encode_fields,
    size_of_fields,
)
from callahead.consumer.wire.http2.huffman import decode_huffman
from callahead.consumer.wire.http2.static_table import STATIC_TABLE, Fields
from callahead.consumer.wire.http2.violation import Violation

MOST = 1 << 20
HUFFMAN = HuffmanEncoder(REQUEST_CODES, REQUEST_CODES_LENGTH)
names = st.one_of(st.sampled_from([name for name, _ in STATIC_TABLE]), st.binary(max_size=20))
fields = st.lists(st.tuples(names, st.binary(max_size=40)), max_size=12).map(tuple)


def by_oracle(block: bytes) -> Fields | None:
    """What `hpack` reads where it allows no dynamic table; None for an error."""
    decoder = hpack.Decoder(max_header_list_size=MOST)
    decoder.max_allowed_table_size = decoder.header_table_size = 0
    try:
        return tuple((bytes(name), bytes(value)) for name, value in decoder.decode(block, raw=True))
    except hpack.HPACKError:
        return None


@given(fields, st.booleans())
def test_what_a_peer_encodes_is_read(written: Fields, huffman: bool) -> None:
    """A peer that was told to keep no table writes static indexes, literals and Huffman."""
    encoder = hpack.Encoder()
    encoder.header_table_size = 0
    assert decode_block(encoder.encode(list(written), huffman=huffman), MOST, DynamicTable(0)) == written


@given(st.lists(fields, max_size=8), st.booleans())
def test_what_a_peer_encodes_that_keeps_a_table_is_read(blocks: list[Fields], huffman: bool) -> None:
    """One that heeds no setting refers to what stood in its earlier blocks, as servers by grpc-okhttp do."""
    encoder, table = hpack.Encoder(), DynamicTable(FIRST_TABLE_BYTES)
    for written in blocks:
        assert decode_block(encoder.encode(list(written), huffman=huffman), MOST, table) == written


def test_what_a_table_holds_is_bounded() -> None:
    """The oldest entries go, and all where one is larger than the table, as with the peer that writes them."""
    encoder, table = hpack.Encoder(), DynamicTable(FIRST_TABLE_BYTES)
    for number in range(500):
        written = ((b"a%d" % (number % 90), b"b" * (FIRST_TABLE_BYTES if number == 300 else number)),) * 2
        assert decode_block(encoder.encode(list(written)), MOST, table) == written
        assert size_of_fields(table.held[0]) == table.held[1] <= FIRST_TABLE_BYTES
        assert bool(table.held[0]) is (number != 300)


def test_a_table_that_is_given_up_stays_empty() -> None:
    """A peer that says that it keeps none may add entries nonetheless, each of which is larger than the table."""
    table = DynamicTable(FIRST_TABLE_BYTES)
    assert decode_block(b"\x40\x01a\x01b", MOST, table) == ((b"a", b"b"),)
    assert decode_block(b"\x20\x40\x01a\x01b", MOST, table) == ((b"a", b"b"),)
    with pytest.raises(Violation, match="entry 62, and there are 61"):
        decode_block(b"\xbe", MOST, table)


def test_headers_that_are_too_large_are_kept_aside_all_the_same() -> None:
    """What later blocks refer to is known, though the block itself is left out."""
    table = DynamicTable(FIRST_TABLE_BYTES)
    with pytest.raises(TooLarge) as caught:
        decode_block(b"\x00\x01x\x01y" * 3 + b"\x40\x01a\x01b", 50, table)
    assert caught.value.size == 4 * 34
    assert decode_block(b"\xbe", 50, table) == ((b"a", b"b"),)


@given(fields)
def test_what_this_side_encodes_is_read_by_others(written: Fields) -> None:
    """Literals and static indexes mean the same to the oracle, and to our own reader."""
    block = encode_fields(written)
    assert by_oracle(block) == written
    assert decode_block(block, MOST, DynamicTable(0)) == written


@given(st.binary(max_size=60))
def test_any_bytes_are_read_as_the_oracle_reads_them(block: bytes) -> None:
    """The same headers, or an error of both; but for a size update in the midst, which only we refuse."""
    try:
        ours: Fields | None = decode_block(block, MOST, DynamicTable(0))
    except Violation as error:
        ours = None
        if "too late" in error.text or "35 bits" in error.text:
            return
    assert ours == by_oracle(block)


@given(st.binary(max_size=80))
def test_huffman_is_the_inverse_of_the_oracles(text: bytes) -> None:
    """Every string comes back."""
    assert decode_huffman(HUFFMAN.encode(text)) == text


def test_every_symbol_has_its_own_word() -> None:
    """All 256 bytes, each next to each other kind of word."""
    text = bytes(range(256)) + bytes(reversed(range(256)))
    assert decode_huffman(HUFFMAN.encode(text)) == text


@pytest.mark.parametrize(
    "data",
    [b"\xff\xff\xff\xff", b"\x00", b"\x1f\xff", HUFFMAN.encode(b"a") + b"\xff", b"\xff\xff\xff\xfc"],
    ids=["the end's word", "no padding", "a word and eight bits", "a whole byte of padding", "in the midst"],
)
def test_bad_huffman_is_refused(data: bytes) -> None:
    """Padding is at most seven bits, all of them 1, and the end's own word never stands there."""
    with pytest.raises(Violation, match="Huffman"):
        decode_huffman(data)


@pytest.mark.parametrize(
    ("block", "text"),
    [
        (b"\x80", "entry 0"),
        (b"\xbe", "entry 62"),
        (b"\x7e\x01a", "entry 62"),
        (b"\x0f\x2f\x01a", "entry 62"),
        (b"\x3f\x01", "have 32 bytes"),
        (b"\x88\x20", "too late"),
        (b"\x20\x20\x20", "too late"),
        (b"\xff", "ends in an integer"),
        (b"\xff\xff\xff\xff\xff\xff\x7f", "35 bits"),
        (b"\x00", "where a string should be"),
        (b"\x00\x05abc", "a string of 5 bytes"),
        (b"\x00\x01a\x7f\xff\xff\xff\x07", "goes beyond"),
    ],
)
def test_a_block_that_is_none(block: bytes, text: str) -> None:
    """Each is an error that says what is wrong, and reads nothing beyond the block."""
    with pytest.raises(Violation, match=text):
        decode_block(block, MOST, DynamicTable(0))


def test_a_bomb_is_not_unpacked() -> None:
    """Reading ends at the limit, however small the block is that would pass it."""
    with pytest.raises(TooLarge) as caught:
        decode_block(b"\x90" * 1_000_000, 5000, DynamicTable(0))
    assert 5000 < caught.value.size < 5100


def test_the_size_of_headers_is_counted_as_peers_do() -> None:
    """Name, value and 32 bytes for each."""
    assert size_of_fields(((b"a", b"bc"), (b"", b""))) == 67


@given(fields)
def test_the_limit_is_exact(written: Fields) -> None:
    """Headers that just fit are read, and those of one byte more are not."""
    size = size_of_fields(written)
    block = encode_fields(written)
    assert decode_block(block, size, DynamicTable(0)) == written
    if written:
        with pytest.raises(TooLarge):
            decode_block(block, size - 1, DynamicTable(0))
