"""Bulk operations: a query that Shopify runs by itself over everything, and leaves as a file.

https://shopify.dev/docs/api/usage/bulk-operations/queries
"""

import re
from collections.abc import Iterator
from datetime import datetime

from shopify_pipeline.admin_api.bulk_operation import FIELDS, BulkOperation
from shopify_pipeline.admin_api.client import AdminApi
from shopify_pipeline.admin_api.errors import (
    AmbiguousMutationError,
    BulkRefusedError,
    BulkSlotsTakenError,
    redact,
)
from shopify_pipeline.admin_api.pages import pages

MAX_CONCURRENT = 5
"""Bulk queries that one app may have running in one shop (since API version 2026-01)."""

RUN = f"""
mutation BulkRun($query: String!) {{
  bulkOperationRunQuery(query: $query, groupObjects: false) {{
    bulkOperation {{ {FIELDS} }}
    userErrors {{ field message code }}
  }}
}}
"""
READ = f"query BulkRead($id: ID!) {{ bulkOperation(id: $id) {{ {FIELDS} }} }}"
LIST = f"""
query BulkList($first: Int!, $after: String) {{
  bulkOperations(first: $first, after: $after, sortKey: CREATED_AT, reverse: false) {{
    nodes {{ {FIELDS} }}
    pageInfo {{ hasNextPage endCursor }}
  }}
}}
"""
CANCEL = f"""
mutation BulkCancel($id: ID!) {{
  bulkOperationCancel(id: $id) {{
    bulkOperation {{ {FIELDS} }}
    userErrors {{ field message }}
  }}
}}
"""
_SLOTS_TAKEN = frozenset({"OPERATION_IN_PROGRESS", "LIMIT_REACHED"})
_GID = re.compile(r"gid://shopify/BulkOperation/\d+")


def submit(api: AdminApi, query: str) -> BulkOperation:
    """Start a bulk operation over `query`, children not grouped under their parents.

    Raises:
        BulkSlotsTakenError: others are running; see `bulk_wait.submit_when_free`.
        BulkRefusedError: Shopify doesn't take the query.
        AmbiguousMutationError: it may have been started; see `find`.
        AdminApiError: the request failed.
    """
    answer = api.execute(RUN, {"query": query})
    payload = answer.data["bulkOperationRunQuery"]
    errors = payload["userErrors"]
    if not errors and payload["bulkOperation"]:
        return BulkOperation.from_node(payload["bulkOperation"])
    said = "; ".join(redact(error["message"]) for error in errors) or "no operation was returned"
    codes = tuple(error.get("code") or "" for error in errors)
    if _SLOTS_TAKEN & set(codes):
        raise BulkSlotsTakenError(
            f"Shopify runs no more bulk operations of this app at once: {said}; wait for one to "
            "end, or cancel it",
            running=tuple(_GID.findall(said)),
            operation="BulkRun",
            request_id=answer.request_id,
        )
    raise BulkRefusedError(
        f"Shopify refused the bulk query: {said}; correct it, or read by pages",
        codes=codes,
        operation="BulkRun",
        request_id=answer.request_id,
    )


def read(api: AdminApi, gid: str) -> BulkOperation | None:
    """Return the operation as it is now; None if Shopify knows none of that id.

    Raises:
        AdminApiError: the request failed.
    """
    found = api.execute(READ, {"id": gid}).data["bulkOperation"]
    return BulkOperation.from_node(found) if found else None


def operations(api: AdminApi) -> Iterator[BulkOperation]:
    """Yield the app's bulk operations in this shop, the newest first.

    Without a search filter: the search index lags, and here one just made is looked for.

    Raises:
        AdminApiError: a page could not be read.
    """
    for page in pages(api, LIST, connection_path="bulkOperations"):
        yield from map(BulkOperation.from_node, page.nodes)


def find(api: AdminApi, query: str, *, created_after: datetime) -> BulkOperation | None:
    """Return the newest operation over exactly this `query` that runs or has completed.

    For adopting one whose start was not recorded: `created_after` is the time of its claim, on
    Shopify's clock. None if there is no such one.

    Raises:
        AdminApiError: the list could not be read.
    """
    for operation in operations(api):
        # `createdAt` has whole seconds.
        if operation.created_at < created_after.replace(microsecond=0):
            return None
        if (
            operation.query.strip() == query.strip()
            and operation.type == "QUERY"
            and not operation.is_lost
        ):
            return operation
    return None


def cancel(api: AdminApi, gid: str) -> BulkOperation | None:
    """Cancel the operation and return how it is then: CANCELING for a while, or ended already.

    Raises:
        AdminApiError: the request failed.
    """
    try:
        found = api.execute(CANCEL, {"id": gid}).data["bulkOperationCancel"]["bulkOperation"]
    except AmbiguousMutationError:
        return read(api, gid)
    return BulkOperation.from_node(found) if found else read(api, gid)
