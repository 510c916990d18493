"""Prometheus in a machine: on its loopback only."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from tests.lab.namespace import need

if TYPE_CHECKING:
    from tests.lab.namespace import Namespace

PORT = 9090
_DIRECTORY = "/srv/prometheus"
_PATIENCE = 30.0


def start_prometheus(machine: Namespace, config: str, *, past: str = "") -> None:
    """Start it; returns when it answers. It lives as long as the machine.

    Args:
        machine: where.
        config: prometheus.yml.
        past: series in OpenMetrics' format, with timestamps, that it knows from before.
    """
    need("prometheus", "promtool")
    machine.write(f"{_DIRECTORY}/prometheus.yml", config)
    if past:
        machine.write(f"{_DIRECTORY}/past", past)
        blocks = ["tsdb", "create-blocks-from", "openmetrics", f"{_DIRECTORY}/past"]
        machine.exec(["promtool", *blocks, f"{_DIRECTORY}/data"], check=True)
    log = f"{_DIRECTORY}/log"
    serve = (
        f"exec prometheus --config.file={_DIRECTORY}/prometheus.yml --log.level=info"
        f" --storage.tsdb.path={_DIRECTORY}/data --web.listen-address=localhost:{PORT}"
        # It drops the first alerts: it learns a few seconds later whom to send them to.
        f" --rules.alert.resend-delay=1s 2>{log}"
    )
    process = machine.start(["sh", "-c", serve])
    until = time.monotonic() + _PATIENCE
    while process.poll() is None and time.monotonic() < until:
        if "Server is ready to receive web requests" in machine.exec(["cat", log]).stdout:
            return
        time.sleep(0.05)
    raise RuntimeError(f"Prometheus did not start: {machine.exec(['cat', log]).stdout}")
