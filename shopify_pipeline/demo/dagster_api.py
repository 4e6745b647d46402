"""A running Dagster webserver, through the GraphQL calls that its UI makes."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import httpx

LOCATION = "shopify_pipeline"
REPOSITORY = "__repository__"

_ENTRIES = """query { workspaceOrError { ... on Workspace { locationEntries {
  name loadStatus locationOrLoadError { __typename ... on PythonError { message } } } } } }"""

_ALL_DAYS = """query($key: AssetKeyInput!) { assetNodeOrError(assetKey: $key) {
  ... on AssetNode { partitionKeys } } }"""

_LAUNCH_BACKFILL = """mutation($params: LaunchBackfillParams!) {
  launchPartitionBackfill(backfillParams: $params) {
    __typename ... on LaunchBackfillSuccess { backfillId } ... on PythonError { message } } }"""

_BACKFILL = """query($id: String!) { partitionBackfillOrError(backfillId: $id) {
  ... on PartitionBackfill { status error { message } runs(limit: 20) { id status } }
  ... on PythonError { message } } }"""

_BACKFILLS = """query { partitionBackfillsOrError(status: REQUESTED, limit: 1) {
  ... on PartitionBackfills { results { id } } } }"""

_TICK = """mutation($schedule: ScheduleSelector!, $at: Float!) {
  scheduleDryRun(selectorData: $schedule, timestamp: $at) {
    ... on DryRunInstigationTick { evaluationResult {
      skipReason error { message } runRequests { runConfigYaml tags { key value } } } }
    ... on PythonError { message } } }"""

_LAUNCH_RUN = """mutation($params: ExecutionParams!) { launchRun(executionParams: $params) {
  __typename ... on LaunchRunSuccess { run { id } }
  ... on RunConfigValidationInvalid { errors { message } } ... on PythonError { message } } }"""

_RUN = """query($id: ID!) { runOrError(runId: $id) { ... on Run { status } } }"""

_EVENTS = """query($id: ID!, $after: String) {
  logsForRun(runId: $id, afterCursor: $after, limit: 1000) { ... on EventConnection {
    cursor hasMore events { __typename ... on MessageEvent { message }
      ... on ExecutionStepFailureEvent {
        error { message errorChain { error { message } } } failureMetadata { description } } } }
    ... on PythonError { message } } }"""

ENDED = {"SUCCESS", "FAILURE", "CANCELED"}


class DagsterFailedError(RuntimeError):
    """Dagster did not do what it was asked for; says why in its words."""


@dataclass(frozen=True)
class Backfill:
    """How far a backfill is: a status of Dagster's, its runs' ids, what went wrong."""

    status: str
    runs: Sequence[str]
    error: str | None

    @property
    def has_ended(self) -> bool:
        """Whether nothing more will come of it."""
        return self.status.startswith(("COMPLETED", "CANCELED", "FAILED"))

    @property
    def succeeded(self) -> bool:
        """Whether every day of it was materialized."""
        return self.status == "COMPLETED_SUCCESS"


@dataclass(frozen=True)
class RunRequest:
    """A run that a schedule asks for."""

    config_yaml: str
    tags: Sequence[dict[str, str]]


class DagsterApi:
    """The GraphQL API of the webserver at `url`."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._http = httpx.Client(base_url=url, timeout=60, trust_env=False)

    def is_ready(self) -> bool:
        """Whether the code location is loaded.

        Raises:
            DagsterFailedError: it could not be loaded.
        """
        try:
            entries = self._ask(_ENTRIES)["workspaceOrError"].get("locationEntries", [])
        except httpx.HTTPError:
            return False
        for entry in entries:
            loaded = entry["locationOrLoadError"]
            if loaded and loaded["__typename"] == "PythonError":
                raise DagsterFailedError(f"Dagster can't load the definitions: {loaded['message']}")
        return bool(entries) and all(
            entry["loadStatus"] == "LOADED" and entry["locationOrLoadError"] for entry in entries
        )

    def partitions(self, asset: Sequence[str]) -> list[str]:
        """The partitions of an asset, ascending."""
        found = self._ask(_ALL_DAYS, key={"path": list(asset)})["assetNodeOrError"]
        return list(found["partitionKeys"])

    def launch_backfill(
        self, assets: Sequence[Sequence[str]], partitions: Sequence[str], *, title: str
    ) -> str:
        """Ask for partitions of assets, as the UI's button does; returns the backfill's id."""
        params = {
            "assetSelection": [{"path": list(path)} for path in assets],
            "partitionNames": list(partitions),
            "title": title,
        }
        launched = self._ask(_LAUNCH_BACKFILL, params=params)["launchPartitionBackfill"]
        return str(_got(launched, "backfillId"))

    def open_backfill(self) -> str | None:
        """The id of a backfill that is not yet done, if there is one."""
        found = self._ask(_BACKFILLS)["partitionBackfillsOrError"].get("results", [])
        return str(found[0]["id"]) if found else None

    def backfill(self, backfill_id: str) -> Backfill:
        """How far a backfill is."""
        found = self._ask(_BACKFILL, id=backfill_id)["partitionBackfillOrError"]
        return Backfill(
            status=_got(found, "status"),
            runs=[run["id"] for run in found["runs"]],
            error=(found["error"] or {}).get("message"),
        )

    def evaluate_schedule(self, name: str) -> RunRequest | str:
        """What the schedule would ask for now, or why it would skip.

        Raises:
            DagsterFailedError: its evaluation failed.
        """
        schedule = {
            "scheduleName": name,
            "repositoryName": REPOSITORY,
            "repositoryLocationName": LOCATION,
        }
        ticked = self._ask(_TICK, schedule=schedule, at=time.time())["scheduleDryRun"]
        evaluated = _got(ticked, "evaluationResult")
        if evaluated["error"]:
            raise DagsterFailedError(f"The schedule {name} fails: {evaluated['error']['message']}")
        if not evaluated["runRequests"]:
            return str(evaluated["skipReason"])
        request = evaluated["runRequests"][0]
        tags = [
            {"key": tag["key"], "value": tag["value"]}
            for tag in request["tags"]
            if not tag["key"].startswith("dagster/schedule")
        ]
        return RunRequest(config_yaml=request["runConfigYaml"], tags=tags)

    def launch_run(self, job: str, request: RunRequest) -> str:
        """Queue a run of a job; returns its id."""
        params = {
            "selector": {
                "jobName": job,
                "repositoryName": REPOSITORY,
                "repositoryLocationName": LOCATION,
            },
            "runConfigData": request.config_yaml,
            "executionMetadata": {"tags": list(request.tags)},
        }
        launched = self._ask(_LAUNCH_RUN, params=params)["launchRun"]
        return str(_got(launched, "run")["id"])

    def run_status(self, run_id: str) -> str:
        """Dagster's word for where a run is."""
        return str(_got(self._ask(_RUN, id=run_id)["runOrError"], "status"))

    def failure(self, run_id: str) -> str | None:
        """The first reason for which a run failed, without its traceback."""
        ended = None
        for event in self.events(run_id):
            if event["__typename"] == "ExecutionStepFailureEvent":
                described = (event.get("failureMetadata") or {}).get("description")
                error = event["error"] or {"message": event["message"], "errorChain": []}
                chain = [link["error"]["message"] for link in error["errorChain"]]
                return str(described or (chain or [error["message"]])[-1]).strip()
            if event["__typename"] == "RunFailureEvent":
                ended = str(event["message"])
        return ended

    def events(self, run_id: str) -> Iterator[dict[str, Any]]:
        """A run's events, from the first."""
        after, has_more = None, True
        while has_more:
            found = self._ask(_EVENTS, id=run_id, after=after)["logsForRun"]
            yield from _got(found, "events")
            after, has_more = found["cursor"], found["hasMore"]

    def _ask(self, query: str, **variables: object) -> dict[str, Any]:
        response = self._http.post("/graphql", json={"query": query, "variables": variables})
        response.raise_for_status()
        answer = response.json()
        if answer.get("errors"):
            raise DagsterFailedError(f"Dagster refused: {answer['errors'][0]['message']}")
        return dict(answer["data"])


def _got(found: dict[str, Any], key: str) -> Any:
    if key not in found:
        raise DagsterFailedError(f"Dagster refused: {found.get('message') or found}")
    return found[key]
