"""docker_restart on the lab's engine; what counts is what the engine says afterwards."""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from engine.contract import DialRefused, ModuleFailed
from tests.modules.containers import SERVE, container, state
from tests.modules.sequence import act, module

if TYPE_CHECKING:
    from collections.abc import Callable

    from engine.contract import Target
    from tests.lab.lab import Host

pytestmark = pytest.mark.lab


def test_a_container_is_restarted(docker_host: Host, engine: Callable[..., Target]) -> None:
    with container(docker_host, "backend") as id_, container(docker_host, "other"):
        before, bystander = state(docker_host, "backend"), state(docker_host, "other")
        outcome = act("docker_restart", {"container": "backend"}, engine())
        after = state(docker_host, "backend")
        assert after["Running"]
        assert after["StartedAt"] > before["StartedAt"]
        assert after["Pid"] != before["Pid"]
        assert state(docker_host, "other") == bystander
        assert outcome.done == {"container": "backend", "id": id_}
        assert outcome.unconfirmed is None
        assert outcome.change is not None
        (on,) = outcome.change.on
        assert (on.kind, on.name) == ("container", "backend")
        assert on.key == {"id": id_, "started_at": before["StartedAt"]}
        assert outcome.change.summary.startswith("backend up ")
        assert outcome.change.summary.endswith(" → restarted")


def test_looking_restarts_nothing(docker_host: Host, engine: Callable[..., Target]) -> None:
    with container(docker_host, "backend"):
        before = state(docker_host, "backend")
        subject = module("docker_restart", {"container": "backend"})
        assert subject.decide(subject.observe(engine()))  # type: ignore[attr-defined]
        assert state(docker_host, "backend") == before


def test_one_that_was_not_restarted_is_not_confirmed(
    docker_host: Host, engine: Callable[..., Target]
) -> None:
    with container(docker_host, "backend"):
        subject = module("docker_restart", {"container": "backend"})
        change = subject.decide(subject.observe(engine()))  # type: ignore[attr-defined]
        said = subject.confirm(engine(3.0), change)  # type: ignore[attr-defined]
        assert said.startswith("backend was not started again: up ")


def test_a_stopped_container_is_started(docker_host: Host, engine: Callable[..., Target]) -> None:
    with container(docker_host, "backend"):
        docker_host.docker("kill", "backend")
        outcome = act("docker_restart", {"container": "backend"}, engine())
        assert state(docker_host, "backend")["Running"]
        assert outcome.change is not None
        assert outcome.change.summary == "backend exited (137) → restarted"


def test_an_id_will_do(docker_host: Host, engine: Callable[..., Target]) -> None:
    with container(docker_host, "backend") as id_:
        for given in (id_, id_[:12]):
            outcome = act("docker_restart", {"container": given}, engine())
            assert outcome.unconfirmed is None
        with pytest.raises(ModuleFailed, match="no container"):
            act("docker_restart", {"container": id_[:6]}, engine())


def test_the_stop_timeout_is_kept(docker_host: Host, engine: Callable[..., Target]) -> None:
    deaf = "trap '' TERM; while true; do sleep 0.1; done"
    with container(docker_host, "backend", script=deaf):
        started = time.monotonic()
        outcome = act("docker_restart", {"container": "backend", "stop_timeout": "1s"}, engine())
        assert time.monotonic() - started >= 1
        assert outcome.unconfirmed is None


def test_a_stop_timeout_that_does_not_fit_is_refused(
    docker_host: Host, engine: Callable[..., Target]
) -> None:
    with container(docker_host, "backend"):
        before = state(docker_host, "backend")
        with pytest.raises(ModuleFailed, match="stop_timeout of 60 s does not fit"):
            act("docker_restart", {"container": "backend", "stop_timeout": "1m"}, engine())
        assert state(docker_host, "backend") == before


def test_near_names_are_told(docker_host: Host, engine: Callable[..., Target]) -> None:
    with container(docker_host, "backend"), container(docker_host, "frontend"):
        with pytest.raises(ModuleFailed) as failed:
            act("docker_restart", {"container": "backnd"}, engine())
        assert failed.value.message == "no container 'backnd'; did you mean backend?"
        with pytest.raises(ModuleFailed) as failed:
            act("docker_restart", {"container": "zzz"}, engine())
        assert failed.value.message == "no container 'zzz'; there are backend, frontend"


