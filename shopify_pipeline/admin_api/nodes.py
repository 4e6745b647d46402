"""Reads records by their ids, in batches as large as their price allows."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from shopify_pipeline.admin_api.answers import Answer
from shopify_pipeline.admin_api.client import AdminApi
from shopify_pipeline.admin_api.cost import MAX_PAGE_SIZE
from shopify_pipeline.admin_api.pages import Nested, Node, complete
from shopify_pipeline.admin_api.sizing import execute_sized


@dataclass(frozen=True, kw_only=True)
class NodesBatch:
    """What one request for some ids brought.

    `found` by gid; `missing` are answered with null, without an error: deleted, or not visible to
    this app; `moved` changed while their nested lists were followed, and have to be read again.
    """

    found: dict[str, Node] = field(repr=False)
    missing: tuple[str, ...]
    moved: tuple[str, ...]
    answer: Answer


def read_nodes(
    api: AdminApi,
    query: str,
    gids: Sequence[str],
    *,
    variables: Mapping[str, Any] | None = None,
    ids_variable: str = "ids",
    max_batch_size: int = MAX_PAGE_SIZE,
    nested: Sequence[Nested] = (),
) -> Iterator[NodesBatch]:
    """Yield the nodes of `gids` in batches; each id is asked for once, in the order given.

    `query` has `$ids: [ID!]!` and selects `nodes(ids: $ids)` with `id`. The batch grows with the
    price as a page does. With `nested`, the nodes' connections are read to their end.

    Raises:
        AdminApiError: a batch could not be read.
    """
    waiting = list(dict.fromkeys(gids))
    while waiting:
        answer, size = execute_sized(
            api,
            query,
            variables or {},
            size_variable=ids_variable,
            filling=partial(_first, waiting),
            max_size=min(max_batch_size, len(waiting)),
        )
        batch, waiting = waiting[:size], waiting[size:]
        nodes = dict(zip(batch, answer.data["nodes"], strict=True))
        found = {gid: node for gid, node in nodes.items() if node is not None}
        moved = tuple(
            gid
            for gid, node in found.items()
            if not all(complete(api, node, one) for one in nested)
        )
        yield NodesBatch(
            found={gid: node for gid, node in found.items() if gid not in moved},
            missing=tuple(gid for gid, node in nodes.items() if node is None),
            moved=moved,
            answer=answer,
        )


def _first(gids: list[str], size: int) -> list[str]:
    return gids[:size]
