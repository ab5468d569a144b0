"""What each feature costs a call that uses it, above the same call without it; one that does not use it pays nothing.

Processor time per call, in microseconds, all threads together, over a transport that answers at once. As in
`benchmarks.costs` the plain call is measured anew beside each feature.
"""

from __future__ import annotations

import statistics
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any

from callahead import resolve
from callahead.consumer import Consumer, batch_oneway, flush_batch
from callahead.consumer.testing import ScriptedTransport

from .dubbo import TEXT
from .loops import Loop, one_by_one, windowed
from .measure import Row, sample, spread
from .report import Report

_SYNC, _FUTURE, _ONE_WAY = "a synchronous call", "a future", "a one-way call"
_SETTINGS: Mapping[str, Mapping[str, Any]] = {
    "plain": {},
    "one-way": {"return": False},
    "batched": {"return": False, "batch": {"max_count": 100}},
    "lazy": {"async": "lazy"},
    "limited": {"max_pending": 1000},
    "cached": {"cache": "lru"},
    "mocked": {"mock": "force:return null"},
    "validated": {"validation": "benchmarks.features:allow"},
}

Pair = tuple[str, Loop, Loop]
"""What the plain call is, and the loops of it and of the one that uses the feature."""


def allow(*_: object) -> None:
    """Find nothing wrong; what ``validation`` names."""


def nothing(*_: object) -> None:
    """Hear of an end."""


class _Hears:
    on_success = on_failure = staticmethod(nothing)


def run(calls: int, rounds: int, in_flight: int) -> Report:
    """Measure each feature beside the plain call."""
    notes = (
        "us of processor time per call; added: more than the plain call beside it",
        "over a transport that answers at once, on the thread that calls",
    )
    with ExitStack() as stack:
        return Report({"features": [_row(*one, calls, rounds) for one in features(stack, in_flight)]}, rounds, notes)


def _row(name: str, pair: Pair, calls: int, rounds: int) -> Row:
    beside, plain, used = pair
    samples = sample({"plain": plain, "used": used}, calls, rounds)
    added = [mine.cpu_us - its.cpu_us for mine, its in zip(samples["used"], samples["plain"], strict=True)]
    return {
        "feature": name,
        "beside": beside,
        "added_us": round(statistics.median(added), 2),
        "iqr": round(spread(added), 2),
        "us": round(statistics.median(one.cpu_us for one in samples["used"]), 2),
    }


def _consumer(**options: Any) -> Consumer:
    plain = {"interface": "callahead.bench.Echo", "url": "tri://127.0.0.1:1", "timeout": "30s"}
    references = {name: {**plain, **settings} for name, settings in _SETTINGS.items()}
    transports = {"tri": ScriptedTransport(lambda _: TEXT)}
    return Consumer({"references": references}, transports=transports, **options)


def features(stack: ExitStack, in_flight: int) -> Iterator[tuple[str, Pair]]:
    """Name each feature, with what is measured of it; what they need is open until *stack* is closed."""
    consumer = stack.enter_context(_consumer())
    echo = {name: consumer.reference(name).echo for name in _SETTINGS}
    plain = echo["plain"]

    def sync(method: Callable[[str], Any]) -> Pair:
        return _SYNC, one_by_one(lambda: plain(TEXT)), one_by_one(lambda: method(TEXT))

    def future(begin: Callable[[], Any]) -> Pair:
        return _FUTURE, windowed(lambda: plain.future(TEXT), in_flight), windowed(begin, in_flight)

    yield "nothing, measured again", sync(plain)
    yield "max_pending", sync(echo["limited"])
    yield "cache, a hit", sync(echo["cached"])
    yield "mock, force", sync(echo["mocked"])
    yield "validation", sync(echo["validated"])
    yield "outcome", sync(plain.outcome)
    yield "nothing but a future, again", future(lambda: plain.future(TEXT))
    yield "async: lazy, and its first use", (_FUTURE, future(nothing)[1], _lazily(echo["lazy"], in_flight))
    yield "add_done_callback", future(_with("add_done_callback", plain))
    yield "when_complete", future(_with("when_complete", plain))
    yield "then", future(lambda: plain.future(TEXT).then(len))
    handled, listened = plain.with_options(handler=nothing), plain.with_options(listener=_Hears())
    yield "a handler", future(lambda: handled.future(TEXT))
    yield "a listener", future(lambda: listened.future(TEXT))
    yield "a scope of many", (_FUTURE, future(nothing)[1], _in_scopes(consumer, plain, in_flight, tells=False))
    yield "and its timeline", (_FUTURE, future(nothing)[1], _in_scopes(consumer, plain, in_flight, tells=True))
    mine = stack.enter_context(ThreadPoolExecutor(4))
    other = stack.enter_context(_consumer(callback_executor=mine)).reference("plain").echo
    yield "add_done_callback, on an executor of one's own", future(_with("add_done_callback", other))
    one_way = one_by_one(lambda: echo["one-way"](TEXT))
    yield "batch", (_ONE_WAY, one_way, one_by_one(lambda: echo["batched"](TEXT)))
    yield "batch_oneway, flushed", (_ONE_WAY, one_way, _flushed(consumer.reference("one-way"), in_flight))


def _with(name: str, method: Any) -> Callable[[], Any]:
    def begin() -> Any:
        future = method.future(TEXT)
        getattr(future, name)(nothing)
        return future

    return begin


def _lazily(method: Callable[[str], Any], in_flight: int) -> Loop:
    def loop(calls: int) -> None:
        window: deque[Any] = deque()
        for _ in range(calls):
            window.append(method(TEXT))
            if len(window) == in_flight:
                resolve(window.popleft())
        for one in window:
            resolve(one)

    return loop


def _in_scopes(consumer: Consumer, method: Any, in_flight: int, *, tells: bool) -> Loop:
    def loop(calls: int) -> None:
        for begun in range(0, calls, in_flight):
            with consumer.scope() as scope:
                for _ in range(min(in_flight, calls - begun)):
                    method.future(TEXT)
            if tells:
                scope.timeline()

    return loop


def _flushed(reference: Any, in_flight: int) -> Loop:
    view = batch_oneway(reference, max_count=in_flight * 2)

    def loop(calls: int) -> None:
        for begun in range(0, calls, in_flight):
            for _ in range(min(in_flight, calls - begun)):
                view.echo(TEXT)
            flush_batch(view)

    return loop
