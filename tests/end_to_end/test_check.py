"""Reading never changes: `--check` says what would be done, and the systems are as before."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from tests.end_to_end.containers import happened, inspect, stuck_backend
from tests.end_to_end.hosts import actor, backends, eventually, processes, sessions
from tests.end_to_end.quell import PLAYBOOKS, intents

if TYPE_CHECKING:
    from pathlib import Path

    from tests.end_to_end.conftest import Way
    from tests.end_to_end.quell import Quell
    from tests.lab.lab import Host, Lab

pytestmark = pytest.mark.lab


def changed(host: Host, before: set[tuple[str, ...]]) -> set[str]:
    """What has begun or ended, but for the shells that keep earlier tests' deadlines: they sleep
    again and again, and end some time.
    """
    here = processes(host)
    begun = {name for *_, name in here - before} - {"sleep"}
    ended = {name for *_, name in before - here} - {"sleep", "sh"}
    return begun | ended


def test_a_port_conflict_is_only_told(way: Way, lab: Lab, port: int) -> None:
    host = lab.h1
    with actor(host, "stale", port) as stale, actor(host, "service", port):
        before = processes(host)
        ended = way.run(host, PLAYBOOKS / "port_conflict.yml", "--check", "-e", f"port={port}")
        # The server lets go of our session a moment after we have left.
        eventually(lambda: changed(host, before) == set())
    assert ended.code == 0, ended.stderr
    assert f"(pid {stale}) on port {port} → ended" in ended.stderr
    assert "1 change would be made; nothing was changed" in ended.stderr
    assert intents(way.quell.events()) == []


def test_an_exhausted_pool_is_only_told(way: Way, lab_postgres: Lab) -> None:
    host = lab_postgres.h2
    with sessions(host, 14):
        before = backends(host)
        ended = way.run(
            host, PLAYBOOKS / "db_pool_exhaustion.yml", "--check", "-e", "idle_for=100ms"
        )
        assert backends(host) == before
    assert ended.code == 0, ended.stderr
    assert "14 sessions: 14 idle → ended" in ended.stderr
    assert intents(way.quell.events()) == []


def test_a_backend_that_is_down_is_only_told(way: Way, lab_docker: Lab, port: int) -> None:
    host = lab_docker.h1
    with stuck_backend(host, port) as name:
        before, since = inspect(host, name, "{{json .State}}"), time.time()
        said = ["-e", f"url=http://localhost:{port}/ready", "-e", f"container={name}"]
        ended = way.run(host, PLAYBOOKS / "backend_down.yml", "--check", *said)
        assert inspect(host, name, "{{json .State}}") == before
        assert happened(host, name, since) == []
    assert ended.code == 0, ended.stderr
    assert f"would: {name} up" in ended.stderr
    assert intents(way.quell.events()) == []


def test_the_exit_code_tells_whether_there_would_be_changes(
    quell: Quell, inventory: Path, lab: Lab, port: int
) -> None:
    said: list[str | Path] = [
        "-i",
        inventory,
        "--check",
        "--detailed-exitcode",
        "-e",
        f"port={port}",
    ]
    with actor(lab.h1, "stale", port):
        assert quell("run", PLAYBOOKS / "port_conflict.yml", *said).code == 6
    assert quell("run", PLAYBOOKS / "port_conflict.yml", *said).code == 0


def test_a_difference_is_shown_line_by_line(
    quell: Quell, inventory: Path, lab: Lab, port: int
) -> None:
    said: list[str | Path] = ["-i", inventory, "--check", "--diff", "-e", f"port={port}"]
    with actor(lab.h1, "stale", port) as stale:
        ended = quell("run", PLAYBOOKS / "port_conflict.yml", *said)
    shown = [line.strip() for line in ended.stderr.splitlines()]
    assert shown.index("--- before") < shown.index(f'-    "pid": {stale},') < shown.index("+[]")
