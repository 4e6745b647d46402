"""Which customers are linked to which profile, what is kept, released, listed and recorded."""

import dataclasses
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
import sqlalchemy as sa

from shopify_pipeline.profiles import column, judgement, keys, linking
from shopify_pipeline.profiles.options import LinkOptions
from shopify_pipeline.profiles.report import LinkReport
from shopify_pipeline.warehouse.database import Database
from shopify_pipeline_tests.profiles.people import People

NOW = datetime(2026, 11, 22, tzinfo=UTC)


def test_an_email_links_whatever_its_case_padding_or_script(people: People) -> None:
    people.profile("A", "  Jane@Example.com ")
    people.profile("B", "bob@Bücher.example")
    people.customer(1, "jane@example.COM")
    people.customer(2, "BOB@xn--bcher-kva.example")
    people.customer(3, "nobody@example.com")
    report = people.link()
    assert people.links() == {1: ("A", "exact_email"), 2: ("B", "exact_email")}
    assert (report.linked, report.links, report.customers, report.profiles) == (2, 2, 3, 2)


def test_the_canonical_address_links_where_the_exact_one_does_not(people: People) -> None:
    people.profile("A", "j.ane@gmail.com")
    people.profile("B", "jane@gmail.com")
    people.profile("C", "bob.doe@googlemail.com")
    people.customer(1, "jane@gmail.com")
    people.customer(2, "bobdoe+shop@gmail.com")
    people.customer(3, "ja.ne@gmail.com")
    people.link()
    assert people.links() == {1: ("B", "exact_email"), 2: ("C", "canonical_email")}
    assert people.conflicts() == {3: "AB"}


def test_a_phone_links_only_where_the_setting_names_a_column(people: People) -> None:
    people.run("ALTER TABLE unified_profiles ADD COLUMN mobile text")
    people.profile("A", "a@example.com", mobile="0812-3456-7890")
    people.customer(1, "other@example.com", phone="+62 812 3456 7890")
    people.customer(2, None, phone="+62 812 3456 7891")
    people.link()
    assert people.links() == {}
    people.options = LinkOptions(phone_column="mobile", phone_region="ID")
    people.link()
    assert people.links() == {1: ("A", "phone")}
    people.options = LinkOptions()
    people.link()
    assert people.links() == {}
    assert people.history(1) == [("A", "linked", "matched"), ("A", "released", "no_longer_matches")]


def test_an_email_that_matches_several_profiles_links_none_and_is_listed(people: People) -> None:
    people.profile("A", "jane@example.com")
    people.profile("B", "JANE@example.com")
    people.customer(1, "jane@example.com")
    report = people.link()
    assert people.links() == {}
    assert people.conflicts() == {1: "AB"}
    assert report.conflicts == 1
    people.delete_profile("A")
    people.link()
    assert people.links() == {1: ("B", "exact_email")}
    assert people.conflicts() == {}


def test_empty_addresses_match_nobody(people: People) -> None:
    people.profile("A", "")
    people.profile("B", None)
    people.profile("C", "   ")
    people.customer(1, "")
    people.customer(2, None)
    people.link()
    assert (people.links(), people.conflicts(), people.candidates()) == ({}, {}, {})


def test_a_profile_that_appears_later_links_its_customer(people: People) -> None:
    people.profile("A", "a@example.com")
    people.customer(1, "jane@example.com")
    people.link()
    assert people.links() == {}
    people.profile("B", "jane@example.com")
    people.link()
    assert people.links() == {1: ("B", "exact_email")}


def test_a_link_outlives_a_second_profile_with_the_same_email(people: People) -> None:
    people.profile("B", "jane@example.com")
    people.customer(1, "jane@example.com")
    people.link()
    people.profile("A", "jane@example.com")
    people.link()
    assert people.links() == {1: ("B", "exact_email")}
    assert people.conflicts() == {1: "A"}
    people.profile("A", "other@example.com")
    people.link()
    assert people.conflicts() == {}


