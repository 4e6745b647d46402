"""The ways in which Shopify's Admin API fails us, each an exception that says what to do."""

import re
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

_MESSAGE_LIMIT = 400
_EMAIL = re.compile(r"[^\s@<>\"'`(),:;]+@[^\s@<>\"'`(),:;]+")
_PHONE = re.compile(r"(?<![\w/-])\+\d[\d ().-]{6,}\d")
_SAFE_VALUE = re.compile(
    r"gid://\S+|[A-Z_]{1,40}|(?:AND|OR|[()\s]|[a-z_]+:[<>=]*'?[-+:.TZ\d]+'?|[-+:.TZ\d]+)+"
)
_SECRET = re.compile(
    r"\b(?:shp[a-z]{2}_\w+|[?&](?:signature|sig|token|key)[^=\s]*=\S+)", re.IGNORECASE
)


class AdminApiError(Exception):
    """Root of what this package raises; its text is one message, safe to log and to show.

    `operation` names the GraphQL operation, `request_id` is Shopify's `X-Request-ID` (for its
    support). `is_configuration` says that no later try can help until a setting, a scope or the
    app is changed.
    """

    is_configuration: ClassVar[bool] = False

    def __init__(
        self,
        message: str,
        *,
        operation: str | None = None,
        request_id: str | None = None,
        **facts: Any,
    ) -> None:
        about = [f"operation {operation}" if operation else "", _request(request_id)]
        suffix = ", ".join(part for part in about if part)
        super().__init__(f"{message} ({suffix})" if suffix else message)
        self.operation = operation
        self.request_id = request_id
        for name, value in facts.items():
            if not hasattr(type(self), name):
                raise TypeError(f"{type(self).__name__} has no {name}")
            setattr(self, name, value)


class RetriesExhaustedError(AdminApiError):
    """Shopify kept failing (5xx, timeouts, resets, broken bodies) for the whole time budget.

    `timed_out` says that the last failure was a timeout, which a smaller page may avoid.
    """

    timed_out: bool = False


class UnreachableError(RetriesExhaustedError):
    """No connection came about for the whole time budget; the message names the host."""


class ThrottledError(AdminApiError):
    """Shopify kept answering THROTTLED or 429 for the whole time budget."""


class AmbiguousMutationError(AdminApiError):
    """A mutation was sent and no answer tells whether it was carried out: look before repeating."""


class GraphQLErrorsError(AdminApiError):
    """The answer has `errors`: its data, if any, is not to be trusted and was dropped.

    `codes` and `paths` are those of the entries, in their order.
    """

    codes: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()


class AccessDeniedError(GraphQLErrorsError):
    """The app may not read a field (HTTP 200, the field null): scope or protected-data approval."""

    is_configuration = True
    required_access: tuple[str, ...] = ()
    fields: tuple[str, ...] = ()
    """Paths of the denied fields, without the positions of nodes."""


class MaxCostExceededError(AdminApiError):
    """The query asks for more points than one query may (`cost` of at most `max_cost`)."""

    cost: float = 0.0
    max_cost: float = 0.0


class SearchWarningsError(AdminApiError):
    """Shopify ignored a part of a search filter, so the answer is of another set than asked for."""


class ApiVersionError(AdminApiError):
    """The API version asked for isn't served: none (404) or another answered (`served`).

    `supported` are those to choose from.
    """

    is_configuration = True
    asked: str = ""
    served: str = ""
    supported: tuple[str, ...] = ()


class UnauthorizedError(AdminApiError):
    """The access token is refused (HTTP 401), a renewed one too."""

    is_configuration = True


class CredentialsRefusedError(AdminApiError):
    """The client-credentials grant was refused; the message explains Shopify's OAuth error."""

    is_configuration = True


class ShopUnavailableError(AdminApiError):
    """The shop is frozen (402), refused (403), unknown (404), locked (423) or inactive."""

    is_configuration = True
    status: int = 0


class RequestRefusedError(AdminApiError):
    """An answer that no retry changes, of a `status` that has no exception of its own."""

    status: int = 0


class UnsendableError(RequestRefusedError):
    """A request that can't be made of the settings: its address or its token is malformed."""

    is_configuration = True


class OtherShopError(AdminApiError):
    """Another shop answers than the one that was asked for."""

    is_configuration = True


class MissingScopesError(AdminApiError):
    """The app lacks access scopes (`missing`) that the read needs."""

    is_configuration = True
    missing: tuple[str, ...] = ()


class OrdersTooOldError(AdminApiError):
    """Orders older than 60 days are asked for, and the app lacks `read_all_orders`."""

    is_configuration = True


class CursorStuckError(AdminApiError):
    """Paging stopped moving: a next page was promised and the cursor stayed or was missing."""


class NodeGoneError(AdminApiError):
    """The record whose connection was to be read is null: deleted, or out of sight."""


class BulkSlotsTakenError(AdminApiError):
    """As many bulk operations as Shopify allows are running already; `running` are their gids."""

    running: tuple[str, ...] = ()


class BulkRefusedError(AdminApiError):
    """Shopify doesn't take the bulk query; `codes` are those of its userErrors."""

    codes: tuple[str, ...] = ()


class BulkFailedError(AdminApiError):
    """A bulk operation ended without a whole result (`status`, `error_code`, `gid`).

    `may_split` says that a smaller window may succeed where this one timed out.
    """

    gid: str = ""
    status: str = ""
    error_code: str | None = None
    may_split: bool = False


class BulkAccessDeniedError(BulkFailedError):
    """A bulk operation failed because the app may not read something that it asked for."""

    is_configuration = True


class BulkStalledError(AdminApiError):
    """A bulk operation made no progress for too long, or took longer than it was given."""

    gid: str = ""


class ResultExpiredError(AdminApiError):
    """The file of a bulk operation is no longer to be had (they are kept for 7 days)."""


class ResultIncompleteError(AdminApiError):
    """The file of a bulk operation is not whole, or is not the one that was begun."""


def redact(
    text: str, *, values: Mapping[str, Any] | None = None, secrets: Iterable[str] = ()
) -> str:
    """`text` in one line of bounded length, without secrets, e-mail addresses and phone numbers.

    `values` are the variables of the request: those of their strings that `text` repeats are left
    out too, unless they are ids, plain words or times.
    """
    for secret in secrets:
        if secret:
            text = text.replace(secret, "[secret]")
    for value in _strings(values or {}):
        if len(value) > 2 and not _SAFE_VALUE.fullmatch(value):
            text = text.replace(value, "[value]")
    text = _SECRET.sub("[secret]", text)
    text = _PHONE.sub("[phone]", _EMAIL.sub("[e-mail]", text))
    text = " ".join(text.split())
    return text if len(text) <= _MESSAGE_LIMIT else f"{text[: _MESSAGE_LIMIT - 1]}…"


def _strings(value: Any) -> Iterable[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _strings(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _strings(item)


def _request(request_id: str | None) -> str:
    return f"request {request_id}" if request_id else ""
