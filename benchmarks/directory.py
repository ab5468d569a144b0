"""Long lists of providers: what a new one costs, what a choice costs, and what is held in memory."""

from __future__ import annotations

import gc
import statistics
import time
import tracemalloc
from collections.abc import Callable, Sequence
from functools import partial
from random import Random
from typing import Any

from callahead.config.extension import LOADBALANCE, load
from callahead.config.policy import MethodPolicy
from callahead.consumer.call.invocation import CallRecord, Invocation
from callahead.consumer.call.provider import Provider
from callahead.consumer.cluster.directory import Directory
from callahead.consumer.loadbalance.api import LoadBalanceParts
from callahead.consumer.loadbalance.weights import Weights
from callahead.consumer.reference.provided import Provided
from callahead.registry.models import Endpoint, Snapshot

from .measure import Row
from .report import Report

SIZES = (100, 1_000, 10_000)
BALANCES = ("random", "roundrobin", "p2c", "adaptive", "consistenthash", "leastactive", "shortestresponse")

_PARAMETERS = {
    "application": "shop", "deprecated": "false", "dubbo": "2.0.2", "dynamic": "true", "find.timeout": "2500",
    "generic": "false", "interface": "com.alibaba.foo.FooService", "methods": "find,touch", "release": "3.3.6",
    "prefer.serialization": "hessian2,fastjson2", "side": "provider", "timestamp": "1795634098890",
}  # fmt: skip
_POLICY = MethodPolicy(reference="foo", method="find", timeout_ms=1000)


def run(most: int, choices: int, rounds: int) -> Report:
    """Measure lists of up to *most* providers, each choice by *choices* of them."""
    sizes = [size for size in SIZES if size <= most]
    notes = (
        "processor time; new: every address is another one; same: nothing changed; one: one of them left",
        "first: the first choice of a new list; after one left: that of a list that lost one",
        "bytes: what tracemalloc sees of the provider, its URL included, and of what the load balancer keeps",
    )
    parts: dict[str, list[Row]] = {"refresh": [_refresh(size, rounds) for size in sizes]}
    for size in sizes:
        parts[f"{size:,} providers"] = [_balance(name, size, choices, rounds) for name in BALANCES]
    return Report(parts, rounds, notes)


def endpoints(count: int, start: int = 0) -> tuple[Endpoint, ...]:
    """Make the endpoints of *count* providers as Java registers them, each at an address of its own."""
    numbers = range(start, start + count)
    hosts = (f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}" for number in numbers)
    return tuple(Endpoint(protocol="dubbo", host=host, port=20880, parameters=dict(_PARAMETERS)) for host in hosts)


def directory_of(listed: Sequence[Endpoint]) -> Directory:
    """Make a directory that has heard of *listed*."""
    made = Directory("dubbo", lambda _: None, time.monotonic)
    made.notify(Snapshot(1, tuple(listed)))
    return made


def balance_of(name: str) -> Any:
    """Make a load balancer as a reference does."""
    clock = time.monotonic
    parts = LoadBalanceParts(policy=_POLICY, random=Random(7), clock=clock, weights=Weights("find", clock))
    return load(LOADBALANCE, name)(parts)


def asked(number: int) -> Invocation:
    """Make a call with an argument."""
    return Invocation(_POLICY, "find", (number,), {}, {}, 1.0, time.monotonic, CallRecord(_POLICY, "find", 0.0), False)


def cpu_s(work: Callable[[], object]) -> float:
    """Return the processor seconds that *work* takes."""
    gc.collect()
    begun = time.process_time()
    work()
    return time.process_time() - begun


def choosing(balance: Any, listed: Sequence[Provider], count: int) -> float:
    """Return the processor seconds of *count* choices."""
    invocations = [asked(number) for number in range(min(count, 1000))]
    select = balance.select

    def choose() -> None:
        for number in range(count):
            select(listed, invocations[number % 1000])

    return cpu_s(choose)


def _refresh(size: int, rounds: int) -> Row:
    made = directory_of(())
    times: dict[str, list[float]] = {"new": [], "same": [], "one": []}
    for number in range(rounds):
        listed, again = endpoints(size, number * size), endpoints(size, number * size)
        for name, heard in (("new", listed), ("same", again), ("one", again[1:])):
            times[name].append(cpu_s(partial(_take_over, made, heard)))
    return {
        "providers": f"{size:,}",
        **{f"{name}_ms": round(statistics.median(found) * 1000, 2) for name, found in times.items()},
        "bytes": _held(lambda: directory_of(endpoints(size))) // size,
    }


def _take_over(directory: Directory, listed: Sequence[Endpoint]) -> None:
    """Do what a reference does with a snapshot."""
    directory.notify(Snapshot(1, tuple(listed)))
    Provided(directory.providers).of("find")


def _balance(name: str, size: int, choices: int, rounds: int) -> Row:
    listed = directory_of(endpoints(size)).providers
    samples = [_sampled(name, listed, choices) for _ in range(rounds)]
    choice, first, after = (statistics.median(column) for column in zip(*samples, strict=True))
    return {
        "balancer": name,
        "choice_us": round(choice / choices * 1e6, 2),
        "first_ms": round(first * 1000, 2),
        "after_one_left_ms": round(after * 1000, 2),
        "bytes": _held(lambda: _chosen(name, listed)) // size,
    }


def _sampled(name: str, listed: Sequence[Provider], choices: int) -> tuple[float, float, float]:
    balance = balance_of(name)
    first = choosing(balance, listed, 1)
    after = choosing(balance, tuple(listed[1:]), 1)
    balance.select(listed, asked(0))
    return choosing(balance, listed, choices), first, after


def _chosen(name: str, listed: Sequence[Provider]) -> Any:
    balance = balance_of(name)
    balance.select(listed, asked(0))
    return balance


def _held(make: Callable[[], object]) -> int:
    """Return the bytes that what *make* returns keeps."""
    gc.collect()
    tracemalloc.start()
    kept = make()
    gc.collect()
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    del kept
    return held
