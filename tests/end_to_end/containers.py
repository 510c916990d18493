"""A backend in a container that is not ready until it is restarted."""

from __future__ import annotations

import json
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.lab.lab import Host

# The first time it starts it only leaves a note for the second time.
_STUCK = """
if [ -e /tmp/started ]; then
  mkdir -p /www/api/health
  echo ready >/www/api/health/ready
else
  touch /tmp/started
  echo 'fatal error: out of memory'
fi
exec httpd -f -p 80 -h /www
"""


@contextmanager
def stuck_backend(host: Host, port: int) -> Iterator[str]:
    """A container whose page answers 404 until it is restarted; yields its name."""
    name = f"backend-{port}"
    publish = f"127.0.0.1:{port}:80"
    # httpd is its pid 1, which TERM would not end.
    options = ["--name", name, "--stop-signal", "KILL", "-p", publish]
    host.docker("run", "-d", *options, "lab:1", "sh", "-c", _STUCK)
    try:
        yield name
    finally:
        host.docker("rm", "-f", name)


def started_at(host: Host, name: str) -> str:
    """When it was last started."""
    return inspect(host, name, "{{.State.StartedAt}}")


def inspect(host: Host, name: str, form: str) -> str:
    """A field of what the engine knows of a container."""
    return host.docker("inspect", "-f", form, name).stdout.strip()


def happened(host: Host, container: str, since: float) -> list[str]:
    """The engine's events about a container since then."""
    form = ["--format", "{{json .Action}}", "--filter", f"container={container}"]
    done = host.docker("events", "--since", f"{since:.6f}", "--until", f"{time.time():.6f}", *form)
    return [json.loads(line) for line in done.stdout.splitlines()]
