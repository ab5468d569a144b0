"""Fuzz the hessian2 decoder, and the encoder with what comes out of it.

``python tests/fuzz/fuzz_hessian2.py [--seconds 60] [--corpus FOLDER] [-- libFuzzer options]``; needs atheris from PyPI.
Any bytes must give values or a `SerializationError`; what was read must be written, or refused in the same way; and
writing must settle: what is written of values that were read back is the same bytes. New inputs go to the corpus
folder, by default a scratch copy, and a failing input is left as ``crash-...`` in the current folder.
"""

from __future__ import annotations

import argparse
import enum
import shutil
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["callahead.consumer.codec.hessian2"]):
    from callahead.consumer.codec.hessian2 import Decoder, Encoder, Limits, java_type

from callahead.consumer.errors import SerializationError

CORPUS = Path(__file__).parent / "corpus" / "hessian2"
VECTORS = Path(__file__).parents[1] / "wire" / "vectors" / "hessian2.txt"
LIMITS = Limits(depth=60, elements=5_000, references=2_000, bytes=64 * 1024)


@java_type("com.example.vectors.Color")
class Color(enum.Enum):
    RED = 1
    GREEN = 2


@java_type("com.example.vectors.Node")
@dataclass(eq=False)
class Node:
    name: str
    next: Node | None = None
    children: list[Node] = field(default_factory=list)


def read_all(data: bytes) -> list[object]:
    """Decode a whole stream."""
    decoder = Decoder(data, LIMITS)
    values = []
    while not decoder.at_end:
        values.append(decoder.read())
    return values


def write_all(values: list[object]) -> bytes:
    """Encode values into one stream."""
    encoder = Encoder(LIMITS)
    for value in values:
        encoder.write(value)
    return encoder.getvalue()


def one_input(data: bytes) -> None:
    """Check one input; an exception is a finding."""
    try:
        values = read_all(data)
        repr(values)
        written = write_all(values)
        settled = write_all(read_all(written))
    except SerializationError as error:
        if not str(error).startswith("hessian2: "):
            raise
        return
    if write_all(read_all(settled)) != settled:
        raise AssertionError(f"writing does not settle: {written.hex()} {settled.hex()}")


def seeds(folder: Path) -> None:
    """Put the kept corpus and Java's smaller vectors into a folder."""
    for kept in CORPUS.iterdir():
        shutil.copy(kept, folder / kept.name)
    for line in VECTORS.read_text().splitlines():
        name, data = line.split(" ")
        if len(data) < 4000:
            (folder / name.replace("/", "_")).write_bytes(bytes.fromhex(data))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=60, help="how long to go on")
    parser.add_argument("--corpus", type=Path, help="folder for new inputs")
    parser.add_argument("options", nargs="*", help="passed on to libFuzzer")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = arguments.corpus or Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        seeds(folder)
        bounds = [f"-max_total_time={arguments.seconds}", "-max_len=4096", "-timeout=20", "-rss_limit_mb=1024"]
        atheris.Setup([sys.argv[0], str(folder), *bounds, *arguments.options], one_input)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
