"""The platform of the demonstration: its `unified_profiles`, most of whom are customers too."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from random import Random
from typing import Any
from uuid import NAMESPACE_URL, UUID, uuid5

import psycopg

from shopify_pipeline.admin_api import AdminApi

SETTINGS = {"PROFILES_NAME_COLUMNS": "first_name,last_name", "PROFILES_PHONE_COLUMN": "phone"}
"""Settings that name the columns that the demonstration's platform has."""

MOST_CUSTOMERS = 5_000
PASSERS_BY = 60

_CUSTOMERS = """
query DemoCustomers($after: String) {
  customers(first: 250, after: $after, sortKey: ID) {
    nodes {
      id firstName lastName
      defaultEmailAddress { emailAddress } defaultPhoneNumber { phoneNumber }
    }
    pageInfo { hasNextPage endCursor }
  }
}
"""
_COLUMNS = """
ALTER TABLE public.unified_profiles
  ADD COLUMN IF NOT EXISTS first_name text,
  ADD COLUMN IF NOT EXISTS last_name text,
  ADD COLUMN IF NOT EXISTS phone text
"""


@dataclass(frozen=True)
class Person:
    """A row of the demonstration's `unified_profiles`."""

    id: UUID
    email: str | None = None
    first_name: str | None = None
    last_name: str | None = None
    phone: str | None = None


def furnish(database_url: str, api: AdminApi) -> int:
    """Fill the demonstration's `unified_profiles` if nobody is in it; return how many came.

    For the database of the demonstration alone: it adds columns to the table. The same store
    gives the same people.
    """
    with psycopg.connect(database_url) as connection:
        there = connection.execute("SELECT EXISTS (SELECT FROM public.unified_profiles)").fetchone()
        if there == (True,):
            return 0
        connection.execute(_COLUMNS)
        people = list(profiles(_customers(api)))
        with connection.cursor() as cursor:
            cursor.executemany(
                "INSERT INTO public.unified_profiles (id, email, first_name, last_name, phone)"
                " VALUES (%(id)s, %(email)s, %(first_name)s, %(last_name)s, %(phone)s)",
                [vars(person) for person in people],
            )
    return len(people)


def profiles(customers: Iterable[Any]) -> Iterator[Person]:
    """Make people of customers as GraphQL gives them.

    Most are known by their address, in one way of writing or another; some by their phone alone,
    some by an address that only resembles; a fifth not at all. One is known twice. Others were
    never customers.
    """
    known_twice = False
    for customer in customers:
        draw = Random(f"{customer['id']}")  # noqa: S311 - the same for every start
        email = (customer["defaultEmailAddress"] or {}).get("emailAddress")
        phone = (customer["defaultPhoneNumber"] or {}).get("phoneNumber")
        names = {"first_name": customer["firstName"], "last_name": customer["lastName"]}
        identity = uuid5(NAMESPACE_URL, customer["id"])
        roll = draw.random()
        if roll >= 0.8 or not (email or phone):
            continue
        if phone and (roll >= 0.7 or not email):
            yield Person(identity, phone=phone, **names)
            continue
        if not email:
            continue
        if roll < 0.75:
            yield Person(identity, draw.choice(_WRITTEN)(email), **names)
        else:
            local, _, domain = email.rpartition("@")
            yield Person(identity, f"{local.replace('.', '_', 1)}+news@{domain}", **names)
        if roll < 0.5 and not known_twice:
            known_twice = True
            yield Person(uuid5(NAMESPACE_URL, f"{customer['id']} again"), email.upper(), **names)
    for n in range(PASSERS_BY):
        address = f"visitor.{n - n % 20 // 19}@example.org"  # every twentieth is the one before
        yield Person(uuid5(NAMESPACE_URL, f"visitor {n}"), address)


_WRITTEN = (str, str, str, str.upper, str.title, "  {} ".format)


def _customers(api: AdminApi) -> Iterator[Any]:
    after: str | None = None
    for _ in range(MOST_CUSTOMERS // 250):
        page = api.execute(_CUSTOMERS, {"after": after}).data["customers"]
        yield from page["nodes"]
        if not page["pageInfo"]["hasNextPage"]:
            return
        after = page["pageInfo"]["endCursor"]
