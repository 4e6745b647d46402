"""What the app may read is known before anything is read."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from shopify_pipeline.admin_api.access import check_access
from shopify_pipeline.admin_api.client import AdminApi
from shopify_pipeline.admin_api.errors import MissingScopesError, OrdersTooOldError, OtherShopError
from shopify_pipeline_tests.admin_api.conftest import ApiFor
from shopify_pipeline_tests.admin_api.server import ScriptedServer, answer

READS = ["read_orders", "read_products"]


def grant(server: ScriptedServer, *scopes: str) -> None:
    """Let the server say that the app holds `scopes`."""
    shop: dict[str, Any] = {
        "id": "gid://shopify/Shop/1",
        "myshopifyDomain": "x.myshopify.com",
        "currencyCode": "EUR",
        "ianaTimezone": "Europe/Paris",
        "createdAt": "2020-05-01T10:00:00Z",
    }
    installation = {"accessScopes": [{"handle": scope} for scope in scopes]}
    server.otherwise = lambda _: answer({"shop": shop, "currentAppInstallation": installation})


def test_it_tells_the_shop_and_the_scopes_in_one_call(
    server: ScriptedServer, api: AdminApi
) -> None:
    grant(server, *READS)
    access = check_access(api, required_scopes=READS)
    assert access.shop_gid == "gid://shopify/Shop/1"
    assert (access.domain, access.currency) == ("x.myshopify.com", "EUR")
    assert access.timezone == "Europe/Paris"
    assert access.shop_created_at == datetime(2020, 5, 1, 10, tzinfo=UTC)
    assert access.scopes == set(READS)
    assert not access.reads_all_orders
    assert len(server.calls) == 1


def test_another_shop_than_the_one_asked_for_is_refused(
    server: ScriptedServer, api_for: ApiFor
) -> None:
    grant(server, *READS)
    with pytest.raises(OtherShopError, match=r"^x\.myshopify\.com answers at .*not other\.mysh"):
        check_access(api_for(shop="other"), required_scopes=READS)


def test_a_missing_scope_is_named(server: ScriptedServer, api: AdminApi) -> None:
    grant(server, "read_orders")
    with pytest.raises(
        MissingScopesError, match=r"read_customers, read_products on x\.my"
    ) as caught:
        check_access(api, required_scopes=[*READS, "read_customers"])
    assert caught.value.missing == ("read_customers", "read_products")


def test_writing_includes_reading(server: ScriptedServer, api: AdminApi) -> None:
    grant(server, "write_orders", "read_products")
    check_access(api, required_scopes=READS)


def test_orders_of_over_60_days_ago_need_read_all_orders(
    server: ScriptedServer, api: AdminApi
) -> None:
    oldest = datetime.now(UTC) - timedelta(days=60, minutes=1)
    grant(server, *READS)
    with pytest.raises(OrdersTooOldError, match="read_all_orders"):
        check_access(api, required_scopes=READS, oldest=oldest)
    check_access(api, required_scopes=READS, oldest=oldest + timedelta(minutes=2))
    grant(server, *READS, "read_all_orders")
    assert check_access(api, required_scopes=READS, oldest=oldest).reads_all_orders
