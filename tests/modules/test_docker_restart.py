"""docker_restart on the lab's engine; what counts is what the engine says afterwards."""

from __future__ import annotations

import contextlib
import json
import time
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from engine.contract import DialRefused, ModuleFailed, Target
from tests.lab.dockerd import IMAGE
from tests.modules.fakes import target
from tests.modules.sequence import act, module

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from engine.connections.links import Links
    from tests.lab.lab import Host, Lab

# As pid 1 of a container a shell without a trap would not hear TERM.
SERVE = "trap 'exit 0' TERM; while true; do sleep 0.1; done"

pytestmark = pytest.mark.lab


@pytest.fixture
def host(lab_docker: Lab) -> Host:
    return lab_docker.h1


@pytest.fixture
def engine(host: Host, links: Links) -> Callable[..., Target]:
    return lambda within=30.0: target(links.get(host.name), within=within)


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


def test_a_container_is_restarted(host: Host, engine: Callable[..., Target]) -> None:
    with container(host, "backend") as id_, container(host, "other"):
        before, bystander = state(host, "backend"), state(host, "other")
        outcome = act("docker_restart", {"container": "backend"}, engine())
        after = state(host, "backend")
        assert after["Running"]
        assert after["StartedAt"] > before["StartedAt"]
        assert after["Pid"] != before["Pid"]
        assert state(host, "other") == bystander
        assert outcome.done == {"container": "backend", "id": id_}
        assert outcome.unconfirmed is None
        assert outcome.change is not None
        (on,) = outcome.change.on
        assert (on.kind, on.name) == ("container", "backend")
        assert on.key == {"id": id_, "started_at": before["StartedAt"]}
        assert outcome.change.summary.startswith("backend up ")
        assert outcome.change.summary.endswith(" → restarted")


def test_looking_restarts_nothing(host: Host, engine: Callable[..., Target]) -> None:
    with container(host, "backend"):
        before = state(host, "backend")
        subject = module("docker_restart", {"container": "backend"})
        assert subject.decide(subject.observe(engine()))  # type: ignore[attr-defined]
        assert state(host, "backend") == before


def test_one_that_was_not_restarted_is_not_confirmed(
    host: Host, engine: Callable[..., Target]
) -> None:
    with container(host, "backend"):
        subject = module("docker_restart", {"container": "backend"})
        change = subject.decide(subject.observe(engine()))  # type: ignore[attr-defined]
        said = subject.confirm(engine(3.0), change)  # type: ignore[attr-defined]
        assert said.startswith("backend was not started again: up ")


def test_a_stopped_container_is_started(host: Host, engine: Callable[..., Target]) -> None:
    with container(host, "backend"):
        host.docker("kill", "backend")
        outcome = act("docker_restart", {"container": "backend"}, engine())
        assert state(host, "backend")["Running"]
        assert outcome.change is not None
        assert outcome.change.summary == "backend exited (137) → restarted"


def test_an_id_will_do(host: Host, engine: Callable[..., Target]) -> None:
    with container(host, "backend") as id_:
        for given in (id_, id_[:12]):
            outcome = act("docker_restart", {"container": given}, engine())
            assert outcome.unconfirmed is None
        with pytest.raises(ModuleFailed, match="no container"):
            act("docker_restart", {"container": id_[:6]}, engine())


def test_the_stop_timeout_is_kept(host: Host, engine: Callable[..., Target]) -> None:
    deaf = "trap '' TERM; while true; do sleep 0.1; done"
    with container(host, "backend", script=deaf):
        started = time.monotonic()
        outcome = act("docker_restart", {"container": "backend", "stop_timeout": "1s"}, engine())
        assert time.monotonic() - started >= 1
        assert outcome.unconfirmed is None


def test_a_stop_timeout_that_does_not_fit_is_refused(
    host: Host, engine: Callable[..., Target]
) -> None:
    with container(host, "backend"):
        before = state(host, "backend")
        with pytest.raises(ModuleFailed, match="stop_timeout of 60 s does not fit"):
            act("docker_restart", {"container": "backend", "stop_timeout": "1m"}, engine())
        assert state(host, "backend") == before