@pytest.mark.parametrize("side", ["customer", "profile"])
def test_a_change_of_email_on_either_side_is_judged_again(people: People, side: str) -> None:
    people.profile("A", "jane@example.com")
    people.profile("B", "new@example.com")
    people.customer(1, "jane@example.com")
    people.link()
    if side == "customer":
        people.customer(1, "new@example.com")
        people.link()
        assert people.links() == {1: ("B", "exact_email")}
        assert people.history(1)[1:] == [
            ("A", "released", "no_longer_matches"),
            ("B", "linked", "matched"),
        ]
    else:
        people.profile("A", "moved@example.com")
        people.link()
        assert people.links() == {}
        assert people.history(1)[1:] == [("A", "released", "no_longer_matches")]


def test_a_link_whose_rule_weakens_is_judged_against_all_profiles(people: People) -> None:
    people.profile("A", "jane@gmail.com")
    people.customer(1, "jane@gmail.com")
    people.link()
    people.profile("A", "j.a.n.e@gmail.com")
    people.link()
    assert people.links() == {1: ("A", "canonical_email")}
    assert people.history(1)[-1] == ("A", "rule_changed", "matched")
    people.profile("B", "jane@gmail.com")
    people.link()
    assert people.links() == {1: ("A", "canonical_email")}, "it is still valid"
    assert people.conflicts() == {1: "B"}


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"deleted_at": NOW}, "customer_deleted"),
        ({"merged_into_shopify_customer_id": 2, "deleted_at": NOW}, "customer_merged"),
    ],
)
def test_a_deleted_or_merged_customer_releases_its_link(
    people: People, change: dict[str, object], reason: str
) -> None:
    people.profile("A", "jane@example.com")
    people.customer(1, "jane@example.com")
    people.link()
    people.customer(1, "jane@example.com", **change)
    report = people.link()
    assert people.links() == {}
    assert people.history(1)[-1] == ("A", "released", reason)
    assert report.released == 1
    people.customer(1, "jane@example.com", deleted_at=None, merged_into_shopify_customer_id=None)
    people.link()
    assert people.links() == {1: ("A", "exact_email")}


def test_a_row_that_is_gone_releases_its_link_at_the_next_whole_run(people: People) -> None:
    people.profile("A", "jane@example.com")
    people.customer(1, "jane@example.com")
    people.link()
    people.run("DELETE FROM shopify_customers")
    people.link(whole=True)
    assert people.links() == {}
    assert people.history(1)[-1] == ("A", "released", "customer_gone")


def test_a_deleted_profile_is_never_held_and_its_release_is_recorded(people: People) -> None:
    people.profile("A", "jane@example.com")
    people.profile("B", "other@example.com")
    people.customer(1, "jane@example.com")
    people.link()
    people.delete_profile("A")
    people.link()
    assert people.links() == {}
    assert people.history(1) == [("A", "linked", "matched"), ("A", "released", "profile_gone")]


def test_a_profile_deleted_and_made_again_between_two_runs_gets_its_customer_back(
    people: People,
) -> None:
    people.profile("A", "jane@example.com")
    people.customer(1, "jane@example.com")
    people.link()
    people.delete_profile("A")
    people.profile("A", "jane@example.com")
    assert people.run("SELECT unified_profile_id FROM shopify_customers") == [(None,)]
    report = people.link()
    assert people.links() == {1: ("A", "exact_email")}
    assert people.history(1)[-1] == ("A", "restored", "reference_cleared")
    assert report.restored == 1


def test_empty_profiles_release_nothing_and_the_report_says_so(people: People) -> None:
    people.profile("A", "jane@example.com")
    people.customer(1, "jane@example.com")
    people.link()
    people.delete_profile("A")
    report = people.link()
    assert report.problem is not None
    assert "empty" in report.problem
    assert people.history(1) == [("A", "linked", "matched")]
    people.profile("A", "jane@example.com")
    assert people.link().problem is None
    assert people.links() == {1: ("A", "exact_email")}
    people.delete_profile("A")
    assert people.link(accept_loss=True).problem is None
    assert people.history(1)[-1] == ("A", "released", "profile_gone")


