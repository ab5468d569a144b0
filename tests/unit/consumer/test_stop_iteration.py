"""A call that ends as StopIteration, as an interceptor's own ``next()`` may have it, can be awaited like any other."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from support.shop import Shop


def emptied(_: Any) -> Any:
    return next(iter(()))


async def within(seconds: float, awaited: Any) -> Any:
    async with asyncio.timeout(seconds):
        return await awaited


@pytest.mark.parametrize("wrap", [lambda future: future, asyncio.wrap_future], ids=["await", "wrap_future"])
def test_it_is_a_runtime_error_where_it_is_awaited(wrap: Any) -> None:
    """As in a generator: a coroutine cannot raise it, and asyncio's futures before Python 3.12 do not even take it."""
    with Shop(lambda _: 7) as shop:

        async def main() -> Any:
            return await within(2, wrap(shop.foo.findFoo.future(1).then(emptied)))

        with pytest.raises(RuntimeError) as caught:
            asyncio.run(main())
        assert isinstance(caught.value.__cause__, StopIteration)
