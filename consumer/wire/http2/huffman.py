"""Reading the strings that a peer has compressed by HPACK's Huffman code; this side writes none.

Source: RFC 7541, 5.2 and appendix B. The code is canonical, so that the lengths of its words say all of it.
"""

from __future__ import annotations

from functools import cache
from typing import Final

from .frames import COMPRESSION_ERROR
from .violation import Violation

# The length of each symbol's word as a letter, "a" for 1, those behind "z" for 27 to 30; the last is the end's.
_LENGTHS: Final = (
    b"mw|||||||x~||~||||||||~|||||||||fjjlmfhkjjhkhfffeeefffffffghofljmfgggggggggggggggggggggghghmsmnfoefefefffeggff"
    b"fefgfeefgggggoknm|tvttvvvwvwwwwwxwxxvwxwwwwuvwvwwxvutvvwwuwvvxuvwwuuvuwvwwtvvvwvvwzztsvwvyzzz{{zxysuz{{z{xuuzz"
    b"|{{{txtuvuuwvvyyxxzwz{zz{{{{{|{{{{{z~"
)
_END: Final = 256
_LONGEST_PADDING: Final = 7
_NOTHING: Final = -1
_MOST_KNOWN: Final = 8192

_Step = tuple[int, int]
"""The state after four more bits, and the symbol that they complete, -1 for none."""


def decode_huffman(data: bytes) -> bytes:
    """Decode a string.

    Raises:
        Violation: It holds the end's word, or what is left over at its end is no padding.
    """
    state, out = _state(0), []
    for byte in data:
        state, symbols = state[byte]
        out.append(symbols)
    if not state.may_end:
        raise Violation(COMPRESSION_ERROR, "a string of a header ends in the midst of a Huffman word")
    return b"".join(out)


class _State(dict[int, tuple["_State", bytes]]):
    """What a byte makes of one state: the state after it, and the symbols that it completes.

    What ASCII text needs is some hundred of these bytes; all would be as many as there are pairs of a state and a byte.

    Attributes:
        learnt: How many bytes are known of all states together.
        may_end: A string may end here.
    """

    __slots__ = ("_number", "may_end")

    learnt = 0

    def __init__(self, number: int) -> None:
        self._number = number
        self.may_end = number in _table()[1]

    def __missing__(self, byte: int) -> tuple[_State, bytes]:
        steps = _table()[0]
        half, first = steps[self._number | byte >> 4]
        after, second = steps[half | byte & 15]
        found = _state(after), bytes(symbol for symbol in (first, second) if symbol >= 0)
        if _State.learnt < _MOST_KNOWN:
            _State.learnt += 1
            self[byte] = found
        return found


_state: Final = cache(_State)


@cache
def _table() -> tuple[list[_Step], frozenset[int]]:
    """Make the steps, by the state, a multiple of 16, and four bits; and the states in which a string may end."""
    tree = _tree()
    numbers = {prefix: number << 4 for number, prefix in enumerate(tree.inner)}
    dead = len(numbers) << 4
    steps = [_step(tree, numbers, dead, prefix, nibble) for prefix in numbers for nibble in range(16)]
    padding = frozenset(numbers["1" * length] for length in range(_LONGEST_PADDING + 1))
    return [*steps, *[(dead, _NOTHING)] * 16], padding


class _Tree:
    """The code as words of ``0`` and ``1``.

    Attributes:
        symbols: By their words.
        inner: The beginnings of words, the empty one first.
    """

    def __init__(self, words: dict[str, int]) -> None:
        self.symbols = words
        beginnings = {word[:length] for word in words for length in range(len(word))}
        self.inner = sorted(beginnings, key=lambda one: (len(one), one))


def _tree() -> _Tree:
    lengths = [letter - ord("a") + 1 for letter in _LENGTHS]
    words: dict[str, int] = {}
    code, length = 0, 0
    for symbol in sorted(range(len(lengths)), key=lambda one: (lengths[one], one)):
        code <<= lengths[symbol] - length
        length = lengths[symbol]
        words[format(code, f"0{length}b")] = symbol
        code += 1
    return _Tree(words)


def _step(tree: _Tree, numbers: dict[str, int], dead: int, prefix: str, nibble: int) -> _Step:
    """Go four bits on from *prefix*; no word is so short that two could end in them."""
    found = _NOTHING
    for bit in format(nibble, "04b"):
        prefix += bit
        symbol = tree.symbols.get(prefix)
        if symbol == _END:
            return dead, _NOTHING
        if symbol is not None:
            prefix, found = "", symbol
    return numbers[prefix], found
