"""The inbox of webhooks as an asset, and what its checks say of it."""

from collections.abc import Iterator

import dagster as dg

from shopify_pipeline.admin_api import AdminApi, AdminApiError, check_access
from shopify_pipeline.orchestration.resources import ShopifyPipeline
from shopify_pipeline.orchestration.specs import OPERATIONS, OWNERS, WEBHOOK_INBOX_KEY
from shopify_pipeline.settings import Settings
from shopify_pipeline.sync.context import credentials_of
from shopify_pipeline.warehouse.database import Database
from shopify_pipeline.webhooks.applying import notice
from shopify_pipeline.webhooks.letters import Backlog, backlog, dead_deliveries
from shopify_pipeline.webhooks.receiver import PATH
from shopify_pipeline.webhooks.statements import STATEMENTS
from shopify_pipeline.webhooks.subscriptions import receiver_address, register, standing

LATE_SECONDS = 60
STUCK_SECONDS = 900
PATIENCE_SECONDS = 15

WEBHOOK_INBOX = dg.AssetSpec(
    WEBHOOK_INBOX_KEY,
    description=(
        "Webhooks that Shopify sent and that were stored before they were answered. Workers bring "
        "them to the tables within a second; what they do is reported on the tables as "
        "observations, once a minute at most. Without a worker, the sensor `webhook_backlog` "
        "launches runs that empty it."
    ),
    group_name=OPERATIONS,
    owners=OWNERS,
    kinds={"shopify", "postgres"},
    metadata={"dagster/table_name": "shopify_internal.webhook_inbox"},
)

INBOX_CHECKS = [
    dg.AssetCheckSpec(
        "inbox_is_emptied",
        asset=WEBHOOK_INBOX.key,
        description=f"No webhook waits longer than {LATE_SECONDS} s (an error: {STUCK_SECONDS} s).",
    ),
    dg.AssetCheckSpec(
        "no_dead_deliveries",
        asset=WEBHOOK_INBOX.key,
        description="No webhook failed so often that it was given up.",
    ),
    dg.AssetCheckSpec(
        "privacy_requests_are_answered",
        asset=WEBHOOK_INBOX.key,
        description=(
            "Every request for a customer's data was answered. Requests to erase are carried out "
            "as they come."
        ),
    ),
    dg.AssetCheckSpec(
        "app_is_installed",
        asset=WEBHOOK_INBOX.key,
        description="In the last day the app was not uninstalled and kept its scopes.",
    ),
]
SUBSCRIPTIONS_CHECK = dg.AssetCheckSpec(
    "subscriptions_lead_here",
    asset=WEBHOOK_INBOX.key,
    description=(
        "Shopify sends every topic to SHOPIFY_WEBHOOK_URL. It drops subscriptions that failed "
        "eight times; this check makes them anew, and fails once to say so."
    ),
)


@dg.multi_asset_check(specs=[*INBOX_CHECKS, SUBSCRIPTIONS_CHECK], name="webhook_checks")
def webhook_checks(shopify: ShopifyPipeline) -> Iterator[dg.AssetCheckResult]:
    """Look at the inbox and at the store's subscriptions."""
    with shopify.database() as database:
        yield from inbox_results(database)
        yield subscriptions_result(shopify.settings(), database)


