"""The receiver's side of the inbox: deliveries that arrive together are committed together."""

import asyncio
import contextlib
import logging
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

import psycopg

from shopify_pipeline.warehouse.database import postgres_url
from shopify_pipeline.webhooks.delivery import Delivery
from shopify_pipeline.webhooks.metrics import Metrics
from shopify_pipeline.webhooks.statements import STATEMENTS

log = logging.getLogger(__name__)

BLOCK = 1000
"""Numbers that the sequence of deliveries gives out at a time."""


BACKLOG_SECONDS = 2
"""How old an answer about the backlog may be."""


class InboxUnavailableError(Exception):
    """A delivery is not known to be stored: Shopify must send it again."""


@dataclass(slots=True)
class _Waiting:
    delivery: Delivery
    key: tuple[str, str, str]
    stored: asyncio.Future[bool]
    since: float

    def settle(self, result: bool | InboxUnavailableError) -> None:
        if self.stored.done():
            return
        if isinstance(result, bool):
            self.stored.set_result(result)
        else:
            self.stored.set_exception(result)


class Inbox:
    """Stores deliveries over a few connections, each committing what waits while it is free.

    There is no timer: an idle connection takes a lone delivery at once; under load the group
    grows with the time a commit takes. The URL may lead to a transaction pooler: a group is one
    statement, and nothing of a session is relied on.

    `store_timeout_seconds` stays below the 5 s after which Shopify gives up.
    """

    def __init__(
        self,
        url: str,
        *,
        metrics: Metrics,
        connections: int = 2,
        group_deliveries: int = 500,
        group_bytes: int = 16_000_000,
        waiting_bytes: int = 64_000_000,
        store_timeout_seconds: float = 3.5,
        reconnect_seconds: float = 0.5,
        ping_seconds: float = 5,
    ) -> None:
        self._conninfo = postgres_url(url).render_as_string(hide_password=False)
        self._metrics = metrics
        self._count = connections
        self._group_deliveries = group_deliveries
        self._group_bytes = group_bytes
        self._most_waiting = waiting_bytes
        self._timeout = store_timeout_seconds
        self._reconnect = reconnect_seconds
        self._ping = ping_seconds
        self._waiting: list[_Waiting] = []
        self._waiting_bytes = 0
        self._block = range(0)
        self._arrived = asyncio.Event()
        self._up = 0
        self._committers: list[asyncio.Task[None]] = []
        self._sweeper: asyncio.Task[None] | None = None
        self._closing = False
        self._backlog: dict[str, float] = {}
        self._backlog_until = -float("inf")
        self._asking = asyncio.Lock()

    @property
    def is_up(self) -> bool:
        """Whether a delivery could be stored now."""
        return self._up > 0 and not self._closing

    async def open(self) -> None:
        """Start connecting; does not wait for the database."""
        self._committers = [
            asyncio.create_task(self._commit_forever(), name=f"committer-{number}")
            for number in range(self._count)
        ]
        self._sweeper = asyncio.create_task(self._sweep(), name="sweeper")

    async def close(self) -> None:
        """Store what was accepted, then close the connections."""
        self._closing = True
        self._arrived.set()
        await asyncio.gather(*self._committers, return_exceptions=True)
        if self._sweeper is not None:
            self._sweeper.cancel()
        self._fail(self._take_all())

    async def store(self, delivery: Delivery) -> bool:
        """Store durably; False for a repeat of a delivery that is there already.

        Raises:
            InboxUnavailableError: the database is away, too slow or refuses; raised at once
                while no connection is up.
        """
        if not self.is_up or self._waiting_bytes + len(delivery.body) > self._most_waiting:
            raise InboxUnavailableError
        loop = asyncio.get_running_loop()
        waiting = _Waiting(delivery, delivery.key, loop.create_future(), loop.time())
        self._waiting.append(waiting)
        self._waiting_bytes += len(delivery.body)
        self._arrived.set()
        return await waiting.stored

    async def backlog(self) -> dict[str, float]:
        """What waits in the inbox, for /metrics; empty while the database is away.

        Anyone may ask on a public port: all share one connection, and an answer for a while.
        """
        if not self.is_up:
            return {}
        loop = asyncio.get_running_loop()
        async with self._asking:
            if loop.time() >= self._backlog_until:
                self._backlog = await self._ask_backlog()
                self._backlog_until = loop.time() + BACKLOG_SECONDS
        return self._backlog

    async def _ask_backlog(self) -> dict[str, float]:
        try:
            async with (
                asyncio.timeout(self._timeout),
                await self._connect() as connection,
                connection.cursor(row_factory=psycopg.rows.dict_row) as cursor,
            ):
                row = await (await cursor.execute(STATEMENTS["backlog"])).fetchone() or {}
        except (psycopg.Error, TimeoutError):
            return {}
        return {what: float(value or 0) for what, value in row.items()}

    async def _sweep(self) -> None:
        """Give up on what has waited too long for a connection; cheaper than a timer for each."""
        while True:
            await asyncio.sleep(0.25)
            overdue = asyncio.get_running_loop().time() - self._timeout
            self._fail([waiting for waiting in self._waiting if waiting.since < overdue])

    async def _commit_forever(self) -> None:
        complained = False
        while not self._closing:
            try:
                connection = await asyncio.wait_for(self._connect(), 5)
            except (psycopg.Error, TimeoutError) as error:
                if not complained:
                    log.warning("The inbox cannot be reached: %s", _why(error))
                complained = True
                await asyncio.sleep(self._reconnect)
                continue
            if complained:
                log.warning("The inbox is reached again")
            complained = False
            self._change_up(+1)
            try:
                await self._commit_groups(connection)
            except Exception as error:  # noqa: BLE001 - nobody would take a committer's place
                log.warning("A connection to the inbox was lost: %s", _why(error))
                complained = True
            finally:
                self._change_up(-1)
                if self._up == 0:
                    self._fail(self._take_all())
                # Not awaited politely: a connection that hangs would hang its closing too.
                connection.pgconn.finish()

    async def _connect(self) -> psycopg.AsyncConnection[Any]:
        return await psycopg.AsyncConnection.connect(
            self._conninfo,
            autocommit=True,
            prepare_threshold=None,
            application_name="shopify_pipeline webhook receiver",
            connect_timeout=3,
        )

    async def _commit_groups(self, connection: psycopg.AsyncConnection[Any]) -> None:
        while True:
            if not self._waiting and not self._closing:
                self._arrived.clear()
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._arrived.wait(), self._ping)
            group = self._take_group()
            if group:
                try:
                    await self._commit(connection, group)
                except BaseException:
                    # Also those behind one on which the connection broke: they are in no list now.
                    self._fail(group)
                    raise
            elif self._closing:
                return
            elif not self._arrived.is_set():
                async with asyncio.timeout(self._timeout):
                    await connection.execute("SELECT 1")

    async def _commit(
        self, connection: psycopg.AsyncConnection[Any], group: list[_Waiting]
    ) -> None:
        """Commit a group and settle it; what is raised ends the connection, some still waiting."""
        unique = {waiting.key: waiting for waiting in group}
        ordered = [unique[key] for key in sorted(unique)]
        try:
            first = await self._numbers(connection, len(ordered))
            stored = await self._in_time(
                connection.execute(
                    STATEMENTS["store"],
                    {"first": first, **_columns([w.delivery for w in ordered])},
                    binary=True,
                )
            )
        except (psycopg.DataError, psycopg.IntegrityError) as error:
            # One of them does not fit; nothing that we know of does this.
            log.exception("Deliveries were refused by the database: %s", error.sqlstate)
            if len(group) == 1:
                self._fail(group)
            for waiting in group if len(group) > 1 else ():
                await self._commit(connection, [waiting])
            return
        except (psycopg.Error, TimeoutError) as error:
            self._fail(group)
            if isinstance(error, TimeoutError) or connection.broken or connection.closed:
                raise
            log.warning("Deliveries could not be stored: %s", _why(error))
            return
        row = await stored.fetchone()
        taken = set(row[0]) if row else set()
        new = {w.key for number, w in enumerate(ordered, first) if number in taken}
        self._metrics.group_size.observe(len(group))
        for waiting in group:
            waiting.settle(waiting is unique[waiting.key] and waiting.key in new)
        if len(new) < len(group):
            repeats = Counter(w.key for w in group)
            repeats.subtract(new)
            await self._count_repeats(connection, +repeats)

    async def _numbers(self, connection: psycopg.AsyncConnection[Any], count: int) -> int:
        """The first of so many numbers in a row, from a new block where the last is too short."""
        if len(self._block) < count:
            reserved = await self._in_time(connection.execute(STATEMENTS["reserve"]))
            row = await reserved.fetchone()
            self._block = range(row[0], row[0] + BLOCK)
        first = self._block[0]
        self._block = self._block[count:]
        return first

    async def _count_repeats(
        self,
        connection: psycopg.AsyncConnection[Any],
        counted: Mapping[tuple[str, str, str], int],
    ) -> None:
        shops, topics, webhook_ids = (list(column) for column in zip(*counted, strict=True))
        await self._in_time(
            connection.execute(
                STATEMENTS["count_repeats"],
                {
                    "shops": shops,
                    "topics": topics,
                    "webhook_ids": webhook_ids,
                    "times": list(counted.values()),
                },
            )
        )

    async def _in_time(self, work: Any) -> Any:
        """Await a statement, but not its cancelling: that could take as long again."""
        task = asyncio.ensure_future(work)
        done, _ = await asyncio.wait({task}, timeout=self._timeout)
        if not done:
            task.cancel()
            task.add_done_callback(lambda late: late.cancelled() or late.exception())
            raise TimeoutError
        return task.result()

    def _take_group(self) -> list[_Waiting]:
        size = count = 0
        for waiting in self._waiting[: self._group_deliveries]:
            size += len(waiting.delivery.body)
            if count and size > self._group_bytes:
                break
            count += 1
        group, self._waiting = self._waiting[:count], self._waiting[count:]
        self._waiting_bytes -= sum(len(waiting.delivery.body) for waiting in group)
        # Whoever asked has been answered 503 already; storing it too is harmless but idle.
        return [waiting for waiting in group if not waiting.stored.done()]

    def _take_all(self) -> list[_Waiting]:
        everything, self._waiting, self._waiting_bytes = self._waiting, [], 0
        return everything

    def _fail(self, group: Sequence[_Waiting]) -> None:
        for waiting in group:
            waiting.settle(InboxUnavailableError())

    def _change_up(self, change: int) -> None:
        self._up += change
        self._metrics.connections.set(self._up)


