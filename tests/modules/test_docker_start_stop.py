"""docker_start and docker_stop on the lab's engine."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from engine.contract import ModuleFailed
from tests.modules.containers import SERVE, container, in_a_loop, names, state, until
from tests.modules.sequence import act, module

if TYPE_CHECKING:
    from collections.abc import Callable

    from engine.contract import Target
    from tests.lab.lab import Host

    Engine = Callable[..., Target]

pytestmark = pytest.mark.lab
DEAF = "trap '' TERM; while true; do sleep 0.1; done"


def test_a_stopped_container_is_started(docker_host: Host, engine: Engine) -> None:
    with container(docker_host, "backend") as id_, container(docker_host, "other"):
        docker_host.docker("kill", "backend")
        before, bystander = state(docker_host, "backend"), state(docker_host, "other")
        outcome = act("docker_start", {"container": "backend"}, engine())
        after = state(docker_host, "backend")
        assert after["Running"]
        assert after["StartedAt"] > before["StartedAt"]
        assert state(docker_host, "other") == bystander
        assert outcome.unconfirmed is None
        assert outcome.done == {"container": "backend", "id": id_}
        assert outcome.change is not None
        assert outcome.change.summary == "backend exited (137) → started"
        assert outcome.change.reversible
        (on,) = outcome.change.on
        assert on.key == {"id": id_, "started_at": before["StartedAt"]}


def test_one_that_was_never_started_is_started(docker_host: Host, engine: Engine) -> None:
    docker_host.docker("create", "--name", "backend", "lab:1", "sh", "-c", SERVE)
    try:
        outcome = act("docker_start", {"container": "backend"}, engine())
        assert state(docker_host, "backend")["Running"]
        assert outcome.unconfirmed is None
        assert outcome.change is not None
        assert outcome.change.summary == "backend created → started"
    finally:
        docker_host.docker("rm", "-f", "backend")


def test_one_that_runs_is_left_as_it_is(docker_host: Host, engine: Engine) -> None:
    with container(docker_host, "backend"):
        before = state(docker_host, "backend")
        assert act("docker_start", {"container": "backend"}, engine()).change is None
        assert state(docker_host, "backend") == before


def test_a_health_check_is_waited_for(docker_host: Host, engine: Engine) -> None:
    slow = f"rm -f /tmp/ok; (sleep 1; echo >/tmp/ok) & {SERVE}"
    health = ["--health-cmd", "cat /tmp/ok", "--health-interval=200ms", "--health-retries=50"]
    with container(docker_host, "backend", *health, script=slow):
        docker_host.docker("stop", "-t", "1", "backend")
        outcome = act("docker_start", {"container": "backend"}, engine())
        assert outcome.unconfirmed is None
        assert state(docker_host, "backend")["Health"]["Status"] == "healthy"


def test_one_that_ends_soon_is_not_confirmed(docker_host: Host, engine: Engine) -> None:
    once = f"[ -e /tmp/again ] && sleep 0.5 && exit 3; echo >/tmp/again; {SERVE}"
    with container(docker_host, "backend", script=once):
        docker_host.docker("stop", "-t", "1", "backend")
        outcome = act("docker_start", {"container": "backend"}, engine())
        assert outcome.unconfirmed == "backend does not stay up: exited (3)"


def test_a_paused_container_is_not_what_start_is_for(docker_host: Host, engine: Engine) -> None:
    with container(docker_host, "backend"):
        docker_host.docker("pause", "backend")
        with pytest.raises(ModuleFailed, match="is paused: `docker unpause backend`"):
            act("docker_start", {"container": "backend"}, engine())
        assert state(docker_host, "backend")["Paused"]


def test_a_restart_loop_is_not_what_start_is_for(docker_host: Host, engine: Engine) -> None:
    with container(docker_host, "backend", "--restart=always", script="exit 3"):
        until(lambda: in_a_loop(docker_host, "backend"))
        with pytest.raises(ModuleFailed, match=r"restarting \(3\): its restart policy starts it"):
            act("docker_start", {"container": "backend"}, engine())


def test_a_running_container_is_stopped(docker_host: Host, engine: Engine) -> None:
    with container(docker_host, "backend") as id_, container(docker_host, "other"):
        before, bystander = state(docker_host, "backend"), state(docker_host, "other")
        outcome = act("docker_stop", {"container": "backend"}, engine())
        assert state(docker_host, "backend")["Status"] == "exited"
        assert state(docker_host, "other") == bystander
        assert outcome.unconfirmed is None
        assert outcome.done == {
            "container": "backend",
            "id": id_,
            "exit_code": 0,
            "killed": False,
        }
        assert outcome.change is not None
        assert outcome.change.summary.startswith("backend up ")
        assert outcome.change.summary.endswith(" → stopped")
        assert outcome.change.reversible
        (on,) = outcome.change.on
        assert on.key == {"id": id_, "started_at": before["StartedAt"]}


def test_one_that_is_stopped_is_left_as_it_is(docker_host: Host, engine: Engine) -> None:
    with container(docker_host, "backend", script="exit 4"):
        docker_host.docker("wait", "backend")
        assert act("docker_stop", {"container": "backend"}, engine()).change is None


def test_one_that_does_not_hear_is_killed_in_time(docker_host: Host, engine: Engine) -> None:
    with container(docker_host, "backend", script=DEAF):
        outcome = act("docker_stop", {"container": "backend", "stop_timeout": "1s"}, engine())
        assert outcome.unconfirmed is None
        assert outcome.done["exit_code"] == 137
        assert outcome.done["killed"]


def test_a_paused_container_is_stopped(docker_host: Host, engine: Engine) -> None:
    with container(docker_host, "backend"):
        docker_host.docker("pause", "backend")
        outcome = act("docker_stop", {"container": "backend", "stop_timeout": "2s"}, engine())
        assert outcome.unconfirmed is None
        assert outcome.change is not None
        assert outcome.change.summary == "backend paused → stopped"
        assert state(docker_host, "backend")["Status"] == "exited"


def test_a_restart_loop_is_stopped_for_good(docker_host: Host, engine: Engine) -> None:
    with container(docker_host, "backend", "--restart=always", script="exit 3"):
        until(lambda: state(docker_host, "backend")["Restarting"])

        def turn() -> None:
            before = state(docker_host, "backend")["StartedAt"]
            until(lambda: state(docker_host, "backend")["StartedAt"] != before)

        outcome = act("docker_stop", {"container": "backend"}, engine(), meanwhile=turn)
        assert outcome.unconfirmed is None
        assert state(docker_host, "backend")["Status"] == "exited"


def test_one_that_removes_itself_is_gone(docker_host: Host, engine: Engine) -> None:
    with container(docker_host, "backend", "--rm"):
        outcome = act("docker_stop", {"container": "backend"}, engine())
        assert outcome.unconfirmed is None
        assert outcome.change is not None
        assert outcome.change.summary.endswith(" → stopped, and removed (--rm)")
        assert not outcome.change.reversible
        until(lambda: "backend" not in names(docker_host))


def test_one_that_does_not_end_is_not_confirmed(docker_host: Host, engine: Engine) -> None:
    with container(docker_host, "backend"):
        subject = module("docker_stop", {"container": "backend"})
        change = subject.decide(subject.observe(engine()))  # type: ignore[attr-defined]
        said = subject.confirm(engine(), change)  # type: ignore[attr-defined]
        assert said.startswith("backend did not end: up ")
        docker_host.docker("restart", "-t", "1", "backend")
        said = subject.confirm(engine(), change)  # type: ignore[attr-defined]
        assert said.startswith("backend was started again: up ")


def test_a_stop_timeout_that_does_not_fit_is_refused(docker_host: Host, engine: Engine) -> None:
    with container(docker_host, "backend"):
        before = state(docker_host, "backend")
        with pytest.raises(ModuleFailed, match="stop_timeout of 60 s does not fit"):
            act("docker_stop", {"container": "backend", "stop_timeout": "1m"}, engine())
        assert state(docker_host, "backend") == before


@pytest.mark.parametrize("name", ["docker_start", "docker_stop"])
def test_looking_changes_nothing(docker_host: Host, engine: Engine, name: str) -> None:
    with container(docker_host, "backend"):
        if name == "docker_start":
            docker_host.docker("stop", "-t", "1", "backend")
        before = state(docker_host, "backend")
        subject = module(name, {"container": "backend"})
        assert subject.decide(subject.observe(engine()))  # type: ignore[attr-defined]
        assert state(docker_host, "backend") == before
