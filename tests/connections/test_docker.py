"""The Docker SDK through the link, on an engine that only the host can reach."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import docker.errors
import pytest

from engine.connections.docker import open_client
from engine.connections.links import Links
from engine.errors import DialRefused
from tests.connections.helpers import Resources, settings_for
from tests.lab import sshd
from tests.lab.dockerd import IMAGE, SOCKET
from tests.modules.containers import until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engine.connections.base import Connection
    from tests.connections.helpers import Server
    from tests.lab.lab import Lab

pytestmark = [pytest.mark.lab, pytest.mark.usefixtures("lab_docker")]


@pytest.fixture
def client(ssh: Connection) -> Iterator[docker.DockerClient]:
    with contextlib.closing(open_client(ssh, SOCKET, timeout=30)) as opened:
        yield opened


def test_the_engine_is_the_hosts(client: docker.DockerClient) -> None:
    assert client.info()["Name"] == "h1"


def test_all_that_playbooks_ask_of_it_passes(client: docker.DockerClient) -> None:
    script = "echo one; echo two; exec sleep 1000"
    container = client.containers.run(IMAGE, ["sh", "-c", script], detach=True, mem_limit="32m")
    try:
        until(lambda: container.logs(stream=False, tail=1) == b"two\n")
        assert container.exec_run(["echo", "inside"]).output == b"inside\n"
        stats = container.stats(stream=False)
        assert isinstance(stats, dict)
        assert stats["memory_stats"]["limit"] == 32 * 1024 * 1024
        container.update(mem_limit="64m", memswap_limit="64m")
        container.reload()
        assert container.attrs["HostConfig"]["Memory"] == 64 * 1024 * 1024
        started = container.attrs["State"]["StartedAt"]
        container.restart(timeout=0)
        container.reload()
        assert container.attrs["State"]["StartedAt"] != started
        assert container.status == "running"
    finally:
        container.remove(force=True)
    with pytest.raises(docker.errors.NotFound):
        client.containers.get(container.name or "")


def test_a_log_is_followed_to_its_end(client: docker.DockerClient) -> None:
    script = "echo one; sleep 0.5; echo two"
    container = client.containers.run(IMAGE, ["sh", "-c", script], detach=True)
    try:
        assert list(container.logs(stream=True, follow=True)) == [b"one\n", b"two\n"]
    finally:
        container.remove(force=True)


def test_requests_of_any_kind_share_one_stream(
    ssh: Connection, client: docker.DockerClient
) -> None:
    client.ping()
    before = Resources(ssh)
    for _ in range(5):
        client.ping()
        client.version()
        client.containers.list()
        client.images.list()
    assert before.back()


def test_closing_the_client_closes_its_way_there(ssh: Connection) -> None:
    before = Resources(ssh)
    open_client(ssh, SOCKET, timeout=30).close()
    assert before.back()


def test_no_engine_is_told(ssh: Connection, ssh_server: Server) -> None:
    before = Resources(ssh)
    with pytest.raises(DialRefused, match=r"/nowhere\.sock: no such socket"):
        open_client(ssh, "/nowhere.sock", timeout=5)
    with pytest.raises(DialRefused, match=r"echo\.sock: no Docker engine answers there"):
        open_client(ssh, ssh_server.path, timeout=5)
    assert before.back()


def test_no_right_to_the_engine_is_told(lab: Lab) -> None:
    links = Links({"h1": settings_for(lab.h1, ansible_user=sshd.USER)})
    with pytest.raises(DialRefused, match=r"docker\.sock: permission denied for deploy"):
        open_client(links.get("h1"), SOCKET, timeout=5)
    links.close()
