"""Dagster without webserver and daemon: its storage made ready, one full run in this process."""

import logging
from datetime import date

import dagster as dg

from shopify_pipeline.orchestration.jobs import hourly_job
from shopify_pipeline.orchestration.partitions import range_tags


def prepare_storage() -> None:
    """Create Dagster's tables where absent, before several processes would at once."""
    with dg.DagsterInstance.get() as instance:
        instance.get_runs_count()


def _terminal(_: dg.InitLoggerContext) -> logging.Logger:
    logger = logging.getLogger("shopify_pipeline.terminal")
    logger.setLevel(logging.ERROR)
    logger.propagate = False
    handler = logging.StreamHandler()
    handler.addFilter(lambda record: getattr(record, "dagster_event", None) is None)
    logger.handlers = [handler]
    return logger


TERMINAL = dg.LoggerDefinition(_terminal)
"""Writes what steps log as errors, without the tracebacks of Dagster's events: the result says how
a run ended."""


def materialize_all(defs: dg.Definitions, days: dg.PartitionsDefinition[str]) -> str | None:
    """Materialize every day of every table in one run of the instance in DAGSTER_HOME.

    Returns what went wrong, None if nothing did.
    """
    keys = [date.fromisoformat(key) for key in days.get_partition_keys()]
    with dg.DagsterInstance.get() as instance:
        job = defs.resolve_job_def(hourly_job.name).with_logger_defs({"terminal": TERMINAL})
        result = job.execute_in_process(
            instance=instance,
            run_config={"loggers": {"terminal": {}}},
            tags=range_tags(keys),
            raise_on_error=False,
        )
    if result.success:
        return None
    for event in result.all_events:
        if event.is_step_failure:
            failure = event.step_failure_data
            described = failure.user_failure_data and failure.user_failure_data.description
            error = failure.error and (failure.error.cause or failure.error)
            return (described or (error.message if error else None) or str(event.message)).strip()
    return str(result.get_run_failure_event().message)
