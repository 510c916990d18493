"""docker_rollback on the lab's engine: what becomes of the container and of its former self."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from engine.contract import ModuleFailed
from tests.lab.ports import free_port
from tests.modules.containers import SERVE, container, inspected, state, until
from tests.modules.images import Application
from tests.modules.sequence import act, module

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from engine.contract import Target
    from tests.lab.lab import Host

    Engine = Callable[..., Target]

RUN = f'CMD ["sh", "-c", "{SERVE}"]'
GOOD = "HEALTHCHECK --interval=200ms --retries=2 CMD true"
# Unhealthy for some seconds; what is unhealthy is not waited for, though it may come round.
COUNT = "n=$(cat /n || echo 0); echo $((n + 1)) >/n; [ $n -ge 20 ]"
BAD = f"HEALTHCHECK --interval=200ms --retries=2 CMD {COUNT}"


@pytest.fixture
def app(docker_host: Host) -> Iterator[Application]:
    made = Application(docker_host)
    yield made
    made.remove()


def back(engine: Engine, app: Application, tag: str | None = "1", **args: Any) -> Any:
    """Roll the application back, to the image of that tag."""
    given = {} if tag is None else {"image": f"{app.name}:{tag}"}
    meanwhile = args.pop("meanwhile", lambda: None)
    arguments = {"container": app.name, "stop_timeout": "2s", **given, **args}
    return act("docker_rollback", arguments, engine(90.0), meanwhile=meanwhile)


@pytest.mark.lab
def test_a_container_is_back_on_its_previous_image(app: Application, engine: Engine) -> None:
    old, new = app.image("1", RUN), app.image("2", RUN)
    former = app.run("2", "--restart", "always")
    before = inspected(app.host, app.name)
    outcome = back(engine, app)
    after, kept = inspected(app.host, app.name), inspected(app.host, outcome.done["kept"])

    assert after["State"]["Running"]
    assert (after["Image"], after["Config"]["Image"]) == (old, f"{app.name}:1")
    assert after["HostConfig"]["RestartPolicy"]["Name"] == "always"
    assert outcome.done == {
        "container": app.name,
        "id": after["Id"],
        "kept": f"{app.name}-before-{former[:12]}",
    }
    assert app.others() == [outcome.done["kept"]]
    assert (kept["Id"], kept["Image"], kept["State"]["Status"]) == (former, new, "exited")
    # An engine that is started again leaves it alone.
    assert kept["HostConfig"]["RestartPolicy"]["Name"] == "no"

    change = outcome.change
    assert change.summary.startswith(f"{app.name} up ")
    assert f": {app.name}:2 ({new[7:19]}) → {app.name}:1 ({old[7:19]})" in change.summary
    assert change.before == {"image": f"{app.name}:2", "image_id": new}
    assert change.after == {"image": f"{app.name}:1", "image_id": old}
    assert change.reversible
    assert change.on[0].key == {"id": former, "started_at": before["State"]["StartedAt"]}
    assert outcome.unconfirmed is None


@pytest.mark.lab
def test_what_it_was_given_is_kept(app: Application, engine: Engine) -> None:
    app.image("1", RUN), app.image("2", RUN)
    host, port = app.host, free_port()
    options = [
        *["-h", "own-name", "-p", f"127.0.0.1:{port}:80", "-p", "81/udp", "--dns", "10.9.8.7"],
        *["-e", "PASSWORD=zebra", "--label", "team=platform", "--user", "1000:1000", "-w", "/srv"],
        *["-v", f"{app.name}-data:/data", "-v", "/srv:/srv:ro", "--tmpfs", "/scratch:size=1m"],
        *["--mount", f"type=volume,source={app.name}-more,target=/more", "--read-only"],
        *["-m", "64m", "--memory-swap", "96m", "--cpus", "0.5", "--pids-limit", "99"],
        *["--ulimit", "nofile=100:200", "--cap-add", "NET_ADMIN", "--cap-drop", "CHOWN"],
        *["--security-opt", "no-new-privileges", "--sysctl", "net.core.somaxconn=100"],
        *["--device", "/dev/null:/dev/empty", "--shm-size", "8m", "--init", "--stop-timeout", "3"],
        *["--add-host", "db:10.1.2.3", "--log-opt", "max-size=1m", "--restart", "on-failure:2"],
        *["--stop-signal", "INT", "--network", app.name, "--network-alias", "backend"],
        *["--health-cmd", "true", "--health-interval", "200ms"],
    ]
    host.docker("network", "create", app.name)
    host.docker("network", "create", "--subnet", "10.77.0.0/24", f"{app.name}-2")
    try:
        app.run("2", *options, command=("sh", "-c", SERVE))
        address = ["--ip", "10.77.0.7", "--alias", "second"]
        host.docker("network", "connect", *address, f"{app.name}-2", app.name)
        before = inspected(host, app.name)
        assert back(engine, app).unconfirmed is None
        after = inspected(host, app.name)
    finally:
        app.remove()
        host.docker("network", "rm", app.name, f"{app.name}-2")
        host.docker("volume", "rm", f"{app.name}-data", f"{app.name}-more")

    labels = after["Config"]["Labels"]
    assert labels.pop("quell.rolled-back-from") == before["Image"]
    assert labels.pop("quell.rolled-back-to") == after["Image"]
    assert after["Config"] == {**before["Config"], "Image": f"{app.name}:1"}
    assert after["HostConfig"] == before["HostConfig"]
    assert targets(after) == targets(before)
    assert endpoints(after) == endpoints(before)


def targets(raw: dict[str, Any]) -> list[tuple[Any, ...]]:
    """Its mounts, for comparison."""
    mounts = raw["Mounts"]
    return sorted((m["Destination"], m["Type"], m.get("Name"), m["RW"]) for m in mounts)


def endpoints(raw: dict[str, Any]) -> dict[str, Any]:
    """Its networks, without what is each container's own."""
    networks = raw["NetworkSettings"]["Networks"]
    own = raw["Id"][:12]
    return {
        name: (sorted(set(each["Aliases"]) - {own}), each["IPAMConfig"])
        for name, each in networks.items()
    }


