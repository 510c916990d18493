"""`metrics`: read figures from a program's Prometheus endpoint, on the host's own network."""

from __future__ import annotations

import difflib
import math
import time
from typing import Annotated, Literal

from msgspec import field
from msgspec.structs import replace

from engine.contract import (
    DeadlineExceeded,
    DialRefused,
    Duration,
    Meta,
    Pattern,
    Probe,
    Struct,
    Target,
    amount,
    contains,
    count,
    duration,
    figure,
    seconds,
    since,
)
from engine.contract.exposition import (
    PARTS,
    Exposition,
    Series,
    bucket_quantile,
    changes,
    read_exposition,
)
from engine.contract.http import HttpClient, read_body

BODY_LIMIT = 16 * 2**20
"""Bytes of an answer that are read."""
KEPT = 100
"""Series, and names, that are kept of what matches."""

MetricName = Annotated[str, Meta(pattern=r'^[^\s{}"]+$', title="metric name")]
LabelName = Annotated[str, Meta(pattern=r'^[^\s{}"=~]+$', title="label name")]
Aggregate = Literal["sum", "max", "min", "avg", "count"]


class NoFigure(Exception):
    """There is none, and why."""


class Figures(Struct, frozen=True, kw_only=True):
    """What was read.

    Args:
        value: the figure; None where there is none, or several metrics match.
        values: the figure of each metric that matches, the first 100.
        series: what they were made of, the first 100.
        matching: of how many series they were made.
        observed: how many observations a quantile was taken of; None without one.
        elapsed: seconds for all of it.
        error: why there is no figure; None where there is one.
    """

    elapsed: float = 0
    value: float | None = None
    values: dict[str, float | None] = field(default_factory=dict)
    series: list[Series] = field(default_factory=list)
    matching: int = 0
    observed: float | None = None
    error: str | None = None


