"""``async: lazy``: what a call gives is the answer to whoever uses it."""

from __future__ import annotations

import contextlib
import copy
import functools
import json
import operator
import pickle
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pytest
from support.shop import Background, Shop

from callahead.consumer import RemoteError, resolve
from callahead.consumer.call.lazy import LazyResult

_NONE = type(None)


@dataclass
class Point:
    x: int
    y: int = 0

    def __matmul__(self, other: int) -> int:
        return self.x * other


def shop(answer: Callable[..., Any] | None = None, **settings: Any) -> Shop:
    """A shop all of whose methods are lazy."""
    return Shop(answer, reference={"async": "lazy", "retries": 0}, methods={"findFoo": settings})


@pytest.fixture
def lazy() -> Iterator[Callable[[Any], Any]]:
    """Makes the lazy result of a call that is answered with the given value."""
    with shop(lambda invocation: invocation.args[0]) as open_shop:
        yield open_shop.foo.findFoo


def refuse(_: object) -> Any:
    raise RemoteError("no such foo", type_name="com.alibaba.NoSuchFoo")


def is_lazy(value: Any) -> bool:
    return type(value) is LazyResult


def test_calls_in_a_row_overlap() -> None:
    """Each call returns at once, so all of them run before the first answer is there."""
    with shop() as open_shop:
        found = [open_shop.foo.findFoo(number) for number in range(10)]
        calls = [open_shop.next_call() for _ in found]
        for number, call in reversed(list(enumerate(calls))):
            call.reply(number)
        assert sum(found) == 45


def test_the_first_use_waits_for_the_answer() -> None:
    """Whoever uses it is held until the answer comes."""
    with shop() as open_shop:
        found = open_shop.foo.findFoo(1)
        use = Background(lambda: found.x)
        call = open_shop.next_call()
        assert use.is_running
        call.reply(Point(7))
        assert use.join() == 7


def test_two_threads_may_use_it_first() -> None:
    """Both wait, and get the same object."""
    with shop() as open_shop:
        found = open_shop.foo.findFoo(1)
        uses = [Background(lambda: resolve(found)) for _ in range(2)]
        point = Point(7)
        open_shop.next_call().reply(point)
        assert all(use.join() is point for use in uses)


class _Opened(contextlib.AbstractContextManager[str]):
    def __enter__(self) -> str:
        return "open"

    def __exit__(self, *_: object) -> None:
        pass


@functools.singledispatch
def _dispatched(value: object) -> str:
    return f"another {type(value).__name__}"


@_dispatched.register
def _(value: Point) -> str:
    return f"a point at {value.x}"


def _entered(value: Any) -> Any:
    with value as entered:
        return entered


def _matched(value: Any) -> Any:
    match value:
        case Point(x=x):
            return x
        case "text" | 7:
            return "equal"
    return None


def _unpacked(value: Any) -> Any:
    first, *rest = value
    return rest, first


def _why_not_hashed(value: Any) -> str:
    with pytest.raises(TypeError) as caught:
        hash(value)
    return str(caught.value)


def _set_item(value: Any) -> Any:
    value[0] = "first"
    del value[1]
    return value[0], len(value)


def _set_attribute(value: Any) -> Any:
    value.x = 9
    return value.x, value


