"""One webhook delivery: its body, its signed headers, and how deliveries may go wrong."""

from __future__ import annotations

import base64
import hashlib
import hmac
from dataclasses import dataclass, field
from datetime import UTC, datetime

from shopify_pipeline.demo.store.clock import SECOND


@dataclass
class Disorder:
    """How deliveries go wrong: shares of them, drawn by seed."""

    duplicate: float = 0.0
    drop: float = 0.0
    reorder: float = 0.0
    delay: float = 0.0
    corrupt: float = 0.0
    paused: bool = False
    seed: int = 7


@dataclass
class Delivery:
    """One body on its way to one subscription."""

    subscription: int | None
    uri: str
    topic: str
    body: bytes
    webhook_id: str
    event_id: str
    triggered_at: int
    version: str
    name: str | None = None
    attempts: int = 0
    due_at: int = 0
    statuses: list[int | str] = field(default_factory=list)

    def headers(self, *, secret: str, domain: str) -> dict[str, str]:
        """Shopify's headers, the body's HMAC among them."""
        digest = hmac.new(secret.encode(), self.body, hashlib.sha256).digest()
        moment = datetime.fromtimestamp(self.triggered_at // SECOND, UTC)
        fraction = self.triggered_at % SECOND
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "Shopify-Captain-Hook",
            "X-Shopify-Topic": self.topic,
            "X-Shopify-Hmac-Sha256": base64.b64encode(digest).decode(),
            "X-Shopify-Shop-Domain": domain,
            "X-Shopify-API-Version": self.version,
            "X-Shopify-Webhook-Id": self.webhook_id,
            "X-Shopify-Event-Id": self.event_id,
            "X-Shopify-Triggered-At": f"{moment:%Y-%m-%dT%H:%M:%S}.{fraction:06d}000Z",
        }
        if self.name:
            headers["X-Shopify-Name"] = self.name
        return headers
