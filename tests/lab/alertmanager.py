"""Alertmanager in a machine: on its loopback only."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from tests.lab.namespace import need

if TYPE_CHECKING:
    from tests.lab.namespace import Namespace

PORT = 9093
_DIRECTORY = "/srv/alertmanager"
_CONFIG = """
route: {receiver: nobody}
receivers: [{name: nobody}]
"""
_PATIENCE = 30.0


def start_alertmanager(machine: Namespace) -> None:
    """Start it; returns when it answers. It lives as long as the machine."""
    need("prometheus-alertmanager")
    machine.write(f"{_DIRECTORY}/alertmanager.yml", _CONFIG)
    log = f"{_DIRECTORY}/log"
    serve = (
        f"exec prometheus-alertmanager --config.file={_DIRECTORY}/alertmanager.yml"
        f" --storage.path={_DIRECTORY}/data --web.listen-address=localhost:{PORT}"
        f" --cluster.listen-address= 2>{log}"
    )
    process = machine.start(["sh", "-c", serve])
    until = time.monotonic() + _PATIENCE
    while process.poll() is None and time.monotonic() < until:
        if "msg=Listening" in machine.exec(["cat", log]).stdout.replace('"', ""):
            return
        time.sleep(0.05)
    raise RuntimeError(f"Alertmanager did not start: {machine.exec(['cat', log]).stdout}")
