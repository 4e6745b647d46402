"""Figures of profile linking: a million customers and profiles from nothing, then some changes."""

import resource

import sqlalchemy as sa

from shopify_pipeline.profiles.linking import link
from shopify_pipeline.profiles.options import LinkOptions
from shopify_pipeline.profiles.report import LinkReport
from shopify_pipeline.warehouse.database import Database

# A tenth is only written differently, a tenth reaches the same mailbox, a tenth matches nobody.
_PROFILES = """
INSERT INTO public.unified_profiles (id, email)
SELECT gen_random_uuid(), CASE i % 10
  WHEN 0 THEN '  Person' || i || '@Example' || i % 1000 || '.COM '
  WHEN 1 THEN 'per.son' || i || '+tag@gmail.com'
  WHEN 2 THEN 'someone-else' || i || '@example.org'
  ELSE 'person' || i || '@example' || i % 1000 || '.com' END
FROM generate_series(1, CAST(:count AS integer)) AS i
"""
_CUSTOMERS = """
INSERT INTO public.shopify_customers
  (shopify_customer_id, email, first_name, last_name, phone, state, tags, created_at, updated_at,
   complete_at)
SELECT 7000000000000 + i,
  CASE WHEN i % 10 = 1 THEN 'person' || i || '@gmail.com'
  ELSE 'person' || i || '@example' || i % 1000 || '.com' END,
  'First' || i % 5000, 'Last' || i % 70000, '+1415555' || lpad((i % 10000)::text, 4, '0'),
  'enabled', ARRAY['vip'], now(), now(), now()
FROM generate_series(1, CAST(:count AS integer)) AS i
"""


def measure(database_url: str, *, count: int = 1_000_000, changes: int = 100) -> dict[str, float]:
    """Link `count` customers to `count` profiles in a migrated, empty database, then changes.

    Seconds, and the memory (MB) by which this process grew.

    Raises:
        AssertionError: a customer was not linked as it should be.
    """
    database = Database(database_url, application_name="benchmark")
    try:
        for statement in (_PROFILES, _CUSTOMERS):
            with database.transaction() as connection:
                connection.execute(sa.text(statement), {"count": count})
        before = _peak_mb()
        first = _link(database)
        grown = _peak_mb() - before
        expected = count - sum(1 for i in range(1, count + 1) if i % 10 == 2)
        assert first.links == expected, f"{first.links} links, not {expected}"
        second = _link(database)
        with database.transaction() as connection:
            connection.execute(
                sa.text(
                    "UPDATE public.unified_profiles SET email = 'new' || email WHERE id IN "
                    "(SELECT id FROM public.unified_profiles WHERE email LIKE 'person%' LIMIT :n)"
                ),
                {"n": changes // 2},
            )
            connection.execute(
                sa.text(
                    "UPDATE public.shopify_customers SET email = 'nobody' || email WHERE id IN "
                    "(SELECT id FROM public.shopify_customers WHERE shopify_customer_id % 10 = 5 "
                    "ORDER BY id DESC LIMIT :n)"
                ),
                {"n": changes // 2},
            )
        third = _link(database)
        assert third.released == changes, f"{third.released} released, not {changes}"
    finally:
        database.close()
    return {
        "profiles.link_all_s": round(first.seconds, 1),
        "profiles.link_all_mb": round(grown, 1),
        "profiles.link_after_all_s": round(second.seconds, 2),
        "profiles.link_changes_s": round(third.seconds, 2),
    }


def _link(database: Database) -> LinkReport:
    report = link(database, LinkOptions())
    assert report.problem is None, report.problem
    return report


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
