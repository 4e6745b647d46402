"""A row of a table as a pydantic model: one field a column, each saying where its value stands."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any, Self, TypeVar, cast

from pydantic import BaseModel, ConfigDict, ValidationError, create_model

from shopify_pipeline.entities.types import sql_type
from shopify_pipeline.warehouse.tables import Column

Node = Mapping[str, Any]


class MalformedRecordError(Exception):
    """A record of Shopify's does not have the form its table expects; names record and fields."""


@dataclass(frozen=True)
class Read:
    """Path of the value under the GraphQL node, dotted: `totalPriceSet.shopMoney.amount`."""

    path: str


@dataclass(frozen=True)
class Webhook:
    """Path of the value in the REST-shaped body of a webhook.

    `topics` limits it to those bodies; None means every body of the entity. A null stands for
    "not known" rather than "none" where `null_is_unknown`, and an empty string for null where
    `empty_is_null`: bodies write "" where GraphQL answers null.
    """

    path: str
    topics: frozenset[str] | None = None
    null_is_unknown: bool = False
    empty_is_null: bool = False


@dataclass(frozen=True)
class FromOwner:
    """The value is the Shopify id of the row's owner: an order's lines, a product's variants."""


@dataclass(frozen=True)
class WriteOnce:
    """A value, once stored, is kept though the source forgets it."""


@dataclass(frozen=True)
class Personal:
    """Personal data: never in logs, metadata or previews, and erased by a redaction."""


@dataclass(frozen=True)
class Known:
    """The words of an enumeration that are known; any other is stored too, and a check warns."""

    words: frozenset[str]

    @classmethod
    def of(cls, words: str) -> Self:
        """The words of a text, separated by spaces."""
        return cls(frozenset(words.split()))


@dataclass(frozen=True)
class Drifts:
    """The daily sweep compares the value, besides `updated_at`.

    Either Shopify changes it without `updated_at`, so that no pull sees it, or it is money that
    no sum of other columns proves right.
    """


M = TypeVar("M")


class Row(BaseModel):
    """One row of one table, validated. Fields stand in the order of the columns."""

    model_config = ConfigDict(frozen=True, use_attribute_docstrings=True)

    @classmethod
    def marks(cls, column: str, kind: type[M]) -> list[M]:
        """The marks of one kind (`Read`, `Webhook` …) on a column."""
        return [mark for mark in cls.model_fields[column].metadata if isinstance(mark, kind)]

    @classmethod
    @cache
    def columns(cls) -> tuple[Column, ...]:
        """The table's own columns, as the warehouse describes them."""
        return tuple(
            Column(
                name=name,
                type=sql_type(cls.__annotations__[name]),
                description=field.description or "",
                write_once=bool(cls.marks(name, WriteOnce)),
                personal=bool(cls.marks(name, Personal)),
            )
            for name, field in cls.model_fields.items()
        )

    @classmethod
    @cache
    def read_paths(cls) -> Mapping[str, tuple[str, ...]]:
        """Column to path under the GraphQL node, for the columns that a read carries."""
        return {
            name: tuple(read.path.split("."))
            for name in cls.model_fields
            for read in cls.marks(name, Read)
        }

    @classmethod
    @cache
    def owner_column(cls) -> str | None:
        """The column that holds the owner's Shopify id, None for a table without owner."""
        return next((name for name in cls.model_fields if cls.marks(name, FromOwner)), None)

    @classmethod
    @cache
    def narrowed(cls, columns: frozenset[str]) -> type[BaseModel]:
        """The model of rows that carry only these columns, in the same order."""
        if columns == frozenset(cls.model_fields):
            return cls
        fields: dict[str, Any] = {
            name: (Annotated[field.annotation, *field.metadata], ...)
            for name, field in cls.model_fields.items()
            if name in columns
        }
        narrow: type[BaseModel] = create_model(cls.__name__, **fields)
        return narrow

    @classmethod
    def read_values(
        cls, node: Node, *, columns: Sequence[str], owner: int | None = None
    ) -> tuple[Any, ...]:
        """Validate a GraphQL node and return its values in the order of `columns`.

        Raises:
            MalformedRecordError: the answer lacks a field it was asked for, or a value is not
                of its column's type.
        """
        paths = cls.read_paths()
        try:
            found = {
                name: cls._at(node, paths[name]) if name in paths else owner for name in columns
            }
        except KeyError as missing:
            raise MalformedRecordError(
                f"{cls.__name__} {node.get('id')}: Shopify's answer lacks the field {missing}. "
                "Nothing of it was written."
            ) from None
        return cls._validated(found, str(node.get("id")))

    @classmethod
    def from_graphql(cls, node: Node, *, owner: int | None = None) -> Self:
        """Read a whole row from a GraphQL node that selects every column's path.

        Raises:
            MalformedRecordError: as `read_values`.
        """
        carried = [n for n in cls.model_fields if n in cls.read_paths() or n == cls.owner_column()]
        values = cls.read_values(node, columns=carried, owner=owner)
        found = dict(zip(carried, values, strict=True))
        whole = cls.model_construct(None, **{name: found.get(name) for name in cls.model_fields})
        return cast("Self", whole)

    @classmethod
    def from_webhook(cls, topic: str, body: Node, *, owner: int | None = None) -> dict[str, Any]:
        """Read from a webhook's body the columns that it truly carries, validated.

        Raises:
            MalformedRecordError: a value is not of its column's type.
        """
        found: dict[str, Any] = {}
        for name in cls.model_fields:
            if cls.marks(name, FromOwner) and owner is not None:
                found[name] = owner
            for mark in cls.marks(name, Webhook):
                if mark.topics is not None and topic not in mark.topics:
                    continue
                try:
                    value = cls._at(body, tuple(mark.path.split(".")))
                except KeyError:
                    continue
                if value == "" and mark.empty_is_null:
                    value = None
                if value is None and mark.null_is_unknown:
                    continue
                found[name] = value
        values = cls._validated(found, f"in {topic} {body.get('id')}")
        return dict(zip((n for n in cls.model_fields if n in found), values, strict=True))

    @classmethod
    def _validated(cls, found: dict[str, Any], record: str) -> tuple[Any, ...]:
        try:
            row = cls.narrowed(frozenset(found)).model_validate(found)
        except ValidationError as error:
            wrong = "; ".join(
                f"{'.'.join(map(str, problem['loc']))}: {problem['msg']}"
                for problem in error.errors(include_input=False, include_url=False)
            )
            raise MalformedRecordError(f"{cls.__name__} {record}: {wrong}") from None
        return tuple(row.__dict__.values())

    @classmethod
    def _at(cls, node: Node, path: tuple[str, ...]) -> Any:
        """The value at the path; None where an object on the way is null, KeyError where absent."""
        found: Any = node
        for step in path:
            if found is None:
                return None
            if not isinstance(found, dict):
                raise MalformedRecordError(
                    f"{cls.__name__} {node.get('id')}: expected objects on the way to "
                    f"{'.'.join(path)}, found a {type(found).__name__}. Nothing of it was written."
                )
            found = found[step]
        return found
