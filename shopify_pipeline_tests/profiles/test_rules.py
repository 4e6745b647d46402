"""Normalisation: worked examples, and properties that hold for any text."""

import unicodedata

import phonenumbers
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from shopify_pipeline.profiles import rules
from shopify_pipeline.profiles.providers import PROVIDERS, typos

ANY_TEXT = st.text(max_size=40)
LOCALS = st.text(st.sampled_from("abcXYZ.+-_'\"ßéİſñ０１"), max_size=12)
WRITTEN_DOMAINS = """
    gmail.com GoogleMail.com Bücher.example BÜCHER.example xn--bcher-kva.example straße.de
    outlook.com gmial.com x。y bad_domain.com a..b 例え.テスト x.y.
"""
DOMAINS = st.sampled_from(WRITTEN_DOMAINS.split())
ADDRESSES = st.builds("{}@{}".format, LOCALS, DOMAINS) | ANY_TEXT | ANY_TEXT.map("{}@x.y".format)


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("jane@example.com", "jane@example.com"),
        ("  Jane.DOE@Example.COM \t", "jane.doe@example.com"),
        ("jane@bücher.example", "jane@xn--bcher-kva.example"),
        ("JANE@BÜCHER.example", "jane@xn--bcher-kva.example"),
        ("jane@xn--bcher-kva.example", "jane@xn--bcher-kva.example"),
        ("jane@straße.de", "jane@xn--strae-oqa.de"),
        ("JANE@STRAẞE.de", "jane@xn--strae-oqa.de"),
        ("jane@strasse.de", "jane@strasse.de"),
        ("jane@ΟΔΟΣ.gr", "jane@xn--pxavbq.gr"),
        ("Straße@example.com", "strasse@example.com"),
        ("\uff4aane@example.com", "jane@example.com"),
        ("\u200bjane@example.com\ufeff", "jane@example.com"),
        ("jane@example.com.", "jane@example.com"),
        ('"a@b"@example.com', '"a@b"@example.com'),
        ("", None),
        ("   ", None),
        ("@", None),
        ("jane@", None),
        ("@example.com", None),
        ("jane doe@example.com", None),
        ("no address", None),
        (None, None),
    ],
)
def test_exact_email(written: str | None, expected: str | None) -> None:
    assert rules.exact_email(written) == expected


PLAIN_DOMAINS = st.text(st.sampled_from("abX0.-"), max_size=8) | st.sampled_from(
    [*typos(), *PROVIDERS, "example.com", "EXAMPLE.co.id", "xn--bcher-kva.example", "-", "."]
)
PLAIN_LOCALS = st.text(st.sampled_from("aZ09!#$%&*/=?^_{|}~.'+-`\"(),:;<>[\\] @\t"), max_size=6)
PADDING = st.text(st.sampled_from(" \t\n\r\x0b\x0c\x1c\x1f\x85\xa0"), max_size=2)


@example("a@b.")
@example("a@xn--bcher-kva.example")
@example("a@gmail.com")
@example("a@gmial.com")
@example("a b@example.com")
@given(ADDRESSES | st.builds("{}{}@{}{}".format, PADDING, PLAIN_LOCALS, PLAIN_DOMAINS, PADDING))
def test_a_plain_address_is_what_the_other_rules_make_of_it(written: str) -> None:
    plain = rules.plain_email(written)
    if plain is not None:
        exact = rules.exact_email(written)
        assert (exact, rules.canonical_email(exact), rules.near_email(exact)) == (
            plain,
            plain,
            None,
        )


@pytest.mark.parametrize("written", ["jane@example.com", " Jane.D'OE+x@Example-9.co.ID "])
def test_most_addresses_are_plain(written: str) -> None:
    assert rules.plain_email(written) == rules.exact_email(written)


@pytest.mark.parametrize(
    ("exact", "expected"),
    [
        ("j.a.n.e@gmail.com", "jane@gmail.com"),
        ("jane+shop@gmail.com", "jane@gmail.com"),
        ("jane+a+b@googlemail.com", "jane@gmail.com"),
        ("jane.doe+shop@outlook.com", "jane.doe@outlook.com"),
        ("jane+shop@example.com", "jane+shop@example.com"),
        ("jane-shop@yahoo.com", "jane-shop@yahoo.com"),
        ("+shop@gmail.com", "+shop@gmail.com"),
        ('"j.d"@gmail.com', '"j.d"@gmail.com'),
        ("jane@mail.gmail.com", "jane@mail.gmail.com"),
    ],
)
def test_canonical_email(exact: str, expected: str) -> None:
    assert rules.canonical_email(exact) == expected


@pytest.mark.parametrize(
    ("exact", "meant"),
    [
        ("j.ane@gmial.com", "jane@gmail.com"),
        ("jane@gmai.com", "jane@gmail.com"),
        ("jane@gmaill.com", "jane@gmail.com"),
        ("jane@hotnail.com", "jane@hotmail.com"),
        ("jane@yahoo.con", "jane@yahoo.com"),
        ("jane@gmail.com", None),
        ("jane@mail.com", None),
        ("jane@ymail.com", None),
        ("jane@example.com", None),
        ("jane@gmmial.com", None),
    ],
)
def test_near_email_names_what_was_probably_meant(exact: str, meant: str | None) -> None:
    assert rules.near_email(exact) == meant


