"""Sends a query at the largest size that its price allows, and at a smaller one if that fails."""

from collections.abc import Callable, Mapping
from typing import Any

from shopify_pipeline.admin_api.answers import Answer
from shopify_pipeline.admin_api.client import AdminApi
from shopify_pipeline.admin_api.errors import MaxCostExceededError, RetriesExhaustedError


def execute_sized(
    api: AdminApi,
    query: str,
    variables: Mapping[str, Any],
    *,
    size_variable: str,
    filling: Callable[[int], Any],
    max_size: int,
) -> tuple[Answer, int]:
    """Send `query` with `filling(size)` as its `size_variable`; return the answer and the size.

    Size 1 is the least. A query that is too dear, or that timed out for the whole retry budget,
    is sent again at half its size, and the larger ones are never tried again.

    Raises:
        AdminApiError: the query failed otherwise, or at size 1.
    """
    while True:
        size = api.costs.page_size(
            query,
            {**variables, size_variable: filling(1)},
            size_variable=size_variable,
            largest_query=api.bucket.largest_query,
            max_page_size=max_size,
        )
        try:
            return api.execute(query, {**variables, size_variable: filling(size)}), size
        except MaxCostExceededError:
            if size <= 1:
                raise
        except RetriesExhaustedError as error:
            if size <= 1 or not error.timed_out:
                raise
        api.costs.refuse(query, size // 2 + 1)
