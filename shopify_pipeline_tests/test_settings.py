"""Settings: normalised, typed, and refused all at once with a message that names each."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

import shopify_pipeline.entities  # noqa: F401 - knows which columns there are to leave out
from shopify_pipeline.environment import complete
from shopify_pipeline.settings import (
    Settings,
    SettingsError,
    load_database_settings,
    load_settings,
)

GOOD = {
    "SHOPIFY_SHOP": "demo-store",
    "SHOPIFY_ACCESS_TOKEN": "shpat_secret",
    "SHOPIFY_START_DATE": "2026-01-01",
    "DATABASE_URL": "postgresql://me:hunter2@db/main",
}


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    """An environment with settings that work, and no `.env`."""
    import os

    for name in list(os.environ):
        if name.startswith(("SHOPIFY_", "DATABASE_", "DAGSTER_", "PIPELINE_")):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    for name, value in GOOD.items():
        monkeypatch.setenv(name, value)
    return monkeypatch


@pytest.mark.parametrize("given", ["demo-store", "demo-store.myshopify.com", " Demo-Store "])
def test_a_shop_is_known_by_its_whole_domain(environment: pytest.MonkeyPatch, given: str) -> None:
    environment.setenv("SHOPIFY_SHOP", given)
    assert load_settings().shopify_shop == "demo-store.myshopify.com"


def test_every_problem_is_listed_at_once(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("SHOPIFY_SHOP", "https://x.example/admin")
    environment.setenv("SHOPIFY_API_VERSION", "2026-11")
    environment.setenv("SHOPIFY_CLIENT_ID", "id")
    environment.delenv("SHOPIFY_START_DATE")
    environment.setenv("DATABASE_URL", "mysql://me:hunter2@db/main")
    with pytest.raises(SettingsError) as refused:
        load_settings()
    assert set(refused.value.problems) == {
        "SHOPIFY_SHOP",
        "SHOPIFY_API_VERSION",
        "SHOPIFY_CLIENT_SECRET",
        "SHOPIFY_START_DATE",
        "DATABASE_URL",
    }
    assert "hunter2" not in str(refused.value)
    assert "shpat_secret" not in str(refused.value)


def test_no_credentials_at_all_is_a_problem(environment: pytest.MonkeyPatch) -> None:
    environment.delenv("SHOPIFY_ACCESS_TOKEN")
    with pytest.raises(SettingsError, match="no credentials"):
        load_settings()


def test_half_a_client_grant_is_a_problem(environment: pytest.MonkeyPatch) -> None:
    environment.delenv("SHOPIFY_ACCESS_TOKEN")
    environment.setenv("SHOPIFY_CLIENT_ID", "id")
    with pytest.raises(SettingsError, match="SHOPIFY_CLIENT_SECRET"):
        load_settings()


def test_a_dot_env_file_is_read(environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
    environment.delenv("SHOPIFY_START_DATE")
    (tmp_path / ".env").write_text("SHOPIFY_START_DATE=2025-05-05\nUNRELATED=1\n")
    assert load_settings().shopify_start_date.isoformat() == "2025-05-05"


def test_secrets_do_not_show(environment: pytest.MonkeyPatch) -> None:
    shown = repr(load_settings())
    assert "shpat_secret" not in shown
    assert "hunter2" not in shown


def test_omitted_columns_are_a_set_of_entity_and_column(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("SHOPIFY_OMIT_COLUMNS", "customers.email, customers.phone,")
    assert load_settings().shopify_omit_columns == {"customers.email", "customers.phone"}
    environment.setenv("SHOPIFY_OMIT_COLUMNS", "email")
    with pytest.raises(SettingsError, match=r"entity\.column"):
        load_settings()


def test_an_empty_variable_counts_as_unset(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("SHOPIFY_API_URL", "")
    environment.setenv("DATABASE_DIRECT_URL", "")
    settings = load_settings()
    assert settings.shopify_api_url is None
    assert settings.direct_url == settings.database_url


def problems() -> dict[str, str]:
    """What is wrong with the settings of the environment."""
    with pytest.raises(SettingsError) as refused:
        load_settings()
    return refused.value.problems


@pytest.mark.parametrize(
    ("column", "said"),
    [
        ("customers.nope", "is no column (there are "),
        ("customers.emails", "is no column (email is meant?)"),
        ("foo.bar", "names no entity (there are customers, "),
        ("customer.email", "names no entity (customers is meant?)"),
        ("shopify_customers.email", "names no entity (customers is meant?)"),
        ("customers.shopify_customer_id", "can't be left out"),
        ("customers.updated_at", "can't be left out"),
        ("customers.merged_into_shopify_customer_id", "can't be left out"),
        ("order_items.shopify_order_id", "can't be left out"),
        ("customers.id", "is no column"),
    ],
)
def test_a_column_that_cannot_be_left_out_is_refused(
    environment: pytest.MonkeyPatch, column: str, said: str
) -> None:
    environment.setenv("SHOPIFY_OMIT_COLUMNS", f"customers.email,{column}")
    assert f"`{column}` {said}" in problems()["SHOPIFY_OMIT_COLUMNS"]
    assert "`customers.email`" not in problems()["SHOPIFY_OMIT_COLUMNS"]


def test_all_columns_that_cannot_be_left_out_are_listed(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("SHOPIFY_OMIT_COLUMNS", "foo.bar,customers.nope,orders.updated_at")
    environment.setenv("SHOPIFY_API_VERSION", "latest")
    found = problems()
    assert set(found) == {"SHOPIFY_OMIT_COLUMNS", "SHOPIFY_API_VERSION"}
    for column in ("foo.bar", "customers.nope", "orders.updated_at"):
        assert column in found["SHOPIFY_OMIT_COLUMNS"]


TOMORROW = datetime.now(UTC).date() + timedelta(days=1)


@pytest.mark.parametrize(
    ("day", "said"),
    [
        (f"{TOMORROW + timedelta(days=1)}", "is yet to come"),
        ("2100-01-01", "is yet to come"),
        ("2003-12-31", "before 2004-01-01"),
        ("0001-01-01", "before 2004-01-01"),
        ("1767225600", "expected a day, `YYYY-MM-DD`"),
        ("20260101", "expected a day"),
        ("2026-01-01T00:00:00", "expected a day"),
        ("2026-W01-1", "expected a day"),
        ("2026-02-30", "there is no day 2026-02-30"),
    ],
)
def test_a_first_day_that_never_was_is_refused(
    environment: pytest.MonkeyPatch, day: str, said: str
) -> None:
    environment.setenv("SHOPIFY_START_DATE", day)
    assert said in problems()["SHOPIFY_START_DATE"]


def test_the_first_day_may_be_today(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("SHOPIFY_START_DATE", f" {datetime.now(UTC).date()}\n")
    assert load_settings().shopify_start_date == datetime.now(UTC).date()
    environment.setenv("SHOPIFY_START_DATE", "2004-01-01")
    assert load_settings().shopify_start_date.year == 2004


def test_blanks_around_a_setting_are_no_part_of_it(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("SHOPIFY_ACCESS_TOKEN", " shpat_secret\n")
    environment.setenv("DATABASE_URL", " postgresql://me:hunter2@db/main \n")
    settings = load_settings()
    assert settings.shopify_access_token is not None
    assert settings.shopify_access_token.get_secret_value() == "shpat_secret"
    assert settings.database_url.get_secret_value() == "postgresql://me:hunter2@db/main"


@pytest.mark.parametrize("name", GOOD)
def test_a_blank_setting_counts_as_unset(environment: pytest.MonkeyPatch, name: str) -> None:
    environment.setenv(name, " \n")
    (problem,) = problems().values()
    assert "is not set" in problem or "no credentials" in problem


def test_a_token_that_no_header_takes_is_refused_unseen(environment: pytest.MonkeyPatch) -> None:
    for token in ("shpat_a\nb", "shpat_a b", "shpat_\u201ca"):
        environment.setenv("SHOPIFY_ACCESS_TOKEN", token)
        found = problems()
        assert set(found) == {"SHOPIFY_ACCESS_TOKEN"}
        assert "shpat_" not in found["SHOPIFY_ACCESS_TOKEN"]


@pytest.mark.parametrize(
    "address", ["shop.example", "ftp://x", "https://", "http:///x", "http://x:0", "http://x:port"]
)
def test_an_address_without_scheme_and_host_is_refused(
    environment: pytest.MonkeyPatch, address: str
) -> None:
    environment.setenv("SHOPIFY_API_URL", address)
    assert "expected an address" in problems()["SHOPIFY_API_URL"]


@pytest.mark.parametrize("version", ["2026-1", "2026-11", "latest", "2026-10-01", "20261-10"])
def test_a_misspelt_version_is_answered_with_the_form(
    environment: pytest.MonkeyPatch, version: str
) -> None:
    environment.setenv("SHOPIFY_API_VERSION", version)
    said = problems()["SHOPIFY_API_VERSION"]
    assert "2026-10" in said
    assert "pattern" not in said


def test_the_database_needs_no_store(environment: pytest.MonkeyPatch) -> None:
    for name in GOOD:
        if name != "DATABASE_URL":
            environment.delenv(name)
    environment.setenv("SHOPIFY_API_VERSION", "nonsense")
    assert load_database_settings().direct_url.get_secret_value() == GOOD["DATABASE_URL"]


def test_a_direct_url_alone_is_a_problem(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("DATABASE_DIRECT_URL", GOOD["DATABASE_URL"])
    environment.delenv("DATABASE_URL")
    assert set(problems()) == {"DATABASE_URL"}
    with pytest.raises(SettingsError, match="DATABASE_URL: is not set"):
        load_database_settings()


def test_no_complaint_is_a_regular_expression(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("PROFILES_PHONE_REGION", "Indonesia")
    assert problems() == {
        "PROFILES_PHONE_REGION": "does not have its form. "
        f"{Settings.model_fields['profiles_phone_region'].description}"
    }


def test_the_environment_is_completed_and_tidied(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("SHOPIFY_SHOP=filed\nDATABASE_URL=filed\nOTHER=1\nEMPTY=\n")
    environment = {"SHOPIFY_SHOP": " given ", "DATABASE_URL": " ", "SHOPIFY_API_URL": "\n"}
    complete(
        environment,
        names=["SHOPIFY_SHOP", "DATABASE_URL", "SHOPIFY_API_URL"],
        dotenv=tmp_path / ".env",
    )
    assert environment == {"SHOPIFY_SHOP": "given", "DATABASE_URL": "filed", "OTHER": "1"}
    complete(environment, names=["SHOPIFY_SHOP"], dotenv=tmp_path / "absent")
    assert environment["SHOPIFY_SHOP"] == "given"
