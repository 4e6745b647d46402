"""What the receiver counts, for Prometheus; a registry of its own for each receiver.

Kept in plain numbers by the one thread that serves, and made into samples when they are read: a
library counter's lock and label look-up would cost each webhook more than verifying it.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Sequence

from prometheus_client import CollectorRegistry, Gauge
from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5)
DELIVERIES = (1, 2, 5, 10, 20, 50, 100, 200, 500)


class Histogram:
    """How many values fell between the bounds, and their sum."""

    def __init__(self, bounds: Sequence[float]) -> None:
        self._bounds = bounds
        self._counts = [0] * (len(bounds) + 1)
        self._sum = 0.0

    def observe(self, value: float) -> None:
        """Count a value; one equal to a bound is below it."""
        self._counts[bisect_left(self._bounds, value)] += 1
        self._sum += value

    def family(self, name: str, documentation: str) -> Metric:
        """What was counted so far, cumulated as Prometheus wants it."""
        total = 0
        buckets: list[tuple[str, float]] = []
        for bound, count in zip((*self._bounds, float("inf")), self._counts, strict=True):
            total += count
            buckets.append(("+Inf" if bound == float("inf") else str(float(bound)), total))
        return HistogramMetricFamily(name, documentation, buckets=buckets, sum_value=self._sum)


class Metrics(Collector):
    """The receiver's counters. Labels are outcomes and known topics: no value of a sender's."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.outcomes: Counter[str] = Counter()
        self.topics: Counter[str] = Counter()
        self.seconds = Histogram(SECONDS)
        self.group_size = Histogram(DELIVERIES)
        self.connections = Gauge(
            "shopify_webhooks_database_connections",
            "Connections to the database that are up.",
            registry=self.registry,
        )
        self.backlog = Gauge(
            "shopify_webhooks_inbox",
            "The inbox, of all receivers: deliveries pending and dead, the oldest's age, workers.",
            ["what"],
            registry=self.registry,
        )
        self.registry.register(self)

    def collect(self) -> Iterator[Metric]:
        """The samples, for the registry."""
        requests = CounterMetricFamily(
            "shopify_webhooks_requests",
            "Requests to the receiver, by what became of them.",
            labels=["outcome"],
        )
        for outcome, count in self.outcomes.items():
            requests.add_metric([outcome], count)
        yield requests
        deliveries = CounterMetricFamily(
            "shopify_webhooks_deliveries",
            "Deliveries stored, by topic; topics that we do not know are `unknown`.",
            labels=["topic"],
        )
        for topic, count in self.topics.items():
            deliveries.add_metric([topic], count)
        yield deliveries
        yield self.seconds.family(
            "shopify_webhooks_request_seconds", "Time from a request's headers to its answer."
        )
        yield self.group_size.family(
            "shopify_webhooks_commit_deliveries", "Deliveries that shared a commit."
        )