def test_a_replaced_container_is_left_alone(
    docker_host: Host, engine: Callable[..., Target]
) -> None:
    with container(docker_host, "backend"), contextlib.ExitStack() as later:

        def replace() -> None:
            docker_host.docker("rm", "-f", "backend")
            later.enter_context(container(docker_host, "backend"))

        with pytest.raises(ModuleFailed, match="backend was replaced or removed; nothing was done"):
            act("docker_restart", {"container": "backend"}, engine(), meanwhile=replace)
        assert state(docker_host, "backend")["Running"]


def test_a_container_that_was_renamed_is_left_alone(
    docker_host: Host, engine: Callable[..., Target]
) -> None:
    with container(docker_host, "backend"), contextlib.ExitStack() as later:
        before = state(docker_host, "backend")

        def swap() -> None:
            docker_host.docker("rename", "backend", "backend_old")
            later.callback(docker_host.docker, "rename", "backend_old", "backend")
            later.enter_context(container(docker_host, "backend"))

        with pytest.raises(ModuleFailed, match="is now called backend_old; nothing was done"):
            act("docker_restart", {"container": "backend"}, engine(), meanwhile=swap)
        assert state(docker_host, "backend_old") == before


def test_one_that_someone_else_restarted_is_left_alone(
    docker_host: Host, engine: Callable[..., Target]
) -> None:
    with container(docker_host, "backend"):

        def restart() -> None:
            docker_host.docker("restart", "-t", "1", "backend")
            seen.append(state(docker_host, "backend"))

        seen: list[dict[str, Any]] = []
        with pytest.raises(ModuleFailed, match="restarted by someone else; nothing was done"):
            act("docker_restart", {"container": "backend"}, engine(), meanwhile=restart)
        assert [state(docker_host, "backend")] == seen


def test_one_that_ends_at_once_is_not_confirmed(
    docker_host: Host, engine: Callable[..., Target]
) -> None:
    once = f"[ -e /tmp/again ] && exit 3; echo >/tmp/again; {SERVE}"
    with container(docker_host, "backend", script=once):
        outcome = act("docker_restart", {"container": "backend"}, engine())
        assert outcome.unconfirmed == "backend does not stay up: exited (3)"


def test_one_that_ends_again_and_again_is_not_confirmed(
    docker_host: Host, engine: Callable[..., Target]
) -> None:
    once = f"[ -e /tmp/again ] && exit 3; echo >/tmp/again; {SERVE}"
    with container(docker_host, "backend", "--restart=always", script=once):
        outcome = act("docker_restart", {"container": "backend"}, engine())
        assert outcome.unconfirmed is not None
        assert "does not stay up" in outcome.unconfirmed


def test_a_health_check_is_waited_for(docker_host: Host, engine: Callable[..., Target]) -> None:
    slow = f"rm -f /tmp/ok; (sleep 2; echo >/tmp/ok) & {SERVE}"
    health = ["--health-cmd", "cat /tmp/ok", "--health-interval=200ms", "--health-retries=50"]
    with container(docker_host, "backend", *health, script=slow):
        outcome = act("docker_restart", {"container": "backend"}, engine())
        assert outcome.unconfirmed is None
        assert state(docker_host, "backend")["Health"]["Status"] == "healthy"


def test_one_that_stays_unhealthy_is_not_confirmed(
    docker_host: Host, engine: Callable[..., Target]
) -> None:
    health = ["--health-cmd", "false", "--health-interval=200ms", "--health-retries=1"]
    with container(docker_host, "backend", *health):
        outcome = act("docker_restart", {"container": "backend", "stop_timeout": 2}, engine(6.0))
        assert outcome.unconfirmed == "backend runs but is unhealthy"


def test_the_engines_words_are_told(docker_host: Host, engine: Callable[..., Target]) -> None:
    port = ["-p", "127.0.0.1:8097:80"]
    with container(docker_host, "backend", *port):
        docker_host.docker("stop", "-t", "1", "backend")
        with (
            container(docker_host, "usurper", *port),
            pytest.raises(ModuleFailed, match=r"Docker says: .*port is already allocated"),
        ):
            act("docker_restart", {"container": "backend"}, engine())


def test_no_engine_there(engine: Callable[..., Target]) -> None:
    with pytest.raises(DialRefused):
        act("docker_restart", {"container": "x", "socket": "/run/no.sock"}, engine())


@pytest.mark.parametrize("name", ["", "-f", "a b", "../x", "a/b", "é", "a?x=1"])
def test_what_is_no_name_is_refused(name: str) -> None:
    with pytest.raises(msgspec.ValidationError):
        module("docker_restart", {"container": name})
