"""Bulk operations: submitting, running over time, results, cancelling, expiring.

https://shopify.dev/docs/api/usage/bulk-operations/queries
"""

from __future__ import annotations

import asyncio
import secrets
import tempfile
from pathlib import Path
from typing import Any, BinaryIO

import orjson

from shopify_pipeline.demo.store import bulk_rules, validation
from shopify_pipeline.demo.store.bulk_export import BulkExport
from shopify_pipeline.demo.store.bulk_files import LIFETIME, address_of, drop_last_lines
from shopify_pipeline.demo.store.clock import SECOND, precise
from shopify_pipeline.demo.store.database import Document
from shopify_pipeline.demo.store.execution import Execution, FieldCall, FieldError, Resolver, Source
from shopify_pipeline.demo.store.faults import Fault, FaultPlan
from shopify_pipeline.demo.store.identifiers import number_of
from shopify_pipeline.demo.store.listings import condition_of
from shopify_pipeline.demo.store.paging import Page, PagingError, decode_cursor, encode_cursor
from shopify_pipeline.demo.store.paging import window as page_window
from shopify_pipeline.demo.store.schemas import schema_of
from shopify_pipeline.demo.store.store import Store

TERMINAL = frozenset({"COMPLETED", "CANCELED", "FAILED", "EXPIRED"})
CONCURRENT = 5
START_DELAY = 0.15


