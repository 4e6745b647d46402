"""A database belongs to one store: webhooks of another are neither served nor applied."""

import dagster as dg
import psycopg
import pytest
from click.testing import CliRunner

from shopify_pipeline.cli import cli
from shopify_pipeline.orchestration.resources import ShopifyPipeline
from shopify_pipeline.orchestration.webhook_jobs import empty_webhooks
from shopify_pipeline.settings import load_settings
from shopify_pipeline.warehouse.shop import WrongShopError
from shopify_pipeline.webhooks.worker import Worker
from shopify_pipeline_tests.webhooks.bodies import order
from shopify_pipeline_tests.webhooks.inbox import NOW, Shop
from shopify_pipeline_tests.webhooks.service import service

COMMANDS = [
    ["serve"], ["work"], ["dead"], ["replay", "--all"], ["privacy"], ["list"], ["remove", "--all"],
    ["export", "1", "--output", "found.json"], ["register", "--url", "https://hooks.example.com"],
]  # fmt: skip


@pytest.fixture
def anothers(database_url: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """A database that another store met first; the settings are of ours."""
    with psycopg.connect(database_url) as connection:
        connection.execute(
            "INSERT INTO shopify_internal.shop (only_row, shop_gid, domain) "
            "VALUES (true, 'gid://shopify/Shop/1', 'first-store.myshopify.com')"
        )
    _settings(monkeypatch, database_url)
    return database_url


def _settings(monkeypatch: pytest.MonkeyPatch, database_url: str) -> None:
    for name, value in {
        "SHOPIFY_SHOP": "demo-store",
        "SHOPIFY_ACCESS_TOKEN": "shpat_demo",
        "SHOPIFY_API_URL": "http://127.0.0.1:9",
        "SHOPIFY_START_DATE": "2026-01-01",
        "SHOPIFY_WEBHOOK_SECRETS": "hush",
        "WEBHOOK_PORT": "0",
        "DATABASE_URL": database_url,
    }.items():
        monkeypatch.setenv(name, value)


@pytest.mark.usefixtures("anothers")
@pytest.mark.parametrize("command", COMMANDS, ids=lambda words: words[0])
def test_every_command_is_refused(command: list[str]) -> None:
    with CliRunner().isolated_filesystem():
        refused = CliRunner().invoke(cli, ["webhooks", *command])
    assert refused.exit_code == 2
    assert "first-store.myshopify.com" in refused.output


@pytest.mark.usefixtures("anothers")
def test_a_worker_and_a_run_apply_nothing(shop: Shop) -> None:
    shop.deliver("orders/create", order(1, NOW))
    settings = load_settings()
    with pytest.raises(WrongShopError):
        Worker(settings, refreshing=False).run()
    pipeline = ShopifyPipeline.from_settings(settings)
    with dg.DagsterInstance.ephemeral() as instance:
        result = empty_webhooks.execute_in_process(
            instance=instance, resources={"shopify": pipeline}, raise_on_error=False
        )
    assert not result.success
    assert shop.rows("SELECT * FROM shopify_orders") == []
    assert set(shop.states().values()) == {"pending"}


@pytest.mark.parametrize("command", [["dead"], ["replay", "--all"], ["privacy"]], ids=str)
def test_a_database_that_is_away_is_one_sentence(
    command: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    _settings(monkeypatch, "postgresql://nobody@127.0.0.1:1/none")
    refused = CliRunner().invoke(cli, ["webhooks", *command])
    assert refused.exit_code == 2
    assert "DATABASE_URL does not answer" in refused.output
    assert "Traceback" not in refused.output


def test_the_receiver_starts_while_the_database_is_away() -> None:
    with service("postgresql://nobody@127.0.0.1:1/none", "--workers", "0") as running:
        assert running.address.startswith("http://")
        assert running.stop() == 0
