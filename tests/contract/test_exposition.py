from __future__ import annotations

import math
from typing import Any

import pytest

from engine.contract.exposition import Exposition, Series, bucket_quantile, changes, read_exposition

TEXT = r"""# HELP http_requests_total The total number of HTTP requests.
# TYPE http_requests_total counter
http_requests_total{method="post",code="200"} 1027 1395066363000
http_requests_total{method="post",code="400"}    3 1395066363000
# Escaping in label values:
msdos_file_access_time_seconds{path="C:\\DIR\\FILE.TXT",error="Cannot find file:\n\"FILE.TXT\""} 1.458255915e9
metric_without_timestamp_and_labels 12.47
something_weird{problem="division by zero"} +Inf -3982045
	indented NaN
{"http.server.duration", route="/"} 5
broken{ 1
# TYPE rpc_duration_seconds summary
rpc_duration_seconds{quantile="0.5"} 4773
rpc_duration_seconds_sum 1.7560473e+07
exemplified_bucket{le="1"} 7 # {trace_id="abc"} 0.5 1395066363.0
# EOF
"""  # noqa: E501 - as it is served


def read(*names: str, text: str = TEXT) -> list[tuple[str, dict[str, str], float | None]]:
    found = read_exposition(text, lambda name: name in names)
    return [(each.name, each.labels, each.value) for each in found.series]


def test_series_of_a_name() -> None:
    assert read("http_requests_total") == [
        ("http_requests_total", {"method": "post", "code": "200"}, 1027),
        ("http_requests_total", {"method": "post", "code": "400"}, 3),
    ]


@pytest.mark.parametrize(
    ("name", "labels", "value"),
    [
        ("metric_without_timestamp_and_labels", {}, 12.47),
        ("something_weird", {"problem": "division by zero"}, None),
        ("indented", {}, None),
        ("http.server.duration", {"route": "/"}, 5),
        ("exemplified_bucket", {"le": "1"}, 7),
        (
            "msdos_file_access_time_seconds",
            {"path": r"C:\DIR\FILE.TXT", "error": 'Cannot find file:\n"FILE.TXT"'},
            1.458255915e9,
        ),
    ],
)
def test_every_form_of_a_line(name: str, labels: dict[str, str], value: float | None) -> None:
    assert read(name) == [(name, labels, value)]


def test_all_names_are_known_and_only_what_is_wanted_is_read() -> None:
    found = read_exposition(TEXT, lambda name: name == "")
    assert found.series == []
    assert {"http_requests_total", "http.server.duration", "broken"} <= found.names
    assert found.types == {"http_requests_total": "counter", "rpc_duration_seconds": "summary"}


def test_a_line_that_is_wanted_and_none_is_an_error() -> None:
    with pytest.raises(ValueError, match=r"broken|float"):
        read("broken")


@pytest.mark.parametrize("text", ["", "<html><body>no</body></html>", "\x00\x01", "{}", "# EOF"])
def test_what_is_no_exposition_has_no_names(text: str) -> None:
    assert read_exposition(text, bool).names == set()


@pytest.mark.parametrize(
    ("types", "name", "counter"),
    [
        ({"x_total": "counter"}, "x_total", True),
        ({"x": "counter"}, "x_total", True),
        ({"x": "histogram"}, "x_bucket", True),
        ({"x": "summary"}, "x_count", True),
        ({"x": "gauge"}, "x", False),
        ({"x_count": "gauge"}, "x_count", False),
        ({}, "x_total", True),
        ({}, "x", False),
        ({"x": "untyped"}, "x", False),
    ],
)
def test_a_counter_is_known_by_its_type_or_its_name(
    types: dict[str, str], name: str, counter: bool
) -> None:
    assert Exposition(set(), types, []).is_counter(name) is counter


def at(value: float | None, kind: str = "counter", **labels: str) -> Exposition:
    return Exposition({"x"}, {"x": kind}, [Series(name="x", labels=labels, value=value)])


@pytest.mark.parametrize(
    ("first", "second", "a_second"),
    [
        (at(10), at(30), 2),
        (at(10), at(10), 0),
        (at(10), at(5), 0.5),
        (at(10, a="1"), at(5, a="2"), 0.5),
        (at(10, "gauge"), at(5, "gauge"), -0.5),
        (at(10, "gauge", a="1"), at(5, "gauge", a="2"), None),
        (at(None), at(5), None),
        (at(5), at(None), None),
    ],
)
def test_changes_a_second(first: Exposition, second: Exposition, a_second: float | None) -> None:
    (changed,) = changes(first, second, 10)
    assert changed.value == a_second
    assert changed.labels == second.series[0].labels


BUCKETS = {0.1: 10.0, 0.5: 40.0, 1: 90.0, math.inf: 100.0}


@pytest.mark.parametrize(
    ("buckets", "fraction", "value"),
    [
        (BUCKETS, 0, 0),
        (BUCKETS, 0.05, 0.05),
        (BUCKETS, 0.1, 0.1),
        (BUCKETS, 0.25, 0.3),
        (BUCKETS, 0.65, 0.75),
        (BUCKETS, 0.9, 1),
        (BUCKETS, 0.95, 1),
        (BUCKETS, 1, 1),
        ({0.1: 0, 0.5: 0, math.inf: 0}, 0.5, None),
        ({math.inf: 7}, 0.5, None),
        ({0.1: 1, math.inf: 1}, 0.5, 0.05),
        ({0.1: 7, 0.5: 7}, 0.5, None),
        ({}, 0.5, None),
        ({0.1: 0, 0.5: 10, math.inf: 10}, 0, 0),
        ({-1: 5, 1: 10, math.inf: 10}, 0.25, -1),
    ],
)
def test_a_quantile_of_buckets(
    buckets: dict[float, float], fraction: float, value: float | None
) -> None:
    found = bucket_quantile(buckets, fraction)
    assert found == (value if value is None else pytest.approx(value))


def test_any_order_of_buckets_will_do() -> None:
    shuffled: dict[Any, float] = dict(reversed(BUCKETS.items()))
    assert bucket_quantile(shuffled, 0.25) == pytest.approx(0.3)
