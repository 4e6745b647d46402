"""What waits for a person: customers that match several profiles, near misses, lost profiles."""

from collections.abc import Sequence
from typing import Any, Literal

import sqlalchemy as sa

from shopify_pipeline.profiles.decisions import STATEMENTS

SEE_CONFLICTS = (
    "SELECT * FROM shopify_internal.profile_conflicts ORDER BY shopify_customer_id, profile_id;"
)
SEE_CANDIDATES = (
    "SELECT * FROM shopify_internal.profile_candidates ORDER BY shopify_customer_id, profile_id;"
)

SEE_PROFILES = "SELECT count(*) FROM public.unified_profiles;"

_KEYS = sa.table(
    "profile_keys", sa.column("profile_id"), sa.column("email"), schema="shopify_internal"
)
_PROFILES = sa.table("unified_profiles", sa.column("id"), sa.column("email"), schema="public")


def lost_profiles() -> sa.Select[Any]:
    """Profiles that the last run knew and that are gone or blank now: what makes one refuse."""
    email = sa.func.coalesce(sa.func.btrim(sa.cast(_PROFILES.c.email, sa.Text)), "")
    is_gone = _PROFILES.c.id.is_(None)
    what = sa.case((is_gone, "is gone"), else_="has lost its e-mail address")
    return (
        sa.select(_KEYS.c.profile_id, what.label("what"))
        .select_from(_KEYS.outerjoin(_PROFILES, _PROFILES.c.id == _KEYS.c.profile_id))
        .where(sa.or_(is_gone, sa.and_(_KEYS.c.email.is_not(None), email == "")))
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
