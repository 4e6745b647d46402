"""A scripted server and a client that talks to it."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from shopify_pipeline.admin_api.client import AdminApi
from shopify_pipeline.admin_api.credentials import StaticToken
from shopify_pipeline_tests.admin_api.server import TOKEN, VERSION, ScriptedServer, serving

ApiFor = Callable[..., AdminApi]


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    """A server whose script is empty."""
    with serving() as started:
        yield started


@pytest.fixture
def api_for(server: ScriptedServer) -> Iterator[ApiFor]:
    """Makes clients of the server, closed at the end."""
    made: list[AdminApi] = []

    def make(**arguments: Any) -> AdminApi:
        defaults: dict[str, Any] = {
            "shop": "x",
            "api_version": VERSION,
            "credentials": StaticToken(TOKEN),
            "base_url": server.url,
            "retry_budget_seconds": 5.0,
            "throttle_budget_seconds": 10.0,
        }
        made.append(AdminApi(**{**defaults, **arguments}))
        return made[-1]

    yield make
    for api in made:
        api.close()


@pytest.fixture
def api(api_for: ApiFor) -> AdminApi:
    """A client of the server."""
    return api_for()
