"""Proves that a body was sent by Shopify, before a byte of it is parsed."""

import hmac
from binascii import b2a_base64
from collections.abc import Iterable


def signature(secret: bytes, body: bytes) -> bytes:
    """The value of X-Shopify-Hmac-Sha256 for a body: base64 of HMAC-SHA256 over the raw bytes.

    Source: https://shopify.dev/docs/apps/build/webhooks/verify-deliveries
    """
    return b2a_base64(hmac.digest(secret, body, "sha256"), newline=False)


def is_signed(body: bytes, header: bytes, secrets: Iterable[bytes]) -> bool:
    """Whether the header is the body's signature under any of the secrets.

    Every secret is tried and compared in constant time, so that the time taken tells neither
    which one matched nor how far a wrong signature agreed. An empty body is never signed: Shopify
    sends none.
    """
    matches = [hmac.compare_digest(signature(secret, body), header) for secret in secrets]
    return bool(body) and any(matches)
