"""Normalisation: when two e-mail addresses, phone numbers or names count as the same.

Every function returns text that it maps to itself, or None for what identifies nobody.
"""

import re
import unicodedata
from collections.abc import Callable, Sequence
from functools import lru_cache

import idna
import phonenumbers

from shopify_pipeline.profiles.providers import PROVIDERS, typos

VERSION = 2
"""Raise it with any change of a rule: every customer and profile is then normalised again."""

_E164 = re.compile(r"\+[1-9][0-9]{6,14}")
_PLAIN = re.compile(r"[a-z0-9!#$%&*/=?^_{|}~.'+-]++@([a-z0-9.-]*[a-z0-9-])")
_INVISIBLE = "\u200b\u200c\u200d\u2060\ufeff\u00ad"


def exact_email(written: str | None) -> str | None:
    """The address in Unicode NFKC, trimmed, its local part case-folded, its domain in A-labels.

    The domain is only lowered: IDNA keeps apart what folding makes one (`straße`, `strasse`).

    None for what has no local part, no domain, or space inside.
    """
    if not written:
        return None
    if written.isascii():
        local, at, domain = written.strip().lower().rpartition("@")
        if "xn--" in domain or not domain.replace(".", "").replace("-", "").isalnum():
            domain = _idna(domain)
    else:
        local, at, _ = _fold(written).rpartition("@")
        domain = _idna(_fold(written, _lower).rpartition("@")[2])
    if not (at and local and domain) or " " in local or " " in domain:
        return None
    if not (local + domain).isprintable():
        return None
    return f"{local}@{domain.rstrip('.')}" if domain.rstrip(".") else None


def plain_email(written: str) -> str | None:
    """The exact address where that is easily told and no other rule applies, else None.

    Most addresses are so: ASCII, at a domain that is no known provider's and no typo. Their
    canonical address is the same and they are near none; to find that out by the other functions
    takes twice as long.
    """
    address = written.strip().lower()
    found = _PLAIN.fullmatch(address)
    if found is None or found[1] in PROVIDERS or found[1] in typos() or "xn--" in found[1]:
        return None
    return address


def canonical_email(exact: str | None) -> str | None:
    """The mailbox that an exact address reaches, by its provider's rules.

    Gmail ignores dots, and googlemail.com is gmail.com; a `+tag` is dropped where the provider
    is known to support it. Every other address is its own.
    """
    if exact is None:
        return None
    local, _, domain = exact.rpartition("@")
    provider = PROVIDERS.get(domain)
    if provider is None or '"' in local:
        return exact
    mailbox = local.partition("+")[0]
    if not provider.dots_count:
        mailbox = mailbox.replace(".", "")
    # Nothing left, or leading dots that the provider would refuse: no address of its users.
    return f"{mailbox}@{provider.domain}" if mailbox.strip(".") else exact


def near_email(exact: str | None) -> str | None:
    """The mailbox that was probably meant where the domain is one edit from a common one.

    None where it is not. Good for a candidate that a person reviews, never for a link.
    """
    if exact is None:
        return None
    local, _, domain = exact.rpartition("@")
    meant = typos().get(domain)
    return canonical_email(f"{local}@{meant}") if meant else None


def phone_number(written: str | None, *, region: str | None = None) -> str | None:
    """The number in E.164, without its extension; None if it cannot be one.

    `region` (ISO 3166, `ID`) is the country of numbers written without one; without a region,
    those identify nobody.
    """
    if not written or _is_e164(written):
        return written or None
    try:
        number = phonenumbers.parse(unicodedata.normalize("NFKC", written), region)
    except phonenumbers.NumberParseException:
        return None
    if not phonenumbers.is_possible_number(number):
        return None
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def person_name(parts: Sequence[str | None]) -> str | None:
    """A full name, case-folded, spaces collapsed; None for fewer than two words."""
    words = _fold(" ".join(part for part in parts if part)).split()
    return " ".join(words) if len(words) > 1 else None


def close_local_parts(left: str, right: str) -> bool:
    """Whether the local parts of two exact addresses are the same but for one edit.

    Dots, dashes, underscores and a tag don't count; a part under four letters is close to none.
    """
    a, b = (_letters(address.rpartition("@")[0]) for address in (left, right))
    return min(len(a), len(b)) >= 4 and within_one_edit(a, b)


def within_one_edit(a: str, b: str) -> bool:
    """Whether one letter dropped, added, replaced or swapped with its neighbour makes a into b."""
    if a == b:
        return True
    if len(a) > len(b):
        a, b = b, a
    if len(b) - len(a) > 1:
        return False
    start = next((i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), len(a))
    if len(a) < len(b):
        return a[start:] == b[start + 1 :]
    swapped = a[start + 1 : start + 2] + a[start : start + 1] + a[start + 2 :]
    return a[start + 1 :] == b[start + 1 :] or swapped == b[start:]


def _is_e164(written: str) -> bool:
    """Whether parsing would only give the same text back, which is ten times slower to find out."""
    if not _E164.fullmatch(written):
        return False
    for digits in (1, 2, 3):
        if country := _country(written[1 : 1 + digits]):
            lengths, prefix = country
            national = written[1 + digits :]
            return len(national) in lengths and not (prefix and prefix.match(national))
    return False


@lru_cache(maxsize=2000)
def _country(code: str) -> tuple[frozenset[int], re.Pattern[str] | None] | None:
    """Possible lengths of a country's numbers, and the prefix that parsing would strip."""
    regions = phonenumbers.COUNTRY_CODE_TO_REGION_CODE.get(int(code))
    if not regions:
        return None
    metadata = phonenumbers.PhoneMetadata.metadata_for_region_or_calling_code(int(code), regions[0])
    if metadata is None or metadata.general_desc is None:
        return None
    prefix = metadata.national_prefix_for_parsing
    lengths = frozenset(metadata.general_desc.possible_length)
    return lengths, re.compile(prefix) if prefix else None


def _letters(local: str) -> str:
    return local.partition("+")[0].translate(str.maketrans("", "", ".-_"))


def _lower(text: str) -> str:
    # A letter at a time, as IDNA does: in a word, a last sigma would become another letter.
    return "".join(map(str.lower, text))


def _fold(text: str, case: Callable[[str], str] = str.casefold) -> str:
    # Folding can undo the normal form and the other way round: repeat until neither changes it.
    for _ in range(4):
        folded = case(unicodedata.normalize("NFKC", text)).strip().strip(_INVISIBLE)
        if folded == text:
            break
        text = folded
    return text


@lru_cache(maxsize=10_000)
def _idna(domain: str) -> str:
    domain = domain.replace("\u3002", ".")
    try:
        return idna.encode(domain, uts46=True).decode("ascii").lower()
    except (idna.IDNAError, UnicodeError):
        # No domain of the Internet, but the same on both sides all the same.
        return domain