class BulkOperations:
    """The shop's bulk operations, at most five at a time (one before 2026-01)."""

    def __init__(self, store: Store, faults: FaultPlan, resolvers: dict[str, Resolver]) -> None:
        self._store = store
        self._faults = faults
        self._resolvers = resolvers
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._temporary: tempfile.TemporaryDirectory[str] | None = None
        directory = store.database.directory
        if directory is None:
            self._temporary = tempfile.TemporaryDirectory(prefix="store-bulk-")
            self._directory = Path(self._temporary.name)
        else:
            self._directory = directory / "bulk"
            self._directory.mkdir(exist_ok=True)
        for document in self._documents("status IN ('CREATED', 'RUNNING', 'CANCELING')"):
            self._end(document, "FAILED", error="INTERNAL_SERVER_ERROR")

    def resolvers(self) -> dict[str, Resolver]:
        """The resolvers of every field about bulk operations."""
        return {
            "QueryRoot.bulkOperation": self._by_id,
            "QueryRoot.bulkOperations": self._list,
            "QueryRoot.currentBulkOperation": self._current,
            "Mutation.bulkOperationRunQuery": self._run_query,
            "Mutation.bulkOperationCancel": self._cancel,
            "BulkOperation.url": self._url("url"),
            "BulkOperation.partialDataUrl": self._url("partialDataUrl"),
        }

    def close(self) -> None:
        """Stop what runs and remove temporary files."""
        for task in self._tasks.values():
            task.cancel()
        if self._temporary is not None:
            self._temporary.cleanup()

    def file_of(self, name: str) -> tuple[Path, Document] | None:
        """The result file under its secret name, with its operation; None when expired."""
        for document in self._documents("1"):
            if document.get("file") == name and document["status"] != "EXPIRED":
                return self._directory / name, document
        return None

    # -- records

    def _documents(self, condition: str, values: tuple[Any, ...] = ()) -> list[Document]:
        limit = self._store.clock.now() - LIFETIME
        expired = self._store.database.rows(
            "SELECT doc FROM bulk WHERE status = 'COMPLETED' AND completed_at < ?", (limit,)
        )
        for (doc,) in expired:
            self._keep(orjson.loads(doc) | {"status": "EXPIRED", "url": None})
        found = self._store.database.rows(
            f"SELECT doc FROM bulk WHERE {condition} ORDER BY created_at DESC, id DESC",  # noqa: S608
            values,
        )
        return [orjson.loads(doc) for (doc,) in found]

    def _keep(self, document: Document) -> None:
        self._store.database.execute(
            "INSERT OR REPLACE INTO bulk VALUES (?, ?, ?, ?, ?, ?)",
            (
                document["id"],
                document["createdAt"],
                document["completedAt"],
                document["status"],
                document["type"],
                orjson.dumps(document),
            ),
        )

    def get(self, identity: int) -> Document | None:
        """An operation by its number."""
        found = self._documents("id = ?", (identity,))
        return found[0] if found else None

    # -- reading

    def _by_id(self, source: Source, call: FieldCall, execution: Execution) -> Document | None:
        identity = number_of(call.arguments["id"], "BulkOperation")
        if identity is None:
            raise FieldError(f"Invalid id: {call.arguments['id']}", code="RESOURCE_NOT_FOUND")
        return self.get(identity)

    def _current(self, source: Source, call: FieldCall, execution: Execution) -> Document | None:
        found = self._documents("type = ?", (call.arguments.get("type") or "QUERY",))
        return found[0] if found else None

    def _list(self, source: Source, call: FieldCall, execution: Execution) -> Page:
        try:
            size, backward = page_window(call.arguments)
        except PagingError as error:
            raise FieldError(str(error), code="BAD_REQUEST") from None
        condition = condition_of(
            "bulk", call.arguments.get("query"), call, execution, fields="bulk"
        )
        found = self._documents(condition.sql, tuple(condition.values))
        by_completion = call.arguments.get("sortKey") == "COMPLETED_AT"
        name = "completedAt" if by_completion else "createdAt"
        if by_completion:
            found.sort(key=lambda one: (one[name] or 0, one["id"]), reverse=True)
        if call.arguments.get("reverse"):
            found.reverse()
        places = {one["id"]: place for place, one in enumerate(found)}
        start, end = 0, len(found)
        try:
            if call.arguments.get("after"):
                start = places.get(decode_cursor(call.arguments["after"])[0], -1) + 1
            if call.arguments.get("before"):
                end = places.get(decode_cursor(call.arguments["before"])[0], len(found))
        except PagingError as error:
            raise FieldError(str(error), code="BAD_REQUEST") from None
        if backward:
            start = max(start, end - size)
        else:
            end = min(end, start + size)

        def cursor(one: Document) -> str:
            return encode_cursor(one["id"], precise(one[name] or 0))

        return Page(found[start:end], cursor, end < len(found), start > 0)

    def _url(self, name: str) -> Resolver:
        def resolve(document: Source, call: FieldCall, execution: Execution) -> str | None:
            if not document.get(name):
                return None
            return address_of(document, execution.memory.get("base_url", "http://127.0.0.1"))

        return resolve

    # -- submitting and cancelling

    def _run_query(self, source: Source, call: FieldCall, execution: Execution) -> Document:
        text = call.arguments["query"]
        running = self._documents("status IN ('CREATED', 'RUNNING', 'CANCELING')")
        allowed = CONCURRENT if execution.version >= "2026-01" else 1
        errors = bulk_rules.refusals(schema_of(execution.version), text)
        if not errors and len(running) >= allowed:
            gids = ", ".join(
                f"gid://shopify/BulkOperation/{one['id']}" for one in reversed(running)
            )
            message = (
                f"A bulk query operation for this app and shop is already in progress: {gids}."
            )
            errors = [{"field": None, "message": message, "code": "OPERATION_IN_PROGRESS"}]
        if errors:
            return {"bulkOperation": None, "userErrors": errors}
        grouped = call.arguments["groupObjects"]
        if execution.version < "2026-01" and "groupObjects" not in call.given:
            grouped = True
        document: Document = {
            "id": self._store.new_id("bulk"),
            "status": "CREATED",
            "type": "QUERY",
            "errorCode": None,
            "createdAt": self._store.clock.now(),
            "completedAt": None,
            "objectCount": 0,
            "rootObjectCount": 0,
            "fileSize": None,
            "url": None,
            "partialDataUrl": None,
            "query": text,
            "file": secrets.token_hex(14),
        }
        self._keep(document)
        fault = self._faults.next("bulk", text)
        work = self._work(document["id"], text, execution.version, grouped=grouped, fault=fault)
        self._tasks[document["id"]] = asyncio.get_running_loop().create_task(work)
        return {"bulkOperation": document, "userErrors": []}

    def _cancel(self, source: Source, call: FieldCall, execution: Execution) -> Document:
        identity = number_of(call.arguments["id"], "BulkOperation")
        document = None if identity is None else self.get(identity)
        if document is None:
            error = {"field": ["id"], "message": "Bulk operation does not exist"}
            return {"bulkOperation": None, "userErrors": [error]}
        if document["status"] in TERMINAL:
            word = document["status"].lower()
            message = f"A bulk operation cannot be canceled when it is {word}"
            return {
                "bulkOperation": document,
                "userErrors": [{"field": None, "message": message}],
            }
        document["status"] = "CANCELING"
        self._keep(document)
        return {"bulkOperation": document, "userErrors": []}

    # -- running

    async def _work(
        self, identity: int, text: str, version: str, *, grouped: bool, fault: Fault | None
    ) -> None:
        kind, options = (fault.kind, fault.options) if fault else ("", {})
        await asyncio.sleep(START_DELAY)
        if kind == "bulk_slow":
            await self._wait(identity, float(options.get("seconds", 60)))
        document = self.get(identity)
        if document is None:
            return
        stop_after = int(options.get("after", 0)) if kind in _ENDINGS else None
        parsed = validation.parsed(text)
        path = self._directory / document["file"]
        try:
            if isinstance(parsed, list):
                raise FieldError("the query does not parse")  # noqa: TRY301
            export = BulkExport(
                self._store, self._resolvers, parsed, version=version, grouped=grouped
            )
            with path.open("wb") as file:
                whole = await self._write(document, export, file, stop_after)
        except FieldError as error:
            code = error.extensions.get("code")
            code = "ACCESS_DENIED" if code == "ACCESS_DENIED" else "INTERNAL_SERVER_ERROR"
            self._end(document, "FAILED", error=code)
            return
        except Exception:
            self._end(document, "FAILED", error="INTERNAL_SERVER_ERROR")
            raise
        document["fileSize"] = path.stat().st_size or None
        some = document["objectCount"] > 0
        if kind == "bulk_missing_lines":
            drop_last_lines(path, int(options.get("count_missing", 1)))
        if kind in _ENDINGS:
            partial = some and bool(options.get("partial", True))
            code = str(options.get("error_code", "INTERNAL_SERVER_ERROR"))
            failed = kind == "bulk_failed"
            self._end(
                document,
                "FAILED" if failed else "CANCELED",
                error=code if failed else None,
                partial=partial,
            )
        elif not whole:
            self._end(document, "CANCELED", partial=some)
        else:
            document["url"] = some
            self._end(document, "COMPLETED")

    async def _wait(self, identity: int, seconds: float) -> None:
        document = self.get(identity)
        if document is None or document["status"] == "CANCELING":
            return
        document["status"] = "RUNNING"
        self._keep(document)
        until = self._store.clock.now() + int(seconds * SECOND)
        while self._store.clock.now() < until:
            await asyncio.sleep(0.05)
            now = self.get(identity)
            if now is None or now["status"] == "CANCELING":
                return

    async def _write(
        self, document: Document, export: BulkExport, file: BinaryIO, stop_after: int | None
    ) -> bool:
        """Write all batches; False when the operation was canceled or stopped on the way."""
        identity = document["id"]
        for roots, lines in export.batches():
            now = self.get(identity)
            if now is None or now["status"] == "CANCELING":
                return False
            if stop_after is not None and document["objectCount"] >= stop_after:
                return False
            file.write(b"".join(lines))
            document["status"] = "RUNNING"
            document["objectCount"] += len(lines)
            document["rootObjectCount"] += roots
            self._keep(document)
            await asyncio.sleep(0)
        await asyncio.sleep(START_DELAY)
        now = self.get(identity)
        return now is not None and now["status"] != "CANCELING"

    def _end(
        self, document: Document, status: str, *, error: str | None = None, partial: bool = False
    ) -> None:
        document["status"] = status
        document["errorCode"] = error
        document["partialDataUrl"] = partial
        if status != "CANCELED":
            document["completedAt"] = self._store.clock.now()
        self._keep(document)
        self._store.tell("bulk", "bulk_operations/finish", document)


_ENDINGS = frozenset({"bulk_failed", "bulk_canceled"})