@pytest.mark.parametrize(
    ("written", "region", "expected"),
    [
        ("+1 (415) 555-0123", None, "+14155550123"),
        ("(415) 555-0123", "US", "+14155550123"),
        ("(415) 555-0123", None, None),
        ("0812-3456-7890", "ID", "+6281234567890"),
        ("+62 812 3456 7890", None, "+6281234567890"),
        ("+14155550123 ext. 7", None, "+14155550123"),
        ("+1 415", None, None),
        ("call me", "US", None),
        ("", "US", None),
        (None, "US", None),
    ],
)
def test_phone_number(written: str | None, region: str | None, expected: str | None) -> None:
    assert rules.phone_number(written, region=region) == expected


def test_a_name_is_compared_without_case_and_spacing_and_needs_two_words() -> None:
    assert rules.person_name(["  JANE ", "van  Doe"]) == "jane van doe"
    assert rules.person_name(["Jane", None]) is None
    assert rules.person_name([None, ""]) is None


@pytest.mark.parametrize(
    ("left", "right", "close"),
    [
        ("jane.doe@x.com", "janedoe@y.com", True),
        ("jane.doe@x.com", "janedeo@y.com", True),
        ("jane.doe@x.com", "jane.do@y.com", True),
        ("jane.doe+tag@x.com", "jane-doe@y.com", True),
        ("jane.doe@x.com", "jdoe@y.com", False),
        ("abc@x.com", "abc@y.com", False),
    ],
)
def test_close_local_parts(left: str, right: str, *, close: bool) -> None:
    assert rules.close_local_parts(left, right) is close


@given(ADDRESSES)
def test_every_normalisation_maps_its_own_answer_to_itself(written: str) -> None:
    exact = rules.exact_email(written)
    assert exact is None or rules.exact_email(exact) == exact
    canonical = rules.canonical_email(exact)
    assert canonical is None or rules.canonical_email(canonical) == canonical
    assert (exact is None) == (canonical is None)
    assert canonical is None or rules.exact_email(canonical) == canonical
    near = rules.near_email(exact)
    assert near is None or (rules.near_email(near) is None and near != canonical)


@given(st.text(st.characters(codec="ascii"), max_size=30))
def test_ascii_takes_the_short_way_to_the_same_answer(written: str) -> None:
    long_way = rules._fold(written).rpartition("@")
    short = rules.exact_email(written)
    if short is not None:
        assert short == f"{long_way[0]}@{rules._idna(long_way[2]).rstrip('.')}"


@given(ADDRESSES)
def test_padding_case_and_normal_form_never_matter(written: str) -> None:
    exact = rules.exact_email(written)
    assert rules.exact_email(f"  {written}\n") == exact
    assert rules.exact_email(unicodedata.normalize("NFD", written)) == exact


@given(st.text(st.sampled_from("+0123456789 ()-ext.#"), max_size=20), st.sampled_from(["US", "ID"]))
def test_a_phone_number_in_e164_stays_itself(written: str, region: str) -> None:
    number = rules.phone_number(written, region=region)
    assert number is None or rules.phone_number(number) == number


@given(
    st.sampled_from(
        ["1", "7", "44", "39", "52", "54", "55", "62", "63", "299", "590", "800", "999"]
    ),
    st.text("0123456789", min_size=5, max_size=13),
)
def test_a_number_taken_as_it_is_is_what_parsing_would_give(country: str, national: str) -> None:
    written = f"+{country}{national}"
    if rules._is_e164(written):
        parsed = phonenumbers.parse(written)
        assert phonenumbers.is_possible_number(parsed)
        form = phonenumbers.PhoneNumberFormat.E164
        assert phonenumbers.format_number(parsed, form) == written


@given(st.lists(ANY_TEXT, max_size=3))
def test_a_normalised_name_stays_itself(parts: list[str]) -> None:
    name = rules.person_name(parts)
    assert name is None or rules.person_name([name]) == name


@given(st.text("abcd", max_size=6), st.text("abcd", max_size=6))
def test_within_one_edit_agrees_with_trying_every_edit(a: str, b: str) -> None:
    edits = {a}
    for i in range(len(a) + 1):
        edits |= {a[:i] + a[i + 1 :]}
        edits |= {a[:i] + a[i + 1 : i + 2] + a[i : i + 1] + a[i + 2 :]}
        edits |= {a[:i] + letter + a[j:] for letter in "abcd" for j in (i, i + 1)}
    assert rules.within_one_edit(a, b) == (b in edits)
    assert rules.within_one_edit(a, b) == rules.within_one_edit(b, a)


def test_no_domain_that_exists_in_its_own_right_is_called_a_typo() -> None:
    assert not typos().keys() & PROVIDERS.keys()
    assert {"gmail.com", "mail.com", "ymail.com", "mail.ru"}.isdisjoint(typos())
