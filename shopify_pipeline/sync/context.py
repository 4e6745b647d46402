"""What every synchronisation needs: the store's API, the database, and the shop they share."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

from shopify_pipeline.admin_api import (
    Access,
    AdminApi,
    ClientCredentials,
    Credentials,
    StaticToken,
    check_access,
)
from shopify_pipeline.admin_api.patience import RETRY_BUDGET_SECONDS
from shopify_pipeline.entities import ENTITIES
from shopify_pipeline.entities.omission import columns_at
from shopify_pipeline.settings import Settings
from shopify_pipeline.sync.window import midnight
from shopify_pipeline.warehouse import shop
from shopify_pipeline.warehouse.database import Database

OVERLAP = timedelta(minutes=10)
"""How far before the checkpoint a resumed pull starts: what the index shows late."""

LAG = timedelta(minutes=2)
"""How long Shopify's search index may hide a write; no checkpoint comes nearer to now."""


@dataclass(frozen=True, kw_only=True)
class SyncContext:
    """The store and the database of one run, checked to belong together.

    `history_start` is where the first load begins: only a window from there makes a checkpoint.
    `omit` holds the `entity.column` that are neither read nor written. `narrowed` says that the
    app has lost a scope, and nobody accepted it: absence then proves no deletion.
    """

    api: AdminApi
    database: Database
    access: Access
    history_start: datetime
    omit: frozenset[str] = frozenset()
    overlap: timedelta = OVERLAP
    lag: timedelta = LAG
    bulk_threshold: int = 10_000
    narrowed: bool = False


def credentials_of(settings: Settings) -> Credentials:
    """The credentials that the settings give."""
    if settings.shopify_access_token is not None:
        return StaticToken(settings.shopify_access_token.get_secret_value())
    assert settings.shopify_client_id is not None  # noqa: S101 - the settings checked it
    assert settings.shopify_client_secret is not None  # noqa: S101
    return ClientCredentials(
        settings.shopify_client_id, settings.shopify_client_secret.get_secret_value()
    )


def open_api(
    settings: Settings,
    *,
    on_wait: Callable[[str, float], None] | None = None,
    retry_budget_seconds: float = RETRY_BUDGET_SECONDS,
) -> AdminApi:
    """The client of the store that the settings name; `retry_budget_seconds` are a request's."""
    return AdminApi(
        shop=settings.shopify_shop,
        api_version=settings.shopify_api_version,
        credentials=credentials_of(settings),
        base_url=settings.shopify_api_url,
        on_wait=on_wait,
        retry_budget_seconds=retry_budget_seconds,
        columns_at=partial(columns_at, ENTITIES.values()),
    )


def open_database(settings: Settings, *, application_name: str) -> Database:
    """The database that the settings name."""
    return Database(
        settings.database_url.get_secret_value(),
        direct_url=settings.direct_url.get_secret_value(),
        application_name=application_name,
    )


@contextmanager
def open_sync(
    settings: Settings,
    *,
    application_name: str,
    on_wait: Callable[[str, float], None] | None = None,
    retry_budget_seconds: float = RETRY_BUDGET_SECONDS,
) -> Iterator[SyncContext]:
    """Open both sides and check, with one call, the scopes and that it is this database's store.

    Raises:
        OtherShopError: another store answers than SHOPIFY_SHOP.
        MissingScopesError: the app lacks a scope.
        WrongShopError: the database holds another store's data.
        AdminApiError: Shopify could not be asked.
    """
    api = open_api(settings, on_wait=on_wait, retry_budget_seconds=retry_budget_seconds)
    database = open_database(settings, application_name=application_name)
    try:
        access = check_access(api, required_scopes=required_scopes())
        with database.transaction() as connection:
            before = shop.recognise(
                connection,
                shop_gid=access.shop_gid,
                domain=access.domain,
                currency=access.currency,
                timezone=access.timezone,
                shop_created_at=access.shop_created_at,
                scopes=access.scopes,
            )
        yield SyncContext(
            api=api,
            database=database,
            access=access,
            history_start=midnight(settings.shopify_start_date),
            omit=settings.shopify_omit_columns,
            bulk_threshold=settings.shopify_bulk_threshold,
            narrowed=not before <= access.scopes,
        )
    finally:
        api.close()
        database.close()


def required_scopes() -> frozenset[str]:
    """The scopes without which the tables cannot be filled."""
    return frozenset().union(*(entity.scopes for entity in ENTITIES.values()))
