"""Streams to unix sockets as another account, by whatever program the host has for it."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import threading
from typing import TYPE_CHECKING

import pytest

from engine.connections.acting import Acting
from engine.connections.base import Become, Unix
from engine.connections.docker import open_client
from engine.connections.links import Links
from engine.connections.postgres import open_session
from engine.errors import BecomeRefused, DialRefused
from tests.connections.conftest import ECHO
from tests.connections.helpers import Resources, eventually, settings_for
from tests.lab.accounts import OTHER, PASSWORD, ROOT_PASSWORD, passwords
from tests.lab.dockerd import SOCKET
from tests.lab.postgres import DATABASE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from engine.connections.base import Connection
    from tests.lab.lab import Host, Lab

pytestmark = pytest.mark.lab

PATH = "/run/other.sock"
ROOT = Become(password=PASSWORD)
BY_SU = Become(OTHER, "su")
"""As root, who is asked nothing; what PATH has is kept."""
TOOLS = ("python3", "perl", "socat", "nc")


@pytest.fixture(scope="module")
def host(lab_accounts: Lab) -> Iterator[Host]:
    """With a server that only `other` and root can speak with."""
    host = lab_accounts.h1
    process = host.start([*ECHO, PATH], stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline()
    host.exec(["sh", "-c", f"chown {OTHER} {PATH} && chmod 600 {PATH}"], check=True)
    for number, tool in enumerate((*TOOLS, "docker", "none")):
        links = " ".join(f"/usr/bin/{name}" for name in ("id", "uname", "grep", "su", tool))
        script = f"mkdir /srv/with-{tool} && ln -s {links} /srv/with-{tool}"
        host.exec(["sh", "-c", script], check=True)
        host.sshd(2360 + number, {"SetEnv": f"PATH=/srv/with-{tool}"})
    yield host
    process.stdout.close()


@pytest.fixture
def enter(host: Host) -> Iterator[Callable[..., Connection]]:
    """Connections to the host: its account, and the one program that it has."""
    made: list[Links] = []

    def enter(account: str, tool: str = "") -> Connection:
        port = 2360 + (*TOOLS, "docker", "none").index(tool) if tool else 22
        made.append(Links({"h1": settings_for(host, ansible_user=account, ansible_port=port)}))
        return made[-1].get("h1")

    yield enter
    for links in made:
        links.close()


def exchanged(stream: socket.socket, data: bytes) -> bytes:
    """What an echo answers by the end of file, when it has got all of this and its end."""

    def send() -> None:
        stream.sendall(data)
        stream.shutdown(socket.SHUT_WR)

    sender = threading.Thread(target=send)
    sender.start()
    parts = []
    while part := stream.recv(65536):
        parts.append(part)
    sender.join()
    return b"".join(parts)


@pytest.mark.parametrize("tool", TOOLS)
def test_any_of_the_usual_programs_will_do(enter: Callable[..., Connection], tool: str) -> None:
    data = os.urandom(3_000_000)
    with enter("root", tool).dial(Unix(PATH), timeout=20, become=BY_SU) as stream:
        assert stream.gettimeout() is None
        assert exchanged(stream, data) == data


def test_none_of_them_is_told_by_name(enter: Callable[..., Connection]) -> None:
    with pytest.raises(DialRefused, match=r"install python3, perl, socat or a nc that knows -U"):
        enter("root", "none").dial(Unix(PATH), timeout=20, become=BY_SU)


@pytest.mark.parametrize(
    ("account", "become"),
    [
        ("asked", ROOT),
        ("terminal", ROOT),
        ("norule", Become(method="su", password=ROOT_PASSWORD)),
        ("doasked", Become(OTHER, "doas", PASSWORD)),
    ],
)
def test_a_stream_is_the_accounts(
    host: Host, enter: Callable[..., Connection], account: str, become: Become
) -> None:
    connection = enter(account)
    with pytest.raises(DialRefused, match=f"permission denied for {account}: needs another acc"):
        connection.dial(Unix(PATH), timeout=20)
    before = Resources(connection)
    passwords(host)
    with connection.dial(Unix(PATH), timeout=20, become=become) as stream:
        assert exchanged(stream, b"x" * 100_000) == b"x" * 100_000
    assert len(passwords(host)) == 1
    with connection.forward(Unix(PATH), timeout=20, become=become) as path:
        for _ in range(3):
            with socket.socket(socket.AF_UNIX) as client:
                client.connect(path)
                assert exchanged(client, b"y") == b"y"
    assert eventually(before.back)


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("/nowhere/socket", "/nowhere/socket: no such socket"),
        ("/etc/passwd", "/etc/passwd: not a socket"),
        ("/run/stale.sock", "/run/stale.sock: [Cc]onnection refused"),
        ("/run/closed.sock", f"/run/closed.sock: permission denied for {OTHER}"),
    ],
)
@pytest.mark.parametrize("tool", TOOLS)
def test_a_refusal_is_the_hosts_own(
    host: Host, enter: Callable[..., Connection], tool: str, path: str, why: str
) -> None:
    if path.startswith("/run"):  # nobody listens there
        bind = f"import socket; socket.socket(socket.AF_UNIX).bind('{path}')"
        mode = "666" if "stale" in path else "600"
        host.exec(["sh", "-c", f'rm -f {path}; python3 -c "{bind}"; chmod {mode} {path}'])
    with pytest.raises(DialRefused, match=why):
        enter("root", tool).dial(Unix(path), timeout=20, become=BY_SU)


def test_a_refusal_of_the_account_is_told_as_for_a_command(
    enter: Callable[..., Connection],
) -> None:
    connection = enter("asked")
    with pytest.raises(BecomeRefused, match="it wants a password"):
        connection.dial(Unix(PATH), timeout=20, become=Become())
    with (
        pytest.raises(BecomeRefused, match="it wants a password"),
        connection.forward(Unix(PATH), timeout=20, become=Become()),
    ):
        pass


def test_when_a_client_hangs_up_nothing_is_left_on_the_host(
    host: Host, enter: Callable[..., Connection]
) -> None:
    def there() -> set[str]:
        listed = ["sh", "-c", "ps -eo pid,args | grep -E '[s]udo|[q]uell-forward|PF_UNI[X]'"]
        return set(host.exec(listed).stdout.splitlines())

    connection, before = enter("asked"), there()  # other tests' may end later
    stream = connection.dial(Unix(PATH), timeout=20, become=ROOT)
    assert there() - before
    stream.close()
    assert eventually(lambda: there() <= before)


# ── the clients ───────────────────────────────────────────────────────────────────────────────


@pytest.mark.usefixtures("lab_docker")
def test_dockers_socket_needs_no_right_of_the_login_account(
    enter: Callable[..., Connection],
) -> None:
    connection = enter("asked")
    with pytest.raises(DialRefused, match=r"docker\.sock: permission denied for asked"):
        open_client(connection, SOCKET, timeout=20)
    acting = Acting(connection, ROOT)
    before = Resources(connection)
    with contextlib.closing(open_client(acting, SOCKET, timeout=30)) as client:
        assert client.info()["Name"] == "h1"
        assert [image.tags for image in client.images.list()] == [["lab:1"]]
    assert eventually(before.back)


@pytest.mark.usefixtures("lab_docker")
def test_docker_itself_is_a_way_to_its_socket(host: Host, enter: Callable[..., Connection]) -> None:
    host.exec(["chgrp", OTHER, SOCKET], check=True)
    acting = Acting(enter("root", "docker"), BY_SU)
    with contextlib.closing(open_client(acting, SOCKET, timeout=30)) as client:
        assert client.info()["Name"] == "h1"


@pytest.mark.usefixtures("lab_postgres")
def test_postgres_knows_the_account_as_its_peer(enter: Callable[..., Connection]) -> None:
    acting = Acting(enter("asked"), Become("postgres", password=PASSWORD))
    assert acting.platform.user == "postgres"
    with open_session(
        acting,
        database=DATABASE,
        user="postgres",
        password=None,
        host="/var/run/postgresql",
        port=5432,
        timeout=20,
    ) as session:
        assert session.execute("select current_user as name").fetchone() == {"name": "postgres"}