def test_near_names_are_told(host: Host, engine: Callable[..., Target]) -> None:
    with container(host, "backend"), container(host, "frontend"):
        with pytest.raises(ModuleFailed) as failed:
            act("docker_restart", {"container": "backnd"}, engine())
        assert failed.value.message == "no container 'backnd'; did you mean backend?"
        with pytest.raises(ModuleFailed) as failed:
            act("docker_restart", {"container": "zzz"}, engine())
        assert failed.value.message == "no container 'zzz'; there are backend, frontend"


def test_a_replaced_container_is_left_alone(host: Host, engine: Callable[..., Target]) -> None:
    with container(host, "backend"), contextlib.ExitStack() as later:

        def replace() -> None:
            host.docker("rm", "-f", "backend")
            later.enter_context(container(host, "backend"))

        with pytest.raises(ModuleFailed, match="backend was replaced or removed; nothing was done"):
            act("docker_restart", {"container": "backend"}, engine(), meanwhile=replace)
        assert state(host, "backend")["Running"]


def test_a_container_that_was_renamed_is_left_alone(
    host: Host, engine: Callable[..., Target]
) -> None:
    with container(host, "backend"), contextlib.ExitStack() as later:
        before = state(host, "backend")

        def swap() -> None:
            host.docker("rename", "backend", "backend_old")
            later.callback(host.docker, "rename", "backend_old", "backend")
            later.enter_context(container(host, "backend"))

        with pytest.raises(ModuleFailed, match="is now called backend_old; nothing was done"):
            act("docker_restart", {"container": "backend"}, engine(), meanwhile=swap)
        assert state(host, "backend_old") == before


def test_one_that_someone_else_restarted_is_left_alone(
    host: Host, engine: Callable[..., Target]
) -> None:
    with container(host, "backend"):

        def restart() -> None:
            host.docker("restart", "-t", "1", "backend")
            seen.append(state(host, "backend"))

        seen: list[dict[str, Any]] = []
        with pytest.raises(ModuleFailed, match="restarted by someone else; nothing was done"):
            act("docker_restart", {"container": "backend"}, engine(), meanwhile=restart)
        assert [state(host, "backend")] == seen


def test_one_that_ends_at_once_is_not_confirmed(host: Host, engine: Callable[..., Target]) -> None:
    once = f"[ -e /tmp/again ] && exit 3; echo >/tmp/again; {SERVE}"
    with container(host, "backend", script=once):
        outcome = act("docker_restart", {"container": "backend"}, engine())
        assert outcome.unconfirmed == "backend does not stay up: exited (3)"


def test_one_that_ends_again_and_again_is_not_confirmed(
    host: Host, engine: Callable[..., Target]
) -> None:
    once = f"[ -e /tmp/again ] && exit 3; echo >/tmp/again; {SERVE}"
    with container(host, "backend", "--restart=always", script=once):
        outcome = act("docker_restart", {"container": "backend"}, engine())
        assert outcome.unconfirmed is not None
        assert "does not stay up" in outcome.unconfirmed


def test_a_health_check_is_waited_for(host: Host, engine: Callable[..., Target]) -> None:
    slow = f"rm -f /tmp/ok; (sleep 2; echo >/tmp/ok) & {SERVE}"
    health = ["--health-cmd", "cat /tmp/ok", "--health-interval=200ms", "--health-retries=50"]
    with container(host, "backend", *health, script=slow):
        outcome = act("docker_restart", {"container": "backend"}, engine())
        assert outcome.unconfirmed is None
        assert state(host, "backend")["Health"]["Status"] == "healthy"


def test_one_that_stays_unhealthy_is_not_confirmed(
    host: Host, engine: Callable[..., Target]
) -> None:
    health = ["--health-cmd", "false", "--health-interval=200ms", "--health-retries=1"]
    with container(host, "backend", *health):
        outcome = act("docker_restart", {"container": "backend", "stop_timeout": 2}, engine(6.0))
        assert outcome.unconfirmed == "backend runs but is unhealthy"


def test_the_engines_words_are_told(host: Host, engine: Callable[..., Target]) -> None:
    port = ["-p", "127.0.0.1:8097:80"]
    with container(host, "backend", *port):
        host.docker("stop", "-t", "1", "backend")
        with (
            container(host, "usurper", *port),
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
