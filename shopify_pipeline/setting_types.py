"""The types of settings: which texts each kind takes, and what is said of the others."""

import re
from datetime import UTC, date, datetime
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, SecretStr

EARLIEST = date(2004, 1, 1)
"""No store is older than Shopify."""


def _shop(value: str) -> str:
    name = value.lower().removesuffix(".myshopify.com")
    if not re.fullmatch(r"[a-z0-9][a-z0-9-]*", name):
        raise ValueError(
            "expected the store's own name, `x` or `x.myshopify.com`, without https:// or path"
        )
    return f"{name}.myshopify.com"


def _for_a_header(value: str) -> str:
    # What is pasted brings line ends, blanks and typographic signs, with which no request is sent.
    if not re.fullmatch(r"[!-~]+", value):
        raise ValueError("holds a blank or another character that is never part of it")
    return value


def _secret_for_a_header(value: SecretStr) -> SecretStr:
    _for_a_header(value.get_secret_value())
    return value


def _version(value: str) -> str:
    if not re.fullmatch(r"\d{4}-(01|04|07|10)|unstable", value):
        raise ValueError(
            "expected a version as Shopify names them, one a quarter: the year, and 01, 04, 07 or "
            "10, as in `2026-10`"
        )
    return value


def _web_address(value: str) -> str:
    try:
        parts = urlsplit(value)
        port = parts.port
    except ValueError:
        parts, port = urlsplit(""), None
    well_formed = parts.scheme in {"http", "https"} and port != 0 and parts.hostname
    if not well_formed or re.search(r"[^!-~]", value):
        raise ValueError("expected an address, https://host or http://host:port")
    return value.rstrip("/")


def _day(value: object) -> object:
    if isinstance(value, str):
        if not re.fullmatch(r"\d{4}-\d{2}-\d{2}", value, re.ASCII):
            raise ValueError("expected a day, `YYYY-MM-DD`")
        try:
            return date.fromisoformat(value)
        except ValueError:
            raise ValueError(f"there is no day {value}") from None
    return value


def _within_history(value: date) -> date:
    if value < EARLIEST:
        raise ValueError(f"{value} is before {EARLIEST}, when there was no Shopify yet")
    if value > (today := datetime.now(UTC).date()):
        raise ValueError(f"{value} is yet to come; today is {today} (UTC)")
    return value


def _postgres(value: SecretStr) -> SecretStr:
    if not re.match(r"^postgres(ql)?(\+\w+)?://", value.get_secret_value()):
        raise ValueError("expected a postgresql:// URL")
    return value


def _columns(value: object) -> object:
    if not isinstance(value, str):
        return value
    columns = frozenset(_split(value))
    if malformed := sorted(c for c in columns if not re.fullmatch(r"[a-z_]+\.[a-z_]+", c)):
        raise ValueError(f"expected `entity.column`, comma separated; not {malformed}")
    return columns


def _parts(value: object) -> object:
    return _split(value) if isinstance(value, str) else value


def _split(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


def _alert_urls(value: object) -> object:
    if not isinstance(value, str):
        return value
    # A comma also separates the recipients within one URL.
    urls = re.split(r"[\s,]+(?=[A-Za-z0-9]+://)", value)
    if malformed := [n for n, url in enumerate(urls, 1) if url and "://" not in url]:
        raise ValueError(f"expected Apprise URLs (`slack://…`); number {malformed[0]} is none")
    return tuple(url.rstrip(", ") for url in urls if url)


ShopDomain = Annotated[str, AfterValidator(_shop)]
"""`x.myshopify.com`, of that or of `x`."""
HeaderText = Annotated[str, AfterValidator(_for_a_header)]
"""What a request's header or form carries: printable ASCII without blanks."""
HeaderSecret = Annotated[SecretStr, AfterValidator(_secret_for_a_header)]
"""A secret of that form."""
ApiVersion = Annotated[str, AfterValidator(_version)]
"""A version of the Admin API."""
WebAddress = Annotated[str, AfterValidator(_web_address)]
"""An http or https URL, without the slash at its end."""
StartDate = Annotated[date, BeforeValidator(_day), AfterValidator(_within_history)]
"""A day from 2004 to today (UTC), written `YYYY-MM-DD`."""
PostgresUrl = Annotated[SecretStr, AfterValidator(_postgres)]
"""A Postgres URL, with or without a driver."""
Columns = Annotated[frozenset[str], BeforeValidator(_columns)]
"""`entity.column`, comma separated."""
Secrets = Annotated[tuple[SecretStr, ...], BeforeValidator(_parts)]
"""Secrets, comma separated."""
Words = Annotated[tuple[str, ...], BeforeValidator(_parts)]
"""Words, comma separated."""
AlertUrls = Annotated[tuple[SecretStr, ...], BeforeValidator(_alert_urls)]
"""Apprise URLs, comma separated."""
