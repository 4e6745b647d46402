"""The receiver's side of the inbox: whatever happens to a group, each sender gets an answer."""

import asyncio
from collections.abc import Iterable

import psycopg
import pytest

from shopify_pipeline.webhooks.delivery import Delivery
from shopify_pipeline.webhooks.inbox import Inbox, InboxUnavailableError
from shopify_pipeline.webhooks.metrics import Histogram, Metrics
from shopify_pipeline_tests.webhooks.conftest import SHOP

Answers = list[bool | BaseException]


def delivery(number: int) -> Delivery:
    """One of many deliveries."""
    return Delivery(
        shop=SHOP,
        topic="orders/create",
        webhook_id=f"w{number}",
        event_id=None,
        api_version=None,
        triggered_at=None,
        is_test=False,
        body=b"{}",
    )


async def up(inbox: Inbox) -> None:
    """Wait until it takes deliveries."""
    async with asyncio.timeout(60):
        while not inbox.is_up:  # noqa: ASYNC110 - it tells nobody
            await asyncio.sleep(0.01)


async def answers(inbox: Inbox, numbers: Iterable[int]) -> Answers:
    """What becomes of deliveries that arrive at once: they form one group."""
    await up(inbox)
    async with asyncio.timeout(60):
        return await asyncio.gather(
            *(inbox.store(delivery(number)) for number in numbers), return_exceptions=True
        )


def break_inserts(database_url: str) -> None:
    """Refuse deliveries in groups; one that comes alone breaks the connection."""
    with psycopg.connect(database_url) as connection:
        connection.execute(
            "CREATE FUNCTION public.break_it() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
            "IF (SELECT count(*) FROM arrived) > 1 THEN RAISE unique_violation; END IF; "
            "IF (SELECT count(*) FROM arrived) = 1 THEN "
            "PERFORM pg_terminate_backend(pg_backend_pid()); END IF; RETURN NULL; END $$"
        )
        connection.execute(
            "CREATE TRIGGER break_it AFTER INSERT ON shopify_internal.webhook_inbox "
            "REFERENCING NEW TABLE AS arrived FOR EACH STATEMENT "
            "EXECUTE FUNCTION public.break_it()"
        )


def mend_inserts(database_url: str) -> None:
    """Take them again."""
    with psycopg.connect(database_url) as connection:
        connection.execute("DROP TRIGGER break_it ON shopify_internal.webhook_inbox")


def test_a_connection_that_breaks_while_a_refused_group_is_tried_singly_leaves_none_waiting(
    database_url: str,
) -> None:
    break_inserts(database_url)

    async def scene() -> tuple[Answers, Answers]:
        inbox = Inbox(database_url, metrics=Metrics(), connections=1)
        await inbox.open()
        try:
            broken = await answers(inbox, range(3))
            mend_inserts(database_url)
            return broken, await answers(inbox, range(3))
        finally:
            await inbox.close()

    broken, mended = asyncio.run(scene())
    assert [type(answer) for answer in broken] == 3 * [InboxUnavailableError]
    assert mended == [True, True, True]


def test_a_failure_that_nobody_foresaw_is_answered_and_the_inbox_goes_on(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scene() -> tuple[Answers, Answers]:
        inbox = Inbox(database_url, metrics=Metrics(), connections=1)
        await inbox.open()
        try:
            with monkeypatch.context() as patched:
                # After the commit: what is answered 503 is there, and a repeat when it comes again.
                patched.delattr(Histogram, "observe")
                failed = await answers(inbox, range(2))
            return failed, await answers(inbox, range(3))
        finally:
            await inbox.close()

    failed, later = asyncio.run(scene())
    assert [type(answer) for answer in failed] == 2 * [InboxUnavailableError]
    assert later == [False, False, True]
