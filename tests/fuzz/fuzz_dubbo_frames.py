"""Fuzz the frame reader, and the bodies of the frames that it finds.

``python tests/fuzz/fuzz_dubbo_frames.py [--seconds 60] [--corpus FOLDER] [-- libFuzzer options]``; needs atheris from
PyPI. The first byte of an input says in what pieces the rest is fed. Any bytes must give the same events as in one
piece, and any body a value, a `SerializationError` or an `RpcError`. New inputs go to the corpus folder, by default a
scratch copy, and a failing input is left as ``crash-...`` in the current folder.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["callahead.consumer.wire", "callahead.consumer.codec.dubbo"]):
    from callahead.consumer.codec.dubbo import (
        EXCEPTION,
        ArgumentsEncoder,
        Signature,
        decode_request,
        decode_response,
        error_of_thrown,
        status_error,
        types_of_descriptor,
    )
    from callahead.consumer.wire import OK, Event, FrameReader, Request, Response

from callahead.consumer.codec.hessian2 import Limits
from callahead.consumer.errors import SerializationError

CORPUS = Path(__file__).parent / "corpus" / "dubbo_frames"
VECTORS = Path(__file__).parents[1] / "wire" / "vectors" / "dubbo_frames.json"
LIMITS = Limits(depth=60, elements=5_000, references=2_000, bytes=64 * 1024)
MAX_BODY = 2_000
MAX_GARBAGE = 200


def one_input(data: bytes) -> None:
    """Check one input; an exception is a finding."""
    if not data:
        return
    size, stream = data[0] + 1, data[1:]
    events = FrameReader(MAX_BODY, max_garbage_bytes=MAX_GARBAGE).feed(stream)
    reader = FrameReader(MAX_BODY, max_garbage_bytes=MAX_GARBAGE)
    pieces = [event for at in range(0, len(stream), size) for event in reader.feed(stream[at : at + size])]
    if repr(events) != repr(pieces):
        raise AssertionError(f"cut into pieces of {size} bytes: {pieces}, in one piece: {events}")
    if len(reader._held) > MAX_BODY + 16:
        raise AssertionError(f"{len(reader._held)} bytes are kept")
    for event in events:
        read_body(event)


def read_body(event: Event) -> None:
    """Decode what a call or an answer holds."""
    try:
        if isinstance(event, Request):
            read = decode_request(event.body, limits=LIMITS)
            signature = Signature.of(types_of_descriptor(read.descriptor))
            ArgumentsEncoder(read.method, signature).encode(read.args)
        elif isinstance(event, Response) and event.status != OK:
            str(status_error(event.status, event.body))
        elif isinstance(event, Response):
            kind, value, _ = decode_response(event.body, limits=LIMITS)
            if kind == EXCEPTION:
                repr(error_of_thrown(value))
    except SerializationError:
        return


def seeds(folder: Path) -> None:
    """Put the kept corpus and Java's smaller frames into a folder."""
    for kept in CORPUS.iterdir():
        shutil.copy(kept, folder / kept.name)
    for exchange in json.loads(VECTORS.read_text()):
        for number, frame in enumerate(exchange["frames"]):
            data = bytes.fromhex(frame["hex"])
            if len(data) < MAX_BODY:
                (folder / f"{exchange['dubbo']}-{exchange['name']}-{number}").write_bytes(b"\x05" + data)


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