def test_a_batch_while_the_profiles_are_away_leaves_its_customers_to_the_next_run(
    people: People,
) -> None:
    for number, letter in enumerate("ABC", start=1):
        people.profile(letter, f"{number}@example.com")
        people.customer(number, f"{number}@example.com")
    people.link()
    people.run("CREATE TABLE away AS SELECT * FROM unified_profiles")
    people.run("DELETE FROM unified_profiles")
    people.customer(1, "moved@example.com")
    people.customer(2, "2@example.com", deleted_at=NOW)
    report = linking.link_customers(people.database, people.options, [1, 2, 3])
    assert (report.judged, report.released, report.restored, report.written) == (0, 0, 0, 0)
    assert people.history(3) == [("C", "linked", "matched")]
    people.run("INSERT INTO unified_profiles SELECT * FROM away")
    people.link()
    people.run("DROP TABLE away")
    assert people.history(1)[1:] == [("A", "released", "no_longer_matches")]
    assert people.history(2)[1:] == [("B", "released", "customer_deleted")]
    # Nothing told that customer 3 should be looked at; the daily whole run does so.
    people.link(whole=True)
    assert people.links() == {3: ("C", "exact_email")}
    assert people.history(3)[1:] == [("C", "restored", "reference_cleared")]


def test_profiles_that_row_level_security_hides_release_nothing(people: People) -> None:
    people.profile("A", "jane@example.com")
    people.customer(1, "jane@example.com")
    people.link()
    people.run("ALTER TABLE unified_profiles ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY")
    [(superuser,)] = people.run("SELECT rolsuper FROM pg_roles WHERE rolname = current_user")
    if not superuser:
        report = people.link()
        assert "row-level security" in str(report.problem)
        assert people.history(1) == [("A", "linked", "matched")]
        return
    # Nothing is ever hidden from a superuser: ask as somebody else.
    people.run("CREATE ROLE linker")
    people.run("GRANT SELECT ON unified_profiles TO linker")
    try:
        with people.database.transaction() as connection:
            connection.exec_driver_sql("SET LOCAL ROLE linker")
            with pytest.raises(keys.ProfilesUnreadableError, match="row-level security"):
                keys.probe_profiles(connection, people.options)
    finally:
        people.run("DROP OWNED BY linker")
        people.run("DROP ROLE linker")


def test_most_profiles_vanishing_at_once_releases_nothing(people: People) -> None:
    people.run(
        "INSERT INTO unified_profiles (id, email) SELECT gen_random_uuid(), i || '@example.com' "
        "FROM generate_series(1, 200) AS i"
    )
    people.run(
        "INSERT INTO shopify_customers (shopify_customer_id, email) SELECT i, i || '@example.com' "
        "FROM generate_series(1, 200) AS i"
    )
    assert people.link().linked == 200
    people.run("DELETE FROM unified_profiles WHERE length(email) > 14")
    report = people.link()
    assert report.problem == (
        "101 of the 200 profiles known are gone from unified_profiles. No link was released. "
        "If it is right, run `shopify-pipeline profiles run --accept-loss`."
    )
    assert people.link(accept_loss=True).released == 101


def test_a_few_dozen_profiles_vanishing_releases_nothing(people: People) -> None:
    link_pairs(people, 40)
    people.run("DELETE FROM unified_profiles WHERE email <> '1@example.com'")
    assert "39 of the 40 profiles known are gone" in str(people.link().problem)
    assert people.link(accept_loss=True).released == 39


BLANKED = (
    "{} of the 80 links would be released by what changed in unified_profiles alone. "
    "No link was released. If it is right, run `shopify-pipeline profiles run --accept-loss`."
)


@pytest.mark.parametrize("at_once", [20_000, 3])
def test_blanked_profiles_release_nothing(
    people: People, monkeypatch: pytest.MonkeyPatch, at_once: int
) -> None:
    monkeypatch.setattr(judgement, "AT_ONCE", at_once)
    link_pairs(people, 80)
    before = people.links()
    people.run("UPDATE unified_profiles SET email = NULL")
    assert people.link().problem == BLANKED.format(80)
    assert people.link(whole=True).problem == BLANKED.format(80)
    assert people.links() == before
    assert people.run("SELECT DISTINCT event FROM shopify_internal.profile_link_history") == [
        ("linked",)
    ]
    assert people.link(accept_loss=True).released == 80
    assert people.links() == {}


