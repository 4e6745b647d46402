"""Tokens are asked for, renewed before they end and after a 401, and never shown."""

import logging
from threading import Thread
from typing import Any

import pytest

from shopify_pipeline.admin_api.client import AdminApi
from shopify_pipeline.admin_api.credentials import ClientCredentials, StaticToken
from shopify_pipeline.admin_api.errors import (
    AdminApiError,
    CredentialsRefusedError,
    RetriesExhaustedError,
    ShopUnavailableError,
    UnauthorizedError,
)
from shopify_pipeline_tests.admin_api.conftest import ApiFor
from shopify_pipeline_tests.admin_api.server import SHOP, Call, Reply, ScriptedServer

QUERY = "query ShopName { shop { name } }"
SECRET = "shpss_never_to_be_seen"
CREDENTIALS = ClientCredentials("client", SECRET)


class Grants:
    """Gives a new token each time; accepts the last one only."""

    def __init__(self, *, expires_in: int = 86399) -> None:
        self.expires_in = expires_in
        self.given = 0
        self.forms: list[Any] = []
        self.refused = 0

    def reply(self, call: Call) -> Reply:
        if call.path == "/admin/oauth/access_token":
            self.given += 1
            self.forms.append(call.body)
            grant = {
                "access_token": f"shpat_{self.given}",
                "scope": "read_orders,read_products",
                "expires_in": self.expires_in,
            }
            return Reply(json=grant)
        if call.headers["x-shopify-access-token"] != f"shpat_{self.given}":
            self.refused += 1
            return Reply(status=401, json={"errors": "[API] Invalid API key or access token"})
        return SHOP


@pytest.fixture
def api(api_for: ApiFor) -> AdminApi:
    return api_for(credentials=CREDENTIALS)


def test_one_token_serves_all_requests_and_its_scopes_are_known(
    server: ScriptedServer, api: AdminApi
) -> None:
    grants = Grants()
    server.otherwise = grants.reply
    assert api.granted_scopes is None
    api.execute(QUERY)
    api.execute(QUERY)
    assert grants.forms == [
        {"grant_type": "client_credentials", "client_id": "client", "client_secret": SECRET}
    ]
    assert api.granted_scopes == {"read_orders", "read_products"}


def test_a_token_that_is_about_to_end_is_renewed_before(
    server: ScriptedServer, api: AdminApi
) -> None:
    grants = Grants(expires_in=0)
    server.otherwise = grants.reply
    api.execute(QUERY)
    api.execute(QUERY)
    assert (grants.given, grants.refused) == (2, 0)


def test_a_refused_token_is_renewed_once(server: ScriptedServer, api: AdminApi) -> None:
    grants = Grants()
    server.otherwise = grants.reply
    api.execute(QUERY)
    grants.given += 1
    assert api.execute(QUERY).data == {"shop": {"name": "x"}}
    assert (grants.given, grants.refused) == (3, 1)


def test_a_renewed_token_that_is_refused_too_fails(server: ScriptedServer, api: AdminApi) -> None:
    grants = Grants()

    def refuse(call: Call) -> Reply:
        if call.path == "/admin/oauth/access_token":
            return grants.reply(call)
        return Reply(status=401)

    server.otherwise = refuse
    with pytest.raises(UnauthorizedError):
        api.execute(QUERY)
    assert grants.given == 2


def test_threads_renew_a_refused_token_once_between_them(
    server: ScriptedServer, api: AdminApi
) -> None:
    grants = Grants()
    server.otherwise = grants.reply
    api.execute(QUERY)
    grants.given += 1
    threads = [Thread(target=api.execute, args=(QUERY,)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert grants.given == 3


@pytest.mark.parametrize(
    ("refusal", "said"),
    [
        (
            Reply(
                status=400,
                body=b"<html>Oauth error shop_not_permitted: Client credentials cannot be performed"
                b" on this shop.</html>",
            ),
            "shop_not_permitted.*same organisation",
        ),
        (
            Reply(
                status=401,
                json={"error": "invalid_client", "error_description": f"no such {SECRET}"},
            ),
            r"invalid_client: no such \[secret\].*SHOPIFY_CLIENT_SECRET",
        ),
        (Reply(status=400, json={"error": "some_new_error"}), "some_new_error"),
        (Reply(status=403, body=b"no"), "HTTP 403"),
    ],
)
def test_a_refused_grant_says_what_to_do(
    server: ScriptedServer, api: AdminApi, refusal: Reply, said: str
) -> None:
    server.script.append(refusal)
    with pytest.raises(CredentialsRefusedError, match=said) as caught:
        api.execute(QUERY)
    assert caught.value.is_configuration
    assert len(server.calls) == 1


def test_a_grant_asked_of_an_unknown_shop_says_so(server: ScriptedServer, api: AdminApi) -> None:
    server.script.append(Reply(status=404, body=b"Not Found"))
    with pytest.raises(ShopUnavailableError, match="SHOPIFY_SHOP"):
        api.execute(QUERY)


@pytest.mark.parametrize(
    "passing",
    [Reply(status=503), Reply(fault="reset"), Reply(json={"scope": "x"}), Reply(body=b"{")],
)
def test_a_grant_that_fails_for_now_is_asked_again(
    server: ScriptedServer, api: AdminApi, passing: Reply
) -> None:
    server.script.append(passing)
    server.otherwise = Grants().reply
    assert api.execute(QUERY).data == {"shop": {"name": "x"}}


def test_secrets_are_shown_nowhere(
    server: ScriptedServer, api_for: ApiFor, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    api = api_for(credentials=CREDENTIALS, retry_budget_seconds=0.0)
    server.script.extend([Reply(status=401, json={"error": SECRET}), Reply(status=500)])
    shown = repr(CREDENTIALS) + repr(StaticToken(SECRET))
    for kind in (CredentialsRefusedError, RetriesExhaustedError):
        with pytest.raises(AdminApiError) as caught:
            api.execute(QUERY)
        assert isinstance(caught.value, kind)
        shown += repr(caught.value)
    server.otherwise = Grants().reply
    api.execute(QUERY)
    assert SECRET not in shown + caplog.text
    assert "shpat_1" not in caplog.text
