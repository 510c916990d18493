"""docker_inspect on the lab's engine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.lab.ports import free_port
from tests.modules.containers import SERVE, container, in_a_loop, inspected, state, until
from tests.modules.sequence import probe

if TYPE_CHECKING:
    from collections.abc import Callable

    from engine.contract import Target
    from tests.lab.lab import Host

    Engine = Callable[..., Target]

pytestmark = pytest.mark.lab

# A process of 32 MiB in a group of 16: it is ended, and pid 1 goes on.
HOG = "busybox awk 'BEGIN { s = \"x\"; while (length(s) < 33554432) s = s s }'"


def look(engine: Engine, **args: Any) -> Any:
    return probe("docker_inspect", {"container": "backend", **args}, engine())


def test_what_there_is_to_know(docker_host: Host, engine: Engine) -> None:
    port = free_port()
    options = ["-p", f"127.0.0.1:{port}:80", "--expose", "81", "-v", "/srv:/host:ro"]
    options += ["-v", "named:/data", "-e", "PASSWORD=zebra", "-e", "LEVEL=info"]
    options += ["-m", "64m", "--memory-swap", "96m", "--memory-reservation", "32m"]
    options += ["--cpus", "1.5", "--pids-limit", "50", "--restart", "on-failure:3"]
    with container(docker_host, "backend", *options) as id_:
        outcome = look(engine)
        raw = inspected(docker_host, "backend")
    docker_host.docker("volume", "rm", "named")
    seen = outcome.seen
    assert (seen["id"], seen["name"], seen["state"]) == (id_, "backend", "running")
    assert (seen["image"], seen["image_id"]) == ("lab:1", raw["Image"])
    assert (seen["created_at"], seen["started_at"]) == (raw["Created"], raw["State"]["StartedAt"])
    assert seen["finished_at"] is None
    assert (seen["health"], seen["check"]) == (None, None)
    assert seen["ports"] == [
        {"container": "80/tcp", "host": f"127.0.0.1:{port}"},
        {"container": "81/tcp", "host": None},
    ]
    assert seen["networks"] == {"bridge": raw["NetworkSettings"]["IPAddress"]}
    mounts = sorted(seen["mounts"], key=lambda mount: mount["target"])
    assert mounts == [
        {"type": "volume", "source": "named", "target": "/data", "writable": True},
        {"type": "bind", "source": "/srv", "target": "/host", "writable": False},
    ]
    assert seen["limits"] == {
        "memory": 64 * 2**20,
        "memory_swap": 96 * 2**20,
        "memory_reservation": 32 * 2**20,
        "cpus": 1.5,
        "pids_limit": 50,
        "restart_policy": "on-failure:3",
    }
    assert (seen["lately"]["ended"], seen["lately"]["out_of_memory"]) == (0, 0)
    assert seen["log_driver"] == "json-file"
    assert outcome.summary.startswith("up ")
    assert outcome.summary.endswith(", lab:1")
    assert outcome.finding is None


def test_values_of_variables_are_nowhere(docker_host: Host, engine: Engine) -> None:
    with container(docker_host, "backend", "-e", "PASSWORD=zebra", "-e", "LEVEL=info"):
        outcome = look(engine)
    assert outcome.seen["env"] == ["LEVEL", "PASSWORD"]
    assert "zebra" not in repr(outcome)


def test_without_limits(docker_host: Host, engine: Engine) -> None:
    with container(docker_host, "backend"):
        limits = look(engine).seen["limits"]
    assert limits.pop("restart_policy") == "no"
    assert set(limits.values()) == {None}


def test_a_quota_is_processors(docker_host: Host, engine: Engine) -> None:
    with container(docker_host, "backend", "--cpu-period=50000", "--cpu-quota=25000"):
        assert look(engine).seen["limits"]["cpus"] == 0.5


@pytest.mark.parametrize(
    ("before", "finding"),
    [
        (["kill"], "backend does not run: exited (137)"),
        (["stop", "-t", "5"], "backend does not run: exited (0)"),
        (["pause"], "backend does not run: paused"),
    ],
)
def test_one_that_does_not_run(
    docker_host: Host, engine: Engine, before: list[str], finding: str
) -> None:
    with container(docker_host, "backend"):
        docker_host.docker(*before, "backend")
        outcome = look(engine)
        assert outcome.finding == finding
        assert outcome.seen["finished_at"] == (
            None if before == ["pause"] else state(docker_host, "backend")["FinishedAt"]
        )


def test_one_that_could_not_be_started(docker_host: Host, engine: Engine) -> None:
    docker_host.docker("create", "--name", "backend", "lab:1", "no-such-program")
    try:
        docker_host.docker("start", "backend", check=False)
        finding = look(engine).finding
    finally:
        docker_host.docker("rm", "-f", "backend")
    assert finding is not None
    assert finding.startswith("backend does not run: created: ")
    assert "no-such-program" in finding


def test_a_restart_loop(docker_host: Host, engine: Engine) -> None:
    with container(docker_host, "backend", "--restart=always", script="exit 3"):
        until(lambda: in_a_loop(docker_host, "backend"))
        outcome = look(engine)
    assert outcome.finding == "backend does not run: restarting (3)"
    assert outcome.seen["restarts"] >= 5
    assert outcome.seen["lately"]["ended"] >= 5
    assert "restarting (3), " in outcome.summary


def test_one_that_was_started_again_lately(docker_host: Host, engine: Engine) -> None:
    once = f"[ -e /tmp/again ] || {{ echo >/tmp/again; exit 3; }}; {SERVE}"
    with container(docker_host, "backend", "--restart=always", script=once):
        until(lambda: inspected(docker_host, "backend")["RestartCount"] == 1)
        until(lambda: state(docker_host, "backend")["Status"] == "running")
        finding = look(engine).finding
        assert finding is not None
        assert finding.startswith("backend was started again by its restart policy 1 time, last ")
        assert look(engine, lately=0).finding is None


def test_one_whose_process_ran_out_of_memory(docker_host: Host, engine: Engine) -> None:
    limit = ["-m", "16m", "--memory-swap", "16m"]
    with container(docker_host, "backend", *limit, script=f"{HOG}; {SERVE}"):
        until(lambda: look(engine).seen["lately"]["out_of_memory"] > 0)
        outcome = look(engine)
        assert state(docker_host, "backend")["Running"]
        assert look(engine, lately=0).finding is None
    finding = outcome.finding
    assert finding is not None
    assert finding.startswith("backend ran out of memory ")
    assert " in the last 15 min, last at 2" in finding
    assert outcome.seen["lately"]["last_out_of_memory"] in finding


def test_one_that_was_ended_for_want_of_memory(docker_host: Host, engine: Engine) -> None:
    limit = ["-m", "16m", "--memory-swap", "16m"]
    # The engine hears of it from a watcher of its own, which begins and tells a little later.
    with container(docker_host, "backend", *limit, script=f"sleep 0.5; exec {HOG}"):
        until(lambda: state(docker_host, "backend")["OOMKilled"])
        until(lambda: not state(docker_host, "backend")["Running"])
        outcome = look(engine)
    assert outcome.seen["oom_killed"]
    assert outcome.finding == "backend does not run: exited (137, out of memory)"


def test_one_that_is_unhealthy(docker_host: Host, engine: Engine) -> None:
    said = "echo 'no database'; exit 2"
    health = ["--health-cmd", said, "--health-interval=200ms", "--health-retries=2"]
    with container(docker_host, "backend", *health):
        until(lambda: state(docker_host, "backend")["Health"]["Status"] == "unhealthy")
        outcome = look(engine)
    check = outcome.seen["check"]
    assert outcome.seen["health"] == "unhealthy"
    assert (check["exit_code"], check["output"]) == (2, "no database\n")
    assert check["failing"] >= 2
    assert outcome.summary.startswith("unhealthy, up ")
    failed = f"{check['failing']} checks failed in a row: no database"
    assert outcome.finding == f"backend is unhealthy: {failed}"


def test_one_that_is_healthy(docker_host: Host, engine: Engine) -> None:
    health = ["--health-cmd", "busybox yes | busybox head -c 9000", "--health-interval=200ms"]
    with container(docker_host, "backend", *health):
        assert look(engine).finding is None  # while it is starting, too
        until(lambda: state(docker_host, "backend")["Health"]["Status"] == "healthy")
        outcome = look(engine)
    assert outcome.finding is None
    assert outcome.summary.startswith("healthy, up ")
    assert outcome.seen["check"]["failing"] == 0
    assert len(outcome.seen["check"]["output"]) == 1000
