"""The reckoning behind the threshold: what binds by pages, and from where on bulk is sooner."""

import pytest

from shopify_pipeline_tests.benchmarks.threshold import Cost, Measured, even


def window(orders: int, *, points: float, calls: int) -> Measured:
    return Measured(
        orders=orders, objects=orders * 3, pages=Cost(calls, points), bulk=Cost(6, 33.0)
    )


def test_by_pages_the_slower_of_points_and_calls_binds() -> None:
    assert window(1, points=12_000, calls=10).by_pages("standard") == 100
    assert window(1, points=12_000, calls=10).by_pages("plus") == 20
    assert window(1, points=500, calls=10).by_pages("standard") == 20


def test_a_bulk_operation_takes_its_start_its_objects_and_the_delay_of_polling() -> None:
    assert window(10_000, points=1, calls=1).in_bulk("quick") == pytest.approx(44)
    assert window(10_000, points=1, calls=1).in_bulk("slow") == pytest.approx(231)


def test_what_is_lost_at_worst_is_against_the_other_way_at_its_best_or_worst() -> None:
    one = window(10_000, points=1, calls=68)
    assert one.lost_by_pages("standard") == pytest.approx(136 - 44)
    assert one.lost_in_bulk("standard") == pytest.approx(231 - 136)


def test_the_smallest_window_in_which_bulk_loses_less_is_named() -> None:
    found = [window(n, points=n, calls=n // 140) for n in (250, 5_000, 40_000, 80_000)]
    assert even(found, "standard") == 40_000
    assert even(found[:2], "standard") is None