def _columns(deliveries: Sequence[Delivery]) -> dict[str, Any]:
    """Parameters of `store` for deliveries to one shop.

    No text of a delivery holds a line feed, and none that may be absent is empty.
    """
    sizes = [len(d.body) for d in deliveries]
    moments = [d.triggered_at for d in deliveries]
    return {
        "shop": deliveries[0].shop,
        "topics": "\n".join([d.topic for d in deliveries]),
        "webhook_ids": "\n".join([d.webhook_id for d in deliveries]),
        "event_ids": "\n".join([d.event_id or "" for d in deliveries]),
        "api_versions": "\n".join([d.api_version or "" for d in deliveries]),
        "triggered": _array([at.timestamp() if at else "NULL" for at in moments]),
        "tests": _array([d.is_test for d in deliveries]),
        "sizes": _array(sizes),
        "starts": _array(accumulate(sizes[:-1], initial=1)),
        "bodies": b"".join([d.body for d in deliveries]),
    }


def _array(values: Iterable[object]) -> str:
    """An array of Postgres's in text, of values that need no quotes."""
    return f"{{{','.join(map(str, values))}}}"


def _why(error: BaseException) -> str:
    """The class of an error and its SQLSTATE: its text may hold addresses, or values."""
    return f"{type(error).__name__} {getattr(error, 'sqlstate', None) or ''}".rstrip()
