"""port_kill on the lab's hosts, over SSH: another account, another pid namespace, Docker."""

from __future__ import annotations

import socket
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from engine.connections.links import Links
from engine.contract import GuardRefused, ModuleFailed
from tests.connections.helpers import eventually, settings_for
from tests.lab.dockerd import IMAGE
from tests.modules.fakes import target
from tests.modules.sequence import act

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engine.connections.base import Connection
    from tests.lab.lab import Host, Lab

pytestmark = pytest.mark.lab
LISTEN = """
import os, socket, sys, time
listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
if len(sys.argv) > 2:
    os.setuid(int(sys.argv[2]))
print(os.getpid(), flush=True)
time.sleep(600)
"""


@pytest.fixture
def host(lab: Lab) -> Host:
    return lab.h1


@pytest.fixture
def as_alice(host: Host) -> Iterator[Connection]:
    """The host, entered by an account without any rights."""
    key = host.key_path.with_suffix(".pub").read_text()
    host.exec(["useradd", "-m", "-b", "/srv", "-s", "/bin/sh", "-p", "*", "alice"], check=True)
    host.write("/srv/alice/.ssh/authorized_keys", key)
    host.exec(["chown", "-R", "alice:", "/srv/alice"], check=True)
    links = Links({"h1": settings_for(host, ansible_user="alice")})
    yield links.get("h1")
    links.close()
    host.exec(["userdel", "--force", "--remove", "alice"])


def listen(host: Host, port: int, *arguments: str) -> int:
    """Start a listener; gives its pid as the host sees it."""
    argv = [sys.executable, "-c", LISTEN, str(port), *arguments]
    process = host.start(argv, stdout=subprocess.PIPE)
    assert process.stdout is not None
    pid = int(process.stdout.readline())
    process.stdout.close()
    return pid


def runs(host: Host, pid: int) -> bool:
    return host.exec(["kill", "-0", str(pid)]).returncode == 0


def test_a_listener_on_another_machine(host: Host, links: Links) -> None:
    pid, neighbour = listen(host, 8080), listen(host, 8081)
    outcome = act("port_kill", {"port": 8080}, target(links.get("h1")))
    assert [each["pid"] for each in outcome.done["ended"]] == [pid]
    assert not runs(host, pid)
    assert runs(host, neighbour)
    assert outcome.unconfirmed is None
    act("port_kill", {"port": 8081}, target(links.get("h1")))
    assert not runs(host, neighbour)


def test_a_recycled_pid_is_not_hit(host: Host, links: Links) -> None:
    pid = listen(host, 8087)

    def recycle() -> None:
        host.exec(["kill", "-KILL", str(pid)], check=True)
        assert eventually(lambda: not runs(host, pid))
        again = f"echo {pid - 1} >/proc/sys/kernel/ns_last_pid; sleep 600 >/dev/null 2>&1 & echo $!"
        assert host.exec(["sh", "-c", again]).stdout == f"{pid}\n"

    outcome = act("port_kill", {"port": 8087}, target(links.get("h1")), meanwhile=recycle)
    assert outcome.done == {"ended": [], "gone": [pid]}
    assert host.exec(["ps", "-o", "comm=", "-p", str(pid)]).stdout == "sleep\n"
    host.exec(["kill", str(pid)], check=True)


def test_the_way_in_is_never_cut(links: Links) -> None:
    with pytest.raises(GuardRefused, match=r"port 22 is held by sshd .* never ended"):
        act("port_kill", {"port": 22}, target(links.get("h1")))
    assert links.get("h1").platform.user == "root"


def test_what_an_account_may_not_see_is_said(
    host: Host, links: Links, as_alice: Connection
) -> None:
    pid = listen(host, 8082)
    with pytest.raises(ModuleFailed) as failed:
        act("port_kill", {"port": 8082}, target(as_alice))
    assert failed.value.message == (
        "port 8082 is held by a process of uid 0 that alice may not look at: needs root (become)"
    )
    assert failed.value.found["hidden"] == [0]
    assert runs(host, pid)
    act("port_kill", {"port": 8082}, target(links.get("h1")))


def test_an_account_ends_its_own(host: Host, as_alice: Connection) -> None:
    drop = ["setpriv", "--reuid=alice", "--regid=alice", "--init-groups"]
    # root's Python is not alice's to run
    host.start([*drop, "busybox", "nc", "-ll", "-p", "8083", "-e", "cat"])
    assert eventually(lambda: "8083" in host.exec(["ss", "-Hltn"]).stdout)
    outcome = act("port_kill", {"port": 8083}, target(as_alice))
    (ended,) = outcome.done["ended"]
    assert (ended["name"], ended["user"]) == ("busybox", "alice")
    assert not runs(host, ended["pid"])


def test_one_that_dropped_its_rights_may_not_be_signalled_by_another(
    host: Host, links: Links, as_alice: Connection
) -> None:
    pid = listen(host, 8084, "65534")
    with pytest.raises(ModuleFailed, match="needs root"):
        act("port_kill", {"port": 8084}, target(as_alice))
    assert runs(host, pid)
    outcome = act("port_kill", {"port": 8084}, target(links.get("h1")))
    assert outcome.done["ended"][0]["user"] == "nobody"


def test_a_holder_in_another_pid_namespace_is_ended_as_this_host_sees_it(
    host: Host, links: Links
) -> None:
    argv = ["unshare", "--pid", "--fork", "--mount-proc", sys.executable, "-c", LISTEN, "8085"]
    process = host.start(argv, stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == b"1\n"  # to itself it is the first process
    process.stdout.close()
    outcome = act("port_kill", {"port": 8085, "grace": "300ms"}, target(links.get("h1")))
    (ended,) = outcome.done["ended"]
    assert ended["pid"] != 1
    assert not runs(host, ended["pid"])


def test_a_port_that_docker_publishes_names_the_container(lab_docker: Lab, links: Links) -> None:
    host = lab_docker.h1
    serve = ["httpd", "-f", "-p", "80", "-h", "/www"]
    host.docker("run", "-d", "--name", "shop", "-p", "127.0.0.1:8086:80", IMAGE, *serve)
    try:
        with pytest.raises(GuardRefused) as refused:
            act("port_kill", {"port": 8086}, target(links.get("h1")))
        assert "docker-proxy" in str(refused.value)
        assert str(refused.value).endswith("for container shop: use docker_restart")
        assert host.docker("inspect", "-f", "{{.State.Running}}", "shop").stdout == "true\n"
    finally:
        host.docker("rm", "-f", "shop")


def test_the_controllers_own_listeners_are_not_the_hosts(links: Links) -> None:

    with socket.create_server(("127.0.0.1", 0)) as ours:
        args = {"port": ours.getsockname()[1]}
        assert act("port_kill", args, target(links.get("h1"))).change is None
