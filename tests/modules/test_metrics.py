from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from engine.contract import ModuleFailed
from engine.errors import LinkLost, Unreachable
from tests.lab.ports import free_port
from tests.modules.exporting import Busy, exporter
from tests.modules.fakes import FakeConnection, here, target
from tests.modules.sequence import module, probe
from tests.modules.servers import http_server, saying

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.modules.sequence import Outcome


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with exporter() as at:
        yield at


def ask(url: str, **args: Any) -> Outcome:
    return probe("metrics", {"url": url, **args}, here())


def serving(text: str) -> Any:
    head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(text)}\r\n\r\n"
    return saying(head.encode() + text.encode())


def test_a_metric(url: str) -> None:
    outcome = ask(url, name="go_goroutines")
    assert outcome.seen["value"] == 42
    assert outcome.seen["values"] == {"go_goroutines": 42}
    assert outcome.seen["series"] == [{"name": "go_goroutines", "labels": {}, "value": 42}]
    assert (outcome.seen["matching"], outcome.seen["error"]) == (1, None)
    assert 0 < outcome.seen["elapsed"] < 10
    assert outcome.finding is None
    assert outcome.summary == "go_goroutines 42"


def test_bytes_are_told_as_such(url: str) -> None:
    outcome = ask(url, name="process_resident_memory_bytes")
    assert outcome.summary == "process_resident_memory_bytes 512 MiB"


@pytest.mark.parametrize(
    ("aggregate", "value"), [("sum", 10), ("max", 4), ("min", 1), ("avg", 2.5), ("count", 4)]
)
def test_series_are_put_together(aggregate: str, value: float, url: str) -> None:
    outcome = ask(url, name="http_responses_total", aggregate=aggregate)
    assert outcome.seen["value"] == value
    assert outcome.summary == f"http_responses_total {value:g} ({aggregate} of 4 series)"
    assert len(outcome.seen["series"]) == 4


@pytest.mark.parametrize(
    ("labels", "value"),
    [
        ({"code": "500"}, 3),
        ({"code": 500}, 3),
        ({"code": "~5.."}, 7),
        ({"code": "~5|4"}, None),
        ({"code": "~.*", "path": "/api"}, 10),
        ({"code": "500", "path": "/"}, None),
        ({"other": ""}, 10),
    ],
)
def test_series_are_picked_by_labels(labels: dict[str, str], value: float | None, url: str) -> None:
    assert ask(url, name="http_responses_total", labels=labels).seen["value"] == value


def test_it_is_told_of_how_many_series_a_figure_is(url: str) -> None:
    assert ask(url, name="connection_pool").summary == "connection_pool 10 (sum of 2 series)"


def test_names_that_match(url: str) -> None:
    outcome = ask(url, match="^go_|pool")
    assert outcome.seen["values"] == {"connection_pool": 10, "go_goroutines": 42}
    assert outcome.seen["value"] is None
    assert outcome.finding is None
    assert outcome.summary == "2 metrics: connection_pool 10, go_goroutines 42"
    assert ask(url, match="^go_").seen["value"] == 42
    assert ask(url, match=".").summary.endswith(", …")


def test_a_metric_that_is_not_there_is_none_and_not_zero(url: str) -> None:
    outcome = ask(url, name="go_goroutine")
    assert outcome.seen["value"] is None
    assert outcome.finding == "no metric 'go_goroutine'; did you mean go_goroutines?"
    assert outcome.summary == outcome.finding
    assert ask(url, name="zzz").finding == "no metric 'zzz'"
    finding = ask(url, name="http_responses").finding
    assert finding == (
        "no metric 'http_responses'; did you mean http_responses_total or http_responses_created?"
    )
    assert str(ask(url, match="zzz").finding).startswith("none of ")


def test_labels_that_no_series_has_are_told_with_those_that_are_there(url: str) -> None:
    outcome = ask(url, name="connection_pool", labels={"state": "free"})
    assert outcome.seen["value"] is None
    assert outcome.finding == (
        "no series of connection_pool has these labels: state is 'idle', 'used'"
    )


def test_what_is_not_a_number_is_a_finding(url: str) -> None:
    outcome = ask(url, name="not_yet")
    assert outcome.seen["value"] is None
    assert outcome.finding == "not_yet has no value yet"


def test_a_quantile_of_a_histogram(url: str) -> None:
    outcome = ask(url, name="query_execution_duration", quantile=0.5)
    assert outcome.seen["value"] == pytest.approx(0.3)
    assert outcome.seen["observed"] == 4
    assert outcome.summary == "query_execution_duration 0.3 (0.5 quantile of 4 observed)"
    same = ask(url, name="query_execution_duration_bucket", quantile=0.5)
    assert same.seen["value"] == outcome.seen["value"]
    empty = ask(url, name="unused_seconds", quantile=0.5)
    assert (empty.seen["value"], empty.finding) == (None, "unused_seconds has no value yet")


