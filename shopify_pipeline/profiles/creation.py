"""Creates profiles for customers that match none; apart from linking, and off by default."""

from dataclasses import dataclass

import sqlalchemy as sa

from shopify_pipeline.profiles import keys, linking
from shopify_pipeline.profiles.guard import ProfilesVanishedError
from shopify_pipeline.profiles.options import LinkOptions
from shopify_pipeline.profiles.report import LinkReport
from shopify_pipeline.profiles.statements import read_statements
from shopify_pipeline.profiles.transactions import retrying, take_lock
from shopify_pipeline.warehouse.database import Database

STATEMENTS = read_statements("creation.sql")
AT_ONCE = 5_000


@dataclass(frozen=True, kw_only=True)
class CreationReport:
    """How many profiles were created and how many are left to create; what linking said last."""

    created: int
    left: int
    linked: LinkReport

    @property
    def problem(self) -> str | None:
        """Why linking refused: before profiles were created, or to the new ones."""
        return self.linked.problem


def create_profiles(
    database: Database, options: LinkOptions, *, limit: int = AT_ONCE
) -> CreationReport:
    """Create up to `limit` profiles, one a mailbox, and link their customers.

    For living customers with an e-mail address, no link, no conflict, no candidate to review and
    no decision against. Other writers of `unified_profiles` are held off (readers are not) while
    the profiles are compared once more and created, so that nobody gets two. Their e-mail is the
    customer's, trimmed; columns that the platform requires beyond it need defaults.
    """
    linked = linking.link(database, options)
    if linked.problem:
        return CreationReport(created=0, left=0, linked=linked)
    try:
        created, left = retrying(database, lambda connection: _create(connection, options, limit))
    except (keys.ProfilesUnreadableError, ProfilesVanishedError) as error:
        # They were lost since they were linked above.
        return CreationReport(created=0, left=0, linked=LinkReport(problem=str(error)))
    if created:
        linked = linking.link(database, options)
    return CreationReport(created=created, left=left, linked=linked)


def _create(connection: sa.Connection, options: LinkOptions, limit: int) -> tuple[int, int]:
    # In this order, so that nobody is held off while another linking is waited for.
    take_lock(connection)
    keys.probe_profiles(connection, options)
    connection.execute(STATEMENTS["hold_off_writers"])
    linking.link_within(connection, options)
    unmatched = connection.execute(STATEMENTS["find_unmatched"]).rowcount
    created = connection.execute(STATEMENTS["create"], {"limit": limit}).rowcount
    return created, unmatched - created