@pytest.mark.lab
def test_volumes_without_a_name_come_along(app: Application, engine: Engine) -> None:
    app.image("1", RUN, "VOLUME /of-image"), app.image("2", RUN, "VOLUME /of-image")
    app.run("2", "-v", "/of-command", "--mount", "type=volume,target=/of-mount")
    write = 'for d in /of-*; do echo kept >"$d/file"; done'
    app.host.docker("exec", app.name, "sh", "-c", write)
    back(engine, app)
    read = app.host.docker("exec", app.name, "sh", "-c", "cat /of-*/file").stdout
    assert read == "kept\n" * 3


@pytest.mark.lab
def test_what_it_had_from_its_image_it_has_from_the_other(app: Application, engine: Engine) -> None:
    app.image(
        "1",
        'CMD ["sh", "-c", "echo one; trap \'exit 0\' TERM; while true; do sleep 0.1; done"]',
        *["ENV LEVEL=one", "LABEL version=1", "WORKDIR /bin", "USER 11", "EXPOSE 81"],
        GOOD,
    )
    app.image(
        "2",
        'CMD ["sh", "-c", "echo two; sleep 1000"]',
        *["ENV LEVEL=two EXTRA=x", "LABEL version=2", "WORKDIR /www", "USER 22", "EXPOSE 82"],
    )
    app.run("2", "-e", "OWN=mine", "--label", "own=mine")
    assert back(engine, app).unconfirmed is None
    config = inspected(app.host, app.name)["Config"]
    assert app.host.docker("logs", app.name).stdout == "one\n"
    assert {each for each in config["Env"] if not each.startswith("PATH=")} == {
        "OWN=mine",
        "LEVEL=one",
    }
    assert (config["Labels"]["version"], config["Labels"]["own"]) == ("1", "mine")
    assert (config["WorkingDir"], config["User"]) == ("/bin", "11")
    assert set(config["ExposedPorts"]) == {"81/tcp"}
    assert config["Healthcheck"]["Test"] == ["CMD-SHELL", "true"]


