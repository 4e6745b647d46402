"""The inbox of webhooks as an asset, and what its checks say of it."""

from collections.abc import Iterator

import dagster as dg
import sqlalchemy as sa

from shopify_pipeline.admin_api import AdminApi, AdminApiError, check_access
from shopify_pipeline.orchestration.checks_results import Judgement
from shopify_pipeline.orchestration.resources import ShopifyPipeline
from shopify_pipeline.orchestration.specs import OPERATIONS, OWNERS, WEBHOOK_INBOX_KEY
from shopify_pipeline.settings import Settings
from shopify_pipeline.sync.context import credentials_of
from shopify_pipeline.warehouse.checks.offenders import find
from shopify_pipeline.warehouse.database import Database
from shopify_pipeline.webhooks import offenders
from shopify_pipeline.webhooks.applying import notice
from shopify_pipeline.webhooks.letters import Backlog, backlog
from shopify_pipeline.webhooks.receiver import PATH
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
    with database.transaction() as connection:
        judged = [
            _emptied(connection, now),
            _alive(connection, now),
            _answered(connection),
            _installed(connection),
        ]
    for found, spec in zip(judged, INBOX_CHECKS, strict=True):
        yield found.result(WEBHOOK_INBOX.key, spec.name)


def _emptied(connection: sa.Connection, now: Backlog) -> Judgement:
    oldest = now.oldest_seconds or 0.0
    found = Judgement(
        numbers={"pending": now.pending, "oldest_seconds": oldest, "workers": now.workers}
    )
    said = f"{now.pending} webhooks wait, the oldest for {oldest:.0f} s; {now.workers} workers."
    if oldest <= LATE_SECONDS:
        found.remark(said)
        return found
    waiting = find(connection, offenders.waiting())
    found.sql.append(waiting.sql)
    found.wrong(said, number=max(waiting.number, 1), error=oldest > STUCK_SECONDS)
    found.tables.append(("webhooks that wait", waiting.first))
    return found


def _alive(connection: sa.Connection, now: Backlog) -> Judgement:
    found = Judgement(numbers={"dead": now.dead})
    dead = find(connection, offenders.dead())
    if not dead:
        found.remark("None is dead.")
        return found
    found.sql.append(dead.sql)
    found.wrong(
        f"{dead.number} webhooks are dead. `shopify-pipeline webhooks dead` lists them, "
        "`… replay` tries them again.",
        number=dead.number,
        error=False,
    )
    found.tables.append(("webhooks that are dead", dead.first))
    return found


def _answered(connection: sa.Connection) -> Judgement:
    waiting = find(connection, offenders.unanswered())
    found = Judgement(numbers={"open": waiting.number})
    if not waiting:
        found.remark("None is open.")
        return found
    due_at = waiting.first[0]["due_at"]
    overdue = due_at < connection.execute(sa.select(sa.func.clock_timestamp())).scalar_one()
    found.sql.append(waiting.sql)
    found.wrong(
        f"{waiting.number} requests wait, the first until {due_at:%Y-%m-%d}. "
        "`shopify-pipeline webhooks privacy` lists them, `… export` answers one.",
        number=waiting.number,
        error=overdue,
    )
    found.tables.append(("requests that wait", waiting.first))
    return found


def _installed(connection: sa.Connection) -> Judgement:
    notices = find(connection, offenders.app_notices())
    found = Judgement()
    if not notices:
        found.remark("Nothing was heard of.")
        return found
    found.sql.append(notices.sql)
    latest = {one["kind"]: one["noticed_at"] for one in notices.first}
    for kind, at in latest.items():
        found.wrong(
            f"{kind.replace('_', ' ')} at {at:%Y-%m-%d %H.%M} UTC", error=kind == "app_uninstalled"
        )
    found.tables.append(("notices", notices.first))
    return found


def subscriptions_result(settings: Settings, database: Database) -> dg.AssetCheckResult:
    """Compare the store's subscriptions with ours, and make anew what is missing."""
    found = Judgement()
    if not settings.shopify_webhook_url:
        found.remark("SHOPIFY_WEBHOOK_URL is not set: nothing is expected of the store.")
        return found.result(WEBHOOK_INBOX.key, SUBSCRIPTIONS_CHECK.name)
    # A check must not hold its run for as long as a pull may wait.
    api = AdminApi(
        shop=settings.shopify_shop,
        api_version=settings.shopify_api_version,
        credentials=credentials_of(settings),
        base_url=settings.shopify_api_url,
        retry_budget_seconds=PATIENCE_SECONDS,
    )
    try:
        _mend(found, api, settings.shopify_webhook_url, database)
    except AdminApiError as error:
        found.wrong(f"The store could not be asked: {error}", error=False)
    finally:
        api.close()
    return found.result(WEBHOOK_INBOX.key, SUBSCRIPTIONS_CHECK.name)


def _mend(found: Judgement, api: AdminApi, url: str, database: Database) -> None:
    address = receiver_address(url, PATH)
    scopes = check_access(api, required_scopes=()).scopes
    now = standing(api, address, scopes=scopes)
    found.numbers["present"] = len(now.present)
    if now.left_out:
        found.remark(f"left out for want of a scope: {', '.join(now.left_out)}")
    if now.is_whole:
        found.remark(f"{len(now.present)} topics lead here.")
        return
    done = register(api, address, scopes=scopes)
    topics = {
        **dict.fromkeys(now.missing, "was missing"),
        **dict.fromkeys((one.topic for one in now.elsewhere), "led elsewhere"),
    }
    with database.transaction() as connection:
        notice(connection, "subscriptions_dropped", {"topics": [*topics], "refused": done.refused})
    found.numbers |= {"missing": len(now.missing), "elsewhere": len(now.elsewhere)}
    found.wrong(
        f"{len(now.missing)} subscriptions were missing and {len(now.elsewhere)} led "
        f"elsewhere; {len(done.created) + len(done.moved)} of them were mended. Webhooks of "
        "the time between are not lost: the hourly pull reads what changed. "
        "`shopify-pipeline webhooks list` shows all subscriptions.",
        number=len(topics),
        error=bool(done.refused),
    )
    rows = [
        {
            "topic": topic,
            "subscription": was,
            "now": f"refused: {done.refused[topic]}" if topic in done.refused else "leads here",
        }
        for topic, was in topics.items()
    ]
    found.tables.append(("subscriptions that differed", rows))
