"""A bulk operation as Shopify shows it, and what its end means."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Self

from shopify_pipeline.admin_api.errors import BulkAccessDeniedError, BulkFailedError

FIELDS = """
  id status errorCode createdAt completedAt objectCount rootObjectCount fileSize
  url partialDataUrl query type
"""
"""The selection that `BulkOperation.from_node` reads."""

_ENDED = frozenset({"COMPLETED", "CANCELED", "FAILED", "EXPIRED"})
_LOST = frozenset({"CANCELED", "CANCELING", "FAILED", "EXPIRED"})


@dataclass(frozen=True, kw_only=True)
class BulkOperation:
    """A bulk operation as Shopify shows it; counts are of objects (lines), `file_size` of bytes.

    `url` is a secret in itself: whoever has it can read the file.
    """

    gid: str
    status: str
    error_code: str | None
    created_at: datetime
    completed_at: datetime | None
    object_count: int
    root_object_count: int
    file_size: int | None
    url: str | None = field(repr=False)
    has_partial_data: bool
    query: str = field(repr=False)
    type: str = "QUERY"

    @classmethod
    def from_node(cls, node: Mapping[str, Any]) -> Self:
        """Read a node of `FIELDS`; counts and sizes come as strings."""
        completed, size = node["completedAt"], node["fileSize"]
        return cls(
            gid=node["id"],
            status=node["status"],
            error_code=node["errorCode"],
            created_at=datetime.fromisoformat(node["createdAt"]),
            completed_at=datetime.fromisoformat(completed) if completed else None,
            object_count=int(node["objectCount"]),
            root_object_count=int(node["rootObjectCount"]),
            file_size=None if size is None else int(size),
            url=node["url"],
            has_partial_data=bool(node["partialDataUrl"]),
            query=node["query"],
            type=node["type"],
        )

    @property
    def is_ended(self) -> bool:
        """Whether nothing will change any more. An unknown status is taken for a running one."""
        return self.status in _ENDED

    @property
    def is_lost(self) -> bool:
        """Whether no result will come of it any more."""
        return self.status in _LOST

    @property
    def result_url(self) -> str | None:
        """The address of the whole result; None if the result is empty.

        Raises:
            BulkFailedError: the operation didn't complete. What it left as partial data is never
                taken for the result.
        """
        if self.status != "COMPLETED":
            raise _failure(self)
        if self.url is None and self.object_count > 0:
            raise BulkFailedError(
                f"Bulk operation {self.gid} completed with {self.object_count} objects and has no "
                "file: it may have expired; run it again",
                gid=self.gid,
                status=self.status,
            )
        return self.url


def _failure(operation: BulkOperation) -> BulkFailedError:
    status, code = operation.status, operation.error_code
    about: dict[str, Any] = {"gid": operation.gid, "status": status, "error_code": code}
    named = f"Bulk operation {operation.gid}"
    if code == "ACCESS_DENIED":
        return BulkAccessDeniedError(
            f"{named} failed: the app may not read something that it asks for (ACCESS_DENIED). "
            "Grant the missing access scope or protected customer data, or leave the columns out "
            "by SHOPIFY_OMIT_COLUMNS",
            **about,
        )
    partial = "; its partial data was not used" if operation.has_partial_data else ""
    after = f" after {operation.object_count} objects{partial}"
    advice = {
        "FAILED": f"failed ({code or 'no reason given'}){after}; run it again",
        "CANCELED": f"was canceled{after}; run it again",
        "CANCELING": f"is being canceled{after}; run it again",
        "EXPIRED": "has expired: results are kept for 7 days; run it again",
    }.get(status, f"has not completed yet ({status}); wait for it")
    if code == "TIMEOUT":
        advice += " over a smaller window"
    return BulkFailedError(f"{named} {advice}", may_split=code == "TIMEOUT", **about)
