"""Lists the ids and versions of what a store holds, for the tables to be compared with."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import orjson

from shopify_pipeline.admin_api.bulk_wait import submit_when_free, wait
from shopify_pipeline.admin_api.download import Download
from shopify_pipeline.admin_api.errors import ResultIncompleteError
from shopify_pipeline.admin_api.pages import pages
from shopify_pipeline.entities import Entity
from shopify_pipeline.sync.context import SyncContext
from shopify_pipeline.sync.counts import count, exact
from shopify_pipeline.sync.queries import Filter
from shopify_pipeline.sync.reconcile_queries import (
    counted_children,
    drifting_columns,
    sweep_bulk_query,
    sweep_page_query,
)
from shopify_pipeline.sync.window import Window
from shopify_pipeline.sync.window_read import READS, ShortfallError
from shopify_pipeline.warehouse.reconciliation import swept

BATCH = 5_000

Node = dict[str, Any]
Tell = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class Swept:
    """A complete listing: its rows, how it was made, and since when it speaks for the store."""

    sweep: UUID
    entity: Entity
    window: Window
    seen_at: datetime
    how: str
    ids: int


def sweep(
    sync: SyncContext, entity: Entity, window: Window, *, on_progress: Tell = lambda _: None
) -> Swept:
    """List what was created in the window, by pages or, above the threshold, by a bulk operation.

    Raises:
        ShortfallError: Shopify counts more records than it lists.
        ResultIncompleteError: the bulk file is not whole.
        AdminApiError: Shopify could not be asked, or not be trusted.
    """
    work = _Sweep(sync, entity, window, on_progress)
    try:
        work.run()
    except BaseException:
        forget(sync, work.done)
        raise
    return work.done


def forget(sync: SyncContext, done: Swept) -> None:
    """Remove the listing."""
    with sync.database.transaction() as connection:
        swept.forget(connection, done.sweep)


class _Sweep:
    """One sweep in progress."""

    def __init__(self, sync: SyncContext, entity: Entity, window: Window, tell: Tell) -> None:
        assert entity.connection is not None  # noqa: S101
        self._sync = sync
        self._entity = entity
        self._tell = tell
        self._drifting = drifting_columns(entity, sync.omit)
        self._totals = [
            tuple(child.owner.total.split("."))
            for child in counted_children(entity)
            if child.owner and child.owner.total
        ]
        asked = window.in_whole_days() if entity.connection.whole_days else window
        self._filter: Filter = asked.created(entity.connection)
        self._connection = entity.connection
        self.done = Swept(
            sweep=uuid4(), entity=entity, window=window, seen_at=sync.api.now(), how="pages", ids=0
        )

    def run(self) -> None:
        opening = count(self._sync.api, self._entity, self._filter)
        if opening.records > self._sync.bulk_threshold:
            self._by_bulk()
        else:
            self._by_pages(opening.answer.sent_at)
        with self._sync.database.transaction() as connection:
            swept.analyze(connection)

    def _by_pages(self, seen_at: datetime) -> None:
        self.done = replace(self.done, seen_at=seen_at)
        seen: set[str] = set()
        expected = 0
        for _ in range(READS):
            ready: list[Node] = []
            for page in pages(
                self._sync.api,
                sweep_page_query(self._entity, self._sync.omit, self._filter.sort_key),
                self._filter.variables,
                connection_path=self._connection.field,
            ):
                expected = exact(self._entity, page.answer.data["count"])
                # Pages that move while they are read list a record twice, as does a second read.
                ready += [node for node in page.nodes if node["id"] not in seen]
                seen.update(node["id"] for node in page.nodes)
                if len(ready) >= BATCH:
                    self._keep(ready)
                    ready = []
            self._keep(ready)
            if len(seen) >= expected:
                return
        raise self._short(expected, len(seen))

    def _by_bulk(self) -> None:
        api = self._sync.api
        query = sweep_bulk_query(self._entity, self._sync.omit, self._filter)
        submitted = submit_when_free(api, query, on_wait=self._waiting)
        operation = wait(api, submitted.gid)
        self.done = replace(self.done, seen_at=operation.created_at, how="bulk")
        listed = 0
        if (url := operation.result_url) is not None:
            download = Download(
                url,
                file_size=operation.file_size,
                expected_lines=operation.object_count,
                on_wait=self._waiting,
            )
            ready: list[Node] = []
            for lines in download.batches():
                ready += map(orjson.loads, lines)
                if len(ready) >= BATCH:
                    listed += len(ready)
                    self._keep(ready)
                    ready = []
                    self._tell(f"{self._entity.name}: {listed} ids of {operation.object_count}")
            listed += len(ready)
            self._keep(ready)
        if listed != operation.root_object_count:
            raise ResultIncompleteError(
                f"{self._entity.name}: the bulk file lists {listed} records, Shopify speaks of "
                f"{operation.root_object_count}. Nothing was compared; run again."
            )
        closing = count(api, self._entity, self._filter)
        if listed < closing.records:
            # What was created since is not in the file; that it is so much is not likely.
            since = Window(operation.created_at, api.now()).created(self._connection)
            if listed + count(api, self._entity, since).records < closing.records:
                raise self._short(closing.records, listed)

    def _short(self, expected: int, listed: int) -> ShortfallError:
        return ShortfallError(
            f"{self._entity.name}: Shopify counts {expected} records and lists {listed}. Nothing "
            "was compared, nothing deleted. Run again in some minutes: its index may lag."
        )

    def _waiting(self, reason: str, seconds: float) -> None:
        self._tell(f"{self._entity.name}: {reason}; asking again in {seconds:.0f} s")

    def _keep(self, nodes: Sequence[Node]) -> None:
        if not nodes:
            return
        rows = list(self._rows(nodes))
        self._sync.database.retrying(lambda connection: swept.store(connection, rows))
        self.done = replace(self.done, ids=self.done.ids + len(rows))
        self._tell(f"{self._entity.name}: {self.done.ids} ids listed")

    def _rows(self, nodes: Iterable[Node]) -> Iterable[tuple[Any, ...]]:
        entity = self._entity
        columns = (entity.key, "updated_at", *self._drifting)
        paths = {entity.key: ("id",), "updated_at": ("updatedAt",)}
        known = {**entity.row.read_paths(), **paths}
        model = entity.row.narrowed(frozenset(columns))
        order = [name for name in entity.row.model_fields if name in columns]
        for node in nodes:
            row = model.model_validate({name: _at(node, known[name]) for name in order})
            values = row.__dict__
            yield (
                self.done.sweep,
                values[entity.key],
                values["updated_at"],
                [_text(values[name]) for name in self._drifting],
                [_at(node, path) for path in self._totals],
            )


def _at(node: Any, path: Sequence[str]) -> Any:
    for step in path:
        if node is None:
            return None
        node = node[step]
    return node


def _text(value: Any) -> str:
    if value is None:
        return swept.NULL
    return format(value, "f") if isinstance(value, Decimal) else str(value)
