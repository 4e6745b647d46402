"""Shopify's clock is approached from below, whatever the delays, and a set clock is noticed."""

from datetime import UTC, datetime, timedelta
from email.utils import formatdate

from hypothesis import given
from hypothesis import strategies as st

from shopify_pipeline.admin_api.clock import ShopifyClock

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
exchanges = st.lists(
    st.tuples(st.floats(0, 30), st.floats(0, 3), st.floats(0, 3)), min_size=1, max_size=30
)


def told(clock: ShopifyClock, offset: float, *, sent: float, out: float, back: float) -> None:
    """An exchange with a server whose clock is `offset` seconds ahead of ours."""
    date = formatdate(int(sent + out + offset), usegmt=True)
    clock.learn(date, sent=sent, received=sent + out + back)


@given(offset=st.floats(1e9, 2e9), exchanges=exchanges)
def test_the_time_told_is_never_later_than_shopifys(
    offset: float, exchanges: list[tuple[float, float, float]]
) -> None:
    clock, now = ShopifyClock(), 1000.0
    for pause, out, back in exchanges:
        now += pause
        told(clock, offset, sent=now, out=out, back=back)
        true = EPOCH + timedelta(seconds=now + offset)
        assert clock.at(now) <= true + timedelta(microseconds=10)
        assert clock.at(now) >= true - timedelta(seconds=1 + out + back + 0.1)
        now += out + back


def test_many_answers_bring_the_time_closer_than_a_second() -> None:
    clock, offset = ShopifyClock(), 1_800_000_000.5
    for number in range(40):
        told(clock, offset, sent=100 + number * 0.93, out=0.01, back=0.01)
    behind = EPOCH + timedelta(seconds=150 + offset) - clock.at(150)
    assert timedelta(0) <= behind < timedelta(seconds=0.15)


def test_a_clock_that_was_set_back_is_believed_at_once() -> None:
    clock = ShopifyClock()
    told(clock, 1_800_000_000, sent=100, out=0.1, back=0.1)
    told(clock, 1_700_000_000, sent=101, out=0.1, back=0.1)
    assert clock.at(101) <= EPOCH + timedelta(seconds=1_700_000_101)


def test_a_missing_or_broken_date_changes_nothing() -> None:
    clock = ShopifyClock()
    told(clock, 1_800_000_000, sent=100, out=0.1, back=0.1)
    before = clock.at(100)
    clock.learn(None, sent=101, received=102)
    clock.learn("yesterday", sent=101, received=102)
    assert clock.at(100) == before


def test_before_the_first_answer_it_is_our_own_clock() -> None:
    clock = ShopifyClock()
    assert abs(clock.at(clock.monotonic()) - datetime.now(UTC)) < timedelta(seconds=10)
