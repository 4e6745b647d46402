"""Schedules and sensors whose ticks fail, of which Dagster's event log says nothing."""

from collections.abc import Iterator
from datetime import UTC, datetime

import dagster as dg
from dagster._core.definitions.run_request import InstigatorType
from dagster._core.scheduler.instigation import InstigatorState, TickStatus

from shopify_pipeline.orchestration.alerts.signals import Signal

FINISHED = (TickStatus.SUCCESS, TickStatus.SKIPPED, TickStatus.FAILURE)
ENOUGH = {InstigatorType.SCHEDULE: 1, InstigatorType.SENSOR: 3}
"""Failed ticks in a row that are worth telling: a sensor soon tries again, a schedule does not."""


def read_tick_signals(instance: dg.DagsterInstance, *, but: str) -> Iterator[Signal]:
    """What the newest ticks of each schedule and sensor say, except of the sensor `but`."""
    for state in instance.all_instigator_state():
        enough = ENOUGH.get(state.instigator_type)
        if enough is None or state.instigator_name == but:
            continue
        ticks = instance.get_ticks(
            state.instigator_origin_id, state.selector_id, limit=enough, statuses=[*FINISHED]
        )
        if not ticks:
            continue
        failed = [tick for tick in ticks if tick.status == TickStatus.FAILURE]
        if failed and len(failed) < enough:
            continue
        newest = ticks[0]
        error = newest.error.cls_name if newest.error else None
        yield Signal(
            event_id=newest.tick_id,
            at=datetime.fromtimestamp(newest.timestamp, UTC),
            subject=f"{_kind(state)} {state.instigator_name}",
            state="error" if failed else "ok",
            summary=f"its ticks fail ({error or 'no reason given'})" if failed else "it works",
            path=f"/automation?search={state.instigator_name}",
        )


def _kind(state: InstigatorState) -> str:
    return "schedule" if state.instigator_type == InstigatorType.SCHEDULE else "sensor"
