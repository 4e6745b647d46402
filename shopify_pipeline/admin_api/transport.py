"""Carries requests to one server over kept-alive connections, and names what goes wrong there."""

import re
from typing import Any

import httpx

from shopify_pipeline.admin_api.errors import RequestRefusedError, UnsendableError
from shopify_pipeline.admin_api.patience import PassingFailure

USER_AGENT = "shopify-pipeline"


class Transport:
    """Posts to paths under `base_url`. Thread-safe: a connection each, HTTP/1.1, TLS verified.

    `setting` names the setting that the address comes from.
    """

    def __init__(
        self, base_url: str, *, timeout_seconds: float, setting: str = "SHOPIFY_API_URL"
    ) -> None:
        self._setting = setting
        self.base_url = base_url.rstrip("/")
        if not self.base_url.startswith(("https://", "http://")):
            raise ValueError(f"{base_url!r} is no base URL: it begins with https:// or http://")
        try:
            address = httpx.URL(self.base_url)
        except httpx.InvalidURL as error:
            raise self._unsendable(error) from None
        self._http = httpx.Client(
            base_url=address,
            timeout=httpx.Timeout(timeout_seconds, connect=min(10.0, timeout_seconds)),
            headers={"user-agent": USER_AGENT, "accept": "application/json"},
        )

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def post(self, path: str, **arguments: Any) -> httpx.Response:
        """Post once (`arguments` are httpx's) and return the answer, whatever its status.

        Raises:
            PassingFailure: no whole answer came.
            RequestRefusedError: the server's certificate isn't trusted.
            UnsendableError: no request can be made of this address and these headers.
        """
        try:
            return self._http.post(path, **arguments)
        except httpx.DecodingError:
            raise PassingFailure("an answer that can't be decompressed") from None
        except (httpx.InvalidURL, httpx.UnsupportedProtocol, httpx.LocalProtocolError) as error:
            raise self._unsendable(error) from None
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            if "CERTIFICATE_VERIFY_FAILED" in str(error):
                raise self._untrusted() from None
            reason = re.sub(r"^\[Errno -?\d+\] ", "", str(error)) or "it timed out"
            raise PassingFailure(
                f"No connection to {self.base_url} comes about ({reason})",
                unsent=True,
                remedy=f"check {self._setting}, and this machine's network",
            ) from None
        except httpx.TransportError as error:
            if "CERTIFICATE_VERIFY_FAILED" in str(error):
                raise self._untrusted() from None
            # ReadError, ReadTimeout, RemoteProtocolError …: the name says it all.
            raise PassingFailure(
                f"{type(error).__name__} on the way to {self.base_url}",
                timed_out=isinstance(error, httpx.ReadTimeout),
            ) from None

    def _unsendable(self, error: Exception) -> UnsendableError:
        # The error's text may hold the token.
        return UnsendableError(
            f"No request can be sent to {self.base_url!r} ({type(error).__name__}): correct "
            f"{self._setting}, or the credentials"
        )

    def _untrusted(self) -> RequestRefusedError:
        return RequestRefusedError(
            f"The certificate of {self.base_url} can't be verified: correct {self._setting}, or "
            "name its authority's file in SSL_CERT_FILE"
        )
