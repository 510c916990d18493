"""docker_rollback of a service, on a Swarm of one of the lab's hosts."""

from __future__ import annotations

import json
import secrets
from typing import TYPE_CHECKING, Any

import pytest

from engine.contract import ModuleFailed
from tests.lab.dockerd import IMAGE
from tests.modules.containers import SERVE, names, until
from tests.modules.fakes import target
from tests.modules.sequence import act, module

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from engine.connections.links import Links
    from engine.contract import Target
    from tests.lab.lab import Host, Lab

    Engine = Callable[..., Target]

pytestmark = pytest.mark.lab
FAST = ["--update-monitor=500ms", "--rollback-monitor=500ms", "--update-delay=0s"]


@pytest.fixture(scope="module")
def manager(lab_docker: Lab) -> Iterator[Host]:
    """A host that manages a Swarm of its own."""
    host = lab_docker.h2
    host.docker("swarm", "init", "--advertise-addr", "127.0.0.1")
    yield host
    host.docker("swarm", "leave", "--force")


@pytest.fixture
def swarm(manager: Host, links: Links) -> Engine:
    return lambda within=90.0: target(links.get(manager.name), within=within)


@pytest.fixture
def service(manager: Host) -> Iterator[str]:
    """Two of a service, that runs `lab:1` in its first version; gives its name."""
    name = f"web-{secrets.token_hex(4)}"
    made = ["service", "create", "--detach", "--name", name, "--replicas", "2", *FAST]
    manager.docker(*made, "--env", "VERSION=1", IMAGE, "sh", "-c", SERVE)
    until(lambda: len(running(manager, name)) == 2)
    yield name
    manager.docker("service", "rm", name)
    until(lambda: not [each for each in names(manager) if each.startswith(name)])


def update(host: Host, name: str, *options: str) -> None:
    host.docker("service", "update", "--detach", *options, name)


def description(host: Host, name: str) -> dict[str, Any]:
    (found,) = json.loads(host.docker("service", "inspect", name).stdout)
    assert isinstance(found, dict)
    return found


def settled(host: Host, name: str) -> bool:
    state = description(host, name).get("UpdateStatus", {}).get("State")
    return state not in {"updating", "rollback_started"}


def running(host: Host, name: str) -> list[str]:
    """The variable VERSION of each of its containers."""
    listed = host.docker("ps", "-q", "--filter", f"name={name}").stdout.split()
    form = "{{range .Config.Env}}{{println .}}{{end}}"
    said = [host.docker("inspect", "-f", form, id_, check=False).stdout for id_ in listed]
    return [line for each in said for line in each.split() if line.startswith("VERSION=")]


def test_a_service_is_back_on_its_last_version(manager: Host, swarm: Engine, service: str) -> None:
    manager.docker("tag", IMAGE, "lab:2")
    update(manager, service, "--env-add", "VERSION=2", "--image", "lab:2")
    until(lambda: settled(manager, service))
    assert running(manager, service) == ["VERSION=2"] * 2
    before = description(manager, service)
    outcome = act("docker_rollback", {"service": service}, swarm())
    after = description(manager, service)
    assert running(manager, service) == ["VERSION=1"] * 2
    assert after["UpdateStatus"]["State"] == "rollback_completed"
    assert outcome.unconfirmed is None
    assert outcome.done == {"service": service, "id": before["ID"]}
    change = outcome.change
    assert change is not None
    assert change.summary == f"service {service}: lab:2 → lab:1"
    assert (change.before, change.after) == ({"image": "lab:2"}, {"image": "lab:1"})
    (on,) = change.on
    assert (on.kind, on.name) == ("service", service)
    assert on.key == {"id": before["ID"], "version": before["Version"]["Index"]}
    # Once more would be forth again.
    assert act("docker_rollback", {"service": service}, swarm()).change is None


def test_one_that_is_being_updated_turns_round(manager: Host, swarm: Engine, service: str) -> None:
    update(manager, service, "--update-delay=5m", "--env-add", "VERSION=2")
    until(lambda: "VERSION=2" in running(manager, service))
    outcome = act("docker_rollback", {"service": service}, swarm())
    assert outcome.unconfirmed is None
    assert running(manager, service) == ["VERSION=1"] * 2


def test_one_whose_last_version_is_broken_too_is_not_confirmed(
    manager: Host, swarm: Engine, service: str
) -> None:
    for command in ("exit 1", SERVE):
        # The command is split as a shell splits it.
        update(manager, service, "--args", f'sh -c "{command}"')
        until(lambda: settled(manager, service))
    outcome = act("docker_rollback", {"service": service}, swarm())
    assert outcome.unconfirmed is not None
    assert outcome.unconfirmed.startswith(f"the rollback of {service} is paused: ")
    with pytest.raises(ModuleFailed, match=f"the rollback of {service} is paused already"):
        act("docker_rollback", {"service": service}, swarm())


def test_one_that_someone_else_changes_is_left_alone(
    manager: Host, swarm: Engine, service: str
) -> None:
    update(manager, service, "--env-add", "VERSION=2")
    until(lambda: settled(manager, service))
    before = description(manager, service)
    subject = module("docker_rollback", {"service": service})
    change = subject.decide(subject.observe(swarm()))  # type: ignore[attr-defined]
    assert change.summary == f"service {service}: the settings before, with lab:1 as now"
    assert description(manager, service) == before
    said = subject.confirm(swarm(), change)  # type: ignore[attr-defined]
    assert said == f"{service} was not rolled back: update completed"

    update(manager, service, "--label-add", "by=another")
    until(lambda: settled(manager, service))
    with pytest.raises(ModuleFailed, match=f"{service} was changed by someone else; nothing was"):
        subject.apply(swarm(), change)  # type: ignore[attr-defined]
    assert running(manager, service) == ["VERSION=2"] * 2


def test_one_without_another_version(swarm: Engine, service: str) -> None:
    with pytest.raises(ModuleFailed, match=f"{service} has had no other version yet"):
        act("docker_rollback", {"service": service}, swarm())


def test_near_names_are_told(swarm: Engine, service: str) -> None:
    with pytest.raises(ModuleFailed, match=f"no service '{service[:-1]}'; did you mean {service}"):
        act("docker_rollback", {"service": service[:-1]}, swarm())
    with pytest.raises(ModuleFailed, match=f"no service 'zzz'; there are {service}"):
        act("docker_rollback", {"service": "zzz"}, swarm())


def test_a_container_of_a_service_goes_with_it(manager: Host, swarm: Engine, service: str) -> None:
    (name, *_) = [each for each in names(manager) if each.startswith(service)]
    with pytest.raises(ModuleFailed, match=f"belongs to the Swarm service {service}: roll that"):
        act("docker_rollback", {"container": name, "image": "lab:1"}, swarm())


def test_a_host_that_manages_no_swarm(engine: Engine) -> None:
    with pytest.raises(ModuleFailed, match="Docker says: This node is not a swarm manager"):
        act("docker_rollback", {"service": "web"}, engine())
