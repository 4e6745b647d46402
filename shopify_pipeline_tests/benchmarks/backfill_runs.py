"""A backfill of Dagster's while it goes on: its runs, their processes, what became of the days."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import psutil

from shopify_pipeline.demo.dagster_api import DagsterApi

_RUNS = """query($id: String!) { partitionBackfillOrError(backfillId: $id) {
  ... on PartitionBackfill { status error { message }
    runs(limit: 100) { id status startTime endTime } }
  ... on PythonError { message } } }"""

_STATUSES = """query($key: AssetKeyInput!) { assetNodeOrError(assetKey: $key) { ... on AssetNode {
  partitionStats { numMaterialized numPartitions numFailed numMaterializing }
  assetPartitionStatuses { ... on TimePartitionStatuses {
    ranges { status startKey endKey } } } } } }"""

STARTED = re.compile(r"Started process for run \(pid: (\d+)\)")


@dataclass(frozen=True)
class Run:
    """One run of a backfill; times in seconds since the epoch, None while there is none."""

    id: str
    status: str
    started: float | None
    ended: float | None


class Backfill:
    """A backfill that was asked for."""

    def __init__(self, dagster: DagsterApi, backfill_id: str) -> None:
        self._dagster = dagster
        self._id = backfill_id
        self._processes: dict[str, psutil.Process] = {}
        self.status = ""
        self.error: str | None = None
        self.runs: Sequence[Run] = ()

    def look(self) -> None:
        """Ask how far it is."""
        found = self._dagster._ask(_RUNS, id=self._id)["partitionBackfillOrError"]
        self.status = found["status"]
        self.error = (found["error"] or {}).get("message")
        self.runs = [
            Run(run["id"], run["status"], run["startTime"], run["endTime"]) for run in found["runs"]
        ]
        for run in self.runs:
            if run.status in {"STARTING", "STARTED"} and run.id not in self._processes:
                self._find_process(run.id)

    @property
    def has_ended(self) -> bool:
        """Whether nothing more will come of it."""
        return self.status.startswith(("COMPLETED", "CANCELED", "FAILED"))

    def processes(self) -> list[psutil.Process]:
        """The processes of its runs and whatever these have started."""
        there = [one for one in list(self._processes.values()) if one.is_running()]
        return [one for process in there for one in (process, *process.children(recursive=True))]

    def why_failed(self) -> str | None:
        """The first reason that Dagster knows."""
        failed = [run for run in self.runs if run.status == "FAILURE"]
        return self.error or (self._dagster.failure(failed[0].id) if failed else None)

    def _find_process(self, run_id: str) -> None:
        for event in self._dagster.events(run_id):
            if found := STARTED.search(event.get("message", "")):
                self._processes[run_id] = psutil.Process(int(found[1]))
                return


@dataclass(frozen=True)
class Days:
    """What Dagster's UI shows of the days of an asset."""

    partitions: int
    materialized: int
    failed: int
    ranges: Counter[str]

    @property
    def all_green(self) -> bool:
        """Whether every day is materialized and none is anything else."""
        return self.materialized == self.partitions and set(self.ranges) == {"MATERIALIZED"}


def days_of(dagster: DagsterApi, asset: Sequence[str]) -> Days:
    """The days of an asset."""
    found: dict[str, Any] = dagster._ask(_STATUSES, key={"path": list(asset)})["assetNodeOrError"]
    stats = found["partitionStats"]
    return Days(
        partitions=stats["numPartitions"],
        materialized=stats["numMaterialized"],
        failed=stats["numFailed"],
        ranges=Counter(one["status"] for one in found["assetPartitionStatuses"]["ranges"]),
    )
