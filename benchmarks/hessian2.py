"""hessian2 beside pickle and json: a nested object of 20 fields, encoded and decoded.

``python -m benchmarks.hessian2 [--rounds 9] [--calls 2000] [--json]``; medians, in microseconds of CPU per operation.
json writes the fields of the objects (``default=vars``) and reads back plain dicts; hessian2 and pickle read objects.
"""

from __future__ import annotations

import argparse
import json
import pickle
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from callahead.consumer.codec.hessian2 import dumps, java_type, loads


@java_type("com.example.Address")
@dataclass
class Address:
    street: str = "Unter den Linden 1"
    city: str = "Berlin"
    zip_code: str = "10117"
    country: str = "DE"


@java_type("com.example.Line")
@dataclass
class Line:
    article: str
    quantity: int
    unit_price: float


@java_type("com.example.Order")
@dataclass
class Order:
    order_id: int = 900_719_925_474
    customer_id: int = 7_001
    version: int = 3
    status: str = "CONFIRMED"
    currency: str = "EUR"
    channel: str = "web"
    note: str = "ring twice, leave at the neighbour's door"
    paid: bool = True
    shipped: bool = False
    total: float = 149.85
    discount: float = 0.0
    tax_rate: float = 0.19
    weight_grams: int = 1_250
    created_at: int = 1_709_168_523_123
    updated_at: int = 1_709_168_999_456
    coupon: str | None = None
    billing: Address = field(default_factory=Address)
    shipping: Address = field(default_factory=Address)
    lines: list[Line] = field(default_factory=lambda: [Line(f"A-{n}", n + 1, 9.99 * (n + 1)) for n in range(3)])
    labels: dict[str, str] = field(default_factory=lambda: {"source": "newsletter", "region": "eu-central"})


def measure(operation: Callable[[], Any], calls: int) -> float:
    """Microseconds of CPU that one call of the operation takes."""
    started = time.process_time_ns()
    for _ in range(calls):
        operation()
    return (time.process_time_ns() - started) / calls / 1000


def operations() -> dict[str, tuple[Callable[[], bytes], Callable[[bytes], Any]]]:
    """Encoder and decoder of each codec, for the same order."""
    order = Order()
    return {
        "hessian2": (lambda: dumps(order), loads),
        "pickle": (lambda: pickle.dumps(order, protocol=5), pickle.loads),
        "json": (lambda: json.dumps(order, default=vars).encode(), json.loads),
    }


def run(rounds: int, calls: int) -> list[dict[str, Any]]:
    """Measure all codecs in each round, so that a disturbance hits them alike."""
    samples: dict[str, tuple[list[float], list[float]]] = {}
    sizes: dict[str, int] = {}
    for _ in range(rounds):
        for name, (encode, decode) in operations().items():
            data = encode()
            sizes[name] = len(data)
            encoding, decoding = samples.setdefault(name, ([], []))
            encoding.append(measure(encode, calls))
            decoding.append(measure(lambda decode=decode, data=data: decode(data), calls))  # type: ignore[misc]
    return [
        {
            "codec": name,
            "encode_us": round(statistics.median(encoding), 2),
            "decode_us": round(statistics.median(decoding), 2),
            "bytes": sizes[name],
        }
        for name, (encoding, decoding) in samples.items()
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--calls", type=int, default=2000)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    results = run(options.rounds, options.calls)
    if options.json:
        print(json.dumps(results))
        return
    print(f"{'codec':<10}{'encode us':>12}{'decode us':>12}{'bytes':>8}")
    for one in results:
        print(f"{one['codec']:<10}{one['encode_us']:>12.2f}{one['decode_us']:>12.2f}{one['bytes']:>8}")


if __name__ == "__main__":
    main()
