"""Random histories of both sides, against a small model of what a link is."""

import random
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shopify_pipeline.profiles import decisions
from shopify_pipeline.profiles.rules import canonical_email, exact_email
from shopify_pipeline.warehouse.database import Database
from shopify_pipeline_tests.profiles.people import People, profile_id

EMAILS = st.sampled_from(
    [None, "", "a@x.com", " A@X.com", "b@x.com", "j.d@gmail.com", "jd@gmail.com", "jd+1@gmail.com"]
)
CUSTOMERS = st.integers(1, 4)
LETTERS = st.sampled_from("ABCD")
RANKS = {"manual": 0, "exact_email": 1, "canonical_email": 2}

OPERATIONS = st.lists(
    st.one_of(
        st.tuples(st.just("customer"), CUSTOMERS, EMAILS),
        st.tuples(st.just("kill"), CUSTOMERS),
        st.tuples(st.just("profile"), LETTERS, EMAILS),
        st.tuples(st.just("profile"), LETTERS, EMAILS),
        st.tuples(st.just("delete"), LETTERS),
        st.tuples(st.just("decide"), CUSTOMERS, LETTERS),
        st.tuples(st.just("never"), CUSTOMERS, st.none() | LETTERS),
        st.tuples(st.just("run")),
        st.tuples(st.just("run whole")),
    ),
    max_size=14,
)


@dataclass
class Model:
    """What the tables should say, in dictionaries."""

    customers: dict[int, str | None] = field(default_factory=dict)
    profiles: dict[str, str | None] = field(default_factory=dict)
    links: dict[int, tuple[str, str]] = field(default_factory=dict)
    chosen: dict[int, str | None] = field(default_factory=dict)
    refused: set[tuple[int, str]] = field(default_factory=set)
    known: set[str] = field(default_factory=set)

    def rank(self, customer: int, letter: str) -> int | None:
        ours, theirs = (exact_email(e) for e in (self.customers[customer], self.profiles[letter]))
        if ours is None or theirs is None or (customer, letter) in self.refused:
            return None
        if ours == theirs:
            return 1
        return 2 if canonical_email(ours) == canonical_email(theirs) else None

    def run(self) -> None:
        if self.known and not self.profiles:
            return
        self.known = set(self.profiles)
        self.links = {c: link for c in self.customers if (link := self.judge(c))}

    def judge(self, customer: int) -> tuple[str, str] | None:
        if customer in self.chosen:
            letter = self.chosen[customer]
            return (letter, "manual") if letter in self.profiles else None
        ranks = {p: r for p in self.profiles if (r := self.rank(customer, p))}
        if held := self.links.get(customer):
            letter, rule = held
            if ranks.get(letter, 9) <= RANKS[rule]:
                return letter, self.rule(ranks[letter])
        best = [p for p, r in ranks.items() if r == min(ranks.values())]
        return (best[0], self.rule(ranks[best[0]])) if len(best) == 1 else None

    @staticmethod
    def rule(rank: int) -> str:
        return next(rule for rule, r in RANKS.items() if r == rank)


def carry_out(people: People, model: Model, operation: tuple[object, ...]) -> bool:
    """Do one thing on both sides; True if links may be compared afterwards.

    Decisions come after a run: they judge by the profiles as that run knew them.
    """
    if operation[0] in {"decide", "never"}:
        people.link()
        model.run()
    match operation:
        case ("customer", int(number), email):
            people.customer(number, email, deleted_at=None)  # type: ignore[arg-type]
            model.customers[number] = email  # type: ignore[assignment]
        case ("kill", int(number)) if number in model.customers:
            people.run(
                "UPDATE shopify_customers SET deleted_at = now() WHERE shopify_customer_id = :n",
                n=number,
            )
            del model.customers[number]
        case ("profile", str(letter), email):
            people.profile(letter, email)  # type: ignore[arg-type]
            model.profiles[letter] = email  # type: ignore[assignment]
        case ("delete", str(letter)) if letter in model.profiles:
            people.delete_profile(letter)
            del model.profiles[letter]
        case ("decide", int(number), str(letter)) if decidable(model, number, letter):
            decisions.decide_link(
                people.database, people.options, customer=number, profile=profile_id(letter)
            )
            model.chosen[number] = letter
            model.refused.discard((number, letter))
            model.run()
        case ("never", int(number), letter) if number in model.customers:
            profile = profile_id(letter) if isinstance(letter, str) else None
            decisions.decide_never(
                people.database, people.options, customer=number, profile=profile
            )
            if isinstance(letter, str):
                model.refused.add((number, letter))
                if model.chosen.get(number) == letter:
                    del model.chosen[number]
            else:
                model.chosen[number] = None
            model.run()
        case ("run",):
            people.link()
            model.run()
            return True
        case ("run whole",):
            people.link(whole=True)
            model.run()
            return True
    return False


def decidable(model: Model, number: int, letter: str) -> bool:
    return number in model.customers and letter in model.profiles


@pytest.fixture(scope="module")
def anybody(module_database_url: str) -> Iterator[People]:
    database = Database(module_database_url, application_name="test")
    yield People(database)
    database.close()


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(OPERATIONS)
def test_links_follow_the_model_through_any_history(
    anybody: People, operations: list[tuple[object, ...]]
) -> None:
    start_afresh(anybody)
    model = Model()
    for operation in [*operations, ("run",)]:
        if carry_out(anybody, model, operation):
            assert stored(anybody) == model.links
    # A run that compares everything finds nothing that the incremental ones missed.
    anybody.link(whole=True)
    model.run()
    assert stored(anybody) == model.links


@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.dictionaries(CUSTOMERS, EMAILS, max_size=4),
    st.dictionaries(LETTERS, EMAILS, min_size=1, max_size=4),
    st.randoms(use_true_random=False),
)
def test_from_nothing_the_order_of_the_rows_does_not_matter(
    anybody: People,
    customers: dict[int, str | None],
    profiles: dict[str, str | None],
    shuffled: random.Random,
) -> None:
    outcomes = []
    rows: list[tuple[object, str | None]] = [*customers.items(), *profiles.items()]
    for _ in range(2):
        start_afresh(anybody)
        for key, email in rows:
            if isinstance(key, int):
                anybody.customer(key, email)
            else:
                anybody.profile(str(key), email)
        anybody.link()
        outcomes.append((stored(anybody), anybody.conflicts(), anybody.candidates()))
        shuffled.shuffle(rows)
    assert outcomes[0] == outcomes[1]


def stored(people: People) -> dict[int, tuple[str, str]]:
    """The links; where profiles were emptied, without asking the column, which Postgres cleared."""
    rows = people.run(
        "SELECT shopify_customer_id, profile_id, rule FROM shopify_internal.profile_links"
    )
    links = {customer: (chr(profile.int), rule) for customer, profile, rule in rows}
    if people.run("SELECT 1 FROM unified_profiles LIMIT 1"):
        assert links == people.links()
    return links


def start_afresh(people: People) -> None:
    people.run(
        "TRUNCATE shopify_customers, unified_profiles, shopify_internal.customer_keys, "
        "shopify_internal.profile_keys, shopify_internal.profile_links, "
        "shopify_internal.profile_link_history, shopify_internal.profile_decisions, "
        "shopify_internal.profile_conflicts, shopify_internal.profile_candidates, "
        "shopify_internal.state CASCADE"
    )
