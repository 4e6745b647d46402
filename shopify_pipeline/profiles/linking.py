"""Links customers to profiles: one transaction that judges what changed, and its report."""

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa

from shopify_pipeline.profiles import column, judgement, keys
from shopify_pipeline.profiles.guard import ProfilesVanishedError, guard_links, guard_profiles
from shopify_pipeline.profiles.judgement import STATEMENTS, judge
from shopify_pipeline.profiles.options import LinkOptions
from shopify_pipeline.profiles.report import LinkReport
from shopify_pipeline.profiles.transactions import retrying, take_lock, try_lock
from shopify_pipeline.warehouse import state
from shopify_pipeline.warehouse.database import Database

COMPARED_WHOLE_EVERY = timedelta(hours=24)

IN_PROGRESS = "a linking run is in progress"

_STATE = "profiles.linking"
_FAR = 1_500_000_000


def link(
    database: Database,
    options: LinkOptions,
    *,
    whole: bool = False,
    accept_loss: bool = False,
) -> LinkReport:
    """Judge every customer whose link may have changed since the last run, and write the links.

    `whole` compares every row of both sides again, as a run does by itself once a day, after a
    change of the rules, or when it cannot know what changed. A run that finds the profiles empty,
    filtered, blanked or shrunk beyond the options' `greatest_loss` changes nothing and says so in
    `problem`, unless the loss is accepted.
    """
    started = time.monotonic()
    try:
        report, unfinished = retrying(
            database,
            lambda connection: link_within(
                connection, options, whole=whole, accept_loss=accept_loss
            ),
        )
    except (keys.ProfilesUnreadableError, ProfilesVanishedError) as error:
        return LinkReport(problem=str(error), seconds=time.monotonic() - started)
    if unfinished:
        written = column.write_through_in_slices(database)
        with database.transaction() as connection:
            take_lock(connection)
            before = state.read(connection, _STATE) or {}
            state.write(connection, _STATE, {**before, "unfinished": False})
        report = LinkReport(**{**vars(report), "written": report.written + written})
    return LinkReport(**{**vars(report), "seconds": time.monotonic() - started})


def link_customers(
    database: Database, options: LinkOptions, shopify_customer_ids: Sequence[int]
) -> LinkReport:
    """Judge the given customers against the profiles as of the last run, without reading those.

    For what webhooks brought: its work follows the batch. Does nothing while a run is linking,
    which sees to them, or before the first one.
    """
    ids = list(shopify_customer_ids)

    def work(connection: sa.Connection) -> LinkReport:
        if not try_lock(connection):
            return LinkReport(problem=IN_PROGRESS)
        before = state.read(connection, _STATE) or {}
        if before.get("seed") != options.seed:
            return LinkReport(problem="no run has linked by these rules yet")
        return relink_within(connection, options, ids)

    try:
        return retrying(database, work)
    except keys.ProfilesUnreadableError as error:
        return LinkReport(problem=str(error))


def link_lately(
    database: Database,
    options: LinkOptions,
    *,
    since: datetime,
    at_once: int = 5_000,
    going_on: Callable[[], bool] = lambda: True,
) -> LinkReport:
    """Judge the customers written since then: what webhooks and refreshes brought.

    The oldest first, `at_once` a transaction, to the last, or while it is `going_on`; with a
    `problem`, not all were judged. Follows `synced_at`, which can miss what a slow transaction
    wrote; the next run does not.
    """
    total = LinkReport()
    upto = {"synced_at": since, "shopify_customer_id": -1}
    while going_on():
        with database.transaction() as connection:
            values = {**upto, "limit": at_once}
            rows = connection.execute(keys.STATEMENTS["lately_written"], values).mappings().all()
        if not rows:
            return total
        total += link_customers(database, options, [row["shopify_customer_id"] for row in rows])
        if total.problem or len(rows) < at_once:
            return total
        upto = dict(rows[-1])
    return replace(total, problem="stopped before all were judged")


