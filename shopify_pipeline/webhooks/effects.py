"""A delivery that a worker holds, and everything that its body may ask for."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from shopify_pipeline.entities import Entity

RESPONSE_TIME = timedelta(days=30)
"""Time in which a request about privacy must be answered.

Source: https://shopify.dev/docs/apps/build/compliance/privacy-law-compliance
"""


class MalformedBodyError(Exception):
    """A body does not have the form its topic should have; the message repeats no value of it."""


@dataclass(frozen=True, kw_only=True)
class Claimed:
    """A delivery that a worker holds; `shop` is the one that its headers were checked against."""

    id: int
    topic: str
    received_at: datetime
    triggered_at: datetime | None
    is_test: bool
    attempts: int
    body: bytes
    shop: str | None = None

    @property
    def seen_at(self) -> datetime:
        """A time on Shopify's clock not before the event, as far as we know it."""
        return self.triggered_at or self.received_at


@dataclass(frozen=True, kw_only=True)
class Subject:
    """What a body is about, and the customer whose personal data it may hold, as far as known."""

    entity: str | None = None
    shopify_id: int | None = None
    customer_id: int | None = None


@dataclass(frozen=True, kw_only=True)
class PartialRow:
    """Columns of one row that a body carries; those of its children, by the child's entity."""

    entity: Entity
    shopify_id: int
    values: Mapping[str, Any]
    children: Mapping[str, tuple[Mapping[str, Any], ...]] = field(default_factory=dict)

    @property
    def version(self) -> tuple[datetime, datetime]:
        """By what two bodies of one row are ordered; events have no updated_at."""
        observed: datetime = self.values["observed_at"]
        return (self.values.get("updated_at") or datetime.min.replace(tzinfo=UTC), observed)


@dataclass(frozen=True, kw_only=True)
class TagChange:
    """Tags that were added to a customer, or taken from it."""

    shopify_id: int
    added: tuple[str, ...]
    removed: tuple[str, ...]
    at: datetime


@dataclass(frozen=True, kw_only=True)
class Refresh:
    """An id whose truth must be read again."""

    entity: str
    shopify_id: int
    reason: str
    urgent: bool
    at: datetime


@dataclass(frozen=True, kw_only=True)
class PrivacyRequest:
    """A request about personal data that Shopify passed on."""

    kind: str
    delivery_id: int
    request_id: int | None
    customer_id: int | None
    order_ids: tuple[int, ...]
    requested_at: datetime

    @property
    def due_at(self) -> datetime:
        """By when it must be answered."""
        return self.requested_at + RESPONSE_TIME


@dataclass(kw_only=True)
class Effects:
    """Everything that a body asks for. `skipped` says why nothing is to be done."""

    entity: str | None = None
    shopify_id: int | None = None
    customer_id: int | None = None
    skipped: str | None = None
    bodies: list[PartialRow] = field(default_factory=list)
    events: list[PartialRow] = field(default_factory=list)
    tags: list[TagChange] = field(default_factory=list)
    deletions: list[tuple[str, int, datetime]] = field(default_factory=list)
    merges: list[tuple[int, int, datetime]] = field(default_factory=list)
    refreshes: list[Refresh] = field(default_factory=list)
    finished: list[dict[str, Any]] = field(default_factory=list)
    notices: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    privacy: list[PrivacyRequest] = field(default_factory=list)
