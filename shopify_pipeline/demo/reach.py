"""Whether the settings work, the store's side and the database's: found out before anything starts.

Each is asked for seconds, not for the minutes that a run would go on trying.
"""

import os
from collections.abc import Mapping
from datetime import UTC, datetime

from shopify_pipeline.admin_api import AdminApi, AdminApiError, check_access
from shopify_pipeline.demo.preflight import (
    check_dagster_storage,
    check_database,
    check_databases,
)
from shopify_pipeline.demo.terminal import say, say_wait
from shopify_pipeline.setting_types import EARLIEST
from shopify_pipeline.settings import Settings, SettingsError, load_settings
from shopify_pipeline.sync.context import open_api, open_sync, required_scopes
from shopify_pipeline.sync.window import midnight
from shopify_pipeline.warehouse import checkpoints
from shopify_pipeline.warehouse.migrations import migrate

BUDGET_SECONDS = 12.0
"""How long a question to the store is repeated after failures that may pass."""

_NOT_YET = "postgresql://embedded/not_yet_started"


def check_settings() -> None:
    """See that the settings are whole, and that the store and the databases they name answer.

    Raises:
        SettingsError, RefusedError, AdminApiError: they don't.
    """
    given: dict[str, object] = {}
    if not any(os.environ.get(name) for name in ("DATABASE_URL", "DATABASE_DIRECT_URL")):
        given["database_url"] = _NOT_YET
    try:
        settings = load_settings(**given)
    except SettingsError as error:
        raise start_date_hint(error, **given) from None
    if not given:
        check_databases(settings)
    _check_dagsters_database()
    with open_briefly(settings) as api:
        check_access(api, required_scopes=required_scopes())


def check_demonstration(store: Mapping[str, str]) -> None:
    """See that the settings work together with those of the demonstration's `store`, not yet up.

    Raises:
        SettingsError, RefusedError: they don't.
    """
    given: dict[str, object] = {name.lower(): value for name, value in store.items()}
    if not os.environ.get("SHOPIFY_START_DATE"):
        given["shopify_start_date"] = datetime.now(UTC).date()
    load_settings(database_url=_NOT_YET, **given)
    _check_dagsters_database()


def check_sides(settings: Settings) -> None:
    """Migrate, and see that the store is this database's and may be read from the first day.

    Raises:
        AdminApiError, MigrationError, RefusedError, WrongShopError: it isn't, or may not.
    """
    applied = migrate(settings.direct_url.get_secret_value())
    say(f"The database is up to date ({len(applied)} migrations applied).")
    with open_sync(
        settings,
        application_name="shopify_pipeline run",
        on_wait=say_wait,
        retry_budget_seconds=BUDGET_SECONDS,
    ) as sync:
        say(f"The store is {sync.access.domain}.")
        with sync.database.transaction() as connection:
            first_load = checkpoints.read(connection, "orders") is None
        if first_load:
            start = midnight(settings.shopify_start_date)
            check_access(sync.api, required_scopes=(), oldest=start)
    check_dagster_storage(os.environ["DAGSTER_POSTGRES_URL"])


def open_briefly(settings: Settings) -> AdminApi:
    """The client of the store, of little patience, which tells of each wait."""
    return open_api(settings, on_wait=say_wait, retry_budget_seconds=BUDGET_SECONDS)


def creation_day(**given: object) -> str:
    """The UTC day on which the store was created; `given` as for `load_settings`.

    Raises:
        SettingsError, AdminApiError: the store can't be asked.
    """
    settings = load_settings(shopify_start_date=EARLIEST, **given)
    with open_briefly(settings) as api:
        created = check_access(api, required_scopes=()).shop_created_at
    return created.astimezone(UTC).date().isoformat()


def start_date_hint(error: SettingsError, **given: object) -> SettingsError:
    """The same error; where only SHOPIFY_START_DATE is wrong, with the day the store was created.

    Asks Shopify, with the credentials that are there. `given` as for `load_settings`.
    """
    if set(error.problems) != {"SHOPIFY_START_DATE"}:
        return error
    problem = error.problems["SHOPIFY_START_DATE"].rstrip(".")
    try:
        created = creation_day(**given)
    except (AdminApiError, SettingsError) as failed:
        hint = f"The store could not be asked when it was created: {failed}"
    else:
        hint = f"The store was created on {created}: set SHOPIFY_START_DATE={created}"
    return SettingsError({"SHOPIFY_START_DATE": f"{problem}. {hint}"})


def _check_dagsters_database() -> None:
    if url := os.environ.get("DAGSTER_POSTGRES_URL"):
        check_database(url, setting="DAGSTER_POSTGRES_URL")
