"""What waits for a person: customers that match several profiles, and near misses."""

from collections.abc import Sequence
from typing import Literal

import sqlalchemy as sa

from shopify_pipeline.profiles.decisions import STATEMENTS

SEE_CONFLICTS = (
    "SELECT * FROM shopify_internal.profile_conflicts ORDER BY shopify_customer_id, profile_id;"
)
SEE_CANDIDATES = (
    "SELECT * FROM shopify_internal.profile_candidates ORDER BY shopify_customer_id, profile_id;"
)


def waiting(
    connection: sa.Connection, kind: Literal["conflicts", "candidates"], *, limit: int = 20
) -> Sequence[sa.RowMapping]:
    """Pairs to review of the first `limit` customers, without personal data.

    Columns: shopify_customer_id, profile_id, by (the rule, or the kind of near miss), linked
    (whether the customer keeps an older link), found_at.
    """
    return connection.execute(STATEMENTS[kind], {"limit": limit}).mappings().all()


def link_history(connection: sa.Connection, customer: int) -> Sequence[sa.RowMapping]:
    """Everything that happened to a customer's link, oldest first."""
    return connection.execute(STATEMENTS["link_history"], {"customer": customer}).mappings().all()
