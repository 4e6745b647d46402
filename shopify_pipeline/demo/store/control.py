"""The control interface under `/_store/`: what a test does to the store, and what it can ask."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio.lowlevel
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from shopify_pipeline.demo.store import control_page, settable
from shopify_pipeline.demo.store.clock import SECOND, iso
from shopify_pipeline.demo.store.control_answers import given, refusing, told
from shopify_pipeline.demo.store.control_records import Records
from shopify_pipeline.demo.store.control_webhooks import Webhooks
from shopify_pipeline.demo.store.faults import KINDS as FAULT_KINDS
from shopify_pipeline.demo.store.faults import Fault
from shopify_pipeline.demo.store.given_controls import (
    GivenClock,
    GivenDrift,
    GivenFault,
    GivenFaultWhole,
    GivenMassEdit,
    GivenSettings,
    GivenTraffic,
)
from shopify_pipeline.demo.store.given_fields import ChangeError
from shopify_pipeline.demo.store.given_values import EARLIEST, LATEST
from shopify_pipeline.demo.store.store import GID_TYPES, seconds

if TYPE_CHECKING:
    from shopify_pipeline.demo.store.server import Application


class Control:
    """The routes under `/_store/`."""

    def __init__(self, application: Application) -> None:
        self._application = application
        self._store = application.store

    def routes(self) -> list[Route]:
        """The routes, to be mounted at the root."""
        return [
            Route("/_store/", self._index),
            Route("/_store/state", self._state),
            Route("/_store/clock", refusing(self._clock), methods=["POST"]),
            Route("/_store/settings", refusing(self._settings), methods=["POST"]),
            Route("/_store/faults", refusing(self._faults), methods=["GET", "POST", "DELETE"]),
            Route("/_store/stats", self._stats, methods=["GET", "DELETE"]),
            Route("/_store/mass-edit", refusing(self._mass_edit), methods=["POST"]),
            Route("/_store/traffic", refusing(self._traffic), methods=["POST"]),
            Route("/_store/drift", refusing(self._drift), methods=["POST"]),
            *Webhooks(self._application).routes(),
            *Records(self._application).routes(),
        ]

    async def _index(self, request: Request) -> Response:
        return PlainTextResponse(control_page.page())

    async def _state(self, request: Request) -> Response:
        settings, database = self._store.settings, self._store.database
        return told(
            {
                "clock": iso(self._store.clock.now()),
                "shop": settings.domain,
                "shopId": f"gid://shopify/Shop/{settings.shop_id}",
                "createdAt": iso(settings.created_at),
                "plan": settings.plan,
                "indexLag": settings.index_lag / SECOND,
                "scopes": settings.scopes,
                "versions": settings.versions,
                "records": {
                    kind: database.value(f"SELECT COUNT(*) FROM {kind}")  # noqa: S608
                    for kind in (*GID_TYPES, "lines")
                },
            }
        )

    async def _clock(self, request: Request) -> Response:
        wanted = await given(request, GivenClock)
        clock = self._store.clock
        moment = wanted.get("set", clock.now()) + seconds(wanted.get("advance", 0))
        if not EARLIEST <= moment < LATEST:
            raise ChangeError("the clock shows times of the years 1900 to 2199")
        if "set" in wanted or "advance" in wanted:
            clock.set(moment)
        if wanted.get("freeze"):
            clock.freeze()
        if wanted.get("resume"):
            clock.resume()
        await self._application.clock_moved()
        return told({"clock": iso(clock.now())})

    async def _settings(self, request: Request) -> Response:
        wanted = await given(request, GivenSettings)
        if "afterCalls" in wanted:
            self._application.postpone(wanted.pop("afterCalls"), wanted)
        else:
            settable.apply(self._application, wanted)
        return await self._state(request)

    async def _faults(self, request: Request) -> Response:
        plan = self._application.faults
        if request.method == "POST":
            wanted = await given(request, GivenFaultWhole)
            known = set(GivenFault.known())
            options = {name: wanted.pop(name) for name in wanted.keys() - known}
            plan.add(Fault(options=options, **wanted))
        elif request.method == "DELETE":
            plan.clear()
        return told(
            {
                "waiting": [fault.describe() for fault in plan.waiting],
                "met": plan.met,
                "kinds": FAULT_KINDS,
            }
        )

    async def _stats(self, request: Request) -> Response:
        if request.method == "DELETE":
            self._application.reset_statistics()
        return told(self._application.statistics())

    async def _mass_edit(self, request: Request) -> Response:
        wanted = await given(request, GivenMassEdit)
        kind = wanted.get("kind", "products")
        rows = self._store.database.rows(
            f"SELECT id FROM {kind} ORDER BY id LIMIT ?",  # noqa: S608
            (wanted.get("count", 10_000),),
        )
        moment = self._store.clock.now()
        count = self._store.touch_many(kind, [row[0] for row in rows], moment)
        return told({"touched": count, "updatedAt": iso(moment)})

    async def _traffic(self, request: Request) -> Response:
        wanted = await given(request, GivenTraffic)
        life = self._application.life
        for place in range(wanted.get("steps", 0)):
            life.step(wanted.get("action"))
            if place % 20 == 19:
                await anyio.lowlevel.checkpoint()
        if "rate" in wanted:
            life.flow(wanted["rate"])
        return told({"rate": life.rate, "made": life.made})

    async def _drift(self, request: Request) -> Response:
        wanted = await given(request, GivenDrift)
        count = self._application.life.inventory_noise(wanted.get("count", 100))
        return told({"touched": count})
