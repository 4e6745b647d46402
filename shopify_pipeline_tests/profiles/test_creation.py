"""Creating profiles for the unmatched: one a mailbox, none twice, whoever else writes."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from shopify_pipeline.profiles import linking
from shopify_pipeline.profiles.creation import CreationReport, create_profiles
from shopify_pipeline.profiles.options import LinkOptions
from shopify_pipeline.profiles.report import LinkReport
from shopify_pipeline.warehouse.database import Database
from shopify_pipeline_tests.profiles.people import People


def emails(people: People) -> list[str]:
    return [email for (email,) in people.run("SELECT email FROM unified_profiles ORDER BY email")]


def create(people: People) -> CreationReport:
    return create_profiles(people.database, people.options)


def test_each_unmatched_mailbox_gets_one_profile_and_its_customers_are_linked(
    people: People,
) -> None:
    people.profile("A", "known@example.com")
    people.customer(1, "known@example.com")
    people.customer(2, " New@example.com ")
    people.customer(3, "jane@gmail.com")
    people.customer(4, "j.ane+x@gmail.com")
    people.customer(5, None)
    report = create(people)
    assert (report.created, report.left, report.problem) == (2, 0, None)
    assert emails(people) == ["New@example.com", "jane@gmail.com", "known@example.com"]
    assert {c: rule for c, (_, rule) in people.links().items()} == {
        1: "exact_email",
        2: "exact_email",
        3: "exact_email",
        4: "canonical_email",
    }
    assert create(people).created == 0


def test_conflicts_near_misses_decisions_and_the_dead_get_none(people: People) -> None:
    people.profile("A", "jane@gmail.com")
    people.profile("B", "jane@gmail.com")
    people.customer(1, "jane@gmail.com")
    people.customer(2, "jane@gmial.com")
    people.customer(3, "dead@example.com")
    people.run("UPDATE shopify_customers SET deleted_at = now() WHERE shopify_customer_id = 3")
    people.customer(4, "never@example.com")
    people.run(
        "INSERT INTO shopify_internal.profile_decisions (shopify_customer_id, verdict) "
        "VALUES (4, 'never')"
    )
    assert create(people).created == 0


def test_empty_profiles_that_held_some_create_nothing(people: People) -> None:
    people.profile("A", "jane@example.com")
    people.customer(1, "jane@example.com")
    people.link()
    people.delete_profile("A")
    report = create(people)
    assert (report.created, report.problem is not None) == (0, True)


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("DELETE FROM unified_profiles", "unified_profiles is empty"),
        ("ALTER TABLE unified_profiles RENAME TO elsewhere", "cannot be read whole"),
    ],
)
def test_profiles_that_vanish_while_they_are_compared_once_more_create_nothing(
    people: People, monkeypatch: pytest.MonkeyPatch, statement: str, said: str
) -> None:
    people.profile("A", "jane@example.com")
    people.customer(1, "jane@example.com")
    people.customer(2, "new@example.com")
    link = linking.link

    def link_and_lose(database: Database, options: LinkOptions) -> LinkReport:
        report = link(database, options)
        people.run(statement)
        return report

    monkeypatch.setattr(linking, "link", link_and_lose)
    report = create(people)
    assert report.created == 0
    assert said in str(report.problem)
    assert people.run("SELECT shopify_customer_id FROM shopify_internal.profile_links") == [(1,)]


def test_two_at_once_and_another_source_that_looks_first_make_no_duplicates(
    people: People,
) -> None:
    people.profile("A", "a@example.com")
    for number in range(50):
        people.customer(number, f"{number}@example.com")
    go = threading.Barrier(3)

    def platform() -> None:
        go.wait()
        for number in range(50):
            people.run(
                "INSERT INTO unified_profiles (id, email) SELECT gen_random_uuid(), :email "
                "WHERE NOT EXISTS (SELECT FROM unified_profiles WHERE email = :email)",
                email=f"{number}@example.com",
            )

    def ours() -> CreationReport:
        go.wait()
        return create(people)

    with ThreadPoolExecutor(3) as pool:
        other = pool.submit(platform)
        runs = [pool.submit(ours) for _ in range(2)]
        other.result()
        assert sum(run.result().created for run in runs) <= 50
    people.link()
    written = emails(people)
    assert len(written) == len(set(written)) == 51
    assert len(people.links()) == 50


def test_a_column_that_the_platform_requires_is_named_in_the_error(people: People) -> None:
    people.run("ALTER TABLE unified_profiles ADD COLUMN name text NOT NULL")
    people.customer(1, "new@example.com")
    with pytest.raises(Exception, match='null value in column "name"'):
        create(people)
    assert emails(people) == []
