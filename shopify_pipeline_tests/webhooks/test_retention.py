"""Pruning: bodies go by the day, what is unfinished stays, the ledger goes much later."""

import pytest

from shopify_pipeline.webhooks import retention
from shopify_pipeline.webhooks.batch import Batches
from shopify_pipeline.webhooks.letters import replay
from shopify_pipeline.webhooks.retention import prune
from shopify_pipeline_tests.webhooks.bodies import order
from shopify_pipeline_tests.webhooks.inbox import NOW, Shop


def age(shop: Shop, delivery: int, days: int) -> None:
    """Make a delivery look as if it had come so many days ago."""
    shop.connection.execute(
        "UPDATE shopify_internal.webhook_bodies SET slot = (slot - %s + 64) %% 32 "
        "WHERE inbox_id = %s",
        [days, delivery],
    )
    shop.connection.execute(
        "UPDATE shopify_internal.webhook_inbox SET body_slot = (body_slot - %s + 64) %% 32, "
        "received_at = received_at - %s * interval '1 day' WHERE id = %s",
        [days, days, delivery],
    )


def test_bodies_go_after_their_days_and_the_ledger_stays(shop: Shop, batches: Batches) -> None:
    ages = {days: shop.deliver("orders/create", order(days + 1, NOW)) for days in (0, 7, 8, 20)}
    batches.process_next()
    for days, delivery in ages.items():
        age(shop, delivery, days)
    assert len(prune(batches.database, body_days=7, ledger_days=90)) == 2
    left = {row["inbox_id"] for row in shop.rows("SELECT * FROM shopify_internal.webhook_bodies")}
    assert left == {ages[0], ages[7]}
    assert len(shop.states()) == 4
    assert prune(batches.database, body_days=7, ledger_days=90) == []


def test_what_is_pending_or_dead_keeps_its_body(shop: Shop, batches: Batches) -> None:
    waiting = shop.deliver("orders/create", order(1, NOW))
    broken = shop.deliver("orders/create", b"{}")
    shop.connection.execute(
        "UPDATE shopify_internal.webhook_inbox SET state = 'dead' WHERE id = %s", [broken]
    )
    for delivery in (waiting, broken):
        age(shop, delivery, 20)
    prune(batches.database, body_days=7, ledger_days=10)
    assert replay(batches.database, [broken]) == 1
    report = batches.process_next()
    assert (report.done, report.failed) == (1, 1)


def test_the_ledger_goes_after_its_days(shop: Shop, batches: Batches) -> None:
    old, new = (shop.deliver("orders/create", order(number, NOW)) for number in (1, 2))
    batches.process_next()
    age(shop, old, 20)
    prune(batches.database, body_days=7, ledger_days=10)
    assert set(shop.states()) == {new}


def test_a_pruned_delivery_cannot_be_replayed(shop: Shop, batches: Batches) -> None:
    delivery = shop.deliver("orders/create", order(1, NOW))
    batches.process_next()
    age(shop, delivery, 20)
    prune(batches.database, body_days=7, ledger_days=90)
    assert replay(batches.database, [delivery], states=("done",)) == 0


def test_a_long_ledger_is_pruned_to_its_end(
    shop: Shop, batches: Batches, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "LEDGER_ROWS", 2)
    for number in range(5):
        shop.deliver("products/delete", {"id": number + 1})
    while batches.process_next().found:
        pass
    shop.connection.execute(
        "UPDATE shopify_internal.webhook_inbox SET received_at = now() - interval '100 days'"
    )
    prune(batches.database, body_days=7, ledger_days=90)
    assert shop.states() == {}
