"""Write what Python makes of some vectors with bound classes, for the Java program's ``read`` command.

``python tests/interop/hessian-vectors/python_values.py FILE``
"""

from __future__ import annotations

import enum
import sys
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

from callahead.consumer.codec.hessian2 import (
    Instant,
    JavaEntries,
    Long,
    TypedMap,
    TypedSet,
    dumps,
    java_array,
    java_type,
)

_PACKAGE = "com.example.vectors."


@java_type(_PACKAGE + "Color")
class Color(enum.Enum):
    RED = 1
    GREEN = 2


@java_type(_PACKAGE + "Point")
@dataclass
class Point:
    x: int
    y: Annotated[int, Long]
    label_text: str | None


@java_type(_PACKAGE + "Node")
@dataclass
class Node:
    name: str
    next: Node | None = None
    children: list[Node] = field(default_factory=list)


def _cycle() -> Node:
    root = Node("root")
    root.children.append(Node("child", root))
    return root


def _own() -> Node:
    own = Node("own")
    own.next = own
    return own


_AT = datetime(2024, 2, 29, 1, 2, 3, 123456, tzinfo=UTC)
VALUES: dict[str, Any] = {
    "point": Point(3, 4, "here"),
    "points": [Point(1, 1, "a"), Point(2, 2, "b")],
    "node_cycle": _cycle(),
    "node_self": _own(),
    "enums": [Color.RED, Color.GREEN, Color.RED],
    "array_color": java_array(_PACKAGE + "Color", [Color.RED, Color.GREEN]),
    "array_int": java_array("int", [1, 2, 300000]),
    "binary_9000": bytes(n % 256 for n in range(9000)),
    "instant_nanos": Instant.of(_AT, 123456789),
    "integer_-170141183460469231731687303715884105728": -170141183460469231731687303715884105728,
    "local_date_time": datetime(2024, 2, 29, 1, 2, 3, 4),  # noqa: DTZ001
    "duration": timedelta(seconds=90, microseconds=500),
    "map_with_object_key": JavaEntries([(Point(1, 2, "k"), "object")]),
    "tree_set": TypedSet([3, 1, 2], "java.util.TreeSet"),
    "tree_map": TypedMap({"b": 2, "a": 1}, "java.util.TreeMap"),
}


def main() -> None:
    lines = (f"{name} {dumps(value).hex()}\n" for name, value in VALUES.items())
    Path(sys.argv[1]).write_text("".join(lines))


if __name__ == "__main__":
    main()
