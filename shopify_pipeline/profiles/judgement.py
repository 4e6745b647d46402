"""Judges the links of the customers in question, and writes links, history and lists."""

import sqlalchemy as sa

from shopify_pipeline.profiles import keys, rules
from shopify_pipeline.profiles.options import LinkOptions
from shopify_pipeline.profiles.report import LinkReport
from shopify_pipeline.profiles.statements import read_statements

RULES = ("manual", "exact_email", "canonical_email", "phone")
"""The rules, strongest first."""

STATEMENTS = read_statements("linking.sql")

AT_ONCE = 20_000
"""Customers whose column is written in one transaction."""


def judge(
    connection: sa.Connection,
    options: LinkOptions,
    *,
    restore: bool = True,
    in_slices: bool = False,
) -> LinkReport:
    """Judge the customers in the temporary table `affected` and write links, history and lists.

    Fills the temporary table `mismatched` with the customers whose column has to be written; with
    `in_slices` not with those whose link changed, where these are more than `AT_ONCE`.
    """
    run = connection.execute
    run(STATEMENTS["create_judgement"])
    run(
        sa.text("INSERT INTO rule_ranks VALUES (:rank, :rule)"),
        [{"rank": rank, "rule": rule} for rank, rule in enumerate(RULES)],
    )
    run(STATEMENTS["analyze_judgement"])
    run(STATEMENTS["find_matches"])
    run(STATEMENTS["analyze_matches"])
    run(STATEMENTS["judge"])
    changed = run(STATEMENTS["find_changed_links"]).rowcount
    run(STATEMENTS["analyze_changes"])
    for name in ("write_released_history", "write_linked_history", "write_links"):
        run(STATEMENTS[name])
    run(STATEMENTS["find_conflicts"])
    run(STATEMENTS["find_typo_candidates"])
    if options.name_columns:
        _find_namesakes(connection)
    run(STATEMENTS["write_conflicts"])
    run(STATEMENTS["write_candidates"])
    besides = in_slices and changed > AT_ONCE
    run(STATEMENTS["find_mismatched_besides" if besides else "find_mismatched"])
    restored = run(STATEMENTS["write_restored_history"]).rowcount if restore else 0
    changes = run(STATEMENTS["changed_totals"]).one()._asdict()
    judged = connection.scalar(sa.text("SELECT count(*) FROM affected")) or 0
    return LinkReport(judged=judged, restored=restored, **changes)


def _find_namesakes(connection: sa.Connection) -> None:
    batches = keys.read_in_batches(connection, STATEMENTS["namesakes"])
    for batch in batches:
        close = [
            f"{customer}\t{profile}\tname_and_local_part\n"
            for customer, profile, theirs, known in batch
            if _close(theirs, known)
        ]
        keys.copy_rows(connection, "found_candidates", close)


def _close(theirs: str | None, known: str | None) -> bool:
    left, right = rules.exact_email(theirs), rules.exact_email(known)
    return bool(left and right and rules.close_local_parts(left, right))