USES: list[tuple[str, Callable[[], Any], Callable[[Any], Any]]] = [
    ("attribute", lambda: Point(1), lambda it: it.x),
    ("no attribute", lambda: Point(1), lambda it: getattr(it, "z", "none")),
    ("set attribute", lambda: Point(1), _set_attribute),
    ("method", lambda: "text", lambda it: it.upper()),
    ("item", lambda: {"a": 1}, lambda it: it["a"]),
    ("set item", lambda: [1, 2, 3], _set_item),
    ("iteration", lambda: {"a": 1}, list),
    ("unpacking", lambda: [1, 2], _unpacked),
    ("keywords", lambda: {"x": 3}, lambda it: Point(**it)),
    ("reversed", lambda: [1, 2], lambda it: list(reversed(it))),
    ("contains", lambda: [1, 2], lambda it: (2 in it, 3 in it)),
    ("len", lambda: "text", len),
    ("str", lambda: Decimal("1.50"), str),
    ("repr", lambda: "text", repr),
    ("repr in a list", lambda: "text", lambda it: str([it])),
    ("format", lambda: 3.14159, lambda it: f"{it:.2f} {it!r} %s %d {{}}".format(it) % (it, it)),
    ("bool", list, lambda it: (bool(it), not it, it or "empty")),
    ("equal", lambda: Point(1), lambda it: (it == Point(1), it != Point(1), Point(1) == it, it == it)),
    ("order", lambda: 5, lambda it: (it < 6, it >= 6, 4 < it, sorted([6, it, 4]), max(it, 3))),
    ("sum", lambda: 5, lambda it: (it + 1, 1 + it, it - 1, 1 - it, it * 2, 2 * it, it + it)),
    ("division", lambda: 5, lambda it: (it / 2, 2 / it, it // 2, 7 % it, divmod(it, 2), divmod(7, it))),
    ("power", lambda: 5, lambda it: (it**2, 2**it, pow(it, 2, 7))),
    ("bits", lambda: 5, lambda it: (it & 4, 4 | it, it ^ 1, it << 1, 64 >> it, ~it, -it, +it, abs(it))),
    ("matrix", lambda: Point(3), lambda it: it @ 2),
    ("text after text", lambda: "b", lambda it: ("a" + it, it + "a", it * 2)),
    ("list after list", lambda: [2], lambda it: ([1] + it, it + [1])),  # noqa: RUF005
    ("numbers", lambda: 5, lambda it: (int(it), float(it), complex(it), round(it), operator.index(it))),
    ("index", lambda: 1, lambda it: ("abc"[it], list(range(it)), "abc"[:it])),
    ("bytes", lambda: b"abc", lambda it: (bytes(it), it[0])),
    ("isinstance", lambda: Point(1), lambda it: (isinstance(it, Point), isinstance(it, str), it.__class__)),
    ("isinstance of None", lambda: None, lambda it: isinstance(it, _NONE)),
    ("hash", lambda: ("a", 1), lambda it: (hash(it), {("a", 1): "found"}[it], {it: 2}[("a", 1)], it in {("a", 1), 2})),
    ("unhashable", lambda: [1], _why_not_hashed),
    ("dispatch", lambda: Point(4), _dispatched),
    ("match", lambda: Point(4), _matched),
    ("match a text", lambda: "text", _matched),
    ("with", _Opened, _entered),
    ("copy", lambda: Point(4), copy.copy),
    ("deep copy", lambda: [Point(4)], lambda it: copy.deepcopy({"it": it})),
    ("pickle", lambda: {"a": Point(4)}, lambda it: pickle.loads(pickle.dumps(it))),
    ("old pickle", lambda: 5, lambda it: pickle.loads(pickle.dumps([it, it], 0))),
    ("pickle of None", lambda: None, lambda it: pickle.loads(pickle.dumps(it))),
    ("json", lambda: {"a": [1]}, lambda it: json.dumps([it, {"k": it}], default=resolve)),
    ("vars", lambda: Point(4), vars),
    ("doc", lambda: Point(4), lambda it: it.__doc__),
]


@pytest.mark.parametrize(("make", "use"), [pair[1:] for pair in USES], ids=[pair[0] for pair in USES])
def test_it_is_used_as_the_answer_is(
    lazy: Callable[[Any], Any], make: Callable[[], Any], use: Callable[[Any], Any]
) -> None:
    """Each use gives what the plain answer gives, and of the same type."""
    found, plain = use(lazy(make())), use(make())
    assert found == plain
    assert type(found) is type(plain)


@pytest.mark.parametrize(
    ("name", "value", "other"),
    [
        *((name, 5, 3) for name in ("add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "lshift", "rshift")),
        *((name, 6, 3) for name in ("and", "or", "xor")),
        ("add", [1], [2]),
        ("or", {"a": 1}, {"b": 2}),
    ],
)
def test_in_place_operators_leave_the_plain_value(
    lazy: Callable[[Any], Any], name: str, value: Any, other: Any
) -> None:
    """``x += 1`` binds x to a plain object, also where the other side is lazy."""
    operate = getattr(operator, f"__i{name}__")
    made = operate(lazy(copy.copy(value)), lazy(other))
    assert made == operate(copy.copy(value), other)
    assert not is_lazy(made)


@pytest.mark.parametrize("use", [str, repr, len, bool, hash, list, copy.copy, pickle.dumps, operator.attrgetter("x")])
def test_each_use_raises_the_failure_with_the_line_of_the_call(use: Callable[[Any], Any]) -> None:
    """The first use and each later one raise the error of the call, which tells where it was made."""
    with shop(refuse) as open_shop:
        found = open_shop.foo.findFoo(1)
        for _ in range(2):
            with pytest.raises(RemoteError, match="no such foo") as caught:
                use(found)
        [note] = caught.value.__notes__
    assert note.startswith(f"foo.findFoo was called at {__file__}:")
    assert note.endswith(test_each_use_raises_the_failure_with_the_line_of_the_call.__name__)


def test_a_first_use_in_another_thread_raises_there() -> None:
    """Whoever uses it hears of the failure, and nobody else does."""
    with shop(refuse) as open_shop:
        found = open_shop.foo.findFoo(1)
        use = Background(lambda: found + 1)
        with pytest.raises(RemoteError):
            use.join()


def test_isinstance_raises_the_failure(lazy: Callable[[Any], Any]) -> None:
    """The class of the answer is not known without the answer; that of the proxy is."""
    with shop(refuse) as open_shop:
        found = open_shop.foo.findFoo(1)
        with pytest.raises(RemoteError):
            isinstance(found, Point)
        assert is_lazy(found)
