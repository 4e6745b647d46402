"""Writes the links through to `shopify_customers.unified_profile_id`, changed rows alone."""

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import pairwise

import sqlalchemy as sa

from shopify_pipeline.profiles import judgement
from shopify_pipeline.profiles.judgement import STATEMENTS
from shopify_pipeline.profiles.transactions import retrying
from shopify_pipeline.warehouse.database import Database


def write_through_in_slices(database: Database) -> int:
    """Bring `shopify_customers.unified_profile_id` in step with the links, a slice a transaction.

    So that no row of a first load stays locked for longer than a slice takes. Two slices are
    written at a time.
    """
    with database.transaction() as connection:
        ends = connection.scalars(STATEMENTS["ends_of_slices"], {"size": judgement.AT_ONCE}).all()
    slices = list(pairwise([-1, *ends, 2**63 - 1]))
    with ThreadPoolExecutor(max_workers=2, thread_name_prefix="write_through") as pool:
        return sum(pool.map(partial(_write_slice, database), slices))


def _write_slice(database: Database, bounds: tuple[int, int]) -> int:
    after, upto = bounds

    def work(connection: sa.Connection) -> int:
        return sum(
            connection.execute(STATEMENTS[name], {"after": after, "upto": upto}).rowcount
            for name in ("release_slice", "link_slice")
        )

    return retrying(database, work)
