"""Method types out of a ``.proto`` file, compiled when it is needed."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path

from google.protobuf.descriptor import ServiceDescriptor
from google.protobuf.descriptor_pb2 import FileDescriptorProto, FileDescriptorSet
from google.protobuf.descriptor_pool import DescriptorPool

from callahead.config.extension import nearest
from callahead.config.policy import ReferencePolicy

from .descriptors import service_types
from .service import ServiceTypes

COMPILE_TIMEOUT_S = 60.0


def from_proto(policy: ReferencePolicy, path: str) -> ServiceTypes:
    """Compile the ``.proto`` file *path* and read the service that *policy* names.

    Imports are looked for in the policy's ``proto_path``, in the file's own folder, and among protobuf's well-known
    types. Every call compiles into a descriptor pool of its own, so two references may use files that would clash in
    one. protoc runs in a process of its own, since it prints its errors instead of raising them.

    Raises:
        ConfigError: grpcio-tools is not installed, the file is not there or does not compile (with protoc's own
            lines), or it holds no such service.
    """
    if find_spec("grpc_tools") is None:
        hint = "pip install callahead[proto]"
        raise policy.error("proto", "a .proto file needs the package grpcio-tools, which is not installed", hint)
    if not Path(path).is_file():
        raise policy.error("proto", f'there is no file "{path}"')
    files = _compile(policy, path)
    own = files[-1]
    names = [f"{own.package}.{service.name}" if own.package else service.name for service in own.service]
    if policy.interface not in names:
        text = f'"{path}" has no service "{policy.interface}"'
        raise policy.error("interface", text, nearest(policy.interface, names))
    return service_types(find_service(files, policy.interface), f"proto {path}")


def find_service(files: Iterable[FileDescriptorProto], interface: str) -> ServiceDescriptor:
    """Load *files*, imported ones first, into a pool of their own and look *interface* up in it.

    Raises:
        KeyError: No file holds *interface*.
        TypeError: The files contradict each other or lack an import.
    """
    pool = DescriptorPool()
    for file in files:
        pool.Add(file)
    return pool.FindServiceByName(interface)


def _compile(policy: ReferencePolicy, path: str) -> list[FileDescriptorProto]:
    """Run protoc; the files come in the order of their imports, *path* last."""
    # protoc names a file after the first folder that holds it, and the user's folders must win: a file which others
    # import as "b/c.proto" would otherwise be there twice.
    folders = [*policy.transport.proto_path, str(Path(path).parent)]
    with tempfile.TemporaryDirectory(prefix="callahead-") as scratch:
        out = Path(scratch) / "files.bin"
        command = [sys.executable, "-P", "-m", "grpc_tools.protoc", *(f"-I{folder}" for folder in folders)]
        command += ["--include_imports", f"--descriptor_set_out={out}", _argument(path)]
        try:
            done = subprocess.run(  # noqa: S603  # our own arguments, no shell
                command, capture_output=True, timeout=COMPILE_TIMEOUT_S, check=False, stdin=subprocess.DEVNULL
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise policy.error("proto", f'protoc could not be run on "{path}": {error}') from error
        if done.returncode != 0:
            said = done.stderr.decode(errors="replace").strip()
            raise policy.error("proto", f'"{path}" does not compile:\n{said}')
        return list(FileDescriptorSet.FromString(out.read_bytes()).file)


def _argument(path: str) -> str:
    """Write *path* so that protoc takes it for a file: ``-x`` is an option to it, and ``@x`` a file of options."""
    return path if Path(path).is_absolute() else f"./{path}"
