"""What can be said of an action on an order or a customer."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from shopify_pipeline.demo.store.given_records import GivenLine
from shopify_pipeline.demo.store.given_values import Given, reference, word


class GivenQuantity(Given):
    """So many pieces of a line."""

    id: Annotated[int, reference("LineItem")]
    quantity: Annotated[int, Field(ge=1, le=1_000_000)]


class GivenPart(Given):
    """A part of an order: all of it, or some pieces of some lines."""

    line_items: list[GivenQuantity] = Field(default_factory=list)


class GivenCancellation(Given):
    """Why an order is cancelled."""

    reason: Annotated[str, word("OrderCancelReason")] = ""


class GivenEdit(Given):
    """Lines that an edit adds, and those whose quantity it sets to 0."""

    add: list[GivenLine] = Field(default_factory=list)
    remove: list[Annotated[int, reference("LineItem")]] = Field(default_factory=list)


class GivenNothing(Given):
    """An action of which nothing can be said."""


class GivenMerge(Given):
    """The customer that remains."""

    into: Annotated[int, reference("Customer")]


ORDER_ACTIONS: dict[str, type[Given]] = {
    "refund": GivenPart,
    "fulfill": GivenPart,
    "cancel": GivenCancellation,
    "edit": GivenEdit,
    "pay": GivenNothing,
    "close": GivenNothing,
    "reopen": GivenNothing,
}
