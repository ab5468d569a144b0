"""What stands above a transport costs: the whole of it by a real connection, each part of it without a network.

Processor time per call, in microseconds, all threads together. What is added is the difference to the plain variant,
which is measured anew beside each other one, since the differences are smaller than what a shared machine does to a
figure from one second to the next.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from typing import Any

from callahead.consumer import Consumer, RpcContext
from callahead.consumer.testing import ScriptedTransport

from .bare import ahead, bare_dubbo, waiting
from .dubbo import TEXT, configuration
from .loops import Loop, one_by_one, windowed
from .measure import Row, Sample, sample, spread
from .report import Report
from .servers import dubbo_echo

_BARE = "the bare transport"
_PLAIN = "a reference with nothing added"
_ALONE = "tri://127.0.0.1:1"
_THREE = ";".join(f"tri://127.0.0.1:{port}" for port in (1, 2, 3))

Settings = Mapping[str, Any]


def _interceptor(name: str) -> Settings:
    return {"interceptors": [f"benchmarks.interceptors:{name}"]}


ADDED: Mapping[str, Settings] = {
    "nothing, measured again": {},
    "an observer, inline": _interceptor("Inline"),
    "an observer": _interceptor("Watching"),
    "an interceptor with then, inline": _interceptor("DecidingInline"),
    "an interceptor with then": _interceptor("Deciding"),
    "an observer of attempts, inline": _interceptor("EachAttempt"),
    "actives: 1000": {"actives": 1000},
    "onreturn": {"onreturn": "benchmarks.interceptors:returned"},
    "3 providers, loadbalance: random": {"url": _THREE, "loadbalance": "random"},
    "3 providers, loadbalance: roundrobin": {"url": _THREE, "loadbalance": "roundrobin"},
    "3 providers, loadbalance: leastactive": {"url": _THREE, "loadbalance": "leastactive"},
    "3 providers, loadbalance: p2c": {"url": _THREE, "loadbalance": "p2c"},
    "3 providers, loadbalance: consistenthash": {"url": _THREE, "loadbalance": "consistenthash"},
    "cluster: failfast": {"cluster": "failfast"},
    "retries: 0": {"retries": 0},
}
"""Settings that differ from those of the plain reference, by what a table calls them."""

_ATTACHED = "an attachment in the RpcContext"


def run(calls: int, rounds: int, in_flight: int) -> Report:
    """Measure both."""
    notes = (
        "us of processor time per call; added: more than the first line, with the interquartile range over the rounds",
        "the chain is all above a MethodTransport; its log, metrics and health cannot be switched off",
    )
    parts = {
        "over dubbo": middleware(calls, rounds, in_flight),
        "without a network": interceptors(calls, rounds, in_flight),
    }
    return Report(parts, rounds, notes)


def middleware(calls: int, rounds: int, in_flight: int) -> list[Row]:
    """Call one provider through the whole chain and through the transport alone."""
    with ExitStack() as stack:
        config = configuration(stack.enter_context(dubbo_echo()).port)
        echo = stack.enter_context(Consumer(config)).reference("echo").echo
        bare = stack.enter_context(bare_dubbo(config, "echo", TEXT))
        sync = {_BARE: waiting(bare), "the whole chain": one_by_one(_call(echo))}
        future = {_BARE: ahead(bare, in_flight), "the whole chain": windowed(_call(echo.future), in_flight)}
        return _rows(sync, future, calls, rounds)


def interceptors(calls: int, rounds: int, in_flight: int) -> list[Row]:
    """Call a transport that answers at once through a plain reference, and through ones with a single thing added."""
    with Consumer(_configuration(), transports={"tri": ScriptedTransport(lambda _: TEXT)}) as consumer:
        echoes = {name: consumer.reference(name).echo for name in (_PLAIN, *ADDED)}
        sync = {name: one_by_one(_call(echo)) for name, echo in echoes.items()}
        future = {name: windowed(_call(echo.future), in_flight) for name, echo in echoes.items()}
        plain = echoes[_PLAIN]
        sync[_ATTACHED] = one_by_one(_attached(plain))
        future[_ATTACHED] = windowed(_attached(plain.future), in_flight)
        return _rows(sync, future, calls, rounds)


def _configuration() -> dict[str, Any]:
    plain = {"interface": "callahead.bench.Echo", "url": _ALONE, "timeout": "30s"}
    return {"references": {_PLAIN: plain, **{name: {**plain, **settings} for name, settings in ADDED.items()}}}


def _call(echo: Callable[[str], Any]) -> Callable[[], Any]:
    return lambda: echo(TEXT)


def _attached(echo: Callable[[str], Any]) -> Callable[[], Any]:
    def call() -> Any:
        RpcContext.get_context().attachments["tenant"] = "north"
        return echo(TEXT)

    return call


def _rows(sync: Mapping[str, Loop], future: Mapping[str, Loop], calls: int, rounds: int) -> list[Row]:
    """Measure each variant beside the first one, whose own line has the first pair's figures."""
    first, *others = sync
    rows: list[Row] = [{"variant": name} for name in sync]
    for view, loops in (("sync", sync), ("future", future)):
        for row, name in zip(rows[1:], others, strict=True):
            pair = sample({first: loops[first], name: loops[name]}, calls, rounds)
            if name == others[0]:
                rows[0].update(_costs(view, pair[first], pair[first]))
            row.update(_costs(view, pair[name], pair[first]))
    return rows


def _costs(view: str, own: Sequence[Sample], plain: Sequence[Sample]) -> Row:
    added = [mine.cpu_us - its.cpu_us for mine, its in zip(own, plain, strict=True)]
    return {
        f"{view}_added_us": round(statistics.median(added), 2),
        f"{view}_iqr": round(spread(added), 2),
        f"{view}_us": round(statistics.median(one.cpu_us for one in own), 2),
    }
