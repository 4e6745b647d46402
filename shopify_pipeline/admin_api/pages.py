"""Reads connections to their end, in pages as large as their price allows."""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from shopify_pipeline.admin_api.answers import Answer
from shopify_pipeline.admin_api.client import AdminApi
from shopify_pipeline.admin_api.cost import MAX_PAGE_SIZE
from shopify_pipeline.admin_api.errors import (
    CursorStuckError,
    NodeGoneError,
)
from shopify_pipeline.admin_api.sizing import execute_sized

Node = dict[str, Any]


class PageInfo(NamedTuple):
    """Whether there is more, and the cursor that continues behind this page."""

    has_next_page: bool
    end_cursor: str | None


@dataclasses.dataclass(frozen=True, kw_only=True)
class Page:
    """One page of a connection.

    `moved` are the gids of nodes that changed while their nested lists were followed: they are
    not among `nodes`, and have to be read again.
    """

    nodes: list[Node] = dataclasses.field(repr=False)
    page_info: PageInfo
    answer: Answer
    moved: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True, kw_only=True)
class Nested:
    """A connection inside each node, and the query that reads it further.

    `query` has the variables `$id: ID!, $first: Int!, $after: String`, and selects
    `node(id: $id)` with `version` (a field that changes whenever the node does) and the
    connection `field` with its nodes and `pageInfo { hasNextPage endCursor }`. The query that
    reads the parents selects `id`, `version` and the connection's `pageInfo` as well.
    """

    field: str
    query: str = dataclasses.field(repr=False)
    version: str = "updatedAt"


def pages(
    api: AdminApi,
    query: str,
    variables: Mapping[str, Any] | None = None,
    *,
    connection_path: str,
    size_variable: str = "first",
    cursor_variable: str = "after",
    after: str | None = None,
    max_page_size: int = MAX_PAGE_SIZE,
    nested: Sequence[Nested] = (),
) -> Iterator[Page]:
    """Yield the pages of the connection at `connection_path` ("orders", "node.lineItems").

    The first page is so small that it can't be too dear; the next ones are as large as its price
    allows, at most 250 nodes. A page that is too dear, or that keeps timing out, is halved. With
    `nested`, the nodes' own connections are read to their end too (see `complete`).

    Raises:
        CursorStuckError: there is a next page, and no cursor that leads to it.
        NodeGoneError: something on the way to the connection is null.
        AdminApiError: a page could not be read.
    """
    cursor = after
    passed = {cursor}
    while True:
        answer, size = execute_sized(
            api,
            query,
            {**(variables or {}), cursor_variable: cursor},
            size_variable=size_variable,
            filling=int,
            max_size=max_page_size,
        )
        connection = _at(answer.data, connection_path)
        info = page_info(connection)
        found = nodes_of(connection)
        if info.has_next_page and (info.end_cursor is None or info.end_cursor in passed):
            raise CursorStuckError(
                f"Shopify promises a page of {connection_path} after this one, and gives no cursor "
                f"that leads to it ({len(found)} of {size} nodes read): run again; if it "
                "stays, give Shopify's support the request id",
                request_id=answer.request_id,
            )
        moved = tuple(node["id"] for node in found if not _completed(api, node, nested))
        yield Page(
            nodes=[node for node in found if node.get("id") not in moved] if moved else found,
            page_info=info,
            answer=answer,
            moved=moved,
        )
        if not info.has_next_page:
            return
        cursor = info.end_cursor
        passed.add(cursor)


def complete(api: AdminApi, node: Node, nested: Nested) -> bool:
    """Read the connection `nested.field` of `node` to its end, into `node` itself.

    Afterwards it has all nodes under `nodes`, and `hasNextPage` is False. Returns False, with
    `node` no longer to be used, if the node changed or went away between two of its pages.
    """
    connection = node[nested.field]
    info = page_info(connection)
    found = list(nodes_of(connection))
    if info.has_next_page:
        further = pages(
            api,
            nested.query,
            {"id": node["id"]},
            connection_path=f"node.{nested.field}",
            after=info.end_cursor,
        )
        try:
            for page in further:
                if page.answer.data["node"][nested.version] != node[nested.version]:
                    return False
                found.extend(page.nodes)
        except NodeGoneError:
            return False
    node[nested.field] = {
        "nodes": found,
        "pageInfo": {"hasNextPage": False, "endCursor": None},
    }
    return True


def nodes_of(connection: Mapping[str, Any]) -> list[Node]:
    """Return the nodes of a connection that selects `nodes` or `edges { node }`."""
    if "nodes" in connection:
        return list(connection["nodes"])
    return [edge["node"] for edge in connection["edges"]]


def page_info(connection: Mapping[str, Any]) -> PageInfo:
    """Return the connection's `pageInfo`, which has to be selected with both its fields."""
    info = connection["pageInfo"]
    return PageInfo(bool(info["hasNextPage"]), info["endCursor"])


def _completed(api: AdminApi, node: Node, nested: Sequence[Nested]) -> bool:
    return all(complete(api, node, one) for one in nested)


def _at(data: Mapping[str, Any], path: str) -> Mapping[str, Any]:
    found: Any = data
    for name in path.split("."):
        found = found[name]
        if found is None:
            raise NodeGoneError(f"Shopify answered null at {name} of {path}: the record is gone")
    return dict(found)
