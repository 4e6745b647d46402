"""Pacing: a query waits exactly until it fits, and threads don't spend the same points twice."""

import time
from threading import Lock, Thread

from hypothesis import given
from hypothesis import strategies as st

from shopify_pipeline.admin_api.bucket import Bucket, ThrottleStatus
from shopify_pipeline_tests.admin_api.conftest import ApiFor
from shopify_pipeline_tests.admin_api.server import Call, Reply, ScriptedServer, answer, throttled


class LeakyBucket:
    """Shopify's side: takes the requested points, gives back what was not used."""

    def __init__(self, *, maximum: float, rate: float, now: float = 0.0) -> None:
        self.maximum, self.rate, self.level, self.at = maximum, rate, maximum, now

    def take(self, requested: float, actual: float, now: float) -> bool:
        self.level = min(self.maximum, self.level + (now - self.at) * self.rate)
        self.at = now
        if requested > self.level + 1e-6:
            return False
        self.level -= actual
        return True

    @property
    def status(self) -> ThrottleStatus:
        return ThrottleStatus(
            maximum_available=self.maximum, currently_available=self.level, restore_rate=self.rate
        )


class Time:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@given(
    maximum=st.floats(1000, 20000),
    rate=st.floats(50, 2000),
    queries=st.lists(st.tuples(st.floats(1, 1000), st.floats(0, 1), st.floats(0, 5)), max_size=40),
)
def test_a_paced_client_is_never_throttled_and_never_waits_longer_than_needed(
    maximum: float, rate: float, queries: list[tuple[float, float, float]]
) -> None:
    clock = Time()
    bucket, shopify = Bucket(monotonic=clock), LeakyBucket(maximum=maximum, rate=rate)
    for requested, used, pause in queries:
        clock.now += pause
        waited = bucket.reserve(requested)
        if waited > 0:
            assert not shopify.take(requested, 0, clock.now + waited * 0.99 - 1e-3)
            clock.now += waited + 1e-9
            assert bucket.reserve(requested) <= 1e-6
        assert shopify.take(requested, requested * used, clock.now + 1e-6)
        bucket.settle(requested, shopify.status)


def test_points_of_queries_in_flight_are_not_spent_twice() -> None:
    clock = Time()
    bucket = Bucket(monotonic=clock)
    status = ThrottleStatus(maximum_available=1000, currently_available=1000, restore_rate=100)
    bucket.settle(0, status)
    assert bucket.reserve(700) == 0
    assert bucket.reserve(700) == 4.0
    bucket.settle(
        700, ThrottleStatus(maximum_available=1000, currently_available=990, restore_rate=100)
    )
    assert bucket.reserve(700) == 0


def test_nothing_is_known_before_the_first_answer() -> None:
    bucket = Bucket()
    assert bucket.reserve(1000) == 0
    assert bucket.largest_query == 1000


def test_a_query_dearer_than_the_bucket_goes_when_the_bucket_is_full() -> None:
    bucket = Bucket(monotonic=Time())
    status = ThrottleStatus(maximum_available=500, currently_available=400, restore_rate=50)
    bucket.settle(0, status)
    assert bucket.largest_query == 500
    assert bucket.reserve(900) == 2.0


def test_threads_share_the_points_so_that_hardly_any_request_is_throttled(
    server: ScriptedServer, api_for: ApiFor
) -> None:
    shopify = LeakyBucket(maximum=1000, rate=1000, now=time.time())
    lock = Lock()
    refused = 0

    def reply(call: Call) -> Reply:
        nonlocal refused
        with lock:
            if shopify.take(200, 150, call.arrived):
                return Reply(
                    json={
                        **answer({}).json,
                        "extensions": {
                            "cost": {
                                "requestedQueryCost": 200,
                                "actualQueryCost": 150,
                                "throttleStatus": {
                                    "maximumAvailable": 1000,
                                    "currentlyAvailable": shopify.level,
                                    "restoreRate": 1000,
                                },
                            }
                        },
                    }
                )
            refused += 1
            return throttled(requested=200, available=shopify.level, rate=1000)

    server.otherwise = reply
    api = api_for()

    def work() -> None:
        for _ in range(6):
            api.execute("query Q { shop { name } }")

    threads = [Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert api.stats.points == 18 * 150
    assert refused <= 1
    assert api.stats.throttle_wait_seconds > 0
