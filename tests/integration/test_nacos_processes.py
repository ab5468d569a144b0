"""What becomes of a nacos registry at the end of a program, and where a child cannot use gRPC."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from support.nacos_server import shared

pytestmark = pytest.mark.long

PROGRAM = """
import os, sys
from callahead.config.policy import RegistryPolicy
from callahead.registry import RecordingListener, ServiceKey, open_registry

heard = RecordingListener()
registry = open_registry(RegistryPolicy(id="main", address=sys.argv[1]))
registry.subscribe(ServiceKey("a.B"), heard)
if "fork" in sys.argv:
    if child := os.fork():
        os.waitpid(child, 0)
    else:
        print(heard.wait(lambda one: "gRPC" in one.reason).reason)
"""


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", PROGRAM, f"nacos://{shared().address}", *arguments]
    return subprocess.run(
        command, capture_output=True, text=True, timeout=60, check=True, env={**os.environ, **environment}
    )


def test_a_program_that_closes_nothing_ends() -> None:
    """At once, and without a word."""
    done = run()
    assert (done.stdout, done.stderr) == ("", "")


def test_a_child_in_which_grpc_cannot_be_used_says_so() -> None:
    """The list stays, and the reason names the variable."""
    said = run("fork", GRPC_ENABLE_FORK_SUPPORT="0").stdout
    assert "gRPC cannot be used in this forked process, since GRPC_ENABLE_FORK_SUPPORT is 0; unset it" in said
