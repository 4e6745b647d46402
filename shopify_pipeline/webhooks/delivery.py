"""What a webhook's headers say, validated: which shop, topic and delivery it is."""

import hashlib
import re
from collections.abc import Sequence, Set
from dataclasses import dataclass
from datetime import UTC, datetime

import orjson

from shopify_pipeline.webhooks.topics import COMPLIANCE

TOPIC = re.compile(r"[a-z][a-z0-9_.]{0,99}(/[a-z0-9_]{1,100})?")
TOKEN = re.compile(r"[\x21-\x7e]{1,200}")
TIME = re.compile(r"(\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d)(\.\d+)?([Zz]|[+-]\d\d:\d\d)")

Headers = Sequence[tuple[bytes, bytes]]


class UnusableHeadersError(ValueError):
    """The headers do not say what a delivery needs; the message names the header, not its value."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Delivery:
    """One webhook as it arrived.

    `triggered_at` is None where the header was absent or unreadable.
    """

    shop: str
    topic: str
    webhook_id: str
    event_id: str | None
    api_version: str | None
    triggered_at: datetime | None
    is_test: bool
    body: bytes

    @property
    def key(self) -> tuple[str, str, str]:
        """What repeats of one delivery have in common."""
        return (self.shop, self.topic, self.webhook_id)


class ShopifyHeaders:
    """The headers of Shopify's among a request's, by their names without the prefix.

    `X-Shopify-Topic` goes before the newer `Shopify-Topic`; an empty one counts as absent. Names
    are in lower case, as ASGI has them.
    """

    __slots__ = ("_disputed", "_values")

    def __init__(self, headers: Headers) -> None:
        self._values = dict(headers)
        self._disputed: Set[bytes] = frozenset()
        if len(self._values) < len(headers):
            said = [(name, value.strip()) for name, value in headers if value.strip()]
            self._values = dict(reversed(said))
            self._disputed = {name for name, value in said if value != self._values[name]}

    def raw(self, name: bytes) -> bytes:
        """The value of any header, by its whole name; empty where it is absent."""
        return self._values.get(name, b"")

    def get(self, name: bytes) -> str | None:
        """The value of a header of Shopify's, by its name without prefix; None where absent.

        Raises:
            UnusableHeadersError: it stands there twice with different values, so that somebody
                between Shopify and us added one.
        """
        for prefix in (b"x-shopify-", b"shopify-"):
            if prefix + name in self._disputed:
                raise UnusableHeadersError(f"X-Shopify-{name.decode()} came more than once")
            value = self._values.get(prefix + name)
            if value and (value := value.strip()):
                return value.decode("latin-1")
        return None


def read_delivery(headers: ShopifyHeaders, body: bytes, *, shop: str) -> Delivery:
    """What was delivered, from the headers and the raw, verified body.

    The signature does not cover the headers: they are checked against the shop that we serve.
    Compliance deliveries have come without shop or version; there the body must name no other
    shop, and that of `shop/redact`, which erases everything, must name ours. A missing id is
    replaced by a digest of the time and the body.

    Raises:
        UnusableHeadersError: topic, shop or id are missing or malformed, or the shop is another.
    """
    topic = headers.get(b"topic")
    if topic is None:
        raise UnusableHeadersError("X-Shopify-Topic is missing")
    if not TOPIC.fullmatch(topic):
        raise UnusableHeadersError("X-Shopify-Topic is malformed")
    domain = headers.get(b"shop-domain")
    if domain is None:
        _check_body(body, topic, shop)
    elif domain.lower() != shop:
        raise UnusableHeadersError("X-Shopify-Shop-Domain is not the shop that this serves")
    webhook_id = headers.get(b"webhook-id")
    if webhook_id is None and topic in COMPLIANCE:
        # Not of the body alone: that of a second `shop/redact`, after a reinstall, is the same.
        when = headers.get(b"triggered-at") or _today()
        webhook_id = f"sha256:{hashlib.sha256(when.encode() + b' ' + body).hexdigest()}"
    if webhook_id is None:
        raise UnusableHeadersError("X-Shopify-Webhook-Id is missing")
    if not TOKEN.fullmatch(webhook_id):
        raise UnusableHeadersError("X-Shopify-Webhook-Id is malformed")
    return Delivery(
        shop=shop,
        topic=topic,
        webhook_id=webhook_id,
        event_id=_token(headers.get(b"event-id")),
        api_version=_token(headers.get(b"api-version")),
        triggered_at=_time(headers.get(b"triggered-at")),
        is_test=(headers.get(b"test") or "").lower() == "true",
        body=body,
    )


def _check_body(body: bytes, topic: str, shop: str) -> None:
    """Refuse a delivery without a header of the shop, unless its verified body may do instead."""
    if topic not in COMPLIANCE:
        raise UnusableHeadersError("X-Shopify-Shop-Domain is missing")
    try:
        content = orjson.loads(body)
    except orjson.JSONDecodeError:
        content = None
    if not isinstance(content, dict):
        raise UnusableHeadersError("X-Shopify-Shop-Domain is missing, and the body is no object")
    named = content.get("shop_domain")
    if named is None and topic != "shop/redact":
        return
    if not isinstance(named, str) or named.lower() != shop:
        raise UnusableHeadersError(
            "X-Shopify-Shop-Domain is missing, and the body does not name the shop that this serves"
        )


def _today() -> str:
    return datetime.now(UTC).date().isoformat()


def _token(value: str | None) -> str | None:
    """What is only kept, not relied on: dropped where it is malformed."""
    return value if value and TOKEN.fullmatch(value) else None


def _time(value: str | None) -> datetime | None:
    """A moment of RFC 3339, whose fraction may have nanoseconds, in UTC; None where unreadable."""
    if not value or not (parts := TIME.fullmatch(value)):
        return None
    moment, fraction, offset = parts.groups()
    try:
        parsed = datetime.fromisoformat(
            f"{moment}{(fraction or '.0')[:7]}{'+00:00' if offset in 'Zz' else offset}"
        )
        return parsed.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
