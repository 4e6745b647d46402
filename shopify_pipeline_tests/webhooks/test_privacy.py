"""Requests about personal data: what is erased, what is kept, what is exported."""

from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import orjson
import pytest
from click.testing import CliRunner

from shopify_pipeline.webhooks.batch import Batches
from shopify_pipeline.webhooks.command import webhooks
from shopify_pipeline.webhooks.letters import replay
from shopify_pipeline.webhooks.privacy import export_customer
from shopify_pipeline_tests.webhooks.bodies import customer, order, product
from shopify_pipeline_tests.webhooks.inbox import NOW, Shop

SECOND = timedelta(seconds=1)
PERSON = ("customer7@example.com", "Ada", "buyer1@example.com", "Secret")


def redaction(*orders: int) -> dict[str, Any]:
    """A request to erase customer 7."""
    return {
        "shop_id": 1,
        "customer": {"id": 7, "email": "customer7@example.com", "phone": None},
        "orders_to_redact": list(orders),
    }


def everything(shop: Shop) -> str:
    """All that the database holds, as one text, bodies included."""
    tables = shop.rows(
        "SELECT format('%%I.%%I', schemaname, tablename) AS name FROM pg_tables "
        "WHERE schemaname IN ('public', 'shopify_internal') AND tablename <> 'schema_migrations'"
    )
    found = [row for table in tables for row in shop.rows(f"SELECT * FROM {table['name']}")]
    return "\n".join(
        str({k: v.decode() if isinstance(v, bytes) else v for k, v in row.items()}) for row in found
    )


def test_a_redaction_erases_rows_bodies_and_links_and_keeps_the_ledger(
    shop: Shop, batches: Batches
) -> None:
    shop.deliver("customers/create", customer(7, NOW, last_name="Secret"))
    shop.deliver("customers/create", customer(8, NOW, first_name="Grace"))
    shop.deliver("orders/create", order(1, NOW, customer={"id": 7}))
    shop.deliver("orders/create", order(2, NOW, customer={"id": 8}))
    batches.process_next()
    shop.connection.execute("INSERT INTO unified_profiles (email) VALUES ('customer7@example.com')")
    (profile,) = shop.rows("SELECT id FROM unified_profiles")
    shop.connection.execute(
        "UPDATE shopify_customers SET unified_profile_id = %s WHERE shopify_customer_id = 7",
        [profile["id"]],
    )
    shop.connection.execute(
        "INSERT INTO shopify_internal.profile_links VALUES (7, %s, 'email')", [profile["id"]]
    )
    shop.connection.execute(
        "INSERT INTO shopify_internal.profile_candidates VALUES (7, %s, 'typo')", [profile["id"]]
    )
    shop.connection.execute("DELETE FROM unified_profiles")
    shop.deliver("customers/redact", redaction(1), at=NOW + SECOND)
    batches.process_next()

    left = everything(shop)
    assert not [word for word in PERSON if word in left]
    row = shop.customer(7)
    assert (row["email"], row["first_name"], row["unified_profile_id"]) == (None, None, None)
    assert shop.order(1)["email"] is None
    assert shop.order(1)["total_price"] == Decimal("21.60")
    assert shop.order(2)["email"] == "buyer2@example.com"
    assert shop.customer(8)["first_name"] == "Grace"
    (request,) = shop.rows("SELECT * FROM shopify_internal.privacy_requests")
    assert (request["customer_id"], request["order_ids"]) == (7, [1])
    assert request["done_at"] is not None
    assert request["erased"]["shopify_customers"] == 1
    assert not shop.rows("SELECT * FROM shopify_internal.profile_links")
    assert not shop.rows("SELECT * FROM shopify_internal.profile_candidates")
    assert len(shop.states()) == 5


def test_a_body_older_than_the_redaction_brings_nothing_personal_back(
    shop: Shop, batches: Batches
) -> None:
    shop.deliver("customers/redact", redaction(1), at=NOW + 9 * SECOND)
    batches.process_next()
    shop.deliver("customers/update", customer(7, NOW, last_name="Secret"), at=NOW + SECOND)
    shop.deliver("orders/updated", order(1, NOW), at=NOW + SECOND)
    batches.process_next()
    left = everything(shop)
    assert not [word for word in PERSON if word in left]
    assert shop.order(1)["total_price"] == Decimal("21.60")
    shop.deliver("customers/update", customer(7, NOW + 20 * SECOND), at=NOW + 20 * SECOND)
    batches.process_next()
    assert shop.customer(7)["first_name"] == "Ada"


def test_the_redaction_of_a_shop_erases_everybody(shop: Shop, batches: Batches) -> None:
    for number in range(1, 5):
        shop.deliver("customers/create", customer(number, NOW))
        shop.deliver("orders/create", order(number, NOW))
    batches.process_next()
    shop.deliver("shop/redact", {"shop_id": 1, "shop_domain": "demo-store.myshopify.com"})
    shop.deliver("orders/create", order(9, NOW))
    shop.connection.execute(
        "UPDATE shopify_internal.webhook_inbox SET next_attempt_at = now() + interval '1 h' "
        "WHERE id = (SELECT max(id) FROM shopify_internal.webhook_inbox)"
    )
    batches.process_next()
    left = everything(shop)
    assert "@example.com" not in left
    assert "Ada" not in left
    assert not shop.queued()
    assert "pending" not in shop.states().values()
    assert shop.order(1)["total_price"] == Decimal("21.60")


