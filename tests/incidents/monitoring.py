"""What watches the incident lab: Prometheus with rules, Alertmanager, and who is told."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from tests.lab.alertmanager import PORT as ALERTMANAGER
from tests.lab.alertmanager import start_alertmanager
from tests.lab.prometheus import start_prometheus

if TYPE_CHECKING:
    from tests.lab.namespace import Namespace

ALERTS = "/srv/alerts"
"""A file for each alert that fired, `NAME.json`: the payload as it was sent."""
RECEIVER = 9099
_RULES = "/srv/prometheus/rules.yml"

_CONFIG = f"""
global: {{scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s}}
rule_files: [{_RULES}]
alerting:
  alertmanagers: [{{static_configs: [{{targets: ["localhost:{ALERTMANAGER}"]}}]}}]
scrape_configs:
  - job_name: backend
    static_configs: [{{targets: ["%s"], labels: {{container: backend}}}}]
"""
_ALERTING = """
groups:
  - name: insightengine
    rules:
      - alert: BackendDown
        expr: up{job="backend"} == 0
        for: 1s
        labels: {severity: critical}
        annotations: {summary: "the backend does not answer"}
      - alert: BackendNotReady
        expr: backend_ready == 0
        for: 1s
        labels: {severity: critical}
        annotations: {summary: "the backend is not ready"}
      - alert: HighLatency
        expr: >-
          histogram_quantile(0.95, sum by (le, job, container)
          (rate(query_execution_duration_seconds_bucket[10s]))) > 0.5
        labels: {severity: warning}
        annotations: {summary: "queries are slow"}
      - alert: AuthFailures
        expr: sum by (container) (rate(http_requests_total{path="/api/auth/login",status="500"}[10s])) > 0
        labels: {severity: critical}
        annotations: {summary: "nobody can log in"}
"""  # noqa: E501 an expression that cannot be broken


def start_monitoring(machine: Namespace, backend: str) -> None:
    """Start all of it on a host, to watch a backend at `host:port`."""
    machine.exec(["mkdir", "-p", ALERTS], check=True)
    receiver = str(Path(__file__).with_name("receiver.py"))
    machine.start([sys.executable, receiver, str(RECEIVER), ALERTS])
    start_alertmanager(machine, f"http://localhost:{RECEIVER}/")
    machine.write(_RULES, _ALERTING)
    start_prometheus(machine, _CONFIG % backend)
