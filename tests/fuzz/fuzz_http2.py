"""Fuzz the reader of HTTP/2's frames, the header blocks in them, gRPC's messages in their data, and the calls behind.

``python tests/fuzz/fuzz_http2.py [--seconds 60] [--corpus FOLDER] [-- libFuzzer options]``; needs atheris from PyPI.
The first byte of an input says in what pieces the rest is fed. Any bytes must give the same events as in one piece,
keep no more than a frame and the largest headers, and end in a `Broken` or not at all; and each of five calls that wait
for an answer ends once at most, as it does where the bytes come in one piece. New inputs go to the corpus
folder, by default a scratch copy, and a failing input is left as ``crash-...`` in the current folder.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from pathlib import Path

import atheris

sys.path.insert(0, str(Path(__file__).parents[1]))
with atheris.instrument_imports(include=["callahead.consumer.wire.http2", "callahead.consumer.transport.tri.http2"]):
    from support.http2_desk import fates_of

    from callahead.consumer.wire.http2.events import Answer, Broken, Data, Event, Headers, Settings
    from callahead.consumer.wire.http2.frames import DEFAULT_FRAME, FRAME_BYTES
    from callahead.consumer.wire.http2.grpc import BadMessage, MessageReader, MessageTooLarge
    from callahead.consumer.wire.http2.reader import Http2Reader
    from callahead.consumer.wire.http2.settings import Limits, PeerSettings
    from callahead.consumer.wire.http2.violation import Violation

CORPUS = Path(__file__).parent / "corpus" / "http2"
MOST = 2000
OPENED = 9


def one_input(data: bytes) -> None:
    """Check one input; an exception is a finding."""
    if not data:
        return
    size, stream = data[0] + 1, data[1:]
    whole = read(stream, len(stream) or 1)
    pieces = read(stream, size)
    if repr(whole) != repr(pieces):
        raise AssertionError(f"cut into pieces of {size} bytes: {pieces}, in one piece: {whole}")
    if any(isinstance(event, Broken) for event in whole[:-1]):
        raise AssertionError(f"something comes behind the end: {whole}")
    use(whole)
    fates = fates_of(stream, len(stream) or 1), fates_of(stream, size)
    if fates[0] != fates[1]:
        raise AssertionError(f"calls ended otherwise in pieces of {size} bytes: {fates}")


def read(stream: bytes, size: int) -> list[Event]:
    """Give the events of *stream* in pieces of *size* bytes."""
    reader = Http2Reader(lambda fields: fields, Limits(MOST))
    reader.opened = OPENED
    events: list[Event] = []
    for at in range(0, len(stream), size):
        for event in reader.feed(stream[at : at + size]):
            events += apart(event) if isinstance(event, Answer) else [event]
        if reader.held > DEFAULT_FRAME + FRAME_BYTES + MOST:
            raise AssertionError(f"{reader.held} bytes are kept")
    return events


def apart(answer: Answer) -> list[Event]:
    """Give the three events that it is where it comes in pieces."""
    stream, head, data, tail = answer
    return [Headers(stream, head, False), Data(stream, data, len(data), False), Headers(stream, tail, True)]


def use(events: list[Event]) -> None:
    """Do with the events what a connection does."""
    settings, messages = PeerSettings(), MessageReader(MOST)
    try:
        for event in events:
            if isinstance(event, Settings):
                settings.update(event.values)
            elif isinstance(event, Data):
                messages.feed(event.data)
    except (Violation, BadMessage, MessageTooLarge):
        return


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=60, help="how long to go on")
    parser.add_argument("--corpus", type=Path, help="folder for new inputs")
    parser.add_argument("options", nargs="*", help="passed on to libFuzzer")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = arguments.corpus or Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        for kept in CORPUS.iterdir():
            shutil.copy(kept, folder / kept.name)
        bounds = [f"-max_total_time={arguments.seconds}", "-max_len=4096", "-timeout=20", "-rss_limit_mb=1024"]
        atheris.Setup([sys.argv[0], str(folder), *bounds, *arguments.options], one_input)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
