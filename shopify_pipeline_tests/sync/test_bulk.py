"""Bulk operations: the same tables as by pages, whatever happens to operation and file."""

import math
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import httpx
import orjson
import psycopg
import pytest

from shopify_pipeline.admin_api import bulk
from shopify_pipeline.admin_api.bulk_operation import BulkOperation
from shopify_pipeline.admin_api.download import Download
from shopify_pipeline.admin_api.errors import BulkFailedError
from shopify_pipeline.entities import ENTITIES, ROOTS, Entity, MalformedRecordError
from shopify_pipeline.entities.line_pattern import short_names
from shopify_pipeline.sync import bulk as bulk_read
from shopify_pipeline.sync import families, window_read
from shopify_pipeline.sync.bulk import BulkRead
from shopify_pipeline.sync.context import SyncContext, open_sync
from shopify_pipeline.sync.line_parser import LineParser, Parsed
from shopify_pipeline.sync.pull import pull
from shopify_pipeline.sync.queries import bulk_query, selected
from shopify_pipeline.sync.records import FamilyReader
from shopify_pipeline.sync.refresh import drain_refresh_queue
from shopify_pipeline.sync.report import Progress
from shopify_pipeline.sync.window import Window
from shopify_pipeline.sync.window_read import ShortfallError
from shopify_pipeline.warehouse import bulk_parking
from shopify_pipeline_tests.simulated import SimulatedStore
from shopify_pipeline_tests.sync.conftest import OpenSync, everything, pull_all, settings_for
from shopify_pipeline_tests.truth import differences

ORDERS = ENTITIES["orders"]

ParsedAs = Callable[[Callable[[Parsed], Parsed]], None]


@pytest.fixture
def sync(store: SimulatedStore, database_url: str, opened: OpenSync) -> SyncContext:
    """A synchronisation that reads every window by a bulk operation."""
    return opened(store, database_url, bulk_threshold=0)


@pytest.fixture
def torn(monkeypatch: pytest.MonkeyPatch) -> None:
    """No family comes together before the end of its file."""
    monkeypatch.setattr(families, "MAX_OPEN", 0)
    monkeypatch.setattr(families.Family, "is_whole", False)


@pytest.fixture
def parsed_as(monkeypatch: pytest.MonkeyPatch) -> ParsedAs:
    """Has every line of a bulk file mean something else than it says."""

    def arrange(change: Callable[[Parsed], Parsed]) -> None:
        parse = LineParser.parse

        def parsed(self: LineParser, line: bytes) -> Parsed | None:
            return (said := parse(self, line)) and change(said)

        monkeypatch.setattr(LineParser, "parse", parsed)

    return arrange


def having_no_children(said: Parsed) -> Parsed:
    member, number, tally, updated, made = said
    return member, number, tally if member else (0.0,) * len(tally), updated, made


def parser_of(operation: BulkOperation, entity: Entity = ORDERS) -> LineParser:
    """What parses the lines of an operation's file."""
    return LineParser(FamilyReader(entity, observed_at=operation.created_at, omit=frozenset()))


def short(name: str, entity: Entity = ORDERS) -> str:
    """The name under which a bulk file holds a field of an entity."""
    return short_names(selected(entity, totals=True))[name]


