"""What events tell: figures that plot, tables to read, a preview without personal data."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

import dagster as dg
import pandas as pd
import sqlalchemy as sa

from shopify_pipeline.entities import Entity
from shopify_pipeline.sync.report import PullReport
from shopify_pipeline.warehouse.counts import row_count
from shopify_pipeline.warehouse.rows import MergeCounts
from shopify_pipeline.warehouse.tables import Table

Metadata = dict[str, Any]

PREVIEWED_ROWS = 5
PREVIEWED_COLUMNS = 9


def merge_metadata(counts: MergeCounts) -> Metadata:
    """What became of the rows of one table."""
    return {
        "rows_inserted": counts.inserted,
        "rows_updated": counts.updated,
        "rows_unchanged": counts.unchanged,
        "rows_stale": counts.stale,
        "rows_deleted": counts.deleted,
    }


def pull_metadata(entity: Entity, report: PullReport) -> Metadata:
    """What a pull did to one table, and what it cost; the API's figures are the whole family's."""
    counts = report.counts.get(entity.table_name, MergeCounts())
    checkpoint = report.checkpoint
    return {
        **merge_metadata(counts),
        "window_start": dg.MetadataValue.timestamp(report.window.start),
        "window_end": dg.MetadataValue.timestamp(report.window.end),
        **({"checkpoint": dg.MetadataValue.timestamp(checkpoint)} if checkpoint else {}),
        "api_calls": report.api.calls,
        "api_points": float(report.api.points),
        "api_retries": report.api.retries,
        "throttle_wait_seconds": round(report.api.throttle_wait_seconds, 1),
        "links_resolved": report.links_resolved,
        "queued_for_refresh": report.queued,
    }


def table_metadata(connection: sa.Connection, table: Table) -> Metadata:
    """The table's row count and its newest rows."""
    return {
        "dagster/row_count": row_count(connection, table),
        "preview": dg.MetadataValue.md(preview(connection, table)),
    }


def preview(connection: sa.Connection, table: Table) -> str:
    """The rows that were inserted last, as a Markdown table of columns that hold no personal data.

    Their ids grow with time, so that the newest are found by the primary key's index.
    """
    names = [column.name for column in table.columns if not column.personal][:PREVIEWED_COLUMNS]
    query = (
        sa.select(*(table.sql.c[name] for name in names))
        .order_by(table.sql.c.id.desc())
        .limit(PREVIEWED_ROWS)
    )
    return markdown(connection.execute(query).mappings().all(), columns=names)


def table(rows: Iterable[Mapping[str, Any]]) -> dg.TableMetadataValue:
    """Rows as a table that the UI shows in its place; Markdown it hides behind a link."""
    found = list(rows)
    columns = dict.fromkeys(name for row in found for name in row)
    return dg.MetadataValue.table(
        [dg.TableRecord({name: _cell(row.get(name)) for name in columns}) for row in found]
    )


def _cell(value: Any) -> str:
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M:%S}"
    return "" if value is None else str(value)


def markdown(rows: "list[Any] | Any", *, columns: list[str]) -> str:
    """Rows as a Markdown table, ids and money as they are, without a float on the way."""
    if not rows:
        return "No rows yet."
    records: list[Mapping[str, Any]] = [dict(row) for row in rows]
    frame = pd.DataFrame.from_records(records, columns=columns).astype(object)
    return str(
        frame.map(lambda value: "" if value is None else str(value)).to_markdown(
            index=False, disable_numparse=True
        )
    )