def relink_within(
    connection: sa.Connection, options: LinkOptions, shopify_customer_ids: Sequence[int]
) -> LinkReport:
    """Judge the given customers in the caller's transaction, whether or not they changed."""
    ids = list(shopify_customer_ids)
    run = connection.execute
    keys.probe_profiles(connection, options)
    run(keys.STATEMENTS["create_staging"])
    run(keys.STATEMENTS["find_given_customers"], {"ids": ids})
    changed = keys.refresh_customer_keys(connection, options)
    run(keys.STATEMENTS["find_gone_customers"])
    run(keys.STATEMENTS["take_given"], {"ids": ids})
    # What a vanished profile means is for the run that counts them all.
    run(keys.STATEMENTS["leave_out_vanished"])
    run(keys.STATEMENTS["write_keys"])
    report = judge(connection, options)
    written = run(STATEMENTS["write_through_mismatched"]).rowcount
    return LinkReport(**{**vars(report), "changed_customers": changed, "written": written})


def link_within(
    connection: sa.Connection,
    options: LinkOptions,
    *,
    whole: bool = False,
    accept_loss: bool = False,
) -> tuple[LinkReport, bool]:
    """Do what `link` does in the caller's transaction.

    Returns the report, and whether so many links changed that the customers' column is left for
    the caller to write in slices (the next run does where the caller doesn't).

    Raises:
        ProfilesUnreadableError, ProfilesVanishedError: the transaction has to be rolled back.
    """
    run = connection.execute
    take_lock(connection)
    run(sa.text("SET LOCAL work_mem = '64MB'"))
    run(sa.text("SET LOCAL jit = off"))  # takes longer than any of the statements gains by it
    # Cursors are planned for their first rows unless told that all will be read.
    run(sa.text("SET LOCAL cursor_tuple_fraction = 1"))
    before = state.read(connection, _STATE) or {}
    run(keys.STATEMENTS["create_staging"])
    guard_profiles(connection, options, accept_loss=accept_loss)
    horizon = int(connection.scalar(keys.STATEMENTS["transaction_horizon"]) or 0)
    whole = whole or not _knows_changes(before, options, horizon)
    if whole:
        run(keys.STATEMENTS["find_all_customers"])
        run(keys.STATEMENTS["find_absent_customers"])
    else:
        run(keys.STATEMENTS["find_recent_customers"], {"horizon": before["horizon"] % 2**32})
    run(keys.STATEMENTS["analyze_recent"])
    changed_customers = keys.refresh_customer_keys(connection, options)
    run(keys.STATEMENTS["find_gone_customers"])
    changed_profiles = keys.refresh_profile_keys(connection, options)
    run(keys.STATEMENTS["analyze_staging"])
    run(keys.STATEMENTS["find_affected"])
    run(keys.STATEMENTS["write_keys"])
    if changed_customers + changed_profiles > keys.MANY:
        run(keys.STATEMENTS["analyze_keys"])
    report = judge(connection, options, restore=not before.get("unfinished"), in_slices=True)
    guard_links(connection, options, report, accept_loss=accept_loss)

    mismatched = int(connection.scalar(sa.text("SELECT count(*) FROM mismatched")) or 0)
    unfinished = max(mismatched, report.linked + report.released) > judgement.AT_ONCE
    written = 0
    if not unfinished:
        written = run(STATEMENTS["write_through_mismatched"]).rowcount
    now = datetime.now(UTC)
    state.write(
        connection,
        _STATE,
        {
            "horizon": horizon,
            "seed": options.seed,
            "whole_at": now.isoformat() if whole else before["whole_at"],
            "unfinished": unfinished,
        },
    )
    totals = run(STATEMENTS["totals"]).one()._asdict()
    gone = {
        side: int(connection.scalar(sa.text(f"SELECT count(*) FROM gone_{side}")) or 0)  # noqa: S608
        for side in ("customers", "profiles")
    }
    seen = {
        "whole": whole,
        "changed_customers": changed_customers,
        "changed_profiles": changed_profiles,
        "gone_customers": gone["customers"],
        "gone_profiles": gone["profiles"],
        "written": written,
    }
    return LinkReport(**{**vars(report), **totals, **seen}), unfinished


def _knows_changes(before: dict[str, Any], options: LinkOptions, horizon: int) -> bool:
    """Whether the rows changed since the last run can be told from their transaction numbers."""
    if not before or before.get("unfinished") or before["seed"] != options.seed:
        return False
    if datetime.now(UTC) - datetime.fromisoformat(before["whole_at"]) > COMPARED_WHOLE_EVERY:
        return False
    # Numbers that went backwards are another server's (a restored dump).
    return 0 <= horizon - int(before["horizon"]) < _FAR
