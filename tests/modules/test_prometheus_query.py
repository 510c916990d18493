"""prometheus_query on the lab's Prometheus, which nobody reaches but through SSH."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from engine.contract import DialRefused, ModuleFailed, Target
from engine.errors import HostError
from tests.connections.helpers import eventually
from tests.lab.prometheus import PORT, start_prometheus
from tests.modules.exporting import exporter
from tests.modules.fakes import here, target
from tests.modules.sequence import probe
from tests.modules.servers import saying

if TYPE_CHECKING:
    from engine.connections.links import Links
    from tests.lab.lab import Lab
    from tests.modules.sequence import Outcome

pytestmark = pytest.mark.lab
URL = f"http://localhost:{PORT}"
CONFIG = """
scrape_configs:
  - job_name: nobody
    scrape_interval: 1s
    static_configs: [{targets: ["localhost:1"]}]
"""
BEGAN = int(time.time()) // 3600 * 3600 - 4 * 3600
"""The series of the past: a minute apart, for an hour."""


def past() -> str:
    lines = ["# TYPE queue gauge"]
    times = [BEGAN + 60 * n for n in range(61)]
    lines += [f'queue{{name="mail"}} {n} {at}' for n, at in enumerate(times)]
    lines += [f'queue{{name="sms"}} {100 - n} {at}' for n, at in enumerate(times)]
    lines += ["# TYPE odd gauge", *(f"odd NaN {at}" for at in times)]
    lines += ["# TYPE request_seconds histogram"]
    for bound, number in (("0.1", 10), ("0.5", 40), ("1", 90), ("+Inf", 100)):
        lines += [f'request_seconds_bucket{{le="{bound}"}} {number} {at}' for at in times]
    return "\n".join([*lines, "# EOF", ""])


@pytest.fixture(scope="module")
def db(lab: Lab, links: Links) -> Target:
    start_prometheus(lab.h1, CONFIG, past=past())
    return target(links.get("h1"), within=600)


def after(seconds: int) -> str:
    """A time of that past."""
    return datetime.fromtimestamp(BEGAN + seconds, UTC).isoformat()


def ask(db: Target, query: str, **args: Any) -> Outcome:
    return probe("prometheus_query", {"url": URL, "query": query, **args}, db)


def test_one_series_has_a_value(db: Target) -> None:
    outcome = ask(db, 'queue{name="mail"}', at=after(600))
    assert outcome.seen["value"] == 10
    assert outcome.seen["matching"] == 1
    (series,) = outcome.seen["series"]
    assert series["labels"] == {"__name__": "queue", "name": "mail"}
    assert (series["value"], series["at"], series["points"]) == (10, BEGAN + 600, [])
    assert outcome.seen["warnings"] == []
    assert 0 < outcome.seen["elapsed"] < 60
    assert outcome.finding is None
    assert outcome.summary == "{__name__=queue, name=mail} 10"
    assert ask(db, "max(queue)", at=after(600)).summary == "90"


def test_a_time_may_be_so_long_ago(db: Target) -> None:
    ago = f"{int(time.time()) - BEGAN - 630}s"  # between two points, which are a minute apart
    assert ask(db, 'queue{name="mail"}', at=ago).seen["value"] == 10
    outcome = ask(db, 'queue{name="mail"}', at=ago, range="5m")
    assert outcome.seen["value"] == 10


def test_several_series_have_no_value_of_their_own(db: Target) -> None:
    outcome = ask(db, "queue", at=after(600))
    assert outcome.seen["value"] is None
    assert [each["value"] for each in outcome.seen["series"]] == [10, 90]
    assert outcome.finding is None
    assert (
        outcome.summary == "2 series: {__name__=queue, name=mail} 10, {__name__=queue, name=sms} 90"
    )
    assert ask(db, "sum(queue)", at=after(600)).seen["value"] == 100


def test_no_series_is_a_finding_and_not_zero(db: Target) -> None:
    outcome = ask(db, "quueue")
    assert (outcome.seen["value"], outcome.seen["series"]) == (None, [])
    assert outcome.finding == "no series: quueue"
    assert outcome.summary == "no series"
    assert ask(db, "queue > 1000", at=after(600), range="5m").finding is not None


def test_what_is_not_a_number_is_a_finding(db: Target) -> None:
    outcome = ask(db, "odd", at=after(600))
    assert (outcome.seen["value"], outcome.seen["matching"]) == (None, 1)
    assert outcome.finding == "not a number: odd"
    assert outcome.summary == "{__name__=odd} none"


def test_a_scalar_is_one_series(db: Target) -> None:
    outcome = ask(db, "21 * 2")
    assert outcome.seen["value"] == 42
    assert outcome.seen["series"][0]["labels"] == {}


def test_a_range(db: Target) -> None:
    outcome = ask(db, 'queue{name="sms"}', at=after(1800), range="10m", step="1m")
    (series,) = outcome.seen["series"]
    assert series["points"] == [[BEGAN + 60 * n, 100 - n] for n in range(20, 31)]
    assert (series["min"], series["max"], series["avg"]) == (70, 80, 75)
    assert outcome.seen["value"] == 70
    assert outcome.summary == "70 (70 to 80 in 10 min)"


def test_a_range_has_points_enough_and_not_too_many(db: Target) -> None:
    (series,) = ask(db, 'queue{name="sms"}', at=after(3600), range="1h").seen["series"]
    assert [point[1] for point in series["points"]] == list(range(100, 39, -1))
    (series,) = ask(db, 'queue{name="sms"}', at=after(3600), range="1h", step=1).seen["series"]
    assert len(series["points"]) == 100
    assert (series["min"], series["max"]) == (40, 100)


def test_a_range_ends_with_the_servers_now(db: Target) -> None:
    assert eventually(lambda: ask(db, "up").seen["matching"] == 1)
    outcome = ask(db, "up", range="5m", step="1s")
    assert outcome.seen["value"] == 0
    assert abs(outcome.seen["series"][0]["at"] - time.time()) < 300


def test_quantiles_are_the_ones_that_metrics_finds(db: Target) -> None:
    text = "\n".join(line.rpartition(" ")[0] for line in past().splitlines() if f" {BEGAN}" in line)
    for fraction in (0.05, 0.25, 0.5, 0.9, 0.99):
        theirs = ask(db, f"histogram_quantile({fraction}, request_seconds_bucket)", at=after(0))
        answer = f"HTTP/1.1 200 OK\r\nContent-Length: {len(text) + 1}\r\n\r\n{text}\n"
        with saying(answer.encode()) as url:
            args = {"url": url, "name": "request_seconds", "quantile": fraction}
            ours = probe("metrics", args, here())
        assert ours.seen["value"] == pytest.approx(theirs.seen["value"])


def test_metrics_reads_prometheus_own(db: Target) -> None:
    outcome = probe("metrics", {"url": f"{URL}/metrics", "name": "go_goroutines"}, db)
    assert outcome.seen["value"] > 0
    assert outcome.finding is None


def test_what_is_kept_is_bounded(db: Target) -> None:
    many = "label_replace(vector(1), 'n', '{}', '', '')"
    query = " or ".join(many.format(n) for n in range(150))
    seen = ask(db, query).seen
    assert (seen["matching"], len(seen["series"])) == (150, 100)


def test_prometheus_own_words_are_told(db: Target) -> None:
    with pytest.raises(ModuleFailed) as failed:
        ask(db, "sum(")
    assert failed.value.message.startswith("Prometheus says: bad_data: ")
    assert "parse error" in failed.value.message
    with pytest.raises(ModuleFailed, match="exceeded maximum resolution of 11,000 points"):
        ask(db, "up", range="365d", step="1s")
    with pytest.raises(ModuleFailed, match="answer is string, which has no figure"):
        ask(db, "'text'")


def test_the_time_is_the_servers_too(db: Target) -> None:
    slow = "count_over_time(vector(1)[30d:1s])"
    with pytest.raises(HostError, match=r"timed out|no answer within"):
        ask(db, " + ".join([slow] * 20), max_time="300ms")


def test_no_server_there(db: Target) -> None:
    with pytest.raises(DialRefused):
        probe("prometheus_query", {"url": "http://localhost:9091", "query": "up"}, db)
    with exporter() as url, pytest.raises(ModuleFailed, match="does not speak Prometheus' API"):
        probe("prometheus_query", {"url": url, "query": "up"}, here())
