"""What the UI says of each table before anything ran: columns, owners, sources, freshness."""

import inspect
from datetime import timedelta

import dagster as dg
from dagster import LocalFileCodeReference
from sqlalchemy.dialects import postgresql

from shopify_pipeline.entities import Entity
from shopify_pipeline.warehouse.tables import Table

GROUP = "shopify"
OPERATIONS = "operations"
OWNERS = ["team:data"]

FRESHNESS = dg.FreshnessPolicy.time_window(
    warn_window=timedelta(minutes=100), fail_window=timedelta(hours=3)
)
"""The hourly run may be late by a retry; two that are missing are worth a look, three an alarm."""

BOOKKEEPING = {
    "id": ("uuid", "Identifies the row here; UUID version 7."),
    "deleted_at": ("timestamptz", "When Shopify deleted it; its values are kept."),
    "synced_at": ("timestamptz", "When this row was last written here."),
    "observed_at": ("timestamptz", "Not later than the moment at which the source saw this."),
    "complete_at": ("timestamptz", "The updated_at of the last complete read."),
}
"""What every table has besides the entity's own columns."""

ADMIN_API = dg.AssetSpec(
    ["shopify", "admin_api"],
    description=(
        "The store itself, over Shopify's GraphQL Admin API. "
        "[Its documentation](https://shopify.dev/docs/api/admin-graphql)."
    ),
    group_name=GROUP,
    owners=OWNERS,
    kinds={"shopify", "graphql"},
    tags={"domain": "commerce"},
)


WEBHOOK_INBOX_KEY = dg.AssetKey(["shopify", "webhook_inbox"])


def asset_key(entity: Entity) -> dg.AssetKey:
    """The asset of an entity's table."""
    return dg.AssetKey(["shopify", entity.name])


def table_spec(entity: Entity) -> dg.AssetSpec:
    """The asset of an entity's table, below what it is read with or from."""
    owner = entity.registry[entity.owner.entity] if entity.owner else None
    personal = any(column.personal for column in entity.table.columns)
    return dg.AssetSpec(
        asset_key(entity),
        deps=[asset_key(owner)] if owner else [ADMIN_API.key, WEBHOOK_INBOX_KEY],
        description=_description(entity),
        group_name=GROUP,
        owners=OWNERS,
        kinds={"shopify", "postgres"},
        tags={"domain": "commerce", "personal_data": str(personal).lower()},
        freshness_policy=FRESHNESS,
        metadata={
            "dagster/table_name": f"public.{entity.table_name}",
            "dagster/column_schema": column_schema(entity.table),
            "dagster/code_references": dg.CodeReferencesMetadataValue(
                code_references=_code_references(entity)
            ),
            "admin_api_object": dg.MetadataValue.url(
                f"https://shopify.dev/docs/api/admin-graphql/latest/objects/{entity.gid_type}"
            ),
        },
    )


def column_schema(table: Table) -> dg.TableSchema:
    """The table's columns, with what they mean and whether they hold personal data."""
    columns = [
        dg.TableColumn(
            column.name,
            type=column.type.compile(postgresql.dialect()).lower(),  # type: ignore[no-untyped-call]
            description=column.description,
            constraints=dg.TableColumnConstraints(
                nullable=column.name != table.key, unique=column.name == table.key
            ),
            tags={"personal": ""} if column.personal else {},
        )
        for column in table.columns
    ]
    links = [
        dg.TableColumn(
            link.column,
            type="uuid",
            description=f"The row of {link.parent} whose {link.parent_key} is {link.id_column}.",
        )
        for link in table.all_links
    ]
    bookkeeping = [
        dg.TableColumn(name, type=kind, description=description)
        for name, (kind, description) in BOOKKEEPING.items()
    ]
    return dg.TableSchema(columns=[*columns, *links, *bookkeeping])


def _description(entity: Entity) -> str:
    if entity.owner is None:
        read = "Read by `updated_at`, a day a partition; today's is read again each hour."
    else:
        read = f"Read together with its {entity.owner.entity}, in the same transactions."
    return f"{inspect.getdoc(entity.row)}\n\n{read}"


def _code_references(entity: Entity) -> list[LocalFileCodeReference]:
    return [
        LocalFileCodeReference(
            file_path=inspect.getfile(entity.row),
            line_number=inspect.getsourcelines(entity.row)[1],
            label=f"{entity.row.__name__}: columns and their sources",
        )
    ]
