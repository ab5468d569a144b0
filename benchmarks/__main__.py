"""Run a benchmark: a table for people, JSON for programs."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import click

from .report import Report

_Command = TypeVar("_Command", bound=Callable[..., None])
_AT_LEAST_ONE = click.IntRange(min=1)
_ROUNDS = click.option(
    "--rounds", type=_AT_LEAST_ONE, default=5, show_default=True, help="Rounds; the medians are reported."
)
_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON in place of tables.")
_IN_FLIGHT = click.option(
    "--in-flight", type=_AT_LEAST_ONE, default=100, show_default=True, help="Calls in flight at once, where many are."
)


def _calls(default: int) -> Callable[[_Command], _Command]:
    text = "Calls of each variant in each round."
    return click.option("--calls", type=_AT_LEAST_ONE, default=default, show_default=True, help=text)


@click.group()
def main() -> None:
    """Measure callahead beside its peers, in one run; the ratios count, since machines differ and are shared."""


@main.command()
@_calls(3000)
@_ROUNDS
@_IN_FLIGHT
@click.option(
    "--streams", type=_AT_LEAST_ONE, default=1000, show_default=True, help="Streams at once, of 100 messages."
)
@click.option("--server", type=click.Choice(["python", "go"]), default="python", show_default=True, help="Written in.")
@click.option("--tls", is_flag=True, help="Speak TLS.")
@_JSON
def tri(calls: int, rounds: int, in_flight: int, streams: int, server: str, tls: bool, as_json: bool) -> None:
    """The tri transport beside raw grpcio, on the same server, with a 100-byte argument."""
    from .tri import run

    _show(run(calls, rounds, in_flight, streams, server, tls=tls), as_json=as_json)


@main.command()
@_calls(5000)
@_ROUNDS
@_IN_FLIGHT
@_JSON
def dubbo(calls: int, rounds: int, in_flight: int, as_json: bool) -> None:
    """The dubbo transport beside zeroc-ice, grpcio and a bare socket, with a 100-byte argument."""
    from .dubbo import run

    _show(run(calls, rounds, in_flight), as_json=as_json)


@main.command()
@_calls(300_000)
@_ROUNDS
@_IN_FLIGHT
@_JSON
def java(calls: int, rounds: int, in_flight: int, as_json: bool) -> None:
    """The dubbo transport beside Dubbo's own consumer in Java, both against one Java provider; takes minutes.

    With fewer calls the Java consumer is measured before its compiler is done. Needs a JDK and Maven.
    """
    from .java import run

    _show(run(calls, rounds, in_flight), as_json=as_json)


@main.command()
@_calls(10_000)
@_ROUNDS
@_IN_FLIGHT
@_JSON
def costs(calls: int, rounds: int, in_flight: int, as_json: bool) -> None:
    """The cost per call of the middleware above a bare transport, and of each interceptor, in us."""
    from .costs import run

    _show(run(calls, rounds, in_flight), as_json=as_json)


@main.command()
@_calls(2000)
@_ROUNDS
@_JSON
def hessian2(calls: int, rounds: int, as_json: bool) -> None:
    """The codec beside pickle and json, on a nested object of 20 fields."""
    from .hessian2 import run

    _show(run(calls, rounds), as_json=as_json)


@main.command()
@click.option(
    "--most", type=_AT_LEAST_ONE, default=100_000, show_default=True, help="Most calls of the curve, and most held."
)
@_calls(50_000)
@click.option("--over", type=click.Choice(["dubbo", "tri"]), default="dubbo", show_default=True, help="The protocol.")
@_ROUNDS
@_JSON
def growth(most: int, calls: int, over: str, rounds: int, as_json: bool) -> None:
    """Memory over up to 1,000,000 calls, memory of up to 100,000 in flight, throughput by the number in flight.

    Over tri with callahead's own HTTP/2, at a server in Go.
    """
    from .growth import run

    _show(run(most, calls, rounds, over), as_json=as_json)


@main.command()
@click.option("--most", type=_AT_LEAST_ONE, default=10_000, show_default=True, help="Most providers of a list.")
@click.option("--choices", type=_AT_LEAST_ONE, default=10_000, show_default=True, help="Choices in each round.")
@_ROUNDS
@_JSON
def directory(most: int, choices: int, rounds: int, as_json: bool) -> None:
    """Lists of up to 10,000 providers: what a new one costs, what a choice costs, and what is held in memory."""
    from .directory import run

    _show(run(most, choices, rounds), as_json=as_json)


@main.command()
@click.option("--providers", type=_AT_LEAST_ONE, default=1000, show_default=True, help="How many there are.")
@_calls(100_000)
@_ROUNDS
@_JSON
def balance(providers: int, calls: int, rounds: int, as_json: bool) -> None:
    """Load balancers against 1,000 providers of which some are slow or fail: a simulation by a scripted clock."""
    from .balance import run

    _show(run(providers, calls, rounds), as_json=as_json)


@main.command()
@_calls(5000)
@_ROUNDS
@_IN_FLIGHT
@_JSON
def features(calls: int, rounds: int, in_flight: int, as_json: bool) -> None:
    """What a call costs more by each feature that it uses, in us, beside the same call without it."""
    from .features import run

    _show(run(calls, rounds, in_flight), as_json=as_json)


@main.command()
@click.option("--size", type=_AT_LEAST_ONE, default=8_000_000, show_default=True, help="Bytes of the file.")
@_ROUNDS
@_JSON
def transfer(size: int, rounds: int, as_json: bool) -> None:
    """A file in chunks over a link of 16 Mbit/s and 20 ms, beside a bare socket: the share of its speed."""
    from .transfer import run

    _show(run(size, rounds), as_json=as_json)


def _show(report: Report, *, as_json: bool) -> None:
    click.echo(report.as_json() if as_json else report.as_text())


if __name__ == "__main__":
    main()
