"""A host that goes and comes back: its link is made anew before a command, never during one."""

from __future__ import annotations

import secrets
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from engine.connections.base import Argv, Script, Tcp
from engine.connections.forward import unix_socket
from engine.connections.links import Links
from engine.errors import Unreachable
from tests.connections.helpers import eventually, settings_for
from tests.lab.faults import black_hole, kill_sshd

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterator

    from engine.connections.base import Connection
    from tests.connections.helpers import Server
    from tests.lab.lab import Lab

pytestmark = pytest.mark.lab

PORT = 2271


@pytest.fixture
def host(lab: Lab) -> Iterator[Connection]:
    """Asked each second whether it is there."""
    lab.h1.sshd(PORT)
    more = {"ansible_port": PORT, "ansible_ssh_extra_args": "-o ServerAliveInterval=1"}
    links = Links({"h1": settings_for(lab.h1, **more)})
    yield links.get("h1")
    links.close()
    kill_sshd(lab.h1, PORT)


def kill(lab: Lab, connection: Connection) -> None:
    """As a reboot does, of which the word has reached us."""
    kill_sshd(lab.h1, PORT)
    assert eventually(lambda: not connection.alive)


def reboot(lab: Lab, connection: Connection) -> None:
    kill(lab, connection)
    lab.h1.sshd(PORT)


@pytest.fixture
def once() -> Script:
    """A command that counts how often it was run."""
    return Script('echo once >>"$1"; cat "$1"', (f"/srv/once-{secrets.token_hex(8)}",))


def test_the_next_command_has_a_new_link(host: Connection, lab: Lab, once: Script) -> None:
    assert host.run(Argv(("true",)), timeout=20).status == 0
    reboot(lab, host)
    assert host.run(once, timeout=20).stdout.text == "once\n"


def test_so_has_the_next_stream_and_the_next_forward(
    host: Connection, lab: Lab, ssh_server: Server
) -> None:
    address = Tcp("localhost", ssh_server.echo)
    host.dial(address, timeout=20).close()
    reboot(lab, host)
    with host.forward(address, timeout=20) as path, unix_socket() as stream:
        stream.connect(path)
        assert echoed(stream)
    reboot(lab, host)
    with host.dial(address, timeout=20) as stream:
        assert echoed(stream)


def echoed(stream: socket.socket) -> bool:
    """Whether the other end answers with what it is sent."""
    stream.settimeout(20)
    stream.sendall(b"x")
    return stream.recv(1) == b"x"


def test_while_it_is_down_it_is_unreachable_and_then_it_is_not(
    host: Connection, lab: Lab, once: Script
) -> None:
    assert host.run(Argv(("true",)), timeout=20).status == 0
    kill(lab, host)
    refused = f"{lab.h1.address} port {PORT}: connection refused"
    with pytest.raises(Unreachable, match=refused):
        host.run(once, timeout=20)
    lab.h1.sshd(PORT)
    said: list[str] = []

    def is_back() -> bool:
        try:
            said.append(host.run(once, timeout=20).stdout.text)
        except Unreachable:
            return False
        return True

    assert eventually(is_back)
    assert said == ["once\n"]


def test_one_that_went_without_a_word_is_found_before_the_next_command(
    host: Connection, lab: Lab, once: Script
) -> None:
    assert host.run(Argv(("true",)), timeout=20).status == 0
    with ThreadPoolExecutor(1) as pool:
        with black_hole(lab.h1, PORT):
            kill_sshd(lab.h1, PORT)
            lab.h1.sshd(PORT)
            assert eventually(lambda: unanswered(host))
            running = pool.submit(host.run, once, timeout=60)
            assert eventually(running.running)
        # What we sent into the hole is answered by a host that knows nothing of our link.
        assert running.result(60).stdout.text == "once\n"


def unanswered(connection: Connection) -> bool:
    """Whether the host owes us an answer."""
    opened = connection._kept.opened  # type: ignore[attr-defined]
    return bool(opened._link._unanswered)
