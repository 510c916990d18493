"""The runbook's lines for a backend out of memory, and its rollback, as tasks that run."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import msgspec
import pytest

from tests.end_to_end.containers import happened, inspect
from tests.end_to_end.hosts import eventually
from tests.end_to_end.quell import intents, results
from tests.modules.images import Application

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.end_to_end.conftest import Way
    from tests.lab.lab import Host, Lab

pytestmark = pytest.mark.lab

OUT_OF_MEMORY = """
name: Backend out of memory
hosts: app
inputs: {container: {type: string}}
investigate:
  - name: Memory in use
    docker_stats: "{{ container }}"
    register: memory
  - name: It runs
    docker_inspect: "{{ container }}"
    register: state
  - name: Errors in the log
    docker_logs: {container: "{{ container }}", pattern: "(?i)error|panic|fatal", tail: 500}
    register: log
severity:
  - {level: P2, when: state.finding and log.matches > 0, because: "it ran out of memory"}
  - {level: P4}
mitigate:
  - name: Raise the memory limit
    docker_update: {container: "{{ container }}", memory: 128m}
  - name: Restart
    docker_restart: {container: "{{ container }}", stop_timeout: 2s}
resolve:
  - name: It has room
    docker_stats: "{{ container }}"
    expect: result.containers[container].memory_limit == "128m" | bytes
"""
ROLL_BACK = """
name: A bad version
hosts: app
inputs: {container: {type: string}, image: {type: string}}
mitigate:
  - name: Back to the version before
    docker_rollback: {container: "{{ container }}", image: "{{ image }}", stop_timeout: 2s}
"""
# A child that wants 32 MiB where there are 24 is ended; then all goes on.
SCRIPT = """
busybox awk 'BEGIN { s = "x"; while (length(s) < 33554432) s = s s }'
echo 'fatal error: out of memory'
trap 'exit 0' TERM
while true; do sleep 0.1; done
"""


@pytest.fixture
def backend(lab_docker: Lab, port: int) -> Iterator[str]:
    """A container that ran out of memory a moment ago; gives its name."""
    host, name = lab_docker.h1, f"starved-{port}"
    limit = ["-m", "24m", "--memory-swap", "24m"]
    host.docker("run", "-d", "--name", name, *limit, "lab:1", "sh", "-c", SCRIPT)
    eventually(lambda: "fatal error" in host.docker("logs", name).stdout)
    yield name
    left = host.docker("ps", "-aq", "--filter", f"name={name}").stdout.split()
    host.docker("rm", "-f", *left)


def written(directory: Path, text: str) -> Path:
    path = directory / "book.yml"
    path.write_text(text)
    return path


def memory(host: Host, name: str) -> str:
    return inspect(host, name, "{{.HostConfig.Memory}}")


def test_a_backend_out_of_memory_is_only_told(
    way: Way, lab_docker: Lab, backend: str, tmp_path: Path
) -> None:
    host = lab_docker.h1
    before, since = inspect(host, backend, "{{json .}}"), time.time()
    book = written(tmp_path, OUT_OF_MEMORY)
    ended = way.run(host, book, "--check", "--diff", "-e", f"container={backend}")
    assert ended.code == 0, ended.stderr
    assert inspect(host, backend, "{{json .}}") == before
    assert happened(host, backend, since) == []
    assert intents(way.quell.events()) == []
    assert f"{backend}: memory 24.0 MiB → 128 MiB, memory and swap 24.0 MiB → 128 MiB" in (
        ended.stderr
    )
    shown = [line.strip() for line in ended.stderr.splitlines()]
    assert '-  "memory": 25165824,' in shown
    assert '+  "memory": 134217728,' in shown
    assert "2 changes would be made; nothing was changed" in ended.stderr


def test_a_backend_out_of_memory_has_room_again(
    way: Way, lab_docker: Lab, backend: str, tmp_path: Path
) -> None:
    host = lab_docker.h1
    book = written(tmp_path, OUT_OF_MEMORY)
    ended = way.run(host, book, "--yes", "-e", f"container={backend}")
    assert ended.code == 0, ended.stderr
    assert memory(host, backend) == str(128 * 2**20)
    events = way.quell.events()
    [state] = results(events, "It runs")
    assert "ran out of memory" in state.result["msg"]
    [log] = results(events, "Errors in the log")
    assert log.summary.endswith(': "fatal error: out of memory"')
    assert "P2  it ran out of memory" in ended.stderr
    raised, restarted = intents(events)
    assert raised.change["after"] == {"memory": 128 * 2**20, "memory_swap": 128 * 2**20}
    assert raised.change["reversible"]
    assert raised.change["on"] == restarted.change["on"]
    for intent in (raised, restarted):
        assert len(msgspec.json.encode(intent.change)) < 1000


def test_a_rollback_that_does_not_come_up_says_why(
    way: Way, lab_docker: Lab, tmp_path: Path
) -> None:
    app = Application(lab_docker.h1)
    try:
        app.image("1", 'CMD ["sh", "-c", "echo no such table: users >&2; exit 3"]')
        app.image("2", 'CMD ["sleep", "1000"]')
        former = app.run("2", "--stop-signal", "KILL")
        said = ["-e", f"container={app.name}", "-e", f"image={app.name}:1"]
        ended = way.run(app.host, written(tmp_path, ROLL_BACK), "--yes", *said)
        now = inspect(app.host, app.name, "{{.Id}} {{.State.Status}}")
    finally:
        app.remove()
    assert ended.code == 2, ended.stderr
    assert now == f"{former} running"
    [result] = results(way.quell.events(), "Back to the version before")
    assert result.status == "failed"
    assert result.result["log"] == ["no such table: users"]
    assert f"{app.name} does not stay up: exited (3); the former container is back: up" in (
        ended.stderr
    )
