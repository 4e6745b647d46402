"""The client of Shopify's Admin API: GraphQL over HTTP, paced, tried again, and never trusted."""

import logging
import re
import time
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Self

import httpx

from shopify_pipeline.admin_api.answers import Answer, Envelope, envelope
from shopify_pipeline.admin_api.bucket import Bucket
from shopify_pipeline.admin_api.clock import ShopifyClock
from shopify_pipeline.admin_api.cost import CostMemory
from shopify_pipeline.admin_api.credentials import Credentials
from shopify_pipeline.admin_api.denial import ColumnsAt
from shopify_pipeline.admin_api.errors import (
    AdminApiError,
    AmbiguousMutationError,
    UnauthorizedError,
)
from shopify_pipeline.admin_api.operations import Operation
from shopify_pipeline.admin_api.patience import (
    RETRY_BUDGET_SECONDS,
    THROTTLE_BUDGET_SECONDS,
    OnWait,
    PassingFailure,
    Patience,
)
from shopify_pipeline.admin_api.stats import Counter, Stats
from shopify_pipeline.admin_api.transport import Transport
from shopify_pipeline.admin_api.verdict import judge
from shopify_pipeline.admin_api.versions import (
    ASKED_UNDER,
    VERSION_HEADER,
    VERSIONS,
    supported,
    unknown_version,
    wrong_version,
)

logger = logging.getLogger(__name__)

_LONGEST_STEP = 1.0
_DOMAIN = re.compile(r"[a-z0-9][a-z0-9-]*\.myshopify\.com")


