"""The commands against a simulated store: register, list, remove, dead, replay."""

import pytest
from click.testing import CliRunner

from shopify_pipeline.webhooks.command import webhooks
from shopify_pipeline.webhooks.topics import SUBSCRIBED
from shopify_pipeline_tests.simulated import TOKEN, SimulatedStore
from shopify_pipeline_tests.webhooks.bodies import order
from shopify_pipeline_tests.webhooks.inbox import NOW, Shop

URL = "https://hooks.example.com"


@pytest.fixture
def run(database_url: str, new_store: SimulatedStore, monkeypatch: pytest.MonkeyPatch) -> CliRunner:
    """Runs commands with the settings of a store and a database."""
    for name, value in {
        "SHOPIFY_SHOP": "demo-store",
        "SHOPIFY_ACCESS_TOKEN": TOKEN,
        "SHOPIFY_API_URL": new_store.url,
        "SHOPIFY_START_DATE": "2026-01-01",
        "DATABASE_URL": database_url,
    }.items():
        monkeypatch.setenv(name, value)
    return CliRunner()


def test_subscriptions_are_registered_listed_and_removed(run: CliRunner) -> None:
    first = run.invoke(webhooks, ["register", "--url", URL])
    assert first.exit_code == 0, first.output
    created = first.output.count(": created")
    assert created >= len(SUBSCRIBED) - 1
    again = run.invoke(webhooks, ["register", "--url", URL])
    assert again.output.count(": kept") == created
    listed = run.invoke(webhooks, ["list"])
    assert listed.output.count(f"{URL}/webhooks/shopify") == created
    removed = run.invoke(webhooks, ["remove", "--url", URL])
    assert f"{created} subscriptions removed" in removed.output
    assert run.invoke(webhooks, ["list"]).output == ""


def test_moving_leads_every_subscription_to_the_new_address(run: CliRunner) -> None:
    run.invoke(webhooks, ["register", "--url", "https://old.example.com"])
    moved = run.invoke(webhooks, ["register", "--url", URL])
    assert moved.exit_code == 0, moved.output
    assert ": moved" in moved.output
    assert "old.example.com" not in run.invoke(webhooks, ["list"]).output


def test_what_the_store_refuses_is_said_and_is_exit_code_1(run: CliRunner) -> None:
    refused = run.invoke(webhooks, ["register", "--url", "http://hooks.example.com"])
    assert refused.exit_code == 1
    assert "refused" in refused.output


def test_without_an_address_it_says_what_to_set(run: CliRunner) -> None:
    result = run.invoke(webhooks, ["register"])
    assert result.exit_code == 2
    assert "SHOPIFY_WEBHOOK_URL" in result.output


def test_dead_deliveries_are_listed_and_replayed(run: CliRunner, shop: Shop) -> None:
    number = shop.deliver("orders/create", order(1, NOW))
    shop.connection.execute(
        "UPDATE shopify_internal.webhook_inbox SET state = 'dead', attempts = 8, "
        "finished_at = now(), last_error = 'the body is not JSON'"
    )
    listed = run.invoke(webhooks, ["dead"])
    assert f"{number}\torders/create" in listed.output
    assert "not JSON" in listed.output
    assert "1 deliveries are pending" in run.invoke(webhooks, ["replay", str(number)]).output
    assert set(shop.states().values()) == {"pending"}
    assert run.invoke(webhooks, ["replay"]).exit_code == 2
