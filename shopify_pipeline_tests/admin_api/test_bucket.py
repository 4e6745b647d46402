"""Pacing: a query waits exactly until it fits, and threads don't spend the same points twice."""

from concurrent.futures import ThreadPoolExecutor
from heapq import heappop, heappush

from hypothesis import given
from hypothesis import strategies as st

from shopify_pipeline.admin_api.bucket import Bucket, ThrottleStatus
from shopify_pipeline_tests.admin_api.conftest import ApiFor
from shopify_pipeline_tests.admin_api.server import ScriptedServer, answer


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


@given(
    maximum=st.floats(1000, 4000),
    rate=st.floats(100, 2000),
    latency=st.floats(0.01, 2),
    actual=st.floats(0.1, 1),
    clients=st.integers(2, 12),
)
def test_clients_that_share_the_points_are_never_throttled(
    maximum: float, rate: float, latency: float, actual: float, clients: int
) -> None:
    clock, requested = Time(), 200.0
    bucket, shopify = Bucket(monotonic=clock), LeakyBucket(maximum=maximum, rate=rate)
    bucket.settle(0, shopify.status)
    asked = answered = 0
    # What happens when: a client asks, its request arrives, its answer is back.
    agenda: list[tuple[float, int, str, ThrottleStatus | None]] = [
        (0.0, client, "ask", None) for client in range(clients)
    ]
    while answered < 60:
        clock.now, client, event, status = heappop(agenda)
        if event == "ask":
            waits = bucket.reserve(requested)
            follows = (clock.now + waits + 1e-6, client, "ask", None)
            heappush(agenda, follows if waits else (clock.now + latency, client, "arrive", None))
        elif event == "arrive":
            asked += 1
            assert shopify.take(requested, requested * actual, clock.now + 1e-6)
            heappush(agenda, (clock.now + latency, client, "answer", shopify.status))
        else:
            answered += 1
            bucket.settle(requested, status)
            heappush(agenda, (clock.now, client, "ask", None))
    assert asked >= answered


def test_threads_lose_no_points(server: ScriptedServer, api_for: ApiFor) -> None:
    server.otherwise = lambda _: answer({}, requested=200, actual=150, available=1000, rate=1000)
    api = api_for()

    def work(_: int) -> None:
        api.execute("query Q { shop { name } }")

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(40)))
    assert api.stats.points == 40 * 150
    assert api.bucket.reserve(1000) == 0
