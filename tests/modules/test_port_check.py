from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from engine.connections.base import Argv
from tests.lab.dockerd import IMAGE
from tests.lab.ports import free_port
from tests.modules.fakes import FakeConnection, here, target
from tests.modules.listening import listener
from tests.modules.sequence import module, probe

if TYPE_CHECKING:
    from engine.connections.links import Links
    from tests.lab.lab import Lab
    from tests.modules.sequence import Outcome


def check(port: int, **args: Any) -> Outcome:
    return probe("port_check", {"port": port, **args}, here())


def test_who_listens() -> None:
    port = free_port()
    with listener(port) as process:
        outcome = check(port)
    (held,) = outcome.seen["processes"]
    assert (held["pid"], held["name"]) == (process.pid, "python")
    assert outcome.seen["listening"] is True
    assert outcome.seen["addresses"] == [f"127.0.0.1:{port}"]
    assert outcome.seen["unseen"] is None
    assert outcome.summary == f"python (pid {process.pid}, {held['user']}) on 127.0.0.1:{port}"
    assert outcome.finding is None


def test_nothing_listens() -> None:
    port = free_port()
    outcome = check(port)
    assert (outcome.seen["listening"], outcome.seen["processes"]) == (False, [])
    assert outcome.finding == outcome.summary == f"nothing listens on port {port}"
    assert check(port, listening=False).finding is None


def test_something_listens_that_should_not() -> None:
    port = free_port()
    with listener(port) as process:
        finding = check(port, listening=False).finding
    assert finding is not None
    assert finding.startswith(f"port {port} is held by python (pid {process.pid}, ")


@pytest.mark.slow
def test_what_listens_is_judged_by_its_name_or_its_command_line() -> None:
    port = free_port()
    with listener(port, "named=backend") as process:
        assert check(port, process="^backend$").finding is None
        assert check(port, process="-c .*import ctypes").finding is None
        finding = check(port, process="nginx").finding
    assert finding is not None
    assert finding.startswith(f"port {port} is held by backend (pid {process.pid}")
    assert finding.endswith(", expected 'nginx'")


@pytest.mark.slow
def test_one_of_two_that_is_not_what_should_listen_is_a_finding() -> None:
    port = free_port()
    with listener(port, "named=backend"), listener(port, "named=stale", address="::1"):
        assert check(port, process="backend|stale").finding is None
        finding = check(port, process="^backend$").finding
    assert finding is not None
    assert "stale (pid" in finding


def test_a_password_in_a_command_line_is_not_told() -> None:
    port = free_port()
    with listener(port, "--password=sesame"):
        (held,) = check(port).seen["processes"]
    assert "sesame" not in held["command"]


HIDDEN = "socket 0: 0100007F:1F90 00000000:0000 0A 0:0 0:0 0 0 0 12345 1\nancestor 7\n"


def test_a_process_that_may_not_be_seen_is_said() -> None:
    host = target(FakeConnection([(0, HIDDEN, "")], uid=1000))
    outcome = probe("port_check", {"port": 8080}, host)
    assert outcome.seen["listening"] is True
    assert outcome.summary == "a process that is not seen on 127.0.0.1:8080"
    assert outcome.finding is None
    unseen = (
        "port 8080 is held by a process of uid 0 that alice may not look at: needs root (become)"
    )
    for args in ({"process": "nginx"}, {"listening": False}):
        assert probe("port_check", {"port": 8080, **args}, host).finding == unseen


NETSTAT = """
  Proto  Lokale Adresse         Remoteadresse          Status           PID
  TCP    0.0.0.0:8080           0.0.0.0:0              ABHÖREN         4711
  TCP    [::]:8080              [::]:0                 ABHÖREN         4711
"""
TASKS = '"java.exe","4711","Services","0","20.480 K"\r\n'


@pytest.mark.parametrize(
    ("details", "command"),
    [
        ("process 4711 812 133465432101234567 java -jar a.jar --token=abc\r\n", "java -jar a.jar "),
        ("", ""),
    ],
)
def test_a_windows_host_is_asked_in_its_language(details: str, command: str) -> None:
    host = FakeConnection([(0, said, "") for said in (NETSTAT, TASKS, details)], family="windows")
    outcome = probe("port_check", {"port": 8080, "process": "java"}, target(host))
    assert outcome.summary == "java.exe (pid 4711) on 0.0.0.0:8080, [::]:8080"
    assert outcome.finding is None
    (held,) = outcome.seen["processes"]
    assert held["command"].removesuffix("--token=***") == command
    assert host.commands[:2] == [Argv(("netstat", "-ano")), Argv(("tasklist", "/FO", "CSV", "/NH"))]


@pytest.mark.parametrize(
    "args",
    [
        {},
        {"port": 0},
        {"port": 8080, "process": "("},
        {"port": 8080, "process": "x", "listening": False},
    ],
)
def test_wrong_arguments_are_refused(args: dict[str, Any]) -> None:
    with pytest.raises(msgspec.ValidationError):
        module("port_check", args)


@pytest.mark.lab
def test_a_port_of_another_machine(lab: Lab, links: Links) -> None:
    outcome = probe("port_check", {"port": 22, "process": "^sshd$"}, target(links.get("h1")))
    assert outcome.finding is None
    assert outcome.seen["addresses"] == [f"{lab.h1.address}:22"]
    assert all(each["pid"] < os.getpid() for each in outcome.seen["processes"])


@pytest.mark.lab
def test_a_port_that_docker_publishes_names_the_container(lab_docker: Lab, links: Links) -> None:
    host = lab_docker.h1
    serve = ["httpd", "-f", "-p", "80", "-h", "/www"]
    host.docker("run", "-d", "--name", "shop", "-p", "127.0.0.1:8091:80", IMAGE, *serve)
    try:
        outcome = probe("port_check", {"port": 8091}, target(links.get("h1")))
    finally:
        host.docker("rm", "-f", "shop")
    assert outcome.seen["container"] == "shop"
    assert "docker-proxy (pid " in outcome.summary
    assert "for container shop on 127.0.0.1:8091" in outcome.summary
