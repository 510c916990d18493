"""What every module for a container must bear: others at work, odd names, no engine."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from engine.connections.links import Links
from engine.contract import DeadlineExceeded, DialRefused, LinkLost, ModuleFailed
from tests.connections.helpers import settings_for
from tests.lab import sshd
from tests.modules.containers import SERVE, container, in_a_loop, inspected, state, until
from tests.modules.fake_engine import described, fake_engine
from tests.modules.fakes import here, target
from tests.modules.images import image
from tests.modules.sequence import act, module, probe

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from engine.contract import Target
    from tests.lab.lab import Host, Lab

    Engine = Callable[..., Target]

ACTIONS: dict[str, dict[str, Any]] = {
    "docker_restart": {"stop_timeout": 2},
    "docker_rollback": {"image": "odd:1", "stop_timeout": 2},
    "docker_start": {},
    "docker_stop": {"stop_timeout": 2},
    "docker_update": {"pids_limit": 77},
}
PROBES = ["docker_inspect", "docker_logs", "docker_stats"]
MODULES = [*ACTIONS, *PROBES]


@pytest.fixture(scope="module")
def odd(lab_docker: Lab) -> Iterator[str]:
    """An image to go back to."""
    made = image(lab_docker.h1, "odd:1", f'CMD ["sh", "-c", "{SERVE}"]')
    yield made
    lab_docker.h1.docker("rmi", "-f", made)


def ready(host: Host, name: str) -> None:
    """Have `backend` in a state in which the action has something to do."""
    if name == "docker_start":
        host.docker("kill", "backend")


def do(name: str, target: Target, **args: Any) -> Any:
    given = {"container": "backend", **ACTIONS.get(name, {}), **args}
    return act(name, given, target) if name in ACTIONS else probe(name, given, target)


def done(name: str, before: dict[str, Any], after: dict[str, Any] | None) -> bool:
    """Whether the action did what it is for."""
    if name == "docker_update":
        return after is not None and after["HostConfig"]["PidsLimit"] == 77
    if name == "docker_rollback":
        return after is not None and after["Id"] != before["Id"]
    return after is not None and after["State"] != before["State"]


@pytest.mark.lab
@pytest.mark.usefixtures("odd")
@pytest.mark.parametrize("name", ACTIONS)
def test_one_that_is_removed_meanwhile(docker_host: Host, engine: Engine, name: str) -> None:
    with container(docker_host, "backend"):
        ready(docker_host, name)
        with pytest.raises(ModuleFailed, match="backend was replaced or removed; nothing was done"):
            act(
                name,
                {"container": "backend", **ACTIONS[name]},
                engine(90.0),
                meanwhile=lambda: docker_host.docker("rm", "-f", "backend"),
            )


@pytest.mark.lab
@pytest.mark.usefixtures("odd")
@pytest.mark.parametrize("name", ACTIONS)
def test_one_that_is_started_again_meanwhile(docker_host: Host, engine: Engine, name: str) -> None:
    seen = []
    with container(docker_host, "backend"):
        ready(docker_host, name)

        def restart() -> None:
            docker_host.docker("restart", "-t", "1", "backend")
            seen.append(inspected(docker_host, "backend"))

        with pytest.raises(ModuleFailed, match="was restarted by someone else; nothing was done"):
            act(
                name,
                {"container": "backend", **ACTIONS[name]},
                engine(90.0),
                meanwhile=restart,
            )
        assert not done(name, seen[0], inspected(docker_host, "backend"))


@pytest.mark.lab
@pytest.mark.usefixtures("odd")
@pytest.mark.parametrize("name", ACTIONS)
def test_one_that_is_renamed_meanwhile(docker_host: Host, engine: Engine, name: str) -> None:
    with container(docker_host, "backend") as id_:
        ready(docker_host, name)
        before = inspected(docker_host, id_)
        try:
            with pytest.raises(ModuleFailed, match="is now called elsewhere; nothing was done"):
                act(
                    name,
                    {"container": "backend", **ACTIONS[name]},
                    engine(90.0),
                    meanwhile=lambda: docker_host.docker("rename", "backend", "elsewhere"),
                )
            assert not done(name, before, inspected(docker_host, id_))
        finally:
            docker_host.docker("rename", id_, "backend")


@pytest.mark.lab
@pytest.mark.usefixtures("odd")
@pytest.mark.parametrize("name", ACTIONS)
def test_a_name_that_begins_anothers(docker_host: Host, engine: Engine, name: str) -> None:
    with container(docker_host, "backend") as id_:
        ready(docker_host, name)
        before = inspected(docker_host, id_)
        with pytest.raises(ModuleFailed) as failed:
            do(name, engine(90.0), container="back")
        assert failed.value.message == "no container 'back'; did you mean backend?"
        with container(docker_host, "back"):
            if name == "docker_start":
                docker_host.docker("kill", "back")
            do(name, engine(90.0), container="back")
            assert not done(name, before, inspected(docker_host, id_))
            for left in docker_host.docker("ps", "-aqf", "name=back-").stdout.split():
                docker_host.docker("rm", "-f", left)


@pytest.mark.lab
@pytest.mark.usefixtures("odd")
@pytest.mark.parametrize("name", ACTIONS)
def test_an_id_will_do(docker_host: Host, engine: Engine, name: str) -> None:
    with container(docker_host, "backend") as id_:
        ready(docker_host, name)
        outcome = do(name, engine(90.0), container=id_)
        assert outcome.change.on[0].name == "backend"
        assert outcome.unconfirmed is None
        assert done(name, {"Id": id_, "State": None}, inspected(docker_host, "backend"))
        for left in docker_host.docker("ps", "-aqf", "name=backend-").stdout.split():
            docker_host.docker("rm", "-f", left)


@pytest.mark.lab
def test_names_that_fit_and_that_do_not(docker_host: Host, engine: Engine) -> None:
    with container(docker_host, "backend") as id_, container(docker_host, "frontend"):
        for name in PROBES:
            for given in ("backend", id_, id_[:12]):
                assert id_ in repr(do(name, engine(), container=given).seen)
            for given in (id_[:11], "backnd"):
                with pytest.raises(ModuleFailed, match=f"no container '{given}'; "):
                    do(name, engine(), container=given)


@pytest.mark.lab
@pytest.mark.usefixtures("odd")
@pytest.mark.parametrize("name", ["docker_restart", "docker_rollback", "docker_stop"])
def test_a_restart_loop_that_somebody_ended_meanwhile(
    docker_host: Host, engine: Engine, name: str
) -> None:
    script = f"[ -e /shared/mended ] || exit 3; {SERVE}"
    docker_host.exec(["rm", "-rf", "/srv/odd"], check=True)
    options = ["--restart=always", "-v", "/srv/odd:/shared"]
    with container(docker_host, "backend", *options, script=script) as id_:
        until(lambda: in_a_loop(docker_host, "backend"))

        def mend() -> None:
            docker_host.write("/srv/odd/mended", "")
            docker_host.docker("restart", "-t", "1", "backend")

        with pytest.raises(ModuleFailed, match="was restarted by someone else; nothing was done"):
            act(name, {"container": "backend", **ACTIONS[name]}, engine(90.0), meanwhile=mend)
        assert inspected(docker_host, "backend")["Id"] == id_
        assert state(docker_host, "backend")["Running"]


@pytest.mark.lab
def test_no_right_to_the_engine(lab_docker: Lab) -> None:
    links = Links({"h1": settings_for(lab_docker.h1, ansible_user=sshd.USER)})
    try:
        for name in MODULES:
            with pytest.raises(DialRefused, match=r"docker\.sock: permission denied for deploy"):
                do(name, target(links.get("h1"), within=90.0))
    finally:
        links.close()


@pytest.mark.lab
def test_an_engine_that_is_down(docker_host: Host, engine: Engine) -> None:
    leave = "import socket; socket.socket(socket.AF_UNIX).bind('/run/left.sock')"
    docker_host.exec(["rm", "-f", "/run/left.sock"], check=True)
    docker_host.exec([sys.executable, "-c", leave], check=True)
    for name in MODULES:
        for path in ("/run/left.sock", "/run/none.sock"):
            with pytest.raises(DialRefused, match=path):
                do(name, engine(90.0), socket=path)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["docker_restart", "docker_stats"])
def test_an_engine_that_does_not_answer(name: str) -> None:
    with fake_engine({}) as engine:

        def never() -> object:
            engine.over.wait()
            return {}

        engine.answers["/containers/backend/json"] = never
        late = rf"^Docker at {engine.socket_path}: not done within (2|1\.9\d?) s$"
        with pytest.raises(DeadlineExceeded, match=late):
            do(name, here(within=2), socket=engine.socket_path)


def test_an_engine_that_goes_down_meanwhile() -> None:
    stopped = described()
    stopped["State"] = {**stopped["State"], "Status": "exited", "Running": False}
    with fake_engine({"/containers/backend/json": stopped}) as engine:
        subject = module("docker_start", {"container": "backend", "socket": engine.socket_path})
        change = subject.decide(subject.observe(here()))  # type: ignore[attr-defined]
    with pytest.raises(DialRefused):
        subject.apply(here(), change)  # type: ignore[attr-defined]


def test_an_engine_that_breaks_off_a_rollback() -> None:
    def break_off() -> object:
        raise ConnectionResetError

    former = described(Image="sha256:2", Mounts=[], NetworkSettings={"Networks": {}})
    former["Config"] |= {"Image": "odd:2", "Labels": None, "Hostname": "backend"}
    former["HostConfig"] |= {"Binds": None, "NetworkMode": "none"}
    images = [
        {"Id": id_, "RepoTags": [tag], "Created": "2026-11-23T13:37:00Z", "Config": {}}
        for id_, tag in (("sha256:1", "odd:1"), ("sha256:2", "odd:2"))
    ]
    answers = {
        "/containers/backend/json": former,
        f"/containers/{former['Id']}/json": former,
        "/containers/json": [],
        "/images/odd:1/json": images[0],
        "/images/odd:2/json": images[1],
        "/images/sha256:2/json": images[1],
        "/containers/create": {"Id": "coming"},
        f"/containers/{former['Id']}/stop": break_off,
    }
    with (
        fake_engine(answers) as engine,
        pytest.raises(LinkLost, match=r"; the former container may be backend-before-0123456789ab"),
    ):
        do("docker_rollback", here(within=90), socket=engine.socket_path)
    # Sent once; and what nobody saw the end of is not put right by guessing.
    assert [path.partition("?")[0] for path in engine.asked[-2:]] == [
        "/v1.41/containers/create",
        f"/v1.41/containers/{former['Id']}/stop",
    ]


@pytest.mark.parametrize("name", MODULES)
@pytest.mark.parametrize("given", ["", "-f", "a b", "../x", "a/b", "é", "a?x=1"])
def test_what_is_no_name_is_refused(name: str, given: str) -> None:
    with pytest.raises(msgspec.ValidationError):
        module(name, {**ACTIONS.get(name, {}), "container": given})
