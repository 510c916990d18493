"""paramiko's faults stay put right: each test here fails without its remedy in `transport`."""

from __future__ import annotations

import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from engine.connections.base import Argv, Connection, Script, Tcp, Unix
from engine.connections.credentials import Credentials
from engine.connections.handshake import connect
from engine.connections.links import Links
from engine.connections.quicksocket import QuickSocket
from engine.connections.ssh import SshConnection
from engine.connections.transport import Link
from engine.errors import DeadlineExceeded, DialRefused
from tests.connections.helpers import Resources, settings_for

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.connections.helpers import Server
    from tests.lab.lab import Lab

pytestmark = pytest.mark.lab

THREADS = 4


@pytest.fixture
def link(lab: Lab) -> Iterator[Link]:
    opened = connect(settings_for(lab.h1), Credentials())
    yield opened
    opened.close()


@pytest.fixture
def one_link(link: Link) -> SshConnection:
    """A connection that does not connect anew when its link has died."""
    return SshConnection(link, "root@h1")


def times(count: int, work: Callable[[int], object]) -> None:
    """Do it so often, from several threads at once."""
    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(work, range(count)))


def test_no_message_follows_a_channels_close_in_8000_dials(
    one_link: SshConnection, ssh_server: Server
) -> None:
    before = Resources(one_link)

    def dial(number: int) -> None:
        # Half of them are closed by the server while we send, half by us.
        port = ssh_server.hang_up if number % 2 else ssh_server.echo
        with one_link.dial(Tcp("localhost", port), timeout=30) as stream:
            try:
                for _ in range(8):
                    stream.sendall(b"x")
                stream.recv(1)
            except (BrokenPipeError, ConnectionResetError):
                assert port == ssh_server.hang_up

    times(8000, dial)
    assert one_link.alive
    assert before.back()


# What is given a stdin has a channel of its own.
def test_no_message_follows_a_channels_close_in_3000_commands(one_link: SshConnection) -> None:
    before = Resources(one_link)
    command = Script("exit 7")
    times(3000, lambda _: _expect(one_link.run(command, stdin=b"x", timeout=30).status, 7))
    assert one_link.alive
    assert before.back()


def _expect(found: int, wanted: int) -> None:
    assert found == wanted


def test_keys_are_agreed_on_anew_while_channels_close(one_link: SshConnection, link: Link) -> None:
    done = threading.Event()

    def renegotiate() -> None:
        while not done.is_set():
            link.renegotiate_keys()

    renewer = threading.Thread(target=renegotiate)
    renewer.start()
    try:
        command = Script("exit 7")
        times(100, lambda _: _expect(one_link.run(command, stdin=b"x", timeout=60).status, 7))
    finally:
        done.set()
        renewer.join()
    assert one_link.alive


def test_a_server_that_renews_keys_often_loses_nothing(lab: Lab) -> None:
    lab.h1.sshd(2211, {"RekeyLimit": "1M"})
    links = Links({"h1": settings_for(lab.h1, ansible_port=2211)})
    size = 8_000_000
    counted = links.get("h1").run(Argv(("wc", "-c")), stdin=bytes(size), timeout=60)
    assert counted.stdout.text.strip() == str(size)
    finished = links.get("h1").run(Argv(("head", "-c", str(size), "/dev/zero")), timeout=60)
    assert finished.stdout.size == size
    links.close()


def test_each_thread_hears_its_own_refusal(one_link: SshConnection) -> None:
    wanted = [
        (Tcp("localhost", 1), "Connection refused"),
        (Tcp("no-such-name.invalid", 1), "Temporary failure in name resolution"),
    ]

    def dial(number: int) -> None:
        address, words = wanted[number % 2]
        with pytest.raises(DialRefused) as caught:
            one_link.dial(address, timeout=30)
        assert caught.value.message.endswith(words)

    times(200, dial)


ACCEPT = """
import socket
listener = socket.create_server(("127.0.0.1", 7999))
print("ready", flush=True)
stream, _ = listener.accept()
print("accepted", flush=True)
stream.recv(1)
print("closed", flush=True)
"""


def test_a_stream_that_opens_too_late_is_closed(one_link: SshConnection, lab: Lab) -> None:
    server = lab.h1.start([sys.executable, "-c", ACCEPT], stdout=subprocess.PIPE)
    assert server.stdout is not None
    assert server.stdout.readline() == b"ready\n"
    drop = ["-p", "tcp", "--dport", "7999", "-j", "DROP"]
    lab.h1.exec(["iptables", "-w", "-I", "INPUT", *drop], check=True)
    try:
        with pytest.raises(DeadlineExceeded, match="localhost:7999: no answer within"):
            one_link.dial(Tcp("localhost", 7999), timeout=0.2)
    finally:
        lab.h1.exec(["iptables", "-w", "-D", "INPUT", *drop], check=True)
    with server.stdout:
        assert server.stdout.read() == b"accepted\nclosed\n"
    assert one_link.alive


def test_the_link_uses_the_quick_socket(link: Link) -> None:
    assert isinstance(link.sock, QuickSocket)


def test_a_connect_leaves_one_thread(lab: Lab) -> None:
    before = set(threading.enumerate())
    opened = connect(settings_for(lab.h1), Credentials())
    assert set(threading.enumerate()) - before == {opened}
    opened.close()


def test_the_link_needs_no_mac(link: Link) -> None:
    assert link.get_security_options().ciphers[0] == "aes128-gcm@openssh.com"
    assert "aes128-gcm@openssh.com" in repr(link)


def test_a_quantum_computer_does_not_help_where_the_server_can_see_to_it(link: Link) -> None:
    first, second, *_ = link.get_security_options().kex
    assert (first, second) == ("mlkem768x25519-sha256", "ecdh-sha2-nistp256")


@pytest.mark.parametrize(
    ("port", "offered", "agreed"),
    [
        (2357, "curve25519-sha256@libssh.org,ecdh-sha2-nistp256", "ecdh-sha2-nistp256"),
        (2358, "curve25519-sha256@libssh.org", "curve25519-sha256@libssh.org"),
    ],
)
def test_keys_are_agreed_on_by_what_costs_the_host_least(
    lab: Lab, monkeypatch: pytest.MonkeyPatch, port: int, offered: str, agreed: str
) -> None:
    log: list[str] = []
    monkeypatch.setattr(Link, "_log", lambda *said: log.append(said[-1]))
    lab.h1.sshd(port, {"KexAlgorithms": offered})
    connect(settings_for(lab.h1, ansible_port=port), Credentials()).close()
    assert f"Kex: {agreed}" in log


def test_a_unix_socket_is_dialled_by_its_path(one_link: Connection, ssh_server: Server) -> None:
    with one_link.dial(Unix(ssh_server.path), timeout=10) as stream:
        stream.sendall(b"ping")
        assert stream.recv(10) == b"ping"
