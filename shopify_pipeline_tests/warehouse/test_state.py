"""Checkpoints, the refresh queue, the shop, heartbeats, small facts, connections."""

from datetime import timedelta

import psycopg
import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shopify_pipeline.warehouse import checkpoints, heartbeats, refresh_queue, shop, state
from shopify_pipeline.warehouse.database import (
    Database,
    DatabaseUrlError,
    postgres_url,
    without_password,
)
from shopify_pipeline.warehouse.merge import RowSet, merge_partials, merge_reads
from shopify_pipeline.warehouse.relink import missing_parents, relink, relink_all
from shopify_pipeline_tests.warehouse.conftest import (
    CUSTOMERS,
    ITEMS,
    ORDERS,
    PRODUCTS,
    TABLES,
    at,
    fetch,
)

NO_LAG = timedelta(0)


# ---- checkpoints --------------------------------------------------------------------------------


@given(
    st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9), st.integers(0, 12)), max_size=8),
    st.integers(0, 3),
)
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_a_checkpoint_moves_over_what_was_read_and_never_over_a_gap(
    database: Database, windows: list[tuple[int, int, int]], lag: int
) -> None:
    known: float | None = None
    with database.transaction() as connection:
        connection.execute(sa.delete(checkpoints.CHECKPOINTS))
        for start, end, read_at in windows:
            reached = min(end, read_at - lag)
            if known is None or (start <= known < reached):
                known = reached
            moved = checkpoints.advance(
                connection,
                "orders",
                start=at(start),
                end=at(end),
                read_at=at(read_at),
                lag=timedelta(seconds=lag),
            )
            assert moved == checkpoints.read(connection, "orders") == at(known)


def test_only_a_window_from_the_start_of_history_makes_the_first_checkpoint(
    database: Database,
) -> None:
    def read(connection: sa.Connection, start: float, end: float) -> object:
        return checkpoints.advance(
            connection,
            "orders",
            start=at(start),
            end=at(end),
            read_at=at(100),
            lag=NO_LAG,
            history_start=at(1),
        )

    with database.transaction() as connection:
        assert read(connection, 5, 6) is None
        assert read(connection, 1, 3) == at(3)
        assert read(connection, 5, 6) == at(3)
        assert read(connection, 3, 6) == at(6)
        assert checkpoints.read(connection, "products") is None


# ---- the refresh queue --------------------------------------------------------------------------


def test_an_id_is_queued_once_and_claimed_once_until_its_lease_ends(database: Database) -> None:
    with database.transaction() as connection:
        queued = refresh_queue.enqueue(connection, "orders", [3, 1, 3], reason="a", queued_at=at(1))
        assert queued == 2
        again = refresh_queue.enqueue(connection, "orders", [1], reason="b", queued_at=at(2))
        assert again == 0
        refresh_queue.enqueue(connection, "customers", [1], reason="c", queued_at=at(2))
    with database.transaction() as connection:
        claimed = refresh_queue.claim(connection, "orders", limit=10, lease_seconds=60)
        assert [(q.shopify_id, q.reason, q.queued_at, q.attempts) for q in claimed] == [
            (3, "a", at(1), 1),
            (1, "b", at(2), 1),
        ]
        assert refresh_queue.claim(connection, "orders", limit=10, lease_seconds=60) == []
    with database.transaction() as connection:
        refresh_queue.release(connection, "orders", [1])
        (claimed_again,) = refresh_queue.claim(connection, "orders", limit=10, lease_seconds=-1)
        assert (claimed_again.shopify_id, claimed_again.attempts) == (1, 2)
    with database.transaction() as connection:
        assert len(refresh_queue.claim(connection, "orders", limit=10, lease_seconds=1)) == 1


def test_urgent_ids_go_first_and_others_can_become_urgent(database: Database) -> None:
    with database.transaction() as connection:
        refresh_queue.enqueue(connection, "orders", [1, 2, 3], reason="r", queued_at=at(1))
        refresh_queue.enqueue(connection, "orders", [2], reason="r", queued_at=at(1), urgent=True)
        refresh_queue.enqueue(connection, "orders", [2], reason="r", queued_at=at(2))
        assert refresh_queue.backlog(connection, "orders") == refresh_queue.Backlog(3, 1, at(1))
        (first,) = refresh_queue.claim(connection, "orders", limit=1, lease_seconds=60)
        assert (first.shopify_id, first.urgent, first.queued_at) == (2, True, at(2))


