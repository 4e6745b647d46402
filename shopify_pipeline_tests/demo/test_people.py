"""The demonstration's platform: links by two rules, candidates, one conflict, always the same."""

import psycopg

from shopify_pipeline.demo.people import SETTINGS, furnish
from shopify_pipeline.profiles.linking import link
from shopify_pipeline.profiles.options import LinkOptions
from shopify_pipeline.sync.context import open_api, open_sync
from shopify_pipeline_tests.simulated import serving
from shopify_pipeline_tests.sync.conftest import pull_all, settings_for


def test_a_newcomer_sees_links_candidates_and_one_conflict(
    database_url: str, empty_database: str
) -> None:
    with serving(products=5, customers=400, orders=5) as store:
        settings = settings_for(store, database_url)
        with open_api(settings) as api:
            people = furnish(database_url, api)
            assert furnish(database_url, api) == 0
            with psycopg.connect(empty_database, autocommit=True) as other:
                other.execute("CREATE TABLE unified_profiles (id uuid PRIMARY KEY, email text)")
            assert furnish(empty_database, api) == people
        assert rows(database_url) == rows(empty_database)
        with open_sync(settings, application_name="tests") as sync:
            pull_all(sync)
            options = LinkOptions(
                phone_column=SETTINGS["PROFILES_PHONE_COLUMN"],
                name_columns=tuple(SETTINGS["PROFILES_NAME_COLUMNS"].split(",")),
            )
            report = link(sync.database, options)
    assert report.problem is None
    assert report.conflicts == 1
    assert report.candidates >= 3
    assert 250 < report.links < 350
    with psycopg.connect(database_url) as connection:
        found = connection.execute("SELECT DISTINCT rule FROM shopify_internal.profile_links")
        assert {rule for (rule,) in found} == {"exact_email", "phone"}


def rows(url: str) -> list[tuple[object, ...]]:
    with psycopg.connect(url) as connection:
        return connection.execute(
            "SELECT id, email, first_name, last_name, phone FROM unified_profiles ORDER BY id"
        ).fetchall()