def test_profiles_that_hold_most_links_vanishing_among_many_releases_nothing(
    people: People,
) -> None:
    link_pairs(people, 80)
    people.run(
        "INSERT INTO unified_profiles (id, email) SELECT gen_random_uuid(), i || '@example.net' "
        "FROM generate_series(1, 400) AS i"
    )
    people.link()
    people.run("DELETE FROM unified_profiles WHERE email LIKE '%.com' AND email <> '1@example.com'")
    assert people.link().problem == BLANKED.format(79)


def test_what_customers_or_people_did_is_no_loss_of_profiles(people: People) -> None:
    link_pairs(people, 80)
    people.run("UPDATE shopify_customers SET email = 'x' || email WHERE shopify_customer_id < 40")
    people.run("UPDATE shopify_customers SET deleted_at = now() WHERE shopify_customer_id >= 60")
    people.run(
        "INSERT INTO shopify_internal.profile_decisions (shopify_customer_id, verdict) "
        "SELECT i, 'never' FROM generate_series(40, 59) AS i"
    )
    report = people.link()
    assert (report.problem, report.released) == (None, 80)


def test_a_share_of_the_links_as_great_as_the_setting_allows_is_released(people: People) -> None:
    link_pairs(people, 20)
    people.run("UPDATE unified_profiles SET email = NULL WHERE length(email) < 14")
    report = people.link()
    assert (report.problem, report.released) == (None, 9)
    people.options = LinkOptions(greatest_loss=1)
    people.run("UPDATE unified_profiles SET email = NULL")
    assert people.link().released == 11


def link_pairs(people: People, count: int) -> None:
    """Link so many customers, each to a profile of its own."""
    people.run(
        "INSERT INTO unified_profiles (id, email) SELECT gen_random_uuid(), i || '@example.com' "
        "FROM generate_series(1, :count) AS i",
        count=count,
    )
    people.run(
        "INSERT INTO shopify_customers (shopify_customer_id, email) SELECT i, i || '@example.com' "
        "FROM generate_series(1, :count) AS i",
        count=count,
    )
    assert people.link().linked == count


def test_a_missing_phone_column_is_named(people: People) -> None:
    people.options = LinkOptions(phone_column="mobile")
    report = people.link()
    assert report.problem is not None
    assert "mobile" in report.problem


def test_a_typo_of_a_common_domain_is_a_candidate_on_either_side_and_never_a_link(
    people: People,
) -> None:
    people.profile("A", "jane@gmail.com")
    people.profile("B", "bob@hotmial.com")
    people.customer(1, "jane@gmial.com")
    people.customer(2, "bob@hotmail.com")
    people.link()
    assert people.links() == {}
    assert people.candidates() == {1: "A", 2: "B"}
    people.customer(1, "jane@gmail.com")
    people.link()
    assert people.links() == {1: ("A", "exact_email")}
    assert people.candidates() == {2: "B"}


def test_a_namesake_with_a_close_address_is_a_candidate(people: People) -> None:
    people.run("ALTER TABLE unified_profiles ADD COLUMN first_name text, ADD COLUMN last_name text")
    people.options = LinkOptions(name_columns=("first_name", "last_name"))
    people.profile("A", "jane.doe@work.example", first_name="JANE", last_name=" Doe")
    people.profile("B", "unlike@work.example", first_name="Jane", last_name="Doe")
    people.customer(1, "janedoe@home.example", first_name="Jane", last_name="Doe")
    people.customer(2, "janedoe@other.example", first_name="June", last_name="Doe")
    people.link()
    assert people.links() == {}
    assert people.candidates() == {1: "A"}


def test_a_run_with_nothing_new_writes_nothing(people: People) -> None:
    people.profile("A", "jane@example.com")
    people.customer(1, "jane@example.com")
    people.link()
    before = people.run("SELECT xmin::text, synced_at FROM shopify_customers")
    people.link()
    report = people.link()
    assert people.run("SELECT xmin::text, synced_at FROM shopify_customers") == before
    nothing = dataclasses.replace(
        report, links=0, customers=0, profiles=0, seconds=0.0, problem=None
    )
    assert nothing == LinkReport()


def test_a_transaction_that_outlives_a_run_is_seen_by_the_next(
    people: People, database_url: str
) -> None:
    people.profile("A", "jane@example.com")
    people.link()
    with people.database.direct() as slow:
        slow.exec_driver_sql(
            "INSERT INTO shopify_customers (shopify_customer_id, email) "
            "VALUES (1, 'jane@example.com')"
        )
        people.link()
        people.link()
    assert people.link().linked == 1