@pytest.mark.lab
def test_one_that_does_not_become_healthy_makes_way_again(app: Application, engine: Engine) -> None:
    speak = f"echo hello from one; {SERVE}"
    app.image("1", f'CMD ["sh", "-c", "{speak}"]', BAD)
    app.image("2", RUN, GOOD)
    former = app.run("2", "--restart", "unless-stopped")
    before = inspected(app.host, app.name)
    with pytest.raises(ModuleFailed) as failed:
        back(engine, app)
    after = inspected(app.host, app.name)
    assert failed.value.message.startswith(
        f"{app.name} runs but is unhealthy; the former container is back: "
    )
    assert failed.value.found == {"log": ["hello from one"]}
    assert (after["Id"], after["State"]["Running"]) == (former, True)
    assert after["HostConfig"] == before["HostConfig"]
    assert app.others() == []


@pytest.mark.lab
def test_one_that_ends_at_once_makes_way_again(app: Application, engine: Engine) -> None:
    app.image("1", 'CMD ["sh", "-c", "echo cannot start >&2; exit 3"]')
    app.image("2", RUN)
    former = app.run("2")
    with pytest.raises(ModuleFailed, match=r"does not stay up: exited \(3\); .* is back: up"):
        back(engine, app)
    after = inspected(app.host, app.name)
    assert (after["Id"], after["State"]["Running"]) == (former, True)
    assert app.others() == []


@pytest.mark.lab
def test_one_that_the_engine_refuses_to_start_makes_way_again(
    app: Application, engine: Engine
) -> None:
    app.image("1", 'CMD ["no-such-program"]')
    app.image("2", RUN)
    former = app.run("2")
    with pytest.raises(ModuleFailed, match=r"Docker says: .*no-such-program.* is back: up"):
        back(engine, app)
    after = inspected(app.host, app.name)
    assert (after["Id"], after["State"]["Running"]) == (former, True)
    assert app.others() == []


@pytest.mark.lab
def test_one_that_had_ended_is_replaced_too_and_put_back_as_it_was(
    app: Application, engine: Engine
) -> None:
    app.image("0", 'CMD ["sh", "-c", "exit 4"]')
    app.image("1", RUN)
    app.image("2", 'CMD ["sh", "-c", "exit 3"]')
    former = app.run("2")
    app.host.docker("wait", app.name)
    with pytest.raises(ModuleFailed, match=r"exited \(4\); .* is back: exited \(3\)"):
        back(engine, app, "0")
    assert inspected(app.host, app.name)["Id"] == former
    outcome = back(engine, app, "1")
    assert outcome.change.summary.startswith(f"{app.name} exited (3): ")
    assert state(app.host, app.name)["Running"]


@pytest.mark.lab
def test_a_restart_loop_is_ended(app: Application, engine: Engine) -> None:
    app.image("1", RUN)
    app.image("2", 'CMD ["sh", "-c", "exit 3"]')
    app.run("2", "--restart", "always")
    until(lambda: state(app.host, app.name)["Restarting"])

    def turn() -> None:
        before = state(app.host, app.name)["StartedAt"]
        until(lambda: state(app.host, app.name)["StartedAt"] != before)

    outcome = back(engine, app, meanwhile=turn)
    assert outcome.unconfirmed is None
    assert state(app.host, app.name)["Running"]
    assert state(app.host, outcome.done["kept"])["Status"] == "exited"


@pytest.mark.lab
def test_one_that_is_back_already_is_left_alone(app: Application, engine: Engine) -> None:
    app.image("1", RUN), app.image("2", RUN)
    app.run("2")
    assert back(engine, app).change is not None
    before = inspected(app.host, app.name)
    assert back(engine, app).change is None
    # Nor does it go forth again where it is not said what is meant.
    assert back(engine, app, None).change is None
    assert inspected(app.host, app.name)["Id"] == before["Id"]
    assert back(engine, app, "2").change is not None


