"""Prometheus' text format: what a program tells of itself, and what can be made of it."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

PARTS = ("_bucket", "_sum", "_count", "_total", "_created")
"""What is added to a family's name in the names of its series."""

# Both look at the starts of lines alone, so no text makes them slow.
_NAME = re.compile(
    r'^[ \t]*(?:([a-zA-Z_:][\w:]*)[ \t{]|\{[ \t]*"([^"\\\n]+)"[ \t]*[,}])', re.MULTILINE
)
_TYPE = re.compile(r'^# TYPE "?([^\s"]+)"? (\w+)', re.MULTILINE)
_COUNTERS = frozenset({"counter", "histogram", "summary"})


class Series(Struct, frozen=True, kw_only=True):
    """One time series.

    Args:
        name: the metric's.
        labels: that tell it from others of that name.
        value: its figure, or its change a second; None for what is not a finite number.
    """

    name: str
    labels: dict[str, str]
    value: float | None


class Exposition(Struct, frozen=True):
    """What was read of it.

    Args:
        names: of all series.
        types: of the families, as far as told: `counter`, `gauge`…
        series: those that were wanted.
    """

    names: set[str]
    types: dict[str, str]
    series: list[Series]

    def is_counter(self, name: str) -> bool:
        """Whether a series only grows, until its program begins anew."""
        families = (name, *(name.removesuffix(part) for part in PARTS))
        types = {self.types[family] for family in families if family in self.types}
        return bool(types & _COUNTERS) or (not types and name.endswith(PARTS))


def read_exposition(text: str, wants: Callable[[str], bool]) -> Exposition:
    """Read the series whose names are wanted; the lines of the others cost next to nothing.

    Args:
        text: as it was served, in Prometheus' or OpenMetrics' format.
        wants: says so of a name.

    Raises:
        ValueError: a line that is wanted is none of the format's.
    """
    from prometheus_client.parser import text_string_to_metric_families

    names = {found[1] or found[2] for found in _NAME.finditer(text)}
    wanted = {name for name in names if wants(name)}
    lines = [line for line in text.split("\n") if _name_of(line) in wanted]
    families = text_string_to_metric_families("\n".join([*lines, ""]))
    series = [
        Series(name=sample.name, labels=dict(sample.labels), value=finite(sample.value))
        for family in families
        for sample in family.samples
    ]
    return Exposition(names, dict(_TYPE.findall(text)), series)


def changes(first: Exposition, second: Exposition, apart: float) -> list[Series]:
    """How much each series changed a second.

    A counter that is less than before began anew at zero, and one that was not there before
    began at zero, too.

    Args:
        first: the series before.
        second: the series after.
        apart: the seconds in between.
    """
    before = {_identity(each): each.value for each in first.series}
    changed = []
    for each in second.series:
        counter = second.is_counter(each.name)
        earlier = before.get(_identity(each), 0 if counter else None)
        value = None
        if each.value is not None and earlier is not None:
            anew = counter and each.value < earlier
            value = (each.value - (0 if anew else earlier)) / apart
        changed.append(replace(each, value=value))
    return changed


def bucket_quantile(buckets: Mapping[float, float], fraction: float) -> float | None:
    """The value below which that fraction of what a histogram observed lies.

    Within a bucket it is taken to be spread evenly.

    Args:
        buckets: how many were observed up to each upper bound; the last one is infinity.
        fraction: 0 to 1.

    Returns:
        None where nothing was observed. Above the highest finite bound it is that bound.

    **Source:** Prometheus, promql/quantile.go, `bucketQuantile`.
    """
    bounds = sorted(buckets)
    total = buckets[bounds[-1]] if bounds else 0
    if total <= 0 or not math.isinf(bounds[-1]) or len(bounds) < 2:
        return None
    rank = fraction * total
    at = next(n for n, bound in enumerate(bounds) if buckets[bound] >= rank)
    if at == len(bounds) - 1:
        return bounds[-2]
    if at == 0 and bounds[0] <= 0:
        return bounds[0]
    low, below = (bounds[at - 1], buckets[bounds[at - 1]]) if at else (0.0, 0.0)
    inside = buckets[bounds[at]] - below
    return low + (bounds[at] - low) * (rank - below) / inside if inside else low


def finite(value: float) -> float | None:
    """A number as JSON knows it."""
    return value if math.isfinite(value) else None


def _name_of(line: str) -> str:
    found = _NAME.match(line)
    return (found[1] or found[2]) if found else ""


def _identity(series: Series) -> tuple[str, frozenset[tuple[str, str]]]:
    return series.name, frozenset(series.labels.items())