def test_claims_at_once_share_the_queue(database: Database) -> None:
    with database.transaction() as connection:
        refresh_queue.enqueue(connection, "orders", range(6), reason="r", queued_at=at(1))
    with database.transaction() as one, database.transaction() as other:
        mine = refresh_queue.claim(one, "orders", limit=3, lease_seconds=60)
        theirs = refresh_queue.claim(other, "orders", limit=9, lease_seconds=60)
    assert {q.shopify_id for q in mine} | {q.shopify_id for q in theirs} == set(range(6))
    assert len(mine) + len(theirs) == 6


def test_postponed_ids_wait_and_keep_their_error(database: Database) -> None:
    with database.transaction() as connection:
        refresh_queue.enqueue(connection, "orders", [1], reason="r", queued_at=at(1))
        refresh_queue.postpone(connection, "orders", [1], seconds=60, error="no luck")
        assert refresh_queue.claim(connection, "orders", limit=1, lease_seconds=1) == []
        assert fetch(connection, "SELECT last_error FROM shopify_internal.refresh_queue") == [
            ("no luck",)
        ]


def test_news_of_an_id_that_was_put_off_brings_it_forward(database: Database) -> None:
    due = (
        "SELECT due_at < now() + interval '2 minutes' FROM shopify_internal.refresh_queue"
        " ORDER BY shopify_id"
    )
    with database.transaction() as connection:
        refresh_queue.enqueue(connection, "orders", [1, 2], reason="r", queued_at=at(1))
        refresh_queue.postpone(connection, "orders", [1, 2], seconds=3600, error="no luck")
        refresh_queue.enqueue(connection, "orders", [1], reason="webhook", queued_at=at(2))
        assert fetch(connection, due) == [(True,), (False,)]


def test_forgetting_leaves_what_was_queued_again_since(database: Database) -> None:
    with database.transaction() as connection:
        refresh_queue.enqueue(connection, "orders", [1], reason="r", queued_at=at(1))
        refresh_queue.enqueue(connection, "orders", [2], reason="r", queued_at=at(5))
        assert refresh_queue.forget(connection, "orders", [1, 2], queued_before=at(5)) == 1
        assert refresh_queue.forget(connection, "orders", [1, 2]) == 1


def test_only_a_read_that_passed_and_was_made_later_satisfies(database: Database) -> None:
    columns = ("shopify_product_id", "title", "updated_at", "observed_at")

    def merge(merge: object, updated: float, observed: float) -> list[tuple[object, ...]]:
        rows = [(1, "t", at(updated), at(observed))]
        with database.transaction() as connection:
            refresh_queue.enqueue(connection, "products", [1], reason="r", queued_at=at(5))
            merge(connection, RowSet(PRODUCTS, columns, rows))  # type: ignore[operator]
            return fetch(connection, "SELECT shopify_id FROM shopify_internal.refresh_queue")

    assert merge(merge_reads, 3, 5) == [(1,)]
    assert merge(merge_partials, 4, 9) == [(1,)]
    assert merge(merge_reads, 3, 9) == [(1,)], "a stale read satisfies nothing"
    assert merge(merge_reads, 4, 9) == []
    assert merge(merge_reads, 4, 9) == [], "a read that finds nothing new satisfies too"


# ---- links --------------------------------------------------------------------------------------


@pytest.mark.parametrize("arrived", [None, {"shopify_customers": [7]}, {"shopify_orders": [1]}])
def test_a_link_is_set_when_its_parent_has_come(
    database: Database, arrived: dict[str, list[int]] | None
) -> None:
    order = ("shopify_order_id", "shopify_customer_id", "updated_at", "observed_at")
    customer = ("shopify_customer_id", "updated_at", "observed_at")
    with database.transaction() as connection:
        merge_reads(connection, RowSet(ORDERS, order, [(1, 7, at(1), at(1)), (2, 8, at(1), at(1))]))
        assert missing_parents(connection, ORDERS, limit=10) == {"shopify_customers": [7, 8]}
        assert missing_parents(connection, ORDERS, limit=1) == {"shopify_customers": [7]}
        assert missing_parents(connection, CUSTOMERS, limit=1) == {}
        assert relink(connection, TABLES, arrived=arrived) == 0
        merge_reads(connection, RowSet(CUSTOMERS, customer, [(7, at(1), at(1))]))
        assert missing_parents(connection, ORDERS, limit=10) == {"shopify_customers": [8]}
        assert relink(connection, TABLES, arrived={"shopify_customers": [8]}) == 0
        assert relink(connection, TABLES, arrived=arrived) == 1
        assert relink(connection, TABLES) == 0
        assert fetch(
            connection,
            "SELECT shopify_order_id FROM shopify_orders WHERE customer_id IS NOT NULL",
        ) == [(1,)]


