"""`prometheus_query`: ask a Prometheus server, on the host's own network."""

from __future__ import annotations

import math
import time
from typing import Annotated, Any

import msgspec
from msgspec import field

from engine.contract import (
    Duration,
    Meta,
    ModuleFailed,
    Moment,
    Probe,
    Struct,
    Target,
    amount,
    convert,
    cut,
    duration,
    figure,
    from_json,
    seconds,
    since,
    when,
)
from engine.contract.exposition import finite
from engine.contract.http import HttpClient, read_body

BODY_LIMIT = 16 * 2**20
"""Bytes of an answer that are read."""
KEPT = 100
"""Series that are kept, and points of each."""
STEPS = 60
"""Points of a range that does not say."""
SHOWN = 80
"""Characters of a query that a message shows."""


class _Sample(Struct, frozen=True):
    """A series as the API tells it."""

    metric: dict[str, str] = field(default_factory=dict)
    value: tuple[float, str] | None = None
    values: list[tuple[float, str]] = field(default_factory=list)


class _Data(Struct, frozen=True, rename="camel"):
    result_type: str
    result: Any


class _Answer(Struct, frozen=True, rename="camel"):
    """What the API wraps everything in."""

    status: str
    data: _Data | None = None
    error_type: str = ""
    error: str = ""
    warnings: list[str] = field(default_factory=list)
    infos: list[str] = field(default_factory=list)


class Point(Struct, frozen=True, array_like=True):
    """A value at a time.

    Args:
        at: seconds since 1970.
        value: None for what is not a finite number.
    """

    at: float
    value: float | None


class Result(Struct, frozen=True, kw_only=True):
    """One series of the answer.

    Args:
        labels: that tell it from the others.
        value: its figure; of a range the last one. None for what is not a finite number.
        at: when it was so, seconds since 1970.
        points: of a range: the last 100.
        min: of a range: the least of all its points.
        max: the greatest.
        avg: their mean.
    """

    labels: dict[str, str]
    value: float | None
    at: float
    points: list[Point] = field(default_factory=list)
    min: float | None = None
    max: float | None = None
    avg: float | None = None


class Results(Struct, frozen=True, kw_only=True):
    """What Prometheus answered.

    Args:
        value: of the only series; None where there is none, or several.
        series: the first 100.
        matching: how many there are.
        warnings: Prometheus' own, such as that a part of the data is missing.
        elapsed: seconds for all of it.
    """

    value: float | None
    series: list[Result]
    matching: int
    warnings: list[str]
    elapsed: float