def fail(shop: Shop, batches: Batches, times: int) -> None:
    """Process what is there so often, without waiting for the next attempt."""
    for _ in range(times):
        shop.connection.execute("UPDATE shopify_internal.webhook_inbox SET next_attempt_at = now()")
        batches.process_next()


@pytest.mark.parametrize("attempts", [1, 3], ids=["failed", "dead"])
@pytest.mark.parametrize(
    ("topic", "body"),
    [
        ("customers/update", {**customer(7, NOW, last_name="Secret"), "updated_at": "soon"}),
        ("orders/create", order(5, NOW, name="Secret", customer={"id": 7}, total_price_set="x")),
        ("orders/create", order(1, NOW, name="Secret", customer=None, total_price_set="x")),
        ("customer.tags_added", {"customerId": "gid://shopify/Customer/7", "tags": "Secret"}),
        ("customers/update", b'{"id":7,"email":"Secret'),
        ("orders/create", b'\x00\xff{"customer":{"id":7},"email":"Secret"'),
    ],
    ids=["customer", "order", "guest", "event", "broken customer", "broken order"],
)
def test_a_redaction_erases_bodies_that_could_not_be_applied(
    shop: Shop, batches: Batches, topic: str, body: Any, attempts: int
) -> None:
    number = shop.deliver(topic, body)
    fail(shop, batches, attempts)
    assert shop.states()[number] == ("dead" if attempts == 3 else "pending")
    shop.deliver("customers/redact", redaction(1), at=NOW + SECOND)
    batches.process_next()
    assert "Secret" not in everything(shop)
    # It can't be tried any more, nor wait for it.
    assert shop.states()[number] == "skipped"


def test_a_redaction_leaves_what_failed_of_others_and_other_requests_to_be_tried_again(
    shop: Shop, batches: Batches
) -> None:
    shop.connection.execute("ALTER TABLE shopify_orders ADD CONSTRAINT odd CHECK (false) NOT VALID")
    other = shop.deliver("orders/create", order(8, NOW, customer={"id": 8}))
    unread = shop.deliver("orders/create", b'{"customer":{"id":78}')
    request = shop.deliver(
        "customers/redact", {**redaction(2), "shop_domain": "another.myshopify.com"}
    )
    fail(shop, batches, 3)
    shop.deliver("customers/redact", redaction(1), at=NOW + SECOND)
    batches.process_next()
    assert {shop.states()[number] for number in (other, unread, request)} == {"dead"}
    shop.connection.execute("ALTER TABLE shopify_orders DROP CONSTRAINT odd")
    assert replay(batches.database, [other, unread, request]) == 3
    batches.process_next()
    assert shop.order(8)["email"] == "buyer8@example.com"


def test_a_redaction_of_one_attempt_finds_what_fails_beside_it(
    shop: Shop, batches: Batches
) -> None:
    shop.deliver("customers/update", {**customer(7, NOW, last_name="Secret"), "updated_at": "soon"})
    shop.deliver("customers/redact", redaction(1), at=NOW + SECOND)
    batches.process_next()
    assert "Secret" not in everything(shop)


def test_bodies_of_what_is_skipped_are_not_kept(shop: Shop, batches: Batches) -> None:
    shop.deliver("checkouts/create", {"id": 5, "email": "Secret"})
    shop.deliver("customers/create", customer(7, NOW, last_name="Secret"), is_test=True)
    kept = shop.deliver("customers/create", customer(8, NOW))
    batches.process_next()
    bodies = shop.rows("SELECT inbox_id FROM shopify_internal.webhook_bodies")
    assert [row["inbox_id"] for row in bodies] == [kept]


@pytest.mark.parametrize("topic", ["shop/redact", "customers/redact"])
def test_a_redaction_whose_body_names_another_shop_erases_nothing_and_is_seen(
    shop: Shop, batches: Batches, topic: str
) -> None:
    shop.deliver("customers/create", customer(7, NOW))
    batches.process_next()
    number = shop.deliver(topic, {**redaction(), "shop_domain": "another.myshopify.com"})
    fail(shop, batches, 3)
    assert shop.states()[number] == "dead"
    assert shop.customer(7)["email"] == "customer7@example.com"
    assert not shop.rows("SELECT * FROM shopify_internal.privacy_requests")