def test_many_links_are_set_some_at_a_time(database: Database) -> None:
    with database.transaction() as connection:
        connection.exec_driver_sql(
            "INSERT INTO shopify_orders (shopify_order_id) SELECT generate_series(1, 5);"
            "INSERT INTO shopify_order_items (shopify_line_item_id, shopify_order_id,"
            " shopify_product_id) SELECT n, n, n FROM generate_series(1, 7) AS n"
        )
    assert relink_all(database, TABLES, at_once=2) == 5
    assert relink_all(database, TABLES, at_once=2) == 0
    with database.transaction() as connection:
        assert fetch(
            connection,
            "SELECT i.shopify_line_item_id FROM shopify_order_items i LEFT JOIN shopify_orders o"
            " ON o.id = i.order_id WHERE o.shopify_order_id IS DISTINCT FROM i.shopify_order_id"
            " ORDER BY 1",
        ) == [(6,), (7,)]


def test_an_orphaned_line_finds_its_order_again(database: Database) -> None:
    with database.transaction() as connection:
        connection.exec_driver_sql(
            "INSERT INTO shopify_orders (shopify_order_id) VALUES (1);"
            "INSERT INTO shopify_order_items (shopify_line_item_id, shopify_order_id) VALUES (1, 1)"
        )
        assert relink(connection, [ITEMS]) == 1


# ---- the shop, heartbeats, facts ----------------------------------------------------------------


def meet(database: Database, gid: str, domain: str, scopes: set[str]) -> frozenset[str]:
    with database.transaction() as connection:
        return shop.recognise(
            connection,
            shop_gid=gid,
            domain=domain,
            currency="EUR",
            timezone="Europe/Vienna",
            shop_created_at=at(0),
            scopes=scopes,
        )


def test_the_first_store_met_is_the_databases_and_another_is_refused(database: Database) -> None:
    assert meet(database, "gid://shopify/Shop/1", "a.myshopify.com", {"x", "y"}) == {"x", "y"}
    assert meet(database, "gid://shopify/Shop/1", "renamed.myshopify.com", {"x"}) == {"x", "y"}
    with pytest.raises(shop.WrongShopError, match=r"holds the data of renamed\.myshopify\.com"):
        meet(database, "gid://shopify/Shop/2", "b.myshopify.com", {"x"})
    with database.transaction() as connection:
        known = shop.read(connection)
    assert known is not None
    assert (known.shop_gid, known.domain, known.currency) == (
        "gid://shopify/Shop/1",
        "renamed.myshopify.com",
        "EUR",
    )


def test_a_scope_that_was_lost_is_remembered_until_the_loss_is_accepted(database: Database) -> None:
    for scopes in ({"x", "y"}, {"x"}, {"x"}):
        assert meet(database, "gid://shopify/Shop/1", "a.myshopify.com", scopes) == {"x", "y"}
    with database.transaction() as connection:
        shop.accept_scopes(connection, {"x"})
    assert meet(database, "gid://shopify/Shop/1", "a.myshopify.com", {"x", "z"}) == {"x"}
    assert meet(database, "gid://shopify/Shop/1", "a.myshopify.com", {"x"}) == {"x", "z"}


def test_silence_is_counted_from_the_last_beat(database: Database) -> None:
    with database.transaction() as connection:
        heartbeats.beat(connection, "one", what="run")
        heartbeats.beat(connection, "two", what="run")
        connection.exec_driver_sql(
            "UPDATE shopify_internal.heartbeats SET beaten_at = now() - interval '90 s'"
        )
        heartbeats.beat(connection, "two", what="other")
        silent = heartbeats.silence(connection)
        assert 89 < silent["one"] < 120
        assert silent["two"] < 30
        heartbeats.stop(connection, "two")
        assert heartbeats.forget(connection, silent_for_seconds=60) == 1
        assert heartbeats.silence(connection) == {}


def test_a_fact_is_kept_until_it_is_too_old(database: Database) -> None:
    with database.transaction() as connection:
        assert state.read(connection, "k") is None
        state.write(connection, "k", {"a": [1, None, "x"]})
        state.write(connection, "k", False)
        assert state.read(connection, "k", not_older_than=timedelta(hours=1)) is False
        connection.exec_driver_sql(
            "UPDATE shopify_internal.state SET updated_at = now() - interval '2 h'"
        )
        assert state.read(connection, "k", not_older_than=timedelta(hours=1)) is None
        state.forget(connection, "k")
        assert state.read(connection, "k") is None


# ---- connections --------------------------------------------------------------------------------


