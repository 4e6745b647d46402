"""Customers and profiles in the tables, written and read in a line each."""

import uuid
from typing import Any

import sqlalchemy as sa

from shopify_pipeline.profiles.linking import link
from shopify_pipeline.profiles.options import LinkOptions
from shopify_pipeline.profiles.report import LinkReport
from shopify_pipeline.warehouse.database import Database


class People:
    """Both sides of linking in a test's database; customers by number, profiles by a letter."""

    def __init__(self, database: Database, options: LinkOptions | None = None) -> None:
        self.database = database
        self.options = options or LinkOptions()

    def run(self, statement: str, **values: Any) -> list[Any]:
        with self.database.transaction() as connection:
            result = connection.execute(sa.text(statement), values)
            return list(result) if result.returns_rows else []

    def customer(self, number: int, email: str | None = None, **columns: Any) -> None:
        self._upsert(
            "shopify_customers", "shopify_customer_id", number, {"email": email, **columns}
        )

    def profile(self, letter: str, email: str | None = None, **columns: Any) -> None:
        self._upsert("unified_profiles", "id", profile_id(letter), {"email": email, **columns})

    def delete_profile(self, letter: str) -> None:
        self.run("DELETE FROM unified_profiles WHERE id = :id", id=profile_id(letter))

    def link(self, **options: Any) -> LinkReport:
        return link(self.database, self.options, **options)

    def links(self) -> dict[int, tuple[str, str]]:
        """Letter and rule of each link, after checking that the customers' column says the same."""
        links = self.run(
            "SELECT shopify_customer_id, profile_id, rule FROM shopify_internal.profile_links"
        )
        written = self.run(
            "SELECT shopify_customer_id, unified_profile_id FROM shopify_customers "
            "WHERE unified_profile_id IS NOT NULL"
        )
        assert {(c, p) for c, p, _ in links} == {(c, p) for c, p in written}
        return {customer: (letter(profile), rule) for customer, profile, rule in links}

    def history(self, number: int) -> list[tuple[str, str, str]]:
        """Letter, event and reason of everything that happened to a customer's link."""
        rows = self.run(
            "SELECT profile_id, event, reason FROM shopify_internal.profile_link_history "
            "WHERE shopify_customer_id = :number ORDER BY id",
            number=number,
        )
        return [
            (letter(profile) if profile else "", event, reason) for profile, event, reason in rows
        ]

    def conflicts(self) -> dict[int, str]:
        return self._listed("profile_conflicts")

    def candidates(self) -> dict[int, str]:
        return self._listed("profile_candidates")

    def _listed(self, table: str) -> dict[int, str]:
        found: dict[int, str] = {}
        for customer, profile in self.run(
            f"SELECT shopify_customer_id, profile_id FROM shopify_internal.{table} ORDER BY 1, 2"
        ):
            found[customer] = found.get(customer, "") + letter(profile)
        return found

    def _upsert(self, table: str, key: str, value: object, columns: dict[str, Any]) -> None:
        names = [key, *columns]
        values = ", ".join(f":{name}" for name in names)
        self.run(
            f"INSERT INTO {table} ({', '.join(names)}) VALUES ({values}) "
            f"ON CONFLICT ({key}) DO UPDATE SET {', '.join(f'{n} = :{n}' for n in columns)}",
            **{key: value, **columns},
        )


def profile_id(letter: str) -> uuid.UUID:
    return uuid.UUID(int=ord(letter))


def letter(profile: uuid.UUID) -> str:
    return chr(profile.int) if profile.int < 128 else "?"