def test_many_links_are_written_in_slices(people: People, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(judgement, "AT_ONCE", 3)
    for number in range(1, 11):
        people.profile(chr(64 + number), f"{number}@example.com")
        people.customer(number, f"{number}@example.com")
    report = people.link()
    assert (report.linked, report.written) == (10, 10)
    assert len(people.links()) == 10


def test_slices_release_relink_and_restore(people: People, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(judgement, "AT_ONCE", 3)
    for number in range(1, 11):
        people.profile(chr(64 + number), f"{number}@example.com")
        people.customer(number, f"{number}@example.com")
    people.link()
    for number in range(1, 5):
        people.customer(number, f"gone{number}@example.com")
    people.customer(5, "6@example.com")
    people.run("UPDATE shopify_customers SET unified_profile_id = NULL WHERE shopify_customer_id=9")
    report = people.link()
    assert (report.released, report.restored) == (5, 1)
    assert {number: letter for number, (letter, _) in people.links().items()} == {
        **{number: chr(64 + number) for number in range(6, 11)},
        5: "F",
    }
    assert people.history(9)[-1] == ("I", "restored", "reference_cleared")


def test_a_given_batch_larger_than_a_slice_is_written_whole(
    people: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(judgement, "AT_ONCE", 3)
    for number in range(1, 11):
        people.profile(chr(64 + number), f"{number}@example.com")
    people.link()
    for number in range(1, 11):
        people.customer(number, f"{number}@example.com")
    linking.link_customers(people.database, people.options, range(1, 11))
    assert len(people.links()) == 10


def test_writing_that_was_interrupted_is_finished_by_the_next_run(
    people: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(judgement, "AT_ONCE", 3)
    for number in range(1, 11):
        people.profile(chr(64 + number), f"{number}@example.com")
        people.customer(number, f"{number}@example.com")
    monkeypatch.setattr(column, "write_through_in_slices", lambda _: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        people.link()
    monkeypatch.undo()
    people.link()
    assert len(people.links()) == 10
    assert all(
        people.history(number) == [(chr(64 + number), "linked", "matched")]
        for number in range(1, 11)
    )


def test_the_given_customers_are_linked_without_reading_the_profiles(people: People) -> None:
    people.profile("A", "jane@example.com")
    assert linking.link_customers(people.database, people.options, [1]).problem
    people.link()
    people.customer(1, "jane@example.com")
    people.customer(2, "jane@example.com")
    report = linking.link_customers(people.database, people.options, [1])
    assert (report.linked, people.links()) == (1, {1: ("A", "exact_email")})


def test_a_profile_deleted_since_the_last_run_is_not_linked_by_a_batch(people: People) -> None:
    people.profile("A", "jane@example.com")
    people.link()
    people.customer(1, "jane@example.com")
    people.delete_profile("A")
    linking.link_customers(people.database, people.options, [1])
    assert people.links() == {}


def test_customers_written_lately_are_linked_without_naming_them(people: People) -> None:
    people.profile("A", "jane@example.com")
    people.link()
    people.customer(1, "jane@example.com", synced_at="2026-11-22T10:00Z")
    later = datetime(2026, 11, 22, 10, 1, tzinfo=UTC)
    assert linking.link_lately(people.database, people.options, since=later).judged == 0
    earlier = datetime(2026, 11, 22, 9, 59, tzinfo=UTC)
    assert linking.link_lately(people.database, people.options, since=earlier).linked == 1
    assert people.links() == {1: ("A", "exact_email")}


def test_more_customers_written_lately_than_are_judged_at_once_are_all_linked_oldest_first(
    people: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(1, 8):
        people.profile(chr(64 + number), f"{number}@example.com")
    people.link()
    for number in range(1, 8):
        # Most were written by one transaction, and so at one time.
        minute = 1 if number in (1, 7) else 0
        people.customer(number, f"{number}@example.com", synced_at=f"2026-11-22T10:0{minute}Z")
    judged: list[list[int]] = []
    link_customers = linking.link_customers

    def noted(database: Database, options: LinkOptions, ids: Sequence[int]) -> LinkReport:
        judged.append(list(ids))
        return link_customers(database, options, ids)

    monkeypatch.setattr(linking, "link_customers", noted)
    since = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)
    report = linking.link_lately(people.database, people.options, since=since, at_once=2)
    assert judged == [[2, 3], [4, 5], [6, 1], [7]]
    assert (report.judged, report.linked, report.problem) == (7, 7, None)
    assert len(people.links()) == 7


def test_linking_what_was_written_lately_stops_when_it_is_told_to_and_says_so(
    people: People,
) -> None:
    people.profile("A", "1@example.com")
    people.link()
    for number in range(1, 4):
        people.customer(number, f"{number}@example.com", synced_at="2026-11-22T10:00Z")
    since = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)
    goes_on = iter([True, False])
    report = linking.link_lately(
        people.database, people.options, since=since, at_once=1, going_on=lambda: next(goes_on)
    )
    assert report.judged == 1
    assert report.problem is not None


NAMED = LinkOptions(name_columns=("first_name", "last_name"))


@pytest.fixture
def named(people: People) -> People:
    """Profiles that have names."""
    people.run("ALTER TABLE unified_profiles ADD first_name text, ADD last_name text")
    return People(people.database, NAMED)


def crowd(people: People, *, profiles: int = 0, customers: int = 0) -> None:
    """Profiles and customers that all have one name, and each an address of their own."""
    people.run(
        "INSERT INTO unified_profiles (id, email, first_name, last_name) SELECT gen_random_uuid(),"
        " 'profile' || n || '@example.com', 'Maria', 'Garcia'"
        " FROM generate_series(1, :profiles) AS n",
        profiles=profiles,
    )
    people.run(
        "INSERT INTO shopify_customers (shopify_customer_id, email, first_name, last_name)"
        " SELECT n, 'customer' || n || '@example.org', 'Maria', 'Garcia'"
        " FROM generate_series(1, :customers) AS n",
        customers=customers,
    )


def test_a_change_to_one_of_many_profiles_of_a_name_judges_no_namesakes(named: People) -> None:
    crowd(named, profiles=30, customers=40)
    named.link()
    named.profile("A", "a@example.com", first_name="Maria", last_name="Garcia")
    assert named.link().judged == 0
    named.profile("A", "customer7@example.org", first_name="Maria", last_name="Garcia")
    report = named.link()
    assert (report.judged, named.links()) == (1, {7: ("A", "exact_email")})


def test_a_name_that_ceases_to_be_common_judges_its_namesakes(named: People) -> None:
    crowd(named, profiles=20)
    named.customer(1, "mariagarcia@example.org", first_name="Maria", last_name="Garcia")
    close = {"first_name": "Maria", "last_name": "Garcia"}
    named.profile("A", "mariagarcla@example.com", **close)
    named.link()
    assert named.candidates() == {}, "21 profiles have the name"
    named.run("DELETE FROM unified_profiles WHERE email = 'profile1@example.com'")
    named.link()
    assert named.candidates() == {1: "A"}
    named.profile("B", "other@example.com", **close)
    named.link()
    assert named.candidates() == {}, "21 again"


def test_a_name_that_all_have_is_no_more_work_than_there_are_rows(named: People) -> None:
    crowd(named, profiles=1_000, customers=1_000)
    run = keys.STATEMENTS
    with named.database.transaction() as connection:
        connection.execute(run["create_staging"])
        connection.execute(run["find_all_customers"])
        keys.refresh_customer_keys(connection, NAMED)
        connection.execute(run["write_keys"])
        connection.execute(sa.text("TRUNCATE staged_customers"))
        keys.refresh_profile_keys(connection, NAMED)
        connection.execute(run["analyze_staging"])
        connection.execute(run["analyze_keys"])
        explained = "EXPLAIN (ANALYZE, FORMAT JSON) " + run["find_affected"].text
        [[plan]] = connection.execute(sa.text(explained))
    assert most_rows(plan[0]["Plan"]) <= 4_000


def most_rows(node: dict[str, Any]) -> float:
    """The most rows that any step of a plan gave."""
    below = (most_rows(inner) for inner in node.get("Plans", ()))
    return max(float(node["Actual Rows"] * node["Actual Loops"]), *below, 0.0)