def test_a_transaction_has_our_settings_and_leaves_none_behind(database: Database) -> None:
    query = (
        "SELECT current_setting('row_security'), current_setting('TimeZone'),"
        " current_setting('lock_timeout'), current_setting('application_name')"
    )
    with database.transaction() as connection:
        assert fetch(connection, query) == [("off", "UTC", "1min", "shopify_pipeline")]
    with database._pooled.connect() as connection:
        ((row_security, *_),) = fetch(connection, query)
        assert row_security == "on"


def test_an_exception_rolls_back(database: Database) -> None:
    def fail_after_writing() -> None:
        with database.transaction() as connection:
            state.write(connection, "k", 1)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail_after_writing()
    with database.transaction() as connection:
        assert state.read(connection, "k") is None


def test_an_error_does_not_repeat_what_the_statement_carried(database: Database) -> None:
    with pytest.raises(sa.exc.DataError) as caught, database.transaction() as connection:
        connection.execute(sa.text("SELECT 1 / (:a = :a)::int - 1/0"), {"a": "secret@x.example"})
    assert "secret" not in str(caught.value)


def test_no_statement_is_prepared(database: Database) -> None:
    with database.transaction() as connection:
        for _ in range(8):
            connection.execute(sa.text("SELECT :a"), {"a": 1})
        assert fetch(connection, "SELECT count(*) FROM pg_prepared_statements") == [(0,)]


def test_a_direct_connection_can_listen(database: Database) -> None:
    with database.direct(autocommit=True) as connection:
        connection.exec_driver_sql("LISTEN news")
        with database.transaction() as other:
            other.exec_driver_sql("NOTIFY news, 'hello'")
        raw = connection.connection.driver_connection
        assert isinstance(raw, psycopg.Connection)
        assert [notice.payload for notice in raw.notifies(timeout=5, stop_after=1)] == ["hello"]
    with database.direct() as connection:
        assert fetch(connection, "SELECT current_setting('row_security')") == [("off",)]


def test_a_deadlock_is_tried_again_and_other_errors_are_not(database: Database) -> None:
    tries: list[int] = []

    def work(connection: sa.Connection) -> str:
        tries.append(1)
        if len(tries) < 3:
            connection.exec_driver_sql(
                "DO $$ BEGIN RAISE EXCEPTION 'x' USING ERRCODE = '40P01'; END $$"
            )
        return "done"

    assert database.retrying(work) == "done"
    assert len(tries) == 3

    def broken(connection: sa.Connection) -> None:
        tries.append(1)
        connection.exec_driver_sql("SELECT 1/0")

    with pytest.raises(sa.exc.DataError):
        database.retrying(broken)
    assert len(tries) == 4


def test_being_filtered_by_row_security_is_an_error(database: Database) -> None:
    role = "filtered_reader_of_tests"

    def select_as_role() -> None:
        with database.transaction() as connection:
            connection.exec_driver_sql(f"DROP ROLE IF EXISTS {role}; CREATE ROLE {role}")
            connection.exec_driver_sql(f"GRANT SELECT ON public.shopify_products TO {role}")
            connection.exec_driver_sql(f"SET LOCAL ROLE {role}")
            connection.exec_driver_sql("SELECT * FROM public.shopify_products")

    with pytest.raises(sa.exc.ProgrammingError, match="row-level security"):
        select_as_role()


@pytest.mark.parametrize(
    ("url", "same"),
    [
        ("postgres://u:p%40@h:5433/d", "postgresql://u:p%40@h:5433/d"),
        ("postgresql+psycopg2://u@h/d?sslmode=require", "postgresql://u@h/d?sslmode=require"),
        (" postgresql://u@/d?host=/tmp/x ", "postgresql://u@/d?host=%2Ftmp%2Fx"),
    ],
)
def test_urls_of_any_driver_are_read(url: str, same: str) -> None:
    assert postgres_url(url).render_as_string(hide_password=False) == same
    assert postgres_url(url, driver="psycopg").drivername == "postgresql+psycopg"


@pytest.mark.parametrize(
    "url",
    [
        "",
        "nonsense",
        "mysql://h/d",
        "postgresql://h:port/d",
        "postgresql://h",
        "postgresql://h/d?x=1",
    ],
)
def test_urls_that_cannot_be_used_are_refused(url: str) -> None:
    with pytest.raises(DatabaseUrlError):
        postgres_url(url)


def test_a_password_is_taken_out_of_a_text() -> None:
    url = "postgresql://u:p%40ss@h/d"
    assert without_password("p%40ss and p@ss", url) == "*** and ***"
