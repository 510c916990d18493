"""Alertmanager in a machine: on its loopback only."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

from tests.lab.namespace import need

if TYPE_CHECKING:
    from tests.lab.namespace import Namespace

PORT = 9093
_URL = f"http://localhost:{PORT}"
_DIRECTORY = "/srv/alertmanager"
_PATIENCE = 30.0
_CONFIG = """
route: {{receiver: quell, group_wait: 100ms, group_interval: 1s, group_by: [alertname]}}
receivers: [{{name: quell, webhook_configs: [{{url: "{url}", send_resolved: true}}]}}]
"""


def start_alertmanager(machine: Namespace, webhook: str) -> None:
    """Start it; returns when it answers. It lives as long as the machine.

    Args:
        machine: where.
        webhook: the address, as seen from there, that every alert is sent to.
    """
    need("prometheus-alertmanager", "curl")
    if _ready(machine):  # it would seem to have started, and tell another webhook
        raise RuntimeError(f"{machine.name} has an Alertmanager already")
    machine.write(f"{_DIRECTORY}/config.yml", _CONFIG.format(url=webhook))
    serve = (
        f"exec prometheus-alertmanager --config.file={_DIRECTORY}/config.yml"
        f" --storage.path={_DIRECTORY}/data --cluster.listen-address="
        f" --web.listen-address=localhost:{PORT} 2>{_DIRECTORY}/log"
    )
    process = machine.start(["sh", "-c", serve])
    until = time.monotonic() + _PATIENCE
    while process.poll() is None and time.monotonic() < until:
        if _ready(machine):
            return
        time.sleep(0.05)
    log = machine.exec(["cat", f"{_DIRECTORY}/log"]).stdout
    raise RuntimeError(f"Alertmanager did not start: {log}")


def _ready(machine: Namespace) -> bool:
    return machine.exec(["curl", "-sf", f"{_URL}/-/ready"]).returncode == 0


def send_alerts(machine: Namespace, *alerts: dict[str, Any]) -> None:
    """Give it alerts, as Prometheus does."""
    post = ["curl", "-sSf", "-H", "Content-Type: application/json", "--data-binary", "@-"]
    machine.exec([*post, f"{_URL}/api/v2/alerts"], stdin=json.dumps(alerts), check=True)


def matching(machine: Namespace, *matchers: str) -> list[dict[str, Any]]:
    """The alerts that it finds with these matchers, as its API has them."""
    filters = [part for one in matchers for part in ("--data-urlencode", f"filter={one}")]
    ask = ["curl", "-sSf", "-G", *filters, f"{_URL}/api/v2/alerts"]
    found: list[dict[str, Any]] = json.loads(machine.exec(ask, check=True).stdout)
    return found
