"""Manual decisions: they outrank the rules, survive reloads, and can be taken back."""

import pytest
from click.testing import CliRunner

from shopify_pipeline.profiles import decisions
from shopify_pipeline.profiles.command import profiles
from shopify_pipeline_tests.profiles.people import People, profile_id


@pytest.fixture
def jane(people: People) -> People:
    """A customer linked to A by its e-mail, and another profile B."""
    people.profile("A", "jane@example.com")
    people.profile("B", "other@example.com")
    people.customer(1, "jane@example.com")
    people.link()
    return people


def decide_link(people: People, customer: int, letter: str) -> None:
    decisions.decide_link(
        people.database, people.options, customer=customer, profile=profile_id(letter)
    )


def decide_never(people: People, customer: int, letter: str | None = None) -> None:
    profile = profile_id(letter) if letter else None
    decisions.decide_never(people.database, people.options, customer=customer, profile=profile)


def test_a_manual_link_outranks_every_rule_and_outlives_changes_and_runs(jane: People) -> None:
    decide_link(jane, 1, "B")
    assert jane.links() == {1: ("B", "manual")}
    jane.customer(1, "jane2@example.com")
    jane.link(whole=True)
    assert jane.links() == {1: ("B", "manual")}
    assert jane.history(1) == [
        ("A", "linked", "matched"),
        ("B", "decided", "link"),
        ("A", "released", "decision"),
        ("B", "linked", "decision"),
    ]


def test_a_manual_link_survives_a_reload_of_the_customers(jane: People) -> None:
    decide_link(jane, 1, "B")
    jane.run("TRUNCATE shopify_customers CASCADE")
    jane.link(whole=True)
    assert jane.links() == {}
    jane.customer(1, "jane@example.com")
    jane.link()
    assert jane.links() == {1: ("B", "manual")}


def test_a_manual_link_survives_a_reload_of_the_profiles(jane: People) -> None:
    decide_link(jane, 1, "B")
    jane.delete_profile("B")
    jane.link()
    assert jane.links() == {}, "the rules don't take over while the decision stands"
    jane.profile("B", "someone@example.com")
    jane.link()
    assert jane.links() == {1: ("B", "manual")}


def test_never_releases_and_keeps_the_rules_out(jane: People) -> None:
    decide_never(jane, 1)
    assert jane.links() == {}
    jane.link(whole=True)
    assert jane.links() == {}


def test_never_this_profile_leaves_the_others_to_the_rules(jane: People) -> None:
    jane.profile("C", "jane@example.com")
    jane.link()
    assert jane.conflicts() == {1: "C"}
    decide_never(jane, 1, "A")
    assert jane.links() == {1: ("C", "exact_email")}
    assert jane.conflicts() == {}


def test_forgetting_returns_a_customer_to_the_rules(jane: People) -> None:
    decide_link(jane, 1, "B")
    decisions.forget_decisions(jane.database, jane.options, customer=1)
    assert jane.links() == {1: ("A", "exact_email")}


def test_a_conflict_and_a_near_miss_are_settled_by_a_decision(people: People) -> None:
    people.profile("A", "jane@gmail.com")
    people.profile("B", "JANE@gmail.com")
    people.customer(1, "jane@gmail.com")
    people.customer(2, "jane@gmial.com")
    people.link()
    assert (people.conflicts(), people.candidates()) == ({1: "AB"}, {2: "AB"})
    decide_link(people, 1, "B")
    decide_never(people, 2, "A")
    assert (people.conflicts(), people.candidates()) == ({}, {2: "B"})
    decide_never(people, 2)
    assert people.candidates() == {}


def test_a_deleted_customer_releases_a_manual_link_too(jane: People) -> None:
    decide_link(jane, 1, "B")
    jane.run("UPDATE shopify_customers SET deleted_at = now()")
    jane.link()
    assert jane.links() == {}


def test_a_customer_redacted_since_is_not_linked_again_by_an_old_decision(jane: People) -> None:
    decide_link(jane, 1, "B")
    jane.run("UPDATE shopify_customers SET email = NULL, unified_profile_id = NULL")
    jane.run("DELETE FROM shopify_internal.profile_links")
    jane.run("DELETE FROM shopify_internal.customer_keys")
    jane.run(
        "INSERT INTO shopify_internal.privacy_requests "
        "(kind, delivery_id, customer_id, requested_at, due_at) "
        "VALUES ('customers/redact', 1, 1, now(), now())"
    )
    jane.link()
    assert jane.links() == {}


def test_a_decision_about_a_row_that_is_not_there_is_refused(jane: People) -> None:
    with pytest.raises(decisions.NoSuchRowError, match="shopify_customer_id 9"):
        decide_link(jane, 9, "A")
    with pytest.raises(decisions.NoSuchRowError, match="unified_profiles has no id"):
        decide_link(jane, 1, "Z")
    with pytest.raises(decisions.NoSuchRowError, match="nothing was decided"):
        decisions.forget_decisions(jane.database, jane.options, customer=1)


def test_the_commands_link_review_and_show_the_history_without_addresses(
    jane: People, database_url: str
) -> None:
    environment = {
        "SHOPIFY_SHOP": "x",
        "SHOPIFY_ACCESS_TOKEN": "t",
        "SHOPIFY_START_DATE": "2026-01-01",
        "DATABASE_URL": database_url,
    }

    def run(*arguments: str) -> tuple[int, str]:
        result = CliRunner().invoke(profiles, arguments, env=environment)
        return result.exit_code, result.output

    jane.profile("C", "jane@example.com")
    assert run("run")[0] == 0
    code, listed = run("review")
    assert (code, "Conflicts: 1" in listed, "Near misses: none" in listed) == (0, True, True)
    assert str(profile_id("C")) in listed
    assert run("link", "1", str(profile_id("B")), "--note", "she said so")[0] == 0
    assert jane.links() == {1: ("B", "manual")}
    assert run("unlink", "1")[0] == 0
    assert run("forget", "1")[0] == 0
    code, history = run("history", "1")
    assert code == 0
    assert history.count("decided") == 3
    assert "@" not in listed + history
    assert run("link", "7", str(profile_id("B")))[0] == 2
    assert run("history", "7")[0] == 2