def test_a_data_request_waits_until_it_is_exported(
    shop: Shop, batches: Batches, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.deliver("customers/create", customer(7, NOW))
    shop.deliver("orders/create", order(1, NOW, customer={"id": 7}))
    request = {"customer": {"id": 7}, "orders_requested": [1], "data_request": {"id": 99}}
    shop.deliver("customers/data_request", request)
    batches.process_next()
    (row,) = shop.rows("SELECT * FROM shopify_internal.privacy_requests")
    assert (row["request_id"], row["done_at"]) == (99, None)
    assert row["due_at"] == NOW + timedelta(days=30)

    for name, value in {
        "SHOPIFY_SHOP": "demo-store",
        "SHOPIFY_ACCESS_TOKEN": "x",
        "SHOPIFY_START_DATE": "2026-01-01",
        "DATABASE_URL": shop.url,
    }.items():
        monkeypatch.setenv(name, value)
    runner = CliRunner()
    assert "due 2026-12-20" in runner.invoke(webhooks, ["privacy"]).output
    target = tmp_path / "customer.json"
    target.touch(mode=0o644)
    result = runner.invoke(webhooks, ["export", "7", "--output", str(target)])
    assert target.stat().st_mode & 0o777 == 0o600
    assert result.exit_code == 0, result.output
    exported = orjson.loads(target.read_bytes())
    assert exported["shopify_customers"][0]["email"] == "customer7@example.com"
    assert len(exported["shopify_order_items"]) == 2
    assert target.stat().st_mode & 0o077 == 0
    assert "done" in runner.invoke(webhooks, ["privacy"]).output


def test_an_export_holds_the_rows_of_that_customer_alone(shop: Shop, batches: Batches) -> None:
    for number in (7, 8):
        shop.deliver("customers/create", customer(number, NOW))
        shop.deliver("orders/create", order(number, NOW, customer={"id": number}))
    batches.process_next()
    with batches.database.transaction() as connection:
        found = export_customer(connection, 7)
    assert [row["shopify_order_id"] for row in found["shopify_orders"]] == [7]
    assert {row["shopify_order_id"] for row in found["shopify_order_items"]} == {7}
    assert [row["topic"] for row in found["webhooks"]] == ["customers/create", "orders/create"]


def test_an_export_holds_the_orders_that_a_data_request_names(shop: Shop, batches: Batches) -> None:
    shop.deliver("orders/create", order(1, NOW, customer=None))
    shop.deliver("orders/create", order(2, NOW, customer={"id": 7}))
    shop.deliver("orders/create", order(3, NOW, customer=None))
    for number, requested in ((7, [1, 99]), (8, [3])):
        request = {"customer": {"id": number}, "orders_requested": requested}
        shop.deliver("customers/data_request", request)
    batches.process_next()
    with batches.database.transaction() as connection:
        found = export_customer(connection, 7)
    assert {row["shopify_order_id"] for row in found["shopify_orders"]} == {1, 2}
    assert {row["shopify_order_id"] for row in found["shopify_order_items"]} == {1, 2}


def test_replaying_everything_repeats_no_request_that_was_carried_out(
    shop: Shop, batches: Batches
) -> None:
    answered = shop.deliver("customers/data_request", {"customer": {"id": 8}})
    erased = shop.deliver("customers/redact", {"customer": {"id": 7}})
    done = shop.deliver("products/create", product(5, NOW))
    batches.process_next()
    shop.connection.execute("UPDATE shopify_internal.privacy_requests SET done_at = now()")
    requests = shop.rows("SELECT * FROM shopify_internal.privacy_requests ORDER BY id")
    shop.deliver("customers/create", customer(7, NOW + SECOND), at=NOW + SECOND)
    batches.process_next()
    # The bodies of redactions go with them; were they kept, they were not replayed either.
    shop.connection.execute(
        "INSERT INTO shopify_internal.webhook_bodies SELECT body_slot, id, %s "
        "FROM shopify_internal.webhook_inbox WHERE id = %s ON CONFLICT DO NOTHING",
        [b'{"customer":{"id":7}}', erased],
    )
    replay(batches.database, None, states=("dead", "done", "skipped"))
    states = shop.states()
    assert (states[answered], states[erased], states[done]) == ("done", "done", "pending")
    batches.process_next()
    assert shop.rows("SELECT * FROM shopify_internal.privacy_requests ORDER BY id") == requests
    assert shop.customer(7)["first_name"] == "Ada"


def test_a_request_that_is_carried_out_again_stays_answered(shop: Shop, batches: Batches) -> None:
    number = shop.deliver("customers/data_request", {"customer": {"id": 7}})
    batches.process_next()
    shop.connection.execute("UPDATE shopify_internal.privacy_requests SET done_at = %s", [NOW])
    shop.connection.execute("UPDATE shopify_internal.webhook_inbox SET state = 'pending'")
    assert batches.process_these([number]).done == 1
    (request,) = shop.rows("SELECT * FROM shopify_internal.privacy_requests")
    assert request["done_at"] == NOW


def test_a_dead_request_is_replayed_and_carried_out(shop: Shop, batches: Batches) -> None:
    shop.deliver("customers/create", customer(7, NOW))
    batches.process_next()
    number = shop.deliver("customers/redact", redaction(), at=NOW + SECOND)
    shop.connection.execute(
        "UPDATE shopify_internal.webhook_inbox SET state = 'dead' WHERE id = %s", [number]
    )
    assert replay(batches.database, [number]) == 1
    batches.process_next()
    assert shop.customer(7)["email"] is None
