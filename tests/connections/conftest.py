"""One connection to the controller itself, one to a host of the lab, and a server on each."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from engine.connections.links import Links
from engine.connections.settings import Settings
from tests.connections.helpers import Server, connected, settings_for

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engine.connections.base import Connection
    from tests.lab.lab import Lab

ECHO = [sys.executable, str(Path(__file__).with_name("echo.py"))]


# A mount namespace for each session, in which another program is /bin/sh.
_AS_SH = (
    "exec unshare -m sh -c 'mount --bind /usr/bin/{} /usr/bin/dash && "
    'exec /bin/bash -c "$SSH_ORIGINAL_COMMAND"\''
)


@pytest.fixture(scope="session")
def sh_ports(lab: Lab) -> dict[str, int]:
    """An sshd for each `sh`."""
    found = {"dash": 2231, "bash": 2232, "busybox": 2233}
    for name, port in found.items():
        lab.h1.sshd(port, {} if name == "dash" else {"ForceCommand": _AS_SH.format(name)})
    return found


@pytest.fixture(params=["dash", "bash", "busybox"])
def host(
    request: pytest.FixtureRequest, lab: Lab, sh_ports: dict[str, int]
) -> Iterator[Connection]:
    """The same test runs on a host with each `sh`."""
    yield from connected(settings_for(lab.h1, ansible_port=sh_ports[request.param]))


@pytest.fixture
def local() -> Iterator[Connection]:
    links = Links({"here": Settings("here", kind="local")})
    yield links.get("here")
    links.close()


@pytest.fixture
def ssh(lab: Lab) -> Iterator[Connection]:
    yield from connected(settings_for(lab.h1))


@pytest.fixture(params=["local", pytest.param("ssh", marks=pytest.mark.lab)])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def connection(kind: str, request: pytest.FixtureRequest) -> Connection:
    """The same test runs locally and over SSH."""
    found: Connection = request.getfixturevalue(kind)
    return found


@pytest.fixture
def server(kind: str, request: pytest.FixtureRequest) -> Server:
    """A server on the host that the connection leads to."""
    found: Server = request.getfixturevalue(f"{kind}_server")
    return found


@pytest.fixture(scope="session")
def local_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    path = str(tmp_path_factory.mktemp("echo") / "socket")
    with subprocess.Popen([*ECHO, path], stdout=subprocess.PIPE) as process:
        yield _started(process, path)
        process.kill()


@pytest.fixture(scope="session")
def ssh_server(lab: Lab) -> Iterator[Server]:
    path = "/run/echo.sock"  # not on the controller's disk
    process = lab.h1.start([*ECHO, path], stdout=subprocess.PIPE)
    yield _started(process, path)
    assert process.stdout is not None
    process.stdout.close()


def _started(process: subprocess.Popen[bytes], path: str) -> Server:
    assert process.stdout is not None
    echo, hang_up, mute = (int(port) for port in process.stdout.readline().split())
    return Server(echo, hang_up, mute, path)
