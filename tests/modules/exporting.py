"""A program that tells of itself through Prometheus' own client library."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    MetricsHandler,
    Summary,
)
from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily
from prometheus_client.registry import Collector

from tests.modules.servers import serving

if TYPE_CHECKING:
    from collections.abc import Iterator

    from prometheus_client import Metric

BUCKETS = (0.1, 0.5, 1.0)


class Busy(Collector):
    """Each scrape finds ten more requests, each of 0.1 to 0.5 seconds; 90 were faster before."""

    def __init__(self) -> None:
        self.scrapes = 0

    def collect(self) -> Iterator[Metric]:
        done = 10 * self.scrapes
        self.scrapes += 1
        yield CounterMetricFamily("requests", "", value=90 + done)
        counts = [90, 90 + done, 90 + done, 90 + done]
        bounds = [*map(str, BUCKETS), "+Inf"]
        yield HistogramMetricFamily(
            "request_seconds", "", buckets=list(zip(bounds, counts, strict=True)), sum_value=5
        )


@contextmanager
def exporter(*collectors: Collector) -> Iterator[str]:
    """Serve some metrics, and these; gives the URL."""
    registry = CollectorRegistry()
    for each in collectors:
        registry.register(each)
    Gauge("go_goroutines", "", registry=registry).set(42)
    Gauge("process_resident_memory_bytes", "", registry=registry).set(512 * 2**20)
    pool = Gauge("connection_pool", "", ["state"], registry=registry)
    pool.labels("idle").set(3)
    pool.labels("used").set(7)
    codes = Counter("http_responses", "", ["code", "path"], registry=registry)
    for number, code in enumerate(("200", "404", "500", "503"), start=1):
        codes.labels(code, "/api").inc(number)
    Gauge("not_yet", "", registry=registry).set(float("nan"))
    duration = Histogram("query_execution_duration", "", buckets=BUCKETS, registry=registry)
    for seconds in (0.05, 0.2, 0.3, 0.9):
        duration.observe(seconds)
    Histogram("unused_seconds", "", buckets=BUCKETS, registry=registry)
    Summary("payload", "", registry=registry).observe(5)
    with serving(MetricsHandler.factory(registry)) as url:
        yield f"{url}/metrics"
