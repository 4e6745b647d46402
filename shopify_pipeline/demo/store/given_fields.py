"""Reading what a caller gives, and laying it over a record."""

from __future__ import annotations

from typing import Any

from pydantic import ValidationError

from shopify_pipeline.demo.store.database import Document
from shopify_pipeline.demo.store.given_values import Given
from shopify_pipeline.demo.store.store import Store

Fields = dict[str, Any]


class ChangeError(Exception):
    """A change that can't be made; the message says why."""


class MissingError(ChangeError):
    """A change of a record that isn't there."""


def read(model: type[Given], fields: Any) -> Fields:
    """The fields that are given, as the store holds them. Raises ChangeError naming what is unfit.

    Times come as microseconds, money as micros, references as numbers.
    """
    try:
        given = model.model_validate(fields)
    except ValidationError as error:
        raise ChangeError("; ".join(_complaint(one) for one in error.errors()[:5])) from None
    return given.model_dump(by_alias=True, exclude_unset=True)


def _complaint(error: Any) -> str:
    place = ".".join(str(part) for part in error["loc"])
    text = str(error["msg"]).replace("Input should", "should")
    return f"{place}: {text}" if place else text


def changed(store: Store, document: Document, given: Fields) -> Document:
    """The document with the given fields laid over it and a new `updatedAt`."""
    document.update(given)
    if "updatedAt" not in given:
        document["updatedAt"] = max(store.clock.now(), document["createdAt"])
    return document


def existing(store: Store, kind: str, identity: int) -> Document:
    """The record of that kind and number. Raises MissingError when there is none."""
    document = store.database.document(kind, identity)
    if document is None:
        raise MissingError(f"no {kind} {identity}")
    return document


def new_identity(store: Store, kind: str, given: Fields) -> int:
    """The id that is given, else the next free one. Raises ChangeError when it is taken."""
    identity = given.pop("id", None)
    if identity is None:
        return store.new_id(kind)
    if store.database.exists(kind, identity):
        raise ChangeError(f"{kind} {identity} exists already")
    return int(identity)