def inbox_results(database: Database) -> Iterator[dg.AssetCheckResult]:
    """What the checks of the inbox say now."""
    now = backlog(database)
    yield _age_result(now)
    dead = dead_deliveries(database, limit=20)
    rows = "".join(
        f"\n| {one.id} | {one.topic} | {one.attempts} | {_cell(one.last_error)} |" for one in dead
    )
    yield dg.AssetCheckResult(
        passed=now.dead == 0,
        asset_key=WEBHOOK_INBOX.key,
        check_name=INBOX_CHECKS[1].name,
        severity=dg.AssetCheckSeverity.WARN,
        description=(
            f"{now.dead} webhooks are dead. `shopify-pipeline webhooks dead` lists them, "
            "`… replay` tries them again."
            if now.dead
            else "None is dead."
        ),
        metadata={
            "dead": now.dead,
            "first": dg.MetadataValue.md(f"| id | topic | attempts | error |\n|-|-|-|-|{rows}"),
        },
    )
    with database.transaction() as connection:
        requests = connection.exec_driver_sql(STATEMENTS["open_privacy_requests"]).all()
        notices = connection.exec_driver_sql(STATEMENTS["recent_notices"]).all()
    yield dg.AssetCheckResult(
        passed=not requests,
        asset_key=WEBHOOK_INBOX.key,
        check_name=INBOX_CHECKS[2].name,
        severity=_severity(error=any(one.is_overdue for one in requests)),
        description=(
            f"{len(requests)} requests wait, the first until {requests[0].due_at:%Y-%m-%d}. "
            "`shopify-pipeline webhooks privacy` lists them, `… export` answers one."
            if requests
            else "None is open."
        ),
        metadata={"open": len(requests)},
    )
    yield dg.AssetCheckResult(
        passed=not notices,
        asset_key=WEBHOOK_INBOX.key,
        check_name=INBOX_CHECKS[3].name,
        severity=_severity(error=any(one.kind == "app_uninstalled" for one in notices)),
        description="; ".join(
            f"{one.kind.replace('_', ' ')} at {one.noticed_at:%Y-%m-%d %H:%M} UTC"
            for one in notices
        )
        or "Nothing was heard of.",
    )


def _severity(*, error: bool) -> dg.AssetCheckSeverity:
    return dg.AssetCheckSeverity.ERROR if error else dg.AssetCheckSeverity.WARN


def _age_result(now: Backlog) -> dg.AssetCheckResult:
    oldest = now.oldest_seconds or 0.0
    return dg.AssetCheckResult(
        passed=oldest <= LATE_SECONDS,
        asset_key=WEBHOOK_INBOX.key,
        check_name=INBOX_CHECKS[0].name,
        severity=_severity(error=oldest > STUCK_SECONDS),
        description=(
            f"{now.pending} webhooks wait, the oldest for {oldest:.0f} s; {now.workers} workers."
        ),
        metadata={"pending": now.pending, "oldest_seconds": oldest, "workers": now.workers},
    )


def subscriptions_result(settings: Settings, database: Database) -> dg.AssetCheckResult:
    """Compare the store's subscriptions with ours, and make anew what is missing."""
    if not settings.shopify_webhook_url:
        return _subscriptions(
            passed=True,
            description="SHOPIFY_WEBHOOK_URL is not set: nothing is expected of the store.",
        )
    # A check must not hold its run for as long as a pull may wait.
    api = AdminApi(
        shop=settings.shopify_shop,
        api_version=settings.shopify_api_version,
        credentials=credentials_of(settings),
        base_url=settings.shopify_api_url,
        retry_budget_seconds=PATIENCE_SECONDS,
    )
    try:
        return _mended(api, settings.shopify_webhook_url, database)
    except AdminApiError as error:
        return _subscriptions(passed=False, description=f"The store could not be asked: {error}")
    finally:
        api.close()


def _mended(api: AdminApi, url: str, database: Database) -> dg.AssetCheckResult:
    address = receiver_address(url, PATH)
    scopes = check_access(api, required_scopes=()).scopes
    found = standing(api, address, scopes=scopes)
    if found.is_whole:
        return _subscriptions(
            passed=True,
            description=f"{len(found.present)} topics lead here.",
            present=len(found.present),
            left_out=", ".join(found.left_out),
        )
    done = register(api, address, scopes=scopes)
    with database.transaction() as connection:
        topics = [*found.missing, *(one.topic for one in found.elsewhere)]
        notice(connection, "subscriptions_dropped", {"topics": topics, "refused": done.refused})
    return _subscriptions(
        passed=False,
        error=bool(done.refused),
        description=(
            f"{len(found.missing)} subscriptions were missing and {len(found.elsewhere)} led "
            f"elsewhere; {len(done.created) + len(done.moved)} of them were mended. Webhooks of "
            "the time between are not lost: the hourly pull reads what changed."
        ),
        missing=", ".join(found.missing),
        elsewhere=", ".join(one.topic for one in found.elsewhere),
        refused=str(done.refused),
    )


def _subscriptions(
    *, passed: bool, description: str, error: bool = False, **metadata: str | int
) -> dg.AssetCheckResult:
    return dg.AssetCheckResult(
        passed=passed,
        asset_key=WEBHOOK_INBOX.key,
        check_name=SUBSCRIPTIONS_CHECK.name,
        severity=_severity(error=error),
        description=description,
        metadata=metadata,
    )


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")[:200]
