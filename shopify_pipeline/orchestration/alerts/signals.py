"""Reads from Dagster's event log what failed and what recovered.

The only module that touches Dagster's event storage, which is no public interface: a run's status
tells nothing of a failed check that does not block, and no sensor of Dagster's sees checks that
were reported without a run.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import chain
from typing import Literal

import dagster as dg
from dagster import AssetCheckKey, DagsterEventType, EventLogRecord, EventRecordsFilter
from dagster._core.definitions.asset_checks.asset_check_evaluation import (
    AssetCheckEvaluationPlanned,
)
from dagster._core.definitions.freshness import FreshnessState, FreshnessStateChange

State = Literal["ok", "warning", "error"]

READ_AT_ONCE = 500
OVERLAP = 200
"""Numbers of the log read again each time: they are given before they can be seen."""

TYPES = (
    DagsterEventType.ASSET_CHECK_EVALUATION,
    DagsterEventType.FRESHNESS_STATE_CHANGE,
    DagsterEventType.RUN_FAILURE,
    DagsterEventType.RUN_SUCCESS,
    DagsterEventType.RUN_CANCELED,
)
_FRESHNESS: Mapping[FreshnessState, State] = {
    FreshnessState.PASS: "ok",
    FreshnessState.WARN: "warning",
    FreshnessState.FAIL: "error",
}


@dataclass(frozen=True, kw_only=True)
class Signal:
    """What one event says of one subject; `path` is the page of the UI."""

    event_id: int
    at: datetime
    subject: str
    state: State
    summary: str
    path: str


@dataclass(frozen=True, kw_only=True)
class Cursors:
    """How far each type of event was read; nothing up to `start` counts."""

    start: int
    read: Mapping[str, int]


def newest(instance: dg.DagsterInstance) -> Cursors:
    """Cursors at the end of the log: from here on, not what went wrong before."""
    start = instance.event_log_storage.get_maximum_record_id() or 0
    return Cursors(start=start, read={kind.value: start for kind in TYPES})


def read_signals(instance: dg.DagsterInstance, cursors: Cursors) -> tuple[list[Signal], Cursors]:
    """What happened since, in the log's order, and the cursors after it.

    Events of before may come again: a subject's newest event id tells which are known.
    """
    found: dict[DagsterEventType, Sequence[EventLogRecord]] = {}
    for kind in TYPES:
        after = max(cursors.start, cursors.read.get(kind.value, cursors.start) - OVERLAP)
        found[kind] = instance.event_log_storage.get_event_records(
            EventRecordsFilter(event_type=kind, after_cursor=after),
            limit=READ_AT_ONCE + OVERLAP,
            ascending=True,
        )
    # Where one type goes on beyond what was read, the others wait: signals keep their order.
    upto = min(
        (records[-1].storage_id for records in found.values() if _is_cut(records)),
        default=None,
    )
    records = sorted(
        (r for r in chain(*found.values()) if upto is None or r.storage_id <= upto),
        key=lambda record: record.storage_id,
    )
    read = dict(cursors.read)
    for kind, records_of_kind in found.items():
        ids = [r.storage_id for r in records_of_kind if upto is None or r.storage_id <= upto]
        read[kind.value] = max([read.get(kind.value, cursors.start), *ids])
    signals = list(chain.from_iterable(_signals(instance, record) for record in records))
    return signals, Cursors(start=cursors.start, read=read)


def _is_cut(records: Sequence[EventLogRecord]) -> bool:
    return len(records) == READ_AT_ONCE + OVERLAP


def _signals(instance: dg.DagsterInstance, record: EventLogRecord) -> Iterator[Signal]:
    entry = record.event_log_entry
    event = entry.dagster_event
    if event is None:
        return
    at = datetime.fromtimestamp(entry.timestamp, UTC)
    data = event.event_specific_data
    if isinstance(data, dg.AssetCheckEvaluation):
        yield _check_signal(record.storage_id, at, data)
    elif isinstance(data, FreshnessStateChange):
        if state := _FRESHNESS.get(data.new_state):
            yield Signal(
                event_id=record.storage_id,
                at=at,
                subject=f"freshness of {data.key.to_user_string()}",
                state=state,
                summary=_FRESHNESS_SAID[state],
                path=_asset_path(data.key),
            )
    else:
        yield from _run_signals(instance, record, at)


_FRESHNESS_SAID: Mapping[State, str] = {
    "ok": "it was brought up to date",
    "warning": "it is late: nothing brought it up to date within the time it has",
    "error": "it is overdue: nothing brought it up to date for far too long",
}


def _check_signal(event_id: int, at: datetime, check: dg.AssetCheckEvaluation) -> Signal:
    state: State = "ok"
    if not check.passed:
        state = "warning" if check.severity == dg.AssetCheckSeverity.WARN else "error"
    return Signal(
        event_id=event_id,
        at=at,
        subject=_check_subject(check.asset_check_key),
        state=state,
        summary=check.description or ("passes" if check.passed else "fails"),
        path=_check_path(check.asset_check_key),
    )


def _run_signals(
    instance: dg.DagsterInstance, record: EventLogRecord, at: datetime
) -> Iterator[Signal]:
    event = record.event_log_entry.dagster_event
    run = instance.get_run_by_id(record.run_id)
    if event is None or run is None:
        return
    if event.event_type != DagsterEventType.RUN_CANCELED:
        failed = event.event_type == DagsterEventType.RUN_FAILURE
        yield Signal(
            event_id=record.storage_id,
            at=at,
            subject=f"run of {_what_ran(run)}",
            state="error" if failed else "ok",
            summary=(event.message or "it failed") if failed else "it succeeded",
            path=f"/runs/{run.run_id}",
        )
    for check in _not_evaluated(instance, run.run_id):
        yield Signal(
            event_id=record.storage_id,
            at=at,
            subject=_check_subject(check),
            state="warning",
            summary=f"it could not be evaluated: its run ended before ({run.run_id[:8]})",
            path=f"/runs/{run.run_id}",
        )


def _not_evaluated(instance: dg.DagsterInstance, run_id: str) -> Iterable[AssetCheckKey]:
    """Checks that the run planned and left without a result, for which Dagster stores nothing."""
    planned: dict[AssetCheckKey, None] = {}
    evaluated: set[AssetCheckKey] = set()
    records = instance.get_records_for_run(
        run_id,
        of_type={
            DagsterEventType.ASSET_CHECK_EVALUATION_PLANNED,
            DagsterEventType.ASSET_CHECK_EVALUATION,
        },
    ).records
    for record in records:
        event = record.event_log_entry.dagster_event
        data = event.event_specific_data if event else None
        if isinstance(data, AssetCheckEvaluationPlanned):
            planned[data.asset_check_key] = None
        elif isinstance(data, dg.AssetCheckEvaluation):
            evaluated.add(data.asset_check_key)
    return [check for check in planned if check not in evaluated]


def _what_ran(run: dg.DagsterRun) -> str:
    if not run.job_name.startswith("__"):
        return run.job_name
    # A run of chosen assets, from the UI or by a backfill, has no job of its own.
    keys = sorted(key.to_user_string() for key in run.asset_selection or ())
    shown = ", ".join(keys[:5])
    return f"{shown} and {len(keys) - 5} more" if len(keys) > 5 else shown or "assets"


def _check_subject(check: AssetCheckKey) -> str:
    return f"check {check.asset_key.to_user_string()}: {check.name}"


def _check_path(check: AssetCheckKey) -> str:
    return f"{_asset_path(check.asset_key)}?view=checks&checkDetail={check.name}"


def _asset_path(key: dg.AssetKey) -> str:
    return f"/assets/{'/'.join(key.path)}"
