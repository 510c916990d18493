"""docker_stats on the lab's engine, beside what `docker stats` says of the same containers."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

from tests.modules.containers import HELD, HOLD, container, state, until
from tests.modules.sequence import probe

if TYPE_CHECKING:
    from collections.abc import Callable

    from engine.contract import Target
    from tests.lab.lab import Host

    Engine = Callable[..., Target]

pytestmark = pytest.mark.lab

SPIN = "while true; do true; done"
UNITS = {"B": 1, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30}


def look(engine: Engine, *names: str, **args: Any) -> Any:
    chosen = {"container": list(names)} if names else {}
    return probe("docker_stats", {**chosen, **args}, engine())


def as_docker_says(host: Host, name: str) -> tuple[float, float, float]:
    """Bytes used, bytes of the limit, percent."""
    form = "{{.MemUsage}} {{.MemPerc}}"
    said = host.docker("stats", "--no-stream", "--format", form, name).stdout
    used, limit, percent = re.fullmatch(r"(\S+) / (\S+) (\S+)%\n", said).groups()  # type: ignore[union-attr]

    def size(text: str) -> float:
        number, unit = re.fullmatch(r"([\d.]+)(\w+)", text).groups()  # type: ignore[union-attr]
        return float(number) * UNITS[unit]

    return size(used), size(limit), float(percent)


def test_memory_is_what_docker_says(docker_host: Host, engine: Engine) -> None:
    with container(docker_host, "backend", "-m", "64m", script=HOLD) as id_:
        until(lambda: HELD in docker_host.docker("logs", "backend").stdout)
        used, limit, percent = as_docker_says(docker_host, "backend")
        outcome = look(engine, "backend")
    backend = outcome.seen["containers"]["backend"]
    assert (backend["id"], backend["runs"]) == (id_, True)
    assert backend["memory_used"] == pytest.approx(used, rel=0.05)
    assert backend["memory_limit"] == limit == 64 * 2**20
    assert backend["memory_percent"] == pytest.approx(percent, rel=0.05)
    assert outcome.seen["memory_percent"] == backend["memory_percent"]
    shown = rf"[\d.]+ MiB of 64.0 MiB \({round(percent)} %\)"
    assert re.fullmatch(shown, outcome.summary), outcome.summary
    assert outcome.finding is None


def test_processes_and_networks(docker_host: Host, engine: Engine) -> None:
    script = "sleep 1000 & sleep 1000 & wait"
    with container(docker_host, "backend", "--pids-limit", "30", script=script):
        docker_host.docker("exec", "backend", "busybox", "ping", "-c", "3", "172.17.0.1")
        backend = look(engine, "backend").seen["containers"]["backend"]
    assert (backend["pids"], backend["pids_limit"]) == (3, 30)
    assert backend["received"] >= 3 * 84
    assert backend["sent"] >= 3 * 84


def test_the_limit_of_one_without_is_the_hosts(docker_host: Host, engine: Engine) -> None:
    with container(docker_host, "backend"):
        _, limit, _ = as_docker_says(docker_host, "backend")
        backend = look(engine, "backend").seen["containers"]["backend"]
    assert backend["memory_limit"] == pytest.approx(limit, rel=0.01)
    assert backend["pids_limit"] is None


def measured(outcome: Any) -> bool:
    """Whether the engine knew the processor time of each."""
    return all(one["cpu_percent"] is not None for one in outcome.seen["containers"].values())


def test_processors_are_measured_when_asked(docker_host: Host, engine: Engine) -> None:
    with (
        container(docker_host, "backend", "--cpus", "0.2", script=SPIN),
        container(docker_host, "idle", script="exec sleep 1000"),
    ):
        unasked = look(engine, "backend", "idle")
        outcome = look(engine, "backend", "idle", cpu=True)
        while not measured(outcome):  # a busy engine may have none of a container yet
            outcome = look(engine, "backend", "idle", cpu=True)
    assert unasked.seen["cpu_percent"] is None
    backend, idle = (outcome.seen["containers"][name] for name in ("backend", "idle"))
    # It may use a fifth of a processor; on a busy machine it gets less, and never more.
    assert 1 < backend["cpu_percent"] < 30
    assert backend["throttled_percent"] > 0
    assert idle["cpu_percent"] < backend["cpu_percent"]
    assert outcome.seen["cpu_percent"] == backend["cpu_percent"]


def test_all_that_run(docker_host: Host, engine: Engine) -> None:
    hold = ["-m", "8m", "--memory-swap", "8m"]
    with (
        container(docker_host, "backend", *hold),
        container(docker_host, "frontend"),
        container(docker_host, "stopped"),
    ):
        docker_host.docker("kill", "stopped")
        outcome = look(engine)
    assert list(outcome.seen["containers"]) == ["backend", "frontend"]
    assert outcome.summary.startswith("2 containers, the fullest backend: ")
    assert outcome.finding is None


def test_none_that_runs(docker_host: Host, engine: Engine) -> None:
    with container(docker_host, "stopped"):
        docker_host.docker("kill", "stopped")
        outcome = look(engine)
    assert outcome.seen == {"memory_percent": None, "cpu_percent": None, "containers": {}}
    assert (outcome.summary, outcome.finding) == ("none runs", None)


def test_a_named_one_that_does_not_run(docker_host: Host, engine: Engine) -> None:
    with container(docker_host, "backend"):
        docker_host.docker("kill", "backend")
        outcome = look(engine, "backend")
    assert outcome.seen["containers"]["backend"]["memory_used"] is None
    assert outcome.summary == "exited (137)"
    assert outcome.finding == "backend does not run: exited (137)"


def test_one_that_is_nearly_full(docker_host: Host, engine: Engine) -> None:
    # What starts a container has some ten threads, and they count against its limit.
    script = "i=1; while [ $i -lt 40 ]; do sleep 1000 & i=$((i + 1)); done; wait"
    with container(docker_host, "backend", "--pids-limit", "40", script=script):
        until(lambda: look(engine, "backend").seen["containers"]["backend"]["pids"] == 40)
        outcome = look(engine, "backend")
    assert outcome.finding == "backend has 40 of 40 processes"


def test_looking_changes_nothing(docker_host: Host, engine: Engine) -> None:
    with container(docker_host, "backend"):
        before = state(docker_host, "backend")
        look(engine, "backend", cpu=True)
        assert state(docker_host, "backend") == before
