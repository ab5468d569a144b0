"""A distribution of somebody else's, with two transports that declare settings of their own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ENTRY_POINTS = """\
[callahead.transport]
owl = owl:Owl
pigeon = pigeon:Pigeon
"""

OWL = """
from callahead.config.settings import Text, TransportSettings, setting

class OwlSettings(TransportSettings):
    rest: Text = setting("at noon", "when it rests")

class Owl:
    settings = OwlSettings
"""

PIGEON = """
from typing import Literal

from callahead.config.settings import Conflict, Duration, File, TransportSettings, setting
from callahead.consumer.testing import ScriptedTransport

class PigeonSettings(TransportSettings):
    rest_ms: Duration = setting(500, "longest rest on a roof; default 500 ms", key="rest")
    wing_span: int = setting(60, "in centimetres; default 60")
    colour: Literal["grey", "white"] = setting("grey", "of its feathers; default grey", in_consumer=False)
    ring: File | None = setting(None, "path of what is tied to its leg")

    def conflicts(self, own):
        if "colour" in own and self.wing_span > 90:
            yield Conflict("colour", "is of no bird this large", "make wing_span smaller")

class Pigeon(ScriptedTransport):
    settings = PigeonSettings

    def __init__(self, *parts, **more):
        super().__init__(lambda invocation: self.rest)

    def open(self, policy, *parts, **more):
        self.rest = policy.transport.rest_ms
        return super().open(policy, *parts, **more)
"""


def install(folder: Path) -> Path:
    """Write the distribution into *folder*, as an installer would."""
    metadata = folder / "birds-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: birds\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(ENTRY_POINTS)
    (folder / "owl.py").write_text(OWL)
    (folder / "pigeon.py").write_text(PIGEON)
    return folder


def run(code: str, folder: Path) -> str:
    """Give what *code* prints in a process that finds the distribution in *folder*, and works there.

    It is a process of its own because each looks for entry points once.
    """
    command = f"import sys; sys.path.insert(0, {str(folder)!r})\n{code}"
    done = subprocess.run([sys.executable, "-c", command], capture_output=True, text=True, check=False, cwd=folder)
    assert not done.stderr, done.stderr
    return done.stdout
