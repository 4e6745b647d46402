"""A receiver of webhooks that does nothing, on the same server and path as ours."""

import sys

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from shopify_pipeline.webhooks.receiver import PATH
from shopify_pipeline.webhooks.server import bind, server


async def _nothing(request: Request) -> Response:
    await request.body()
    return Response(status_code=200)


async def _ready(_request: Request) -> Response:
    return Response(status_code=200)


def main() -> None:
    """Serve on a free port until terminated; prints the address first."""
    app = Starlette(
        routes=[Route(PATH, _nothing, methods=["POST"]), Route("/readyz", _ready, methods=["GET"])]
    )
    listening = bind("127.0.0.1", 0)
    sys.stdout.write(f"http://127.0.0.1:{listening.getsockname()[1]}\n")
    sys.stdout.flush()
    server(app).run(sockets=[listening])


if __name__ == "__main__":
    main()
