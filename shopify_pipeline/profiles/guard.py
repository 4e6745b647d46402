"""Keeps an empty, filtered, blanked or shrunk `unified_profiles` from releasing links."""

import sqlalchemy as sa

from shopify_pipeline.profiles import keys
from shopify_pipeline.profiles.judgement import STATEMENTS
from shopify_pipeline.profiles.options import LinkOptions
from shopify_pipeline.profiles.report import LinkReport

SMALL = 5
"""Up to so many profiles or links may be lost between two runs whatever their share."""


class ProfilesVanishedError(RuntimeError):
    """So much is lost that no link is released until a person says that it is right."""


def guard_profiles(connection: sa.Connection, options: LinkOptions, *, accept_loss: bool) -> None:
    """Find the profiles that are gone (into `gone_profiles`), and refuse to go on if too many are.

    Raises:
        ProfilesUnreadableError: they cannot be read whole.
        ProfilesVanishedError: none is left, or more vanished than the options allow.
    """
    keys.probe_profiles(connection, options)
    count = int(connection.scalar(sa.text("SELECT count(*) FROM public.unified_profiles")) or 0)
    gone = connection.execute(keys.STATEMENTS["find_gone_profiles"]).rowcount
    known = int(
        connection.scalar(sa.text("SELECT count(*) FROM shopify_internal.profile_keys")) or 0
    )
    if accept_loss or not gone:
        return
    said = None
    if count == 0:
        said = f"unified_profiles is empty, and held {known} profiles at the last run"
    elif gone > SMALL and gone > known * options.greatest_loss:
        said = f"{gone} of the {known} profiles known are gone from unified_profiles"
    if said:
        raise _refusal(said)


def guard_links(
    connection: sa.Connection, options: LinkOptions, report: LinkReport, *, accept_loss: bool
) -> None:
    """Refuse, once judged, what the profiles' side alone would release beyond the options' share.

    Profiles that are all there may be blank, and the few that vanished may hold most links.

    Raises:
        ProfilesVanishedError: the transaction has to be rolled back.
    """
    if accept_loss or report.released <= SMALL:
        return
    lost = int(connection.scalar(STATEMENTS["lost_links"]) or 0)
    if lost <= SMALL:
        return
    left = connection.scalar(sa.text("SELECT count(*) FROM shopify_internal.profile_links"))
    links = int(left or 0) + report.released - report.linked
    if lost > links * options.greatest_loss:
        raise _refusal(
            f"{lost} of the {links} links would be released by what changed in "
            "unified_profiles alone"
        )


def _refusal(said: str) -> ProfilesVanishedError:
    return ProfilesVanishedError(
        f"{said}. No link was released. If it is right, run "
        "`shopify-pipeline profiles run --accept-loss`."
    )