class PrometheusQuery(HttpClient, Probe[Results], frozen=True, kw_only=True):
    """Ask a Prometheus server a question in PromQL, as the host sees it.

    `value` is the figure where the answer is one series; put several together in the query
    (`max(…)`), or look at `series`. No series is a finding and not zero. Where Prometheus does
    not answer, or refuses the query, the task fails with its words.

    Args:
        url: of the server, `http://localhost:9090`; also of what speaks its API.
        query: in PromQL.
        at: for when to ask: a length of time before the server's now, or a time; now unless given.
        range: not for one moment, but for so long until then.
        step: the time between two points of a range; a sixtieth of it unless given.
        headers: sent with the request, such as `Authorization`.
        max_time: how long the answer may take, for Prometheus itself too.
        verify: whether to check TLS certificates and names.
        ca: a PEM file on the controller with the authorities to trust.

    **Source:** Prometheus, "HTTP API".
    """

    query: Annotated[str, Meta(min_length=1, title="PromQL", examples=["up == 0"])]
    at: Moment | None = None
    range: Duration | None = None
    step: Duration | None = None

    def __post_init__(self) -> None:
        """Refuse a step without a range, and one of no length.

        Raises:
            ValueError: the arguments do not go together.
        """
        super().__post_init__()
        if self.step is not None and self.range is None:
            raise ValueError("step is given, but no range")
        if self.at is not None:
            when(self.at, now=0)
        if any(each is not None and seconds(each) <= 0 for each in (self.range, self.step)):
            raise ValueError("range and step must be longer than nothing")

    def observe(self, target: Target) -> Results:
        """Ask once; where that depends on the server's time, ask for that first."""
        started = time.monotonic()
        if self.range is None:
            at = {} if self.at is None else {"time": str(self._at(target, self.at))}
            answer = self._ask(target, "query", query=self.query, **at)
        else:
            answer = self._ask(target, "query_range", query=self.query, **self._range(target))
        series = _series(answer)
        return Results(
            value=series[0].value if len(series) == 1 else None,
            series=series[:KEPT],
            matching=len(series),
            warnings=[*answer.warnings, *answer.infos],
            elapsed=since(started),
        )

    def finding(self, seen: Results) -> str | None:
        """No series, or one that has no value."""
        if not seen.matching:
            return f"no series: {_short(self.query)}"
        if seen.matching == 1 and seen.value is None:
            return f"not a number: {_short(self.query)}"
        return None

    def summary(self, seen: Results) -> str:
        """`0.42`, with its labels if it has any, or `3 series: {job=api} 1, …`."""
        told = self._told(seen)
        return f"{told} · {seen.warnings[0]}" if seen.warnings else told

    def _told(self, seen: Results) -> str:
        if not seen.matching:
            return "no series"
        if seen.matching > 1:
            shown = ", ".join(f"{_labels(each)} {_shown(each.value)}" for each in seen.series[:3])
            return f"{seen.matching} series: {shown}{', …' if seen.matching > 3 else ''}"
        (only,) = seen.series
        if self.range is None:
            return f"{_labels(only)} {_shown(only.value)}" if only.labels else _shown(only.value)
        extent = f"{_shown(only.min)} to {_shown(only.max)}"
        return f"{_shown(only.value)} ({extent} in {duration(seconds(self.range))})"

    def _range(self, target: Target) -> dict[str, str]:
        assert self.range is not None
        length = seconds(self.range)
        step = seconds(self.step) if self.step is not None else max(length / STEPS, 1)
        ends = self._at(target, self.at or 0)
        return {"start": str(ends - length), "end": str(ends), "step": str(step)}

    def _at(self, target: Target, moment: str | float) -> float:
        """A moment in seconds since 1970, as the server counts them."""
        (now,) = _series(self._ask(target, "query", query="time()"))
        return when(moment, now.at)

    def _ask(self, target: Target, what: str, **params: str) -> _Answer:
        base = self.url.rstrip("/")
        params["timeout"] = f"{seconds(self.max_time):g}"
        with (
            self.client(target) as client,
            client.stream(
                "GET",
                f"{base}/api/v1/{what}",
                params=params,
                headers={"accept-encoding": "identity", **self.headers},
            ) as response,
        ):
            content, truncated = read_body(response, BODY_LIMIT)
        if truncated:
            raise ModuleFailed(f"the answer is longer than {amount(BODY_LIMIT)}: narrow the query")
        try:
            answer = from_json(content, _Answer)
        except msgspec.DecodeError:
            raise ModuleFailed(
                f"{base} does not speak Prometheus' API: status {response.status_code}"
            ) from None
        if answer.status != "success":
            raise ModuleFailed(f"Prometheus says: {answer.error_type}: {answer.error}")
        return answer


def _series(answer: _Answer) -> list[Result]:
    """The answer's series; one without labels for a scalar.

    Raises:
        ModuleFailed: it is of another kind.
    """
    kind = answer.data.result_type if answer.data else "nothing"
    try:
        if kind in {"vector", "matrix"}:
            assert answer.data is not None
            samples = convert(answer.data.result, list[_Sample])
            return [_result(sample) for sample in samples]
        if kind == "scalar":
            assert answer.data is not None
            return [_result(_Sample(value=convert(answer.data.result, tuple[float, str])))]
    except (msgspec.ValidationError, ValueError) as error:
        raise ModuleFailed(f"Prometheus' answer is not as expected: {error}") from error
    raise ModuleFailed(f"the query's answer is {kind}, which has no figure")


def _result(sample: _Sample) -> Result:
    if not sample.values:
        at, text = sample.value or (0, "nan")  # a native histogram has no one value
        return Result(labels=sample.metric, value=finite(float(text)), at=at)
    points = [Point(at, finite(float(text))) for at, text in sample.values]
    numbers = [point.value for point in points if point.value is not None]
    return Result(
        labels=sample.metric,
        value=points[-1].value,
        at=points[-1].at,
        points=points[-KEPT:],
        min=min(numbers, default=None),
        max=max(numbers, default=None),
        avg=math.fsum(numbers) / len(numbers) if numbers else None,
    )


def _labels(result: Result) -> str:
    inside = ", ".join(f"{name}={value}" for name, value in sorted(result.labels.items()))
    return f"{{{_short(inside)}}}"


def _shown(value: float | None) -> str:
    return "none" if value is None else figure(value)


def _short(text: str) -> str:
    return cut(" ".join(text.split()), SHOWN)


EXAMPLE = """
name: Share of failing requests
prometheus_query:
  url: http://localhost:9090
  query: >-
    sum(rate(http_requests_total{status=~"5.."}[5m])) / sum(rate(http_requests_total[5m]))
register: failing
expect: result.value < 0.01
"""
