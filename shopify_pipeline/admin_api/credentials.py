"""The access token: given once, or asked for by the client-credentials grant and renewed."""

import logging
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Lock
from typing import Protocol

import httpx
import orjson

from shopify_pipeline.admin_api.errors import CredentialsRefusedError, ShopUnavailableError, redact
from shopify_pipeline.admin_api.patience import PassingFailure

logger = logging.getLogger(__name__)

TOKEN_PATH = "/admin/oauth/access_token"  # noqa: S105
_EARLY_SECONDS = 600.0
_OAUTH_ERROR = re.compile(r"Oauth error (\w+)", re.IGNORECASE)
_ADVICE = {
    "shop_not_permitted": (
        "the app and the shop have to be in the same organisation in Shopify's Dev Dashboard, and "
        "the app has to be installed in the shop"
    ),
    "invalid_client": "SHOPIFY_CLIENT_ID or SHOPIFY_CLIENT_SECRET is wrong, or was rotated",
    "application_cannot_be_found": "there is no app with this SHOPIFY_CLIENT_ID",
    "app_not_installed": "install the app in the shop first",
    "unsupported_grant_type": "this app is of a kind that may not use client credentials",
}

TokenPost = Callable[[str, dict[str, str]], httpx.Response]
"""Posts a form to a path of the shop, waiting out what passes, and returns the answer."""


class TokenSource(Protocol):
    """Hands out the token of one shop. Thread-safe."""

    @property
    def scopes(self) -> frozenset[str] | None:
        """The scopes that the grant named; None if there was no grant."""

    @property
    def secrets(self) -> tuple[str, ...]:
        """What must never be seen in a message."""

    def token(self) -> str:
        """The token to send, renewed first if it is about to expire."""

    def renew(self, refused: str) -> bool:
        """Get another token than the `refused` one; False if there is no way to."""


class Credentials(Protocol):
    """What the app knows itself by; `source` makes it hand out tokens for the shop of `post`."""

    def source(self, post: TokenPost) -> TokenSource:
        """The source of tokens, which asks by `post` where it has to ask."""


@dataclass(frozen=True)
class StaticToken:
    """A token that doesn't expire (`shpat_…`, of a custom app made in the shop's admin)."""

    value: str = field(repr=False)

    def source(self, post: TokenPost) -> TokenSource:
        """The token itself; nothing is asked."""
        del post
        return _Static(self.value)


@dataclass(frozen=True)
class ClientCredentials:
    """The client-credentials grant: tokens of 24 hours, renewed before they end and after a 401.

    https://shopify.dev/docs/apps/build/authentication-authorization/client-credentials-grant
    """

    client_id: str
    client_secret: str = field(repr=False)

    def source(self, post: TokenPost) -> TokenSource:
        """Tokens asked for at the shop's `/admin/oauth/access_token` when they are needed."""
        return _Granted(self, post)


class _Static:
    scopes: frozenset[str] | None = None

    def __init__(self, value: str) -> None:
        self._value = value
        self.secrets: tuple[str, ...] = (value,)

    def token(self) -> str:
        return self._value

    def renew(self, refused: str) -> bool:
        del refused
        return False


class _Granted:
    def __init__(self, credentials: ClientCredentials, post: TokenPost) -> None:
        self._credentials = credentials
        self._post = post
        self._lock = Lock()
        self._token: str | None = None
        self._renew_at = 0.0
        self._scopes: frozenset[str] | None = None

    @property
    def scopes(self) -> frozenset[str] | None:
        return self._scopes

    @property
    def secrets(self) -> tuple[str, ...]:
        return (self._credentials.client_secret, self._token or "")

    def token(self) -> str:
        with self._lock:
            if self._token is None or time.monotonic() >= self._renew_at:
                return self._ask()
            return self._token

    def renew(self, refused: str) -> bool:
        with self._lock:
            # Another thread may have renewed it while this one's request was under way.
            if self._token == refused:
                self._ask()
            return True

    def _ask(self) -> str:
        asked_at = time.monotonic()
        form = {
            "grant_type": "client_credentials",
            "client_id": self._credentials.client_id,
            "client_secret": self._credentials.client_secret,
        }
        response = self._post(TOKEN_PATH, form)
        if response.status_code != httpx.codes.OK:
            raise _refusal(response, secrets=self.secrets)
        try:
            grant = orjson.loads(response.content)
            token, lifetime = str(grant["access_token"]), float(grant.get("expires_in", 86399))
        except (orjson.JSONDecodeError, KeyError, TypeError, ValueError) as error:
            raise PassingFailure(f"a grant that can't be read ({type(error).__name__})") from None
        self._token = token
        self._renew_at = asked_at + lifetime - min(_EARLY_SECONDS, lifetime / 10)
        self._scopes = frozenset(filter(None, re.split(r"[,\s]+", str(grant.get("scope") or ""))))
        logger.info("Got an access token for %.0f s", lifetime)
        return token


def _refusal(
    response: httpx.Response, *, secrets: tuple[str, ...]
) -> CredentialsRefusedError | ShopUnavailableError:
    request_id = response.headers.get("x-request-id")
    code, said = "", ""
    try:
        body = orjson.loads(response.content)
        if isinstance(body, dict):
            code, said = str(body.get("error", "")), str(body.get("error_description", ""))
    except orjson.JSONDecodeError:
        # Shopify's OAuth errors come as a page of HTML.
        match = _OAUTH_ERROR.search(response.text)
        code = match.group(1) if match else ""
    status = response.status_code
    if not code and status in {402, 404, 423}:
        return ShopUnavailableError(
            f"Shopify answered HTTP {status} to the request for an access token: check "
            "SHOPIFY_SHOP, and that the shop is open",
            status=status,
            operation="client credentials grant",
            request_id=request_id,
        )
    detail = redact(": ".join(filter(None, (code, said))) or f"HTTP {status}", secrets=secrets)
    advice = _ADVICE.get(code, "check SHOPIFY_CLIENT_ID, SHOPIFY_CLIENT_SECRET and SHOPIFY_SHOP")
    return CredentialsRefusedError(
        f"Shopify refused the client credentials ({detail}): {advice}",
        operation="client credentials grant",
        request_id=request_id,
    )
