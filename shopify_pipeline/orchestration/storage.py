"""Dagster's Postgres storage, over any Postgres URL; named in `dagster.yaml`."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Self

import dagster as dg
from dagster._core.storage.event_log.schema import SqlEventLogStorageTable
from dagster._serdes import ConfigurableClassData
from dagster_postgres import DagsterPostgresStorage, PostgresEventLogStorage
from dagster_postgres.utils import pg_url_from_config


def psycopg2_url(url: str) -> str:
    """The URL with the driver that dagster-postgres is written for.

    SQLAlchemy 2.1 takes a plain `postgresql://` for psycopg 3, with which dagster-postgres fails
    at its first event (dagster-io/dagster#33958); SQLAlchemy refuses `postgres://`.
    """
    return re.sub(r"^postgres(ql)?(\+\w+)?://", "postgresql+psycopg2://", url.strip())


class EventLog(PostgresEventLogStorage):
    """Dagster's event log, which plans a run over many partitions in batches, too.

    The original writes batches of materializations at once, and those that are planned one by one:
    20 ms each, or two minutes before a backfill of three years begins.
    """

    def store_event_batch(self, events: Sequence[dg.EventLogEntry]) -> None:
        """Store events as they are, those of planned materializations in one statement."""
        planned = {dg.DagsterEventType.ASSET_MATERIALIZATION_PLANNED}
        if {event.dagster_event_type for event in events} != planned:
            super().store_event_batch(events)
            return
        insert = self.prepare_insert_event_batch(events)
        with self._connect() as connection:
            ids = connection.execute(insert.returning(SqlEventLogStorageTable.c.id)).scalars().all()
        latest = {
            event.get_dagster_event().asset_key: (event, number)
            for event, number in zip(events, ids, strict=True)
        }
        with self.index_transaction() as connection:
            for event, number in latest.values():
                self._store_asset_event(connection, event, number)


class PostgresStorage(DagsterPostgresStorage):
    """`DagsterPostgresStorage`, whatever driver its URL names or leaves out."""

    def __init__(
        self,
        postgres_url: str,
        should_autocreate_tables: bool = True,
        inst_data: ConfigurableClassData | None = None,
    ) -> None:
        super().__init__(postgres_url, should_autocreate_tables, inst_data)
        self._event_log_storage = EventLog(postgres_url, should_autocreate_tables)

    @classmethod
    def from_config_value(
        cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]
    ) -> Self:
        """Build the storage from the config in `dagster.yaml`."""
        return cls(
            postgres_url=psycopg2_url(pg_url_from_config(config_value)),
            should_autocreate_tables=config_value.get("should_autocreate_tables", True),
            inst_data=inst_data,
        )