def test_a_histogram_needs_a_quantile(url: str) -> None:
    assert str(ask(url, name="query_execution_duration").finding).startswith(
        "query_execution_duration is a histogram: give a quantile, or one of "
        "query_execution_duration_bucket, query_execution_duration_sum, "
    )
    assert ask(url, name="query_execution_duration_count").seen["value"] == 4
    finding = ask(url, name="go_goroutines", quantile=0.5).finding
    assert finding == "go_goroutines has no buckets and no quantile 0.5 of its own"


def test_a_summarys_own_quantile() -> None:
    text = (
        'rpc{quantile="0.5",to="a"} 7\nrpc{quantile="0.9",to="a"} 9\nrpc{quantile="0.9",to="b"} 8\n'
    )
    with serving(text) as url:
        assert ask(url, name="rpc", quantile=0.5).seen["value"] == 7
    with serving(text) as url:
        assert ask(url, name="rpc", quantile=0.9, labels={"to": "b"}).seen["value"] == 8
    with serving(text) as url:
        assert ask(url, name="rpc", quantile=0.9).finding == (
            "quantiles of 2 series cannot be put together: pick one by its labels"
        )


def test_a_rate_over_two_scrapes() -> None:
    with exporter(Busy()) as url:
        outcome = ask(url, name="requests_total", over="100ms")
    # Ten more, a tenth of a second or somewhat more apart.
    assert 10 / outcome.seen["elapsed"] <= outcome.seen["value"] <= 100
    assert outcome.summary.endswith("/s")
    assert outcome.finding is None


def test_a_quantile_of_what_was_observed_in_between() -> None:
    with exporter(Busy()) as url:
        before = ask(url, name="request_seconds", quantile=0.5).seen["value"]
        since = ask(url, name="request_seconds", quantile=0.5, over="100ms")
    assert before < 0.1
    assert since.seen["value"] == pytest.approx(0.3)
    assert " observed in 100 ms)" in since.summary


def test_a_wait_that_does_not_fit_is_a_failure(url: str) -> None:
    with pytest.raises(ModuleFailed, match="does not fit into the task's timeout"):
        ask(url, name="go_goroutines", over="1h")


def test_a_closed_port_is_evidence() -> None:
    outcome = ask(f"http://127.0.0.1:{free_port()}/metrics", name="x")
    assert outcome.seen["value"] is None
    assert str(outcome.finding).startswith("no answer: ")
    assert "refused" in outcome.summary


def test_what_is_no_exposition_is_evidence() -> None:
    with http_server() as url:
        assert ask(f"{url}/status/404", name="x").finding == "status 404, expected 200"
        assert ask(f"{url}/json", name="x").finding == (
            'the answer is no Prometheus text: \'{"status": "ok", "pool": {"free": 3}}\''
        )
        assert ask(f"{url}/body/17000000", name="x").finding == (
            "the answer is longer than 16.0 MiB"
        )
    with serving("x{ 1\n") as url:
        assert str(ask(url, name="x").finding).startswith("the answer is no Prometheus text: ")
    with serving('x_bucket{a="1"} 1\n') as url:
        finding = ask(url, name="x", quantile=0.5).finding
        assert finding == "x_bucket has a bucket without a bound"


def test_what_is_kept_is_bounded() -> None:
    text = "".join(f'x{{n="{n}"}} 1\ny_{n} 2\n' for n in range(2000))
    with serving(text) as url:
        seen = ask(url, name="x").seen
    assert (seen["value"], seen["matching"], len(seen["series"])) == (2000, 2000, 100)
    with serving(text) as url:
        assert len(ask(url, match="^y_").seen["values"]) == 100


@pytest.mark.parametrize("error", [Unreachable("no route"), LinkLost("the link died")])
def test_a_host_that_cannot_be_reached_is_no_evidence_of_the_server(error: Exception) -> None:
    args = {"url": "http://x/metrics", "name": "x"}
    with pytest.raises(type(error)):
        probe("metrics", args, target(FakeConnection(refuse=error)))


@pytest.mark.parametrize(
    "args",
    [
        {"url": "http://x"},
        {"url": "x", "name": "y"},
        {"url": "http://x", "name": "y", "match": "z"},
        {"url": "http://x", "name": 'y{code="500"}'},
        {"url": "http://x", "match": "("},
        {"url": "http://x", "name": "y", "labels": {"a": "~("}},
        {"url": "http://x", "name": "y", "labels": {"a=b": "c"}},
        {"url": "http://x", "name": "y", "aggregate": "median"},
        {"url": "http://x", "name": "y", "over": 0},
        {"url": "http://x", "name": "y", "quantile": 95},
        {"url": "http://x", "match": "y", "quantile": 0.5},
    ],
)
def test_wrong_arguments_are_refused(args: dict[str, Any]) -> None:
    with pytest.raises(msgspec.ValidationError):
        module("metrics", args)
