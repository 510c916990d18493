"""Containers of the lab's image."""

from __future__ import annotations

import contextlib
import json
from typing import TYPE_CHECKING, Any

from tests.lab.dockerd import IMAGE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.lab.lab import Host

# As pid 1 of a container a shell without a trap would not hear TERM.
SERVE = "trap 'exit 0' TERM; while true; do sleep 0.1; done"


@contextlib.contextmanager
def container(host: Host, name: str, *options: str, script: str = SERVE) -> Iterator[str]:
    """A running container; gives its id."""
    made = host.docker("run", "-d", "--name", name, *options, IMAGE, "sh", "-c", script)
    try:
        yield made.stdout.strip()
    finally:
        host.docker("rm", "-f", name)


def state(host: Host, name: str) -> dict[str, Any]:
    (inspected,) = json.loads(host.docker("inspect", name).stdout)
    found: dict[str, Any] = inspected["State"]
    return found
