"""What the control interface takes beside records: settings, clock, faults, traffic, webhooks."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BeforeValidator, Field

from shopify_pipeline.demo.store import webhook_topics
from shopify_pipeline.demo.store.faults import KINDS
from shopify_pipeline.demo.store.given_values import (
    Count,
    FieldName,
    Given,
    Moment,
    Seconds,
    Share,
    refused,
    shown,
)
from shopify_pipeline.demo.store.identifiers import is_shop_name
from shopify_pipeline.demo.store.life import ACTIONS

_VERSION = re.compile(r"\d{4}-(01|04|07|10)|unstable")


def _one_of(*words: str) -> Any:
    def check(value: str) -> str:
        if value not in words:
            raise refused(f"should be one of {', '.join(words)}, not {shown(value)}")
        return value

    return AfterValidator(check)


def _version(value: str) -> str:
    if not _VERSION.fullmatch(value):
        raise refused(f"should be a version like 2026-10, not {shown(value)}")
    return value


def _shop(value: str) -> str:
    if not is_shop_name(value):
        raise refused(f"should be a name under myshopify.com, not {shown(value)}")
    return value


def _zone(value: str) -> str:
    try:
        ZoneInfo(value)
    except (ValueError, OSError, KeyError):
        raise refused(f"should be a time zone like Europe/Berlin, not {shown(value)}") from None
    return value


def _topics(value: Any) -> list[str]:
    known = list(webhook_topics.HEADERS)
    chosen = known if value == "all" else value
    if not isinstance(chosen, list) or not all(isinstance(one, str) for one in chosen):
        raise refused(f'should be "all" or a list of topics, not {shown(value)}')
    unknown = [shown(one) for one in chosen if one not in known]
    if unknown:
        raise refused(f"unknown {', '.join(unknown)}; known are {', '.join(known)}")
    return chosen


_Secret = Annotated[str, Field(min_length=1)]
_Version = Annotated[str, AfterValidator(_version)]
_Uri = Annotated[str, Field(pattern=r"^https?://[!-~]+$")]
_Rate = Annotated[float, Field(gt=0, le=1_000_000_000)]


class GivenClock(Given):
    """How the clock moves."""

    advance: Annotated[float, Field(ge=-10_000_000_000, le=10_000_000_000)] = 0
    set: Moment = 0
    freeze: bool = False
    resume: bool = False


class GivenBucket(Given):
    """The bucket of points."""

    maximum: Annotated[int, Field(ge=1, le=1_000_000_000)] = 1
    restore_rate: _Rate = 1
    level: Annotated[float, Field(ge=0, le=1_000_000_000)] = 0


class GivenSettings(Given):
    """Settings; `afterCalls` leaves them as they are for so many more calls."""

    index_lag: Seconds = 0
    scopes: list[str] = Field(default_factory=list)
    plan: Annotated[str, _one_of("standard", "advanced", "plus")] = ""
    token: _Secret = ""
    client_id: _Secret = ""
    client_secret: _Secret = ""
    versions: Annotated[list[_Version], Field(min_length=1)] = Field(default_factory=list)
    denied_fields: list[FieldName] = Field(default_factory=list)
    shop: Annotated[str, AfterValidator(_shop)] = ""
    shop_id: Annotated[int, Field(ge=1, le=2**53)] = 1
    timezone: Annotated[str, AfterValidator(_zone)] = ""
    bucket: GivenBucket = Field(default_factory=GivenBucket)
    revoke_tokens: bool = False
    after_calls: Count = 0


class GivenFault(Given):
    """A fault, the calls that it meets, and the options of its kind."""

    kind: Annotated[str, _one_of(*KINDS)]
    count: Annotated[int, Field(ge=1)] | None = 1
    skip: Count = 0
    match: str | None = None
    share: Share = 1
    seed: int = 0
    start: Moment | None = None
    end: Moment | None = None
    target: Annotated[str, _one_of("graphql", "rest", "token", "file", "bulk")] = "graphql"


class GivenFaultOptions(Given):
    """The options of faults, of any kind."""

    seconds: Seconds = 5
    field: FieldName = ""
    version: _Version = ""
    status: Annotated[int, Field(ge=400, le=599)] = 503
    retry_after: Seconds = Field(2, alias="retry_after")
    error_code: str = Field("", alias="error_code")
    count_missing: Count = Field(1, alias="count_missing")
    partial: bool = True
    after: Count = 0


class GivenFaultWhole(GivenFault, GivenFaultOptions):
    """A fault with its options."""


class GivenMassEdit(Given):
    """Which records, and how many of them, an edit touches at once."""

    kind: Annotated[
        Literal["products", "variants", "customers", "orders"],
        BeforeValidator(lambda kind: "variants" if kind == "product_variants" else kind),
    ] = "products"
    count: Count = 10_000


class GivenDrift(Given):
    """How many products change without anybody's doing."""

    count: Count = 100


class GivenTraffic(Given):
    """Random changes: so many a second, or so many at once."""

    rate: Annotated[float, Field(ge=0, le=10_000)] = 0
    steps: Annotated[int, Field(ge=0, le=100_000)] = 0
    action: Annotated[str, _one_of(*ACTIONS)] | None = None


class GivenSubscriptions(Given):
    """Topics to send to an address."""

    topics: Annotated[list[str], BeforeValidator(_topics)] = Field(
        default_factory=lambda: list(webhook_topics.HEADERS)
    )
    uri: _Uri


class GivenWebhook(Given):
    """One delivery of any body, or a repetition of the last ones."""

    topic: Annotated[str, Field(pattern=r"^[!-~]+$")] = ""
    body: Any = None
    uri: _Uri = ""
    repeat: Count = 0


class GivenDelivery(Given):
    """How deliveries go wrong, and where they go."""

    duplicate: Share = 0
    drop: Share = 0
    reorder: Share = 0
    corrupt: Share = 0
    delay: Seconds = 0
    paused: bool = False
    seed: int = 7
    secret: str | None = None
    shop_domain: Annotated[str, Field(pattern=r"^[!-~]+$")] | None = None
    insecure: bool = False
    routes: dict[str, _Uri] = Field(default_factory=dict)