@pytest.mark.lab
def test_looking_changes_nothing_and_is_not_confirmed(app: Application, engine: Engine) -> None:
    app.image("1", RUN), app.image("2", RUN)
    app.run("2")
    before = inspected(app.host, app.name)
    subject = module("docker_rollback", {"container": app.name, "image": f"{app.name}:1"})
    change = subject.decide(subject.observe(engine()))  # type: ignore[attr-defined]
    assert inspected(app.host, app.name) == before
    assert app.others() == []
    said = subject.confirm(engine(), change)  # type: ignore[attr-defined]
    assert said.startswith(f"{app.name} still runs {app.name}:2: up ")


@pytest.mark.lab
def test_a_tag_that_moves_meanwhile_is_seen(app: Application, engine: Engine) -> None:
    app.image("1", RUN), app.image("2", RUN)
    former = app.run("2")
    with pytest.raises(ModuleFailed, match=r"app-\w+:1 is another image by now; nothing was done"):
        back(engine, app, meanwhile=lambda: app.image("1", RUN))
    assert inspected(app.host, app.name)["Id"] == former
    assert app.others() == []


@pytest.mark.lab
def test_it_must_fit_into_the_tasks_time(app: Application, engine: Engine) -> None:
    app.image("1", RUN), app.image("2", RUN)
    former = app.run("2")
    fits = r"stop_timeout of 60 s with the 40 s that the rest takes does not fit"
    with pytest.raises(ModuleFailed, match=fits):
        back(engine, app, stop_timeout="1m")
    assert state(app.host, app.name)["Running"]
    assert inspected(app.host, app.name)["Id"] == former


@pytest.mark.lab
def test_one_with_no_way_back_is_refused(app: Application, engine: Engine) -> None:
    app.image("1", RUN), app.image("2", RUN)
    app.run("2", "--rm")
    with pytest.raises(ModuleFailed, match="was made with --rm: stopped, it would be gone"):
        back(engine, app)
    assert state(app.host, app.name)["Running"]


@pytest.mark.lab
def test_a_paused_one_is_refused(app: Application, engine: Engine) -> None:
    app.image("1", RUN), app.image("2", RUN)
    app.run("2")
    app.host.docker("pause", app.name)
    with pytest.raises(ModuleFailed, match=r"is paused: `docker unpause app-\w+` continues it"):
        back(engine, app)


@pytest.mark.lab
def test_one_whose_network_others_use_is_refused(app: Application, engine: Engine) -> None:
    app.image("1", RUN), app.image("2", RUN)
    app.run("2")
    with (
        container(app.host, "sidecar", "--network", f"container:{app.name}"),
        pytest.raises(ModuleFailed, match=r"sidecar would lose the network: it is that of app-"),
    ):
        back(engine, app)


@pytest.mark.lab
def test_a_name_that_is_taken_changes_nothing(app: Application, engine: Engine) -> None:
    app.image("1", RUN), app.image("2", RUN)
    former = app.run("2")
    with (
        container(app.host, f"{app.name}-coming"),
        pytest.raises(ModuleFailed, match=r"Docker says: .*is already in use by container"),
    ):
        back(engine, app)
    assert inspected(app.host, app.name)["Id"] == former
    assert state(app.host, app.name)["Running"]


@pytest.mark.lab
@pytest.mark.parametrize("mode", ["host", "container:other"])
def test_without_a_network_of_its_own(app: Application, engine: Engine, mode: str) -> None:
    app.image("1", RUN), app.image("2", RUN)
    other = (
        contextlib.nullcontext("") if mode != "container:other" else container(app.host, "other")
    )
    with other:
        app.run("2", "--network", mode)
        before = inspected(app.host, app.name)["HostConfig"]["NetworkMode"]
        assert back(engine, app).unconfirmed is None
        assert inspected(app.host, app.name)["HostConfig"]["NetworkMode"] == before


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ({}, "give a container or a service, and not both"),
        ({"container": "a1", "service": "b1"}, "give a container or a service, and not both"),
        ({"service": "b1", "image": "x:1"}, "image goes with container"),
        ({"container": "a1", "image": "-x"}, "image"),
        ({"container": "a1", "image": "x?y"}, "image"),
        ({"service": "../x"}, "service"),
    ],
)
def test_what_is_refused(args: dict[str, Any], message: str) -> None:
    with pytest.raises(msgspec.ValidationError) as refused:
        module("docker_rollback", args)
    assert message in str(refused.value)