def claims(database_url: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(database_url) as connection:
        query = "SELECT entity, gid, outcome FROM shopify_internal.bulk_claims ORDER BY claimed_at"
        return connection.execute(query).fetchall()


def parked(database_url: str) -> int:
    with psycopg.connect(database_url) as connection:
        left = connection.execute("SELECT count(*) FROM shopify_internal.bulk_parked").fetchone()
    assert left is not None
    return int(left[0])


def refuse(_: int) -> None:
    raise ShortfallError("not so many")


def ended_operation(sync: SyncContext, entity: Entity = ORDERS) -> tuple[BulkRead, BulkOperation]:
    """An operation over all records, claimed by a run that then went no further."""
    window = everything(sync)
    now = Window(window.start, sync.api.now())
    reading = BulkRead(
        sync=sync, entity=entity, purpose="updated", asked=window, tell=lambda _: None
    )
    assert entity.connection is not None
    query = bulk_query(entity, frozenset(), now.updated(entity.connection))
    return reading, reading.run(reading.claim(now, query), query, adopt=False)


def test_a_bulk_load_makes_every_table_equal_to_the_store(
    store: SimulatedStore, database_url: str, sync: SyncContext
) -> None:
    reports = pull_all(sync)
    assert differences(store.url, database_url) == []
    assert [outcome for _, _, outcome in claims(database_url)] == ["merged"] * len(ROOTS)
    assert all(report.checkpoint is not None for report in reports)


def test_nearly_every_line_is_read_the_fast_way(
    store: SimulatedStore, sync: SyncContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    careful: list[str] = []
    read_carefully = families.Families._read_carefully

    def noted(self: families.Families, family: families.Family) -> None:
        careful.append(family.number)
        read_carefully(self, family)

    monkeypatch.setattr(families.Families, "_read_carefully", noted)
    reports = pull_all(sync)
    assert len(careful) < sum(report.records for report in reports) / 50


def test_values_of_an_unusual_form_end_as_pydantic_reads_them(
    store: SimulatedStore, database_url: str, sync: SyncContext, parsed_as: ParsedAs
) -> None:
    parsed_as(lambda said: (*said[:4], None))
    pull_all(sync)
    assert differences(store.url, database_url) == []


def test_the_setting_says_which_windows_are_read_by_bulk_operations(
    store: SimulatedStore, database_url: str
) -> None:
    for threshold, operations in ((10_000, 0), (0, 1)):
        settings = settings_for(store, database_url).model_copy(
            update={"shopify_bulk_threshold": threshold}
        )
        with open_sync(settings, application_name="tests") as joined:
            pull(joined, ORDERS, everything(joined))
        assert len(claims(database_url)) == operations


def test_a_repeated_bulk_load_writes_nothing(sync: SyncContext) -> None:
    pull_all(sync)
    reports = pull_all(sync)
    assert sum(c.written for report in reports for c in report.counts.values()) == 0
    assert sum(c.unchanged for report in reports for c in report.counts.values()) > 0


@pytest.mark.usefixtures("torn")
def test_families_torn_apart_in_the_file_come_together(
    store: SimulatedStore, database_url: str, sync: SyncContext
) -> None:
    pull_all(sync)
    assert differences(store.url, database_url) == []
    assert parked(database_url) == 0


def test_no_family_is_torn_by_a_total_that_leaves_lines_out(sync: SyncContext) -> None:
    _, operation = ended_operation(sync)
    assert operation.result_url is not None
    nodes = [orjson.loads(line) for line in httpx.get(operation.result_url).iter_lines()]
    edited, total = short("edited"), short("subtotalLineItemsQuantity")
    for node in nodes:
        if node.get(edited) is True:
            node[total] -= 1
    assert any(node.get(edited) is True for node in nodes)
    parser = parser_of(operation)
    together = families.Families(parser)
    # Children far from their parents: a family is whole when it has as many as it says.
    lines = [orjson.dumps(node) for node in sorted(nodes, key=lambda node: "__parentId" in node)]
    together.add(lines)
    assert len(together.take_whole()) > together.roots / 2
    assert together.torn == []


def test_a_record_called_whole_too_early_is_not_so_if_the_run_ends_there(
    database_url: str, sync: SyncContext, monkeypatch: pytest.MonkeyPatch, parsed_as: ParsedAs
) -> None:
    def killed(*_: Any) -> None:
        raise KeyboardInterrupt

    parsed_as(having_no_children)
    monkeypatch.setattr(bulk_read, "BATCH", 1)
    monkeypatch.setattr(bulk_read, "WRITERS", 1)
    monkeypatch.setattr(BulkRead, "_write_parked", killed)
    with pytest.raises(KeyboardInterrupt):
        pull(sync, ORDERS, everything(sync))
    with psycopg.connect(database_url) as connection:
        lacking = connection.execute(
            "SELECT count(*) FROM shopify_orders o WHERE complete_at IS NULL AND NOT EXISTS "
            "(SELECT FROM shopify_order_items WHERE order_id = o.id)"
        ).fetchall()
        assert lacking[0][0] > 100


def test_a_record_whose_children_stood_far_away_is_not_called_whole_till_it_is_read_again(
    store: SimulatedStore,
    database_url: str,
    sync: SyncContext,
    monkeypatch: pytest.MonkeyPatch,
    parsed_as: ParsedAs,
) -> None:
    whole = "SELECT count(*) FILTER (WHERE complete_at IS NULL), count(*) FROM shopify_orders"
    parsed_as(having_no_children)
    pull(sync, ORDERS, everything(sync))
    monkeypatch.undo()
    with psycopg.connect(database_url) as connection:
        torn, orders = connection.execute(whole).fetchone() or (0, 0)
        assert torn > orders / 2
        queued = "SELECT count(*) FROM shopify_internal.refresh_queue WHERE entity = 'orders'"
        assert connection.execute(queued).fetchone() == (torn,)
    pull_all(sync)
    drain_refresh_queue(sync)
    with psycopg.connect(database_url) as connection:
        assert connection.execute(whole).fetchone() == (0, orders)
    assert differences(store.url, database_url) == []


@pytest.mark.usefixtures("torn")
def test_a_crash_of_postgres_that_takes_the_lines_put_aside_fails_the_file(
    store: SimulatedStore, database_url: str, sync: SyncContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    crashes = iter([True])
    write_parked = BulkRead._write_parked

    def crashed(self: BulkRead, *given: Any) -> None:
        if next(crashes, False):  # what replaying the log leaves of an unlogged table
            with psycopg.connect(database_url) as connection:
                connection.execute("TRUNCATE shopify_internal.bulk_parked")
        write_parked(self, *given)

    monkeypatch.setattr(BulkRead, "_write_parked", crashed)
    pull_all(sync)
    assert claims(database_url)[0][2] == "given up: ResultIncompleteError"
    assert differences(store.url, database_url) == []


@pytest.mark.usefixtures("torn")
def test_nothing_stays_aside_of_a_file_that_is_given_up(
    store: SimulatedStore, database_url: str, sync: SyncContext
) -> None:
    reading, operation = ended_operation(sync)
    together = families.Families(parser_of(operation))
    with pytest.raises(ShortfallError):
        reading.stream(operation, together, lambda _: None, refuse)
    assert parked(database_url) == 0


@pytest.mark.usefixtures("torn")
def test_what_a_killed_reader_had_put_aside_is_cleared_by_the_next(
    store: SimulatedStore, database_url: str, sync: SyncContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    reading, operation = ended_operation(sync)
    together = families.Families(parser_of(operation))
    with monkeypatch.context() as patch:
        patch.setattr(bulk_parking, "clear", lambda *_: None)  # a killed one clears nothing
        with pytest.raises(ShortfallError):
            reading.stream(operation, together, lambda _: None, refuse)
    assert parked(database_url) > 0
    pull_all(sync)
    assert claims(database_url)[0] == ("orders", operation.gid, "merged")
    assert parked(database_url) == 0
    assert differences(store.url, database_url) == []


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "bulk_failed", "error_code": "INTERNAL_SERVER_ERROR", "partial": True},
        {"kind": "bulk_failed", "error_code": "TIMEOUT", "partial": False},
        {"kind": "bulk_canceled"},
        {"kind": "bulk_truncated_file"},
        {"kind": "bulk_missing_lines", "count_missing": 3},
        {"kind": "bulk_file_error"},
    ],
    ids=lambda fault: "-".join(str(value) for value in fault.values()),
)
def test_an_operation_or_file_that_fails_once_is_made_up_for(
    store: SimulatedStore, database_url: str, sync: SyncContext, fault: dict[str, Any]
) -> None:
    store.fault(count=1, **fault)
    pull_all(sync)
    assert differences(store.url, database_url) == []


def test_a_window_that_keeps_failing_is_cut_in_halves(
    store: SimulatedStore, database_url: str, sync: SyncContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(window_read, "CHUNK", 20)
    store.fault("bulk_failed", error_code="TIMEOUT", count=2)
    told: list[str] = []
    pull(
        sync,
        ORDERS,
        everything(sync),
        on_progress=lambda progress: told.append(progress.message),
    )
    assert any("in halves" in message for message in told)
    outcomes = [outcome for _, _, outcome in claims(database_url)]
    assert outcomes[:2] == ["given up: BulkFailedError"] * 2
    assert "merged" in outcomes
    pull_all(sync)
    assert differences(store.url, database_url) == []


def test_an_operation_denied_access_fails_at_once(
    store: SimulatedStore, database_url: str, sync: SyncContext
) -> None:
    store.fault("bulk_failed", error_code="ACCESS_DENIED", count=1)
    with pytest.raises(BulkFailedError, match="SHOPIFY_OMIT_COLUMNS"):
        pull(sync, ORDERS, everything(sync))
    with psycopg.connect(database_url) as connection:
        assert connection.execute("SELECT * FROM shopify_internal.checkpoints").fetchall() == []


def test_a_window_whose_files_are_never_whole_ends_by_pages(
    store: SimulatedStore, database_url: str, sync: SyncContext
) -> None:
    store.fault("bulk_missing_lines", count_missing=5, count=1000)
    pull_all(sync)
    store.control("faults", method="DELETE")
    outcomes = {outcome for _, _, outcome in claims(database_url)}
    assert outcomes == {"given up: ResultIncompleteError"}
    assert differences(store.url, database_url) == []


@pytest.mark.parametrize("gid_stored", [True, False], ids=["id stored", "id not stored"])
def test_a_restarted_run_takes_up_the_operation_of_its_predecessor(
    store: SimulatedStore, database_url: str, sync: SyncContext, gid_stored: bool
) -> None:
    window = everything(sync)
    asked = Window(window.start, window.end)
    now = Window(window.start, sync.api.now())
    reading = BulkRead(
        sync=sync, entity=ORDERS, purpose="updated", asked=asked, tell=lambda _: None
    )
    connection = ORDERS.connection
    assert connection is not None
    query = bulk_query(ORDERS, frozenset(), now.updated(connection))
    claim = reading.claim(now, query)
    if gid_stored:
        operation = reading.run(claim, query, adopt=False)
    else:
        operation = bulk.submit(sync.api, query)
    told: list[Progress] = []
    pull(sync, ORDERS, window, on_progress=told.append)
    assert claims(database_url)[0] == ("orders", operation.gid, "merged")
    assert any("taking up the bulk operation" in progress.message for progress in told)
    pull_all(replace(sync, bulk_threshold=10_000))
    assert differences(store.url, database_url) == []


def test_a_predecessors_operation_over_other_columns_is_not_taken_up(
    database_url: str, sync: SyncContext
) -> None:
    window = everything(sync)
    reading = BulkRead(
        sync=sync, entity=ORDERS, purpose="updated", asked=window, tell=lambda _: None
    )
    reading.claim(window, "another query")
    pull(sync, ORDERS, window)
    outcomes = [outcome for _, _, outcome in claims(database_url)]
    assert outcomes == ["given up: the columns to read have changed", "merged"]


def test_an_empty_result_is_no_failure(database_url: str, sync: SyncContext) -> None:
    empty = Window(everything(sync).start, everything(sync).start + timedelta(days=1))
    reading = BulkRead(
        sync=sync, entity=ORDERS, purpose="updated", asked=empty, tell=lambda _: None
    )
    connection = ORDERS.connection
    assert connection is not None
    query = bulk_query(ORDERS, frozenset(), empty.updated(connection))
    operation = reading.run(reading.claim(empty, query), query, adopt=False)
    assert operation.url is None
    roots: list[int] = []
    together = families.Families(parser_of(operation))
    reading.stream(operation, together, lambda _: None, roots.append)
    assert roots == [0]


@pytest.mark.parametrize("root", ROOTS, ids=lambda root: root.name)
def test_the_lines_of_a_bulk_file_are_taken_without_being_read_as_nodes(
    root: Entity, sync: SyncContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, operation = ended_operation(sync, root)
    assert operation.result_url is not None
    lines = [*httpx.get(operation.result_url).content.split(b"\n")][:-1]
    parser = parser_of(operation, root)
    read: list[bytes] = []
    node_of = parser.node_of

    def watched(line: bytes) -> Any:
        read.append(line)
        return node_of(line)

    monkeypatch.setattr(parser, "node_of", watched)
    parsed = [parser.parse(line) for line in lines]
    assert len(lines) > 50
    # What is left: texts with escapes that COPY doesn't know, and the 29th of February.
    assert len(read) < len(lines) / 20, read[:3]
    # The line tells of its family what its node does.
    monkeypatch.setattr(parser, "_patterns", [])
    for line, said in zip(lines, parsed, strict=True):
        again = parser.parse(line)
        assert said is not None
        assert again is not None
        assert said[:4] == again[:4]


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        (r"a \"b\" c", 'a "b" c'),
        (r"tab\tline\nfeed\r\b\f", "tab\tline\nfeed\r\b\f"),
        (r"back\\slash \\N \\.", r"back\slash \N \."),
        (r"\\N", r"\N"),
        (r"a\/b & ü 漢", "a/b & ü 漢"),
        (r"\u00e9\ud83d\ude00\\u0041", r"é😀\u0041"),
        ("", ""),
        ("null", "null"),
    ],
)
def test_a_text_of_a_bulk_file_is_stored_as_json_means_it(
    database_url: str, sync: SyncContext, written: str, meant: str
) -> None:
    _, operation = ended_operation(sync)
    assert operation.result_url is not None
    lines = httpx.get(operation.result_url).content.split(b"\n")[:-1]
    parser = parser_of(operation)
    together = families.Families(parser)
    name = b'(?<="%s":)"[^"]*"' % short("name").encode()
    roots = [line for line in lines if b"__parentId" not in line]
    lines = [re.sub(name, lambda _: f'"{written}"'.encode(), line) for line in roots]
    together.add(lines)
    usual = [family for family in together.take_rest() if family.is_usual]
    records = parser.reader.records(family.lines for family in usual)
    records.merge(sync.database, lambda _: None)
    with psycopg.connect(database_url) as connection:
        names = connection.execute("SELECT DISTINCT name FROM shopify_orders").fetchall()
    assert names == [(meant,)]


def test_records_that_are_malformed_in_a_bulk_file_are_named_and_cost_no_other(
    database_url: str, sync: SyncContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    batches = Download.batches

    def altered(self: Download) -> Iterator[list[bytes]]:
        roots = 0
        for lines in batches(self):
            for place, line in enumerate(lines):
                if b"__parentId" not in line and roots < len(values):
                    lines[place] = re.sub(*values[roots], line)
                    roots += 1
            yield lines

    status = b'(?<="%s":)"[A-Z]*"' % short("displayFulfillmentStatus").encode()
    updated = b'(?<="%s":)"[^"]*"' % short("updatedAt").encode()
    values = [
        (status, '"ÉTAT"'.encode()),
        (status, b"5"),
        (updated, b'"yesterday"'),
    ]
    monkeypatch.setattr(Download, "batches", altered)
    with pytest.raises(MalformedRecordError, match=": 2 records don't fit"):
        pull(sync, ORDERS, everything(sync))
    assert claims(database_url)[0][2] == "merged"
    with psycopg.connect(database_url) as connection:
        found = connection.execute(
            "SELECT count(*), count(*) FILTER (WHERE fulfillment_status = 'état'),"
            " count(*) FILTER (WHERE complete_at IS NULL) FROM shopify_orders"
        ).fetchone()
    assert found == (148, 1, 0)


def test_a_record_is_given_out_when_it_has_all_the_children_that_it_speaks_of(
    sync: SyncContext,
) -> None:
    _, operation = ended_operation(sync)
    assert operation.result_url is not None
    lines = httpx.get(operation.result_url).content.split(b"\n")[:-1]
    lines.sort(key=lambda line: b"__parentId" in line)
    parser = parser_of(operation)
    said = [one for one in map(parser.parse, lines) if one is not None]
    sure = {number for place, number, tally, *_ in said if place == 0 and max(tally) < math.inf}
    last = [number for place, number, *_ in said if place == 0][-1]
    together = families.Families(parser)
    together.add(lines)
    assert {family.number for family in together.take_whole()} - {last} == sure - {last}
    assert len(sure) > 50


@pytest.mark.usefixtures("torn")
def test_the_patterns_of_lines_are_made_once_for_a_file(
    sync: SyncContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[Entity] = []
    line_pattern = Entity.line_pattern

    def counted(self: Entity, *given: Any, **named: Any) -> Any:
        made.append(self)
        return line_pattern(self, *given, **named)

    monkeypatch.setattr(Entity, "line_pattern", counted)
    pull(sync, ORDERS, everything(sync))
    assert sorted(one.name for one in made) == sorted(one.name for one in ORDERS.family)


@pytest.mark.parametrize(
    "line",
    [
        b"{",
        b"[]",
        b'"text"',
        b"\xff",
        b'{"id":"gid://shopify/Order/x"}',
        b'{"id":"gid://shopify/Order/1"}',
        b'{"id":"gid://shopify/Metafield/1","__parentId":"gid://shopify/Order/1"}',
    ],
)
def test_a_line_that_was_not_asked_for_is_refused(sync: SyncContext, line: bytes) -> None:
    _, operation = ended_operation(sync)
    together = families.Families(parser_of(operation))
    with pytest.raises(families.UnknownLineError, match="orders: a line after record 0"):
        together.add([line])


@pytest.mark.parametrize(
    ("value", "other"),
    [
        (short("quantity", ENTITIES["order_items"]), '"many"'),
        (short("quantity", ENTITIES["order_items"]), "null"),
        ("__parentId", '"gid://shopify/Order/x"'),
        ("id", '"gid://shopify/Metafield/1"'),
        ("id", "5"),
    ],
)
def test_a_child_that_does_not_say_whose_it_is_or_for_how_many_it_counts_is_refused(
    sync: SyncContext, value: str, other: str
) -> None:
    _, operation = ended_operation(sync)
    assert operation.result_url is not None
    lines = httpx.get(operation.result_url).content.split(b"\n")[:-1]
    child = next(line for line in lines if b"__parentId" in line)
    parser = parser_of(operation)
    wrong = re.sub(b'(?<="%s":)("[^"]*"|[0-9]+)' % value.encode(), other.encode(), child, count=1)
    assert [said is None for said in map(parser.parse, [child, wrong])] == [False, True]