class AdminApi:
    """Asks one shop's Admin API; one object serves any number of threads.

    It paces itself by the points that the answers name, waits out throttling for up to
    `throttle_budget_seconds` a request (15 minutes) and failures that may pass for up to
    `retry_budget_seconds` (5 minutes), and raises an AdminApiError for everything that makes an
    answer less than the whole truth. `base_url` points it at another server than the shop's own.
    `on_wait` is told the reason and the seconds of every wait of a second and more; `columns_at`
    knows which settable columns a denied field of an operation stands for.
    """

    def __init__(
        self,
        *,
        shop: str,
        api_version: str,
        credentials: Credentials,
        base_url: str | None = None,
        retry_budget_seconds: float = RETRY_BUDGET_SECONDS,
        throttle_budget_seconds: float = THROTTLE_BUDGET_SECONDS,
        timeout_seconds: float = 30.0,
        on_wait: OnWait | None = None,
        columns_at: ColumnsAt | None = None,
    ) -> None:
        self.shop = domain_of(shop)
        self.api_version = api_version
        self._transport = Transport(
            base_url or f"https://{self.shop}",
            timeout_seconds=timeout_seconds,
            setting="SHOPIFY_API_URL" if base_url else "SHOPIFY_SHOP",
        )
        self.base_url = self._transport.base_url
        self.costs = CostMemory()
        self.bucket = Bucket()
        self._clock = ShopifyClock()
        self._retry_budget = retry_budget_seconds
        self._throttle_budget = throttle_budget_seconds
        self._on_wait = on_wait
        self._columns_at = columns_at
        self._counter = Counter()
        self._tokens = credentials.source(self._post_form)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._transport.close()

    @property
    def stats(self) -> Stats:
        """What was spent so far, as a snapshot: subtract an earlier one for what lies between."""
        return self._counter.total

    @property
    def granted_scopes(self) -> frozenset[str] | None:
        """The scopes that the client-credentials grant named; None with a static token."""
        return self._tokens.scopes

    def now(self) -> datetime:
        """Return the time on Shopify's clock, in UTC, never later than it truly is.

        Our own clock's before the first answer.
        """
        return self._clock.at(self._clock.monotonic())

    def execute(
        self,
        query: str,
        variables: Mapping[str, Any] | None = None,
        *,
        operation_name: str | None = None,
    ) -> Answer:
        """Send one operation and return its answer, whole and without errors or warnings.

        Raises:
            AdminApiError: one of its subclasses; a mutation whose fate is unknown raises
                AmbiguousMutationError and is not sent again.
        """
        operation = Operation(query=query, variables=variables or {}, name=operation_name)
        patience = self._patience()
        try:
            for attempt in patience.attempts():
                with attempt:
                    return self._attempt(operation)
        except PassingFailure as failure:
            raise patience.spent(failure, operation=operation.label) from None
        raise AssertionError("tenacity ends by a return or a raise")

    def _attempt(self, operation: Operation, *, may_renew: bool = True) -> Answer:
        token = self._tokens.token()
        predicted = self._wait_for_points(operation)
        sent = self._clock.monotonic()
        parts: Envelope | None = None
        try:
            response = self._send(operation, token)
            self._clock.learn(
                response.headers.get("date"), sent=sent, received=self._clock.monotonic()
            )
            parts = envelope(response)
        except PassingFailure as failure:
            raise self._ambiguous(operation, failure) from None
        finally:
            cost = parts.cost if parts else None
            self.bucket.settle(predicted, cost.throttle_status if cost else None)
            points = (cost.actual or 0.0) if cost else 0.0
            self._counter.add(Stats(calls=1, points=points))
        if cost:
            self.costs.remember(operation, cost.requested)
        if parts.status == httpx.codes.UNAUTHORIZED:
            if may_renew and self._tokens.renew(token):
                return self._attempt(operation, may_renew=False)
            raise UnauthorizedError(
                "Shopify refuses the access token (HTTP 401): check SHOPIFY_ACCESS_TOKEN, or "
                "SHOPIFY_CLIENT_ID and SHOPIFY_CLIENT_SECRET, and that the app is still installed",
                operation=operation.label,
                request_id=parts.request_id,
            )
        if operation.query != VERSIONS:
            self._check_version(operation, response)
        try:
            data = judge(
                parts,
                operation=operation.label,
                variables=operation.variables,
                secrets=(token, *self._tokens.secrets),
                columns_at=self._columns_at,
            )
        except PassingFailure as failure:
            raise self._ambiguous(operation, failure) from None
        return Answer(
            data=data,
            sent_at=self._clock.at(sent),
            cost=cost,
            request_id=parts.request_id,
            extensions=parts.extensions,
        )

    def _wait_for_points(self, operation: Operation) -> float:
        predicted = min(self.costs.predict(operation), self.bucket.largest_query)
        told = False
        while (seconds := self.bucket.reserve(predicted)) > 0:
            if seconds >= 1.0 and self._on_wait and not told:
                told = True
                self._on_wait(f"{predicted:.0f} points for {operation.label}", seconds)
            # In short steps: what other threads give back may end the wait early.
            step = min(seconds, _LONGEST_STEP)
            time.sleep(step)
            self._counter.add(Stats(throttle_wait_seconds=step))
        return predicted

    def _send(self, operation: Operation, token: str) -> httpx.Response:
        version = ASKED_UNDER if operation.query == VERSIONS else self.api_version
        return self._transport.post(
            f"/admin/api/{version}/graphql.json",
            content=operation.body,
            headers={"x-shopify-access-token": token, "content-type": "application/json"},
        )

    def _post_form(self, path: str, form: dict[str, str]) -> httpx.Response:
        patience = self._patience()
        try:
            for attempt in patience.attempts():
                with attempt:
                    return self._post_form_once(path, form)
        except PassingFailure as failure:
            raise patience.spent(failure, operation="client credentials grant") from None
        raise AssertionError("tenacity ends by a return or a raise")

    def _post_form_once(self, path: str, form: dict[str, str]) -> httpx.Response:
        response = self._transport.post(path, data=form)
        self._counter.add(Stats(calls=1))
        status = response.status_code
        if status >= 500 or status == httpx.codes.TOO_MANY_REQUESTS:
            raise PassingFailure(
                f"HTTP {status}",
                request_id=response.headers.get("x-request-id"),
                throttled=status < 500,
            )
        return response

    def _check_version(self, operation: Operation, response: httpx.Response) -> None:
        """Raise ApiVersionError where none, or another version than the one asked for, answered."""
        about: dict[str, Any] = {
            "asked": self.api_version,
            "operation": operation.label,
            "request_id": response.headers.get("x-request-id"),
        }
        served = response.headers.get(VERSION_HEADER)
        if response.status_code == httpx.codes.NOT_FOUND:
            choice = self._supported_versions()
            if choice and self.api_version not in choice:
                raise unknown_version(supported=choice, **about)
        elif served and served != self.api_version:
            raise wrong_version(served=served, supported=self._supported_versions(), **about)

    def _supported_versions(self) -> tuple[str, ...]:
        try:
            return supported(self.execute(VERSIONS).data)
        except AdminApiError as error:
            logger.info("Shopify's supported versions could not be read: %s", error)
            return ()

    def _patience(self) -> Patience:
        return Patience(
            retry_budget_seconds=self._retry_budget,
            throttle_budget_seconds=self._throttle_budget,
            on_wait=self._on_wait,
            on_retry=self._count_retry,
        )

    def _count_retry(self, failure: PassingFailure, seconds: float) -> None:
        waited = seconds if failure.throttled else 0.0
        self._counter.add(Stats(retries=1, throttle_wait_seconds=waited))

    def _ambiguous(
        self, operation: Operation, failure: PassingFailure
    ) -> PassingFailure | AmbiguousMutationError:
        if not operation.is_mutation or failure.throttled or failure.unsent:
            return failure
        return AmbiguousMutationError(
            f"Shopify's answer to a mutation was lost ({failure.seen}), so it may or may not have "
            "been carried out; look for its effect before sending it again",
            operation=operation.label,
            request_id=failure.request_id,
        )


def domain_of(shop: str) -> str:
    """`x.myshopify.com` for `x` and for itself; raises ValueError for anything else."""
    name = shop.strip().lower()
    domain = name if name.endswith(".myshopify.com") else f"{name}.myshopify.com"
    if not _DOMAIN.fullmatch(domain):
        raise ValueError(f"{shop!r} is no shop: give its name, x or x.myshopify.com")
    return domain
