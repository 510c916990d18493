"""From a rule in Prometheus to a run: the payloads are those that Alertmanager sends."""

from __future__ import annotations

import json
import queue
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import TYPE_CHECKING, Any

import pytest

from engine.alerts import offered
from engine.events import RunStarted
from engine.language.matchers import read_matchers
from tests.lab.alertmanager import PORT, matching, send_alerts, start_alertmanager
from tests.lab.prometheus import start_prometheus

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.end_to_end.quell import Quell
    from tests.lab.lab import Host, Lab

pytestmark = pytest.mark.lab
RULES = """
groups:
  - name: pool
    rules:
      - alert: PgPoolExhausted
        expr: vector(0.97) > 0.9
        labels: {severity: page, datname: app, hostile: "$(reboot); {{ 7 }}{{`{{`}} 7*7 }}"}
        annotations: {summary: "{{ $value | humanizePercentage }} of the pool is in use"}
"""
CONFIG = f"""
global: {{evaluation_interval: 1s}}
rule_files: [/srv/rules.yml]
alerting: {{alertmanagers: [{{static_configs: [{{targets: ["localhost:{PORT}"]}}]}}]}}
"""
BOOK = """\
name: Pool
hosts: app
inputs: {database: {from: labels.datname, pattern: "^[a-z]+$"}}
triggers: [{match: ['alertname="PgPoolExhausted"', 'severity=~"critical|page"']}]
investigate:
  - {name: Say, shell: {probe: true, script: 'printf "%s|%s" "$1" "$2"',
      args: ["{{ database }}", "{{ alert.labels.hostile }}"]}}
"""


@contextmanager
def receiver(host: Host) -> Iterator[tuple[str, queue.Queue[bytes]]]:
    """A webhook on the controller that the host reaches: its address, and what it is sent."""
    received: queue.Queue[bytes] = queue.Queue()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            received.put(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *args: object) -> None:
            pass

    with ThreadingHTTPServer((host.gateway, 0), Handler) as server:
        thread = Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://{host.gateway}:{server.server_port}/", received
        server.shutdown()
        thread.join()


def alertname(payload: bytes) -> str:
    return str(json.loads(payload)["alerts"][0]["labels"]["alertname"])


@pytest.fixture(scope="module")
def sent(lab: Lab) -> Iterator[queue.Queue[bytes]]:
    """What Alertmanager sends for the rule above, and for what else it is given."""
    with receiver(lab.h2) as (url, received):
        lab.h2.write("/srv/rules.yml", RULES)
        start_alertmanager(lab.h2, url)
        start_prometheus(lab.h2, CONFIG)
        yield received


def test_a_rule_that_fires_starts_a_run(
    quell: Quell, inventory: Path, tmp_path: Path, sent: queue.Queue[bytes]
) -> None:
    payload = sent.get(timeout=60)
    while alertname(payload) != "PgPoolExhausted":
        payload = sent.get(timeout=60)
    file = tmp_path / "alert.json"
    file.write_bytes(payload)
    book = tmp_path / "pool.yml"
    book.write_text(BOOK)

    found = quell("match", file, book)
    assert found.code == 0, found.stderr
    assert "97% of the pool is in use" in found.stdout
    assert f"run      quell run {book} --alert {file}\n" in found.stdout

    ended = quell("run", book, "-i", inventory, "--alert", "-", "--json", stdin=payload.decode())
    assert ended.code == 0, ended.stderr
    assert "app|$(reboot); 7{{ 7*7 }}" in ended.stderr
    started = quell.events()[0]
    assert isinstance(started, RunStarted)
    assert started.alert is not None
    assert started.alert["fingerprint"] == json.loads(payload)["alerts"][0]["fingerprint"]


LABELS: list[dict[str, str]] = [
    {"alertname": "A", "severity": "critical"},
    {"alertname": "A", "severity": "warning", "team": "db"},
    {"alertname": "B", "note": 'say "hi", twice'},
    {"alertname": "B", "path": r"C:\temp", "lines": "one\ntwo"},
]
MATCHERS = [
    'alertname="A"', "alertname=A", 'alertname!="A"', 'alertname=~"A|B"', 'alertname!~"A"',
    'severity=~"crit"', 'severity=~"crit.*"', 'severity=~".*"', 'severity=~".+"', 'severity=""',
    'severity!=""', "severity!=", 'team=~"d|b"', 'team=~"(d|b)+"', r'note="say \"hi\", twice"',
    'note=~"say.*"', r'path="C:\\temp"', r'path=~"C:\\\\.*"', r'path="C:\temp"',
    r'lines="one\ntwo"', 'lines=~"one.two"', ' alertname = "A" ', r'alertname=~"\\w"',
    r'alertname=~"\w"', 'alertname=~"(?i)a"',
]  # fmt: skip


def names(alerts: list[dict[str, Any]]) -> list[str]:
    return sorted(json.dumps(one["labels"], sort_keys=True) for one in alerts)


def test_matchers_match_what_alertmanagers_do(lab: Lab, sent: queue.Queue[bytes]) -> None:
    del sent  # it has started Alertmanager
    send_alerts(lab.h2, *({"labels": {**labels, "own": "x"}} for labels in LABELS))
    own = matching(lab.h2, "own=x")
    assert len(own) == len(LABELS)
    assert offered("api", json.dumps(own).encode()).alerts[0].status == "firing"
    different = {}
    for text in MATCHERS:
        [matcher] = read_matchers(text)
        theirs = names(matching(lab.h2, "own=x", text))
        ours = names([one for one in own if matcher.matches(one["labels"])])
        if ours != theirs:
            different[text] = (ours, theirs)
    assert different == {}
    # Not all or nothing each time.
    assert {len(matching(lab.h2, "own=x", text)) for text in MATCHERS} >= {0, 1, 2, 4}