class Metrics(HttpClient, Probe[Figures], frozen=True, kw_only=True):
    """Read figures from a program's Prometheus endpoint, as the host sees it.

    One metric by its exact `name`, or all whose names `match` a pattern. Several series of a
    name are put together by `aggregate`. A server that does not answer, and a metric that is not
    there, are evidence and not errors: `value` is then none and not zero, `error` says why, and
    the task has a finding.

    Args:
        url: of the endpoint, as the host sees it.
        name: the metric, such as `go_goroutines`.
        match: instead of `name`, an RE2 pattern for names; `values` has the figure of each.
        labels: that a series must have: `status: 500`, or `status: "~5.."` for an RE2 pattern
            that the whole value must match.
        aggregate: how several series of a name become one figure.
        over: not what the figures are, but how much they change a second: two scrapes, so far
            apart. A counter that begins anew in between is seen through.
        quantile: of a histogram, such as 0.95: the value below which so much of what it observed
            lies, as far as its buckets tell; with `over`, of what it observed in that time. A
            summary's own quantile is taken as it is.
        headers: sent with the request.
        max_time: how long one scrape may take.
        verify: whether to check TLS certificates and names.
        ca: a PEM file on the controller with the authorities to trust.

    **Source:** Prometheus, "Exposition formats"; promql/quantile.go for quantiles of buckets.
    """

    name: MetricName | None = None
    match: Pattern | None = None
    labels: dict[LabelName, str | int] = field(default_factory=dict)
    aggregate: Aggregate = "sum"
    over: Duration | None = None
    quantile: Annotated[float, Meta(ge=0, le=1)] | None = None

    def __post_init__(self) -> None:
        """Refuse what does not go together, and patterns that RE2 cannot read.

        Raises:
            ValueError: the arguments are wrong.
        """
        super().__post_init__()
        if (self.name is None) == (self.match is None):
            raise ValueError("one of name and match is needed, and not both")
        if self.quantile is not None and self.name is None:
            raise ValueError("a quantile is of one metric: give its name")
        if self.over is not None and seconds(self.over) <= 0:
            raise ValueError("over is too short for a change to be seen")
        contains("", self.match or "")
        for value in self.labels.values():
            _is("", str(value))

    def observe(self, target: Target) -> Figures:
        """Scrape once, or twice with a while in between."""
        started = time.monotonic()
        try:
            seen = self._figures(target)
        except (DeadlineExceeded, DialRefused) as failure:
            seen = Figures(error=f"no answer: {failure.message}")
        except NoFigure as why:
            seen = Figures(error=str(why))
        return replace(seen, elapsed=since(started))

    def finding(self, seen: Figures) -> str | None:
        """No answer, no such metric, not a number."""
        return seen.error

    def summary(self, seen: Figures) -> str:
        """`go_goroutines 42`."""
        if seen.error is not None:
            return seen.error
        rate = "/s" if self.over is not None and self.quantile is None else ""
        told = [f"{name} {_shown(name, value)}{rate}" for name, value in seen.values.items()]
        many = f"{len(told)} metrics: " if len(told) > 1 else ""
        return f"{many}{', '.join(told[:5])}{', …' if len(told) > 5 else ''}{self._of(seen)}"

    def _of(self, seen: Figures) -> str:
        if seen.observed is not None:
            within = f" in {duration(seconds(self.over))}" if self.over is not None else ""
            return f" ({self.quantile:g} quantile of {seen.observed:g} observed{within})"
        if len(seen.values) == 1 and seen.matching > 1:
            return f" ({self.aggregate} of {seen.matching} series)"
        return ""

    def _figures(self, target: Target) -> Figures:
        """All that there is to say.

        Raises:
            NoFigure: there is none.
        """
        first = self._scrape(target)
        if self.over is None:
            return self._told(first.series)
        began = time.monotonic()
        target.pause(seconds(self.over))
        second = self._scrape(target)
        return self._told(changes(first, second, time.monotonic() - began))

    def _scrape(self, target: Target) -> Exposition:
        headers = {"accept": "text/plain;version=0.0.4", "accept-encoding": "identity"}
        with (
            self.client(target) as client,
            client.stream("GET", self.url, headers={**headers, **self.headers}) as response,
        ):
            if response.status_code != 200:
                raise NoFigure(f"status {response.status_code}, expected 200")
            content, truncated = read_body(response, BODY_LIMIT)
        if truncated:
            raise NoFigure(f"the answer is longer than {amount(BODY_LIMIT)}")
        text = content.decode("utf-8", "replace")
        try:
            found = read_exposition(text, self._wants)
        except ValueError as error:
            raise NoFigure(f"the answer is no Prometheus text: {error}") from error
        if not found.names:
            raise NoFigure(f"the answer is no Prometheus text: {text.strip()[:60]!r}")
        if not found.series:
            raise NoFigure(self._missing(found.names))
        fitting = [each for each in found.series if self._fits(each)]
        if not fitting:
            raise NoFigure(self._other_labels(found.series))
        return replace(found, series=fitting)

    def _wants(self, name: str) -> bool:
        if self.match is not None:
            return contains(name, self.match)
        buckets = f"{self._histogram()}_bucket"
        return name == self.name or (self.quantile is not None and name == buckets)

    def _histogram(self) -> str:
        return str(self.name).removesuffix("_bucket")

    def _fits(self, series: Series) -> bool:
        return all(
            _is(series.labels.get(name, ""), str(value)) for name, value in self.labels.items()
        )

    def _missing(self, names: set[str]) -> str:
        if self.match is not None:
            return f"none of {count(len(names), 'metric')} matches {self.match!r}"
        name = str(self.name)
        parts = [f"{name}{part}" for part in PARTS if f"{name}{part}" in names]
        if f"{name}_bucket" in parts:
            return f"{name} is a histogram: give a quantile, or one of {', '.join(parts)}"
        near = parts or difflib.get_close_matches(name, sorted(names))
        return f"no metric {name!r}" + (f"; did you mean {' or '.join(near)}?" if near else "")

    def _other_labels(self, series: list[Series]) -> str:
        there = []
        for label in self.labels:
            values = sorted({each.labels.get(label, "") for each in series})
            shown = ", ".join(repr(value) for value in values[:10])
            there.append(f"{label} is {shown}{', …' if len(values) > 10 else ''}")
        return f"no series of {series[0].name} has these labels: {'; '.join(there)}"

    def _told(self, series: list[Series]) -> Figures:
        if self.quantile is not None:
            return self._quantile(series, self.quantile)
        groups: dict[str, list[Series]] = {}
        for each in series:
            groups.setdefault(each.name, []).append(each)
        values = {name: self._aggregated(groups[name]) for name in sorted(groups)[:KEPT]}
        return _figures(values, series)

    def _aggregated(self, series: list[Series]) -> float | None:
        if self.aggregate == "count":
            return len(series)
        numbers = [each.value for each in series if each.value is not None]
        if not numbers:
            return None
        if self.aggregate in {"max", "min"}:
            return max(numbers) if self.aggregate == "max" else min(numbers)
        return math.fsum(numbers) / (len(numbers) if self.aggregate == "avg" else 1)

    def _quantile(self, series: list[Series], fraction: float) -> Figures:
        buckets = [each for each in series if each.name == f"{self._histogram()}_bucket"]
        if not buckets:
            return self._summary_quantile(series, fraction)
        bounds: dict[float, float] = {}
        for each in buckets:
            bound = _bound(each)
            bounds[bound] = bounds.get(bound, 0) + (each.value or 0)
        told = _figures({self._histogram(): bucket_quantile(bounds, fraction)}, buckets)
        # With `over` the buckets tell what was observed a second.
        observed = max(bounds.values()) * (1 if self.over is None else seconds(self.over))
        return replace(told, observed=round(observed, 3))

    def _summary_quantile(self, series: list[Series], fraction: float) -> Figures:
        own = [each for each in series if each.labels.get("quantile") == f"{fraction:g}"]
        if not own:
            raise NoFigure(f"{self.name} has no buckets and no quantile {fraction:g} of its own")
        if len(own) > 1:
            raise NoFigure(
                f"quantiles of {len(own)} series cannot be put together: pick one by its labels"
            )
        return _figures({own[0].name: own[0].value}, own)


def _figures(values: dict[str, float | None], series: list[Series]) -> Figures:
    (name, value), *more = values.items()
    return Figures(
        value=None if more else value,
        values=values,
        series=series[:KEPT],
        matching=len(series),
        error=f"{name} has no value yet" if not more and value is None else None,
    )


def _bound(bucket: Series) -> float:
    try:
        return float(bucket.labels["le"])
    except (KeyError, ValueError):
        raise NoFigure(f"{bucket.name} has a bucket without a bound") from None


def _is(value: str, wanted: str) -> bool:
    """Whether a label's value is what is wanted of it."""
    if wanted.startswith("~"):
        return contains(value, f"^(?:{wanted[1:]})$")
    return value == wanted


def _shown(name: str, value: float | None) -> str:
    if value is None:
        return "none"
    if name.endswith("_bytes"):
        return amount(value) if value >= 0 else f"-{amount(-value)}"
    return figure(value)


EXAMPLE = """
name: Slow queries
metrics:
  url: http://localhost:8080/metrics
  name: query_execution_duration_seconds
  quantile: 0.95
  over: 10s
register: queries
expect: result.value < 0.5
"""
