"""Run the benchmarks: a table for people, JSON for programs."""

from __future__ import annotations

import json
from typing import Any

import click

from .measure import Result


@click.group()
def main() -> None:
    """Measure callahead beside its peers, in one run; the ratios count, since machines differ and are shared."""


@main.command()
@click.option("--calls", default=3000, show_default=True, help="Calls of each variant in each round.")
@click.option("--rounds", default=7, show_default=True, help="Rounds; the medians are reported.")
@click.option("--in-flight", default=100, show_default=True, help="Calls in flight at once in the second part.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON in place of tables.")
def tri(calls: int, rounds: int, in_flight: int, as_json: bool) -> None:
    """The tri transport beside raw grpcio, on the same server, with a 100-byte argument."""
    from .tri import run

    _show(run(calls, rounds, in_flight), as_json=as_json)


@main.command()
@click.option("--calls", default=5000, show_default=True, help="Calls of each variant in each round.")
@click.option("--rounds", default=5, show_default=True, help="Rounds; the medians are reported.")
@click.option("--in-flight", default=100, show_default=True, help="Calls in flight at once in the second part.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON in place of tables.")
def dubbo(calls: int, rounds: int, in_flight: int, as_json: bool) -> None:
    """The dubbo transport beside zeroc-ice, grpcio and a bare socket, with a 100-byte argument."""
    from .dubbo import run

    _show(run(calls, rounds, in_flight), as_json=as_json)


@main.command()
@click.option("--most", default=100_000, show_default=True, help="Calls of the last point of the growth curve.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON in place of tables.")
def growth(most: int, as_json: bool) -> None:
    """Memory and throughput of the dubbo transport by the number of calls."""
    from .growth import run

    parts = run(most)
    if as_json:
        click.echo(json.dumps(parts))
        return
    for name, rows in parts.items():
        click.echo(f"\n{name}: " + "".join(f"{key:>18}" for key in rows[0]))
        for row in rows:
            click.echo(" " * (len(name) + 2) + "".join(f"{value:>18,}" for value in row.values()))


def _show(parts: dict[str, list[Result]], *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps({name: [result.as_dict() for result in results] for name, results in parts.items()}))
        return
    for name, results in parts.items():
        click.echo(_table(name, results))


def _table(name: str, results: list[Result]) -> Any:
    lines = [f"\n{name:<30}{'CPU us/call':>12}{'CPU ratio':>11}{'(IQR)':>8}{'us/call':>10}{'ratio':>8}"]
    lines += [
        f"{one.variant:<30}{one.cpu_us:>12.1f}{one.ratio:>11.3f}{one.spread:>8.3f}{one.wall_us:>10.1f}{one.wall_ratio:>8.3f}"
        for one in results
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
