"""Windows: half open, cut without gap or overlap, written in the form that Shopify reads right."""

from datetime import UTC, date, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from shopify_pipeline.entities import ENTITIES
from shopify_pipeline.sync.schedule import due_days
from shopify_pipeline.sync.window import Window, midnight

moments = st.datetimes(datetime(2015, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC))
windows = st.tuples(moments, moments).map(lambda pair: Window(min(pair), max(pair)))
lengths = st.integers(1, 4000).map(lambda hours: timedelta(hours=hours))


@given(windows, lengths)
def test_chunks_cover_a_window_without_gap_or_overlap(window: Window, length: timedelta) -> None:
    length = max(length, (window.end - window.start) / 200)
    chunks = list(window.chunks(length))
    assert [c.start for c in chunks] == [window.start, *(c.end for c in chunks)][: len(chunks)]
    assert all(not c.is_empty for c in chunks)
    assert window.is_empty or chunks[-1].end == window.end


@given(windows, st.integers(1, 400))
def test_chunks_of_whole_days_end_at_midnight(window: Window, days: int) -> None:
    for chunk in list(window.chunks(timedelta(days=days)))[:-1]:
        assert chunk.end == midnight(chunk.end.date())


@given(windows, moments)
def test_whole_days_hold_all_of_the_window(window: Window, moment: datetime) -> None:
    if moment in window:
        assert moment in window.in_whole_days()
    assert window.in_whole_days().start == midnight(window.start.date())


@given(windows)
def test_halves_are_the_window(window: Window) -> None:
    halves = window.halves()
    if halves is None:
        assert window.end - window.start <= timedelta(seconds=1)
    else:
        assert (halves[0].start, halves[0].end, halves[1].end) == (
            window.start,
            halves[1].start,
            window.end,
        )


def test_a_filter_is_half_open_quoted_and_in_utc() -> None:
    orders = ENTITIES["orders"].connection
    assert orders is not None
    window = Window(
        datetime.fromisoformat("2026-01-01T02:00:00.9+02:00"), datetime(2026, 1, 2, tzinfo=UTC)
    )
    assert window.updated(orders).terms == (
        "updated_at:>='2026-01-01T00:00:00Z' AND updated_at:<'2026-01-02T00:00:00Z'"
    )
    assert window.updated(orders).sort_key == "UPDATED_AT"


def test_products_are_asked_for_in_every_status() -> None:
    products = ENTITIES["products"].connection
    assert products is not None
    terms = Window.of_days(date(2026, 1, 1), date(2026, 1, 1)).updated(products).terms
    assert terms.startswith("(status:active,draft,archived,unlisted) AND (")


NOW = datetime(2026, 3, 10, 0, 5, tzinfo=UTC)
FIRST = date(2026, 1, 1)
OVERLAP = timedelta(minutes=10)


def test_the_first_load_is_due_while_an_entity_has_no_checkpoint() -> None:
    assert due_days([NOW, None], NOW, first_day=FIRST, overlap=OVERLAP) is None
    assert due_days([], NOW, first_day=FIRST, overlap=OVERLAP) is None


def test_just_after_midnight_yesterday_is_asked_for_too() -> None:
    checkpoints = [NOW - timedelta(minutes=7)] * 3
    assert due_days(checkpoints, NOW, first_day=FIRST, overlap=OVERLAP) == [
        date(2026, 3, 9),
        date(2026, 3, 10),
    ]


def test_checkpoints_of_a_clock_that_is_ahead_ask_for_today() -> None:
    checkpoints = [NOW + timedelta(days=3)] * 3
    assert due_days(checkpoints, NOW, first_day=FIRST, overlap=OVERLAP) == [NOW.date()]


@given(st.integers(0, 60 * 24 * 100))
def test_after_any_downtime_the_days_start_at_the_oldest_checkpoint(minutes: int) -> None:
    oldest = NOW - timedelta(minutes=minutes)
    days = due_days([NOW, oldest], NOW, first_day=FIRST, overlap=OVERLAP)
    assert days is not None
    assert days[0] == max((oldest - OVERLAP).date(), FIRST)
    assert len(days) <= 31
    assert days[-1] == min(NOW.date(), days[0] + timedelta(days=30))
    assert days == [days[0] + timedelta(days=n) for n in range(len(days))]
