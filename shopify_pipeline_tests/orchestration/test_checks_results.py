"""What a check says, as it is read in the UI and in an alert."""

from datetime import timedelta

import dagster as dg
import pytest

from shopify_pipeline.orchestration.checks_results import Judgement, spoken
from shopify_pipeline.warehouse.checks.offenders import Offenders


def test_what_is_wrong_is_said_before_what_is_remarked() -> None:
    found = Judgement()
    found.remark("150 orders were checked")
    found.offenders("links to the wrong row", Offenders(2, ({"id": 1},), "SELECT 1"), error=True)
    result = found.result(dg.AssetKey("orders"), "links")
    assert result.description == "links to the wrong row: 2; 150 orders were checked"


@pytest.mark.parametrize(
    ("time", "said"),
    [
        (timedelta(hours=4, minutes=2, seconds=3.9), "4 h 2 min"),
        (timedelta(minutes=101), "1 h 41 min"),
        (timedelta(days=12, hours=3), "12 days"),
        (timedelta(days=1, hours=3), "27 h"),
        (timedelta(seconds=59), "0 min"),
    ],
)
def test_a_time_is_said_as_people_do(time: timedelta, said: str) -> None:
    assert spoken(time) == said
