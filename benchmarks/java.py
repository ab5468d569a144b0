"""callahead over `dubbo` beside Dubbo's own consumer in Java, which both call one real provider in Java.

Each consumer is a process of its own and both have the machine to themselves in turn, but for the provider. The Java
consumer (``BenchConsumer`` of tests/interop) begins anew in each round and makes all its calls once before it measures
them, so that its compiler is done; its processor time is that of the whole JVM, collector and compiler included.
"""

from __future__ import annotations

import json
import subprocess
from functools import partial
from typing import Any

import click

from callahead.consumer import Consumer
from tests.interop.provider import JavaProvider, ProviderFailed, java_command, missing

from .dubbo import TEXT, configuration
from .loops import one_by_one, windowed
from .measure import Sample, ratios, take, turns
from .report import RATIOS, Report

_VERSION = "3.3"
# With the optimising compiler; QUICK_START of the tests switches it off.
_OPTIONS = ("-Xmx1g",)
# The provider's own pool must not refuse what the consumers have in flight.
_PROVIDER = {"interop.queues": 100_000}
_OURS, _JAVA = "callahead dubbo", "Java Dubbo consumer"


def run(calls: int, rounds: int, in_flight: int) -> Report:
    """Measure a tenth of *calls* one at a time, and *calls* with *in_flight* at once.

    Raises:
        click.ClickException: There is no JDK or no Maven, or what was started there failed.
    """
    why_not = missing()
    if why_not is not None:
        raise click.ClickException(why_not)
    try:
        with JavaProvider(_VERSION, options=_OPTIONS, properties=_PROVIDER) as provider:
            parts = _measure(provider.dubbo_port, calls, rounds, in_flight)
            release = provider.release
    except ProviderFailed as error:
        raise click.ClickException(str(error)) from error
    notes = (RATIOS, f"provider and Java consumer: Apache Dubbo {release}; a tenth of the calls is made one at a time")
    return Report({name: ratios(samples) for name, samples in parts.items()}, rounds, notes)


def _measure(port: int, calls: int, rounds: int, in_flight: int) -> dict[str, dict[str, list[Sample]]]:
    parts: dict[str, dict[str, list[Sample]]] = {
        name: {_OURS: [], _JAVA: []} for name in ("one at a time", f"{in_flight} in flight")
    }
    settings = configuration(port, interface="org.callahead.interop.EchoService")
    with Consumer(settings) as consumer:
        variants = {_OURS: partial(_ours, consumer.reference("echo")), _JAVA: partial(_java, port)}
        variants[_JAVA](calls, in_flight)  # not counted: the provider, too, is compiled while it runs
        for name in turns(list(variants), rounds):
            for part, taken in zip(parts.values(), variants[name](calls, in_flight), strict=True):
                part[name].append(taken)
    return parts


def _ours(echo: Any, calls: int, in_flight: int) -> tuple[Sample, Sample]:
    one, many = one_by_one(lambda: echo.echo(TEXT)), windowed(lambda: echo.echo.future(TEXT), in_flight)
    one(200)
    many(2000)
    return take(one, calls // 10 + 1), take(many, calls)


def _java(port: int, calls: int, in_flight: int) -> tuple[Sample, Sample]:
    settings: dict[str, str | int] = {
        "interop.port": port,
        "interop.protocol": "dubbo",
        "interop.calls": calls,
        "interop.inFlight": in_flight,
        "interop.bytes": len(TEXT),
    }
    command = java_command(_VERSION, "BenchConsumer", settings, _OPTIONS)
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        said = "\n".join([*done.stderr.splitlines()[-10:], done.stdout.rstrip()])
        raise click.ClickException(f"the Java consumer ended with {done.returncode}:\n{said}")
    found = json.loads(done.stdout)
    return _sample(found["one_at_a_time"]), _sample(found["in_flight"])


def _sample(found: dict[str, float]) -> Sample:
    return Sample(found["cpu_us_per_call"], 1e6 / found["calls_per_s"])
