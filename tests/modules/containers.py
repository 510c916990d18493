"""Containers of the lab's image."""

from __future__ import annotations

import contextlib
import json
import time
from typing import TYPE_CHECKING, Any

from tests.lab.dockerd import IMAGE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.lab.lab import Host

# As pid 1 of a container a shell without a trap would not hear TERM.
SERVE = "trap 'exit 0' TERM; while true; do sleep 0.1; done"

HELD = "held"
HOLD = f"""exec busybox awk 'BEGIN {{
    s = "x"; while (length(s) < 16777216) s = s s; print "{HELD}"; system("exec sleep 1000") }}'"""
"""Holds some 16 MiB of memory, and says so."""


@contextlib.contextmanager
def container(host: Host, name: str, *options: str, script: str = SERVE) -> Iterator[str]:
    """A running container; gives its id."""
    try:
        made = host.docker("run", "-d", "--name", name, *options, IMAGE, "sh", "-c", script)
        yield made.stdout.strip()
    finally:
        host.docker("rm", "-f", name)


def inspected(host: Host, name: str) -> dict[str, Any]:
    """All that the engine knows of it."""
    (found,) = json.loads(host.docker("inspect", name).stdout)
    assert isinstance(found, dict)
    return found


def state(host: Host, name: str) -> dict[str, Any]:
    """The part of it that tells how it is."""
    found = inspected(host, name)["State"]
    assert isinstance(found, dict)
    return found


def names(host: Host) -> list[str]:
    """Of all containers, stopped ones too."""
    return host.docker("ps", "-a", "--format", "{{.Names}}").stdout.split()


def until(holds: Callable[[], bool]) -> None:
    """Wait until it holds; fail if it does not come to."""
    end = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.05)


def in_a_loop(host: Host, name: str) -> bool:
    """Whether its restart policy waits, long enough to be met doing so, to start it again."""
    found = inspected(host, name)
    return bool(found["State"]["Restarting"]) and found["RestartCount"] >= 5
