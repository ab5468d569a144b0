"""hessian2 beside pickle and json: a nested object of 20 fields, encoded and decoded.

json writes the fields of the objects (``default=vars``) and reads back plain dicts; hessian2 and pickle read objects.
"""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from callahead.consumer.codec.hessian2 import dumps, java_type, loads

from .loops import one_by_one
from .measure import compare
from .report import RATIOS, Report


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


def codecs() -> dict[str, tuple[Callable[[Order], bytes], Callable[[bytes], Any]]]:
    """Encoder and decoder by name."""
    return {
        "hessian2": (dumps, loads),
        "pickle": (lambda value: pickle.dumps(value, protocol=5), pickle.loads),
        "json": (lambda value: json.dumps(value, default=vars).encode(), json.loads),
    }


def run(calls: int, rounds: int) -> Report:
    """Encode one order *calls* times in each round by each codec, and decode it."""
    order = Order()
    written = {name: encode(order) for name, (encode, _) in codecs().items()}
    encode = {name: one_by_one(partial(encode, order)) for name, (encode, _) in codecs().items()}
    decode = {name: one_by_one(partial(decode, written[name])) for name, (_, decode) in codecs().items()}
    parts = {
        "encode": compare(encode, calls, rounds),
        "decode": compare(decode, calls, rounds),
        "size": [{"codec": name, "bytes": len(data)} for name, data in written.items()],
    }
    return Report(parts, rounds, (RATIOS, "a call is one encoding or decoding"))
