"""What a query costs, fitted to the costs that live stores report.

A scalar costs 0, an object 1, a money bag or an address 0, a mutation and a root count 10. A list
costs what one of its items does. A connection costs 2 and, for each item asked for, less and
less: twice the natural logarithm of the page size. https://shopify.dev/docs/api/usage/limits
"""

from __future__ import annotations

import math

COUNT_COST = 10
MUTATION_COST = 10
MAX_QUERY_COST = 1000

_DEAR = {"StoreCreditAccount.balance": 5}
_FREE = frozenset({"MoneyBag", "MoneyV2", "PageInfo", "MailingAddress"})


def own_cost(type_name: str) -> int:
    """The points of one object of the type itself."""
    return 0 if type_name in _FREE else 1


def extra_cost(parent: str, name: str) -> int:
    """Points that a field costs above what its value does."""
    return _DEAR.get(f"{parent}.{name}", 0)


def page_factor(size: int | None) -> int:
    """How many items a page of that size is billed as."""
    if not size or size < 0:
        return 0
    return max(1, math.floor(2 * math.log(size)))


def connection_cost(size: int | None, each: float) -> float:
    """The points of a connection whose items cost `each`."""
    return 2 + page_factor(size) * each
