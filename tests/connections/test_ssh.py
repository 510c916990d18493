"""What only a link can do: die, be refused, be someone else's account."""

from __future__ import annotations

import threading
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from engine.connections.base import Argv, Connection, Finished, Script, Tcp, Unix
from engine.connections.links import Links
from engine.errors import DeadlineExceeded, DialRefused, HostError, LinkLost, Unreachable
from tests.connections.helpers import Resources, settings_for
from tests.lab import sshd

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.connections.helpers import Server
    from tests.lab.lab import Lab

pytestmark = pytest.mark.lab


@pytest.fixture
def opened(lab: Lab) -> Iterator[Callable[..., Connection]]:
    """Connections to the first host, with other variables."""
    made: list[Links] = []

    def open_(**changes: object) -> Connection:
        made.append(Links({"h1": settings_for(lab.h1, **changes)}))
        return made[-1].get("h1")

    yield open_
    for links in made:
        links.close()


def begun(connection: Connection, pool: ThreadPoolExecutor, script: Script) -> Future[Finished]:
    """Start it elsewhere, and wait for its first output."""
    heard = threading.Event()
    future = pool.submit(
        connection.run, script, timeout=60, listener=lambda _stream, _data: heard.set()
    )
    assert heard.wait(20)
    return future


def test_a_link_that_dies_under_a_command_is_not_mended_by_sending_it_again(
    ssh: Connection, lab: Lab, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    script = Script('echo once >>"$1"; echo $PPID; sleep 60', (str(log),))
    with ThreadPoolExecutor() as pool:
        running = begun(ssh, pool, script)
        server = ssh.run(Script("cut -d ' ' -f 4 /proc/$PPID/stat"), timeout=10).stdout.text.strip()
        lab.h1.exec(["kill", "-KILL", server], check=True)
        with pytest.raises(LinkLost, match="whether it took effect is not known"):
            running.result(30)
    # The next command is another one: it gets a link of its own.
    assert ssh.run(Argv(("cat", str(log))), timeout=10).stdout.text == "once\n"


def test_closing_wakes_whoever_waits(ssh: Connection, ssh_server: Server) -> None:
    stream = ssh.dial(Tcp("localhost", ssh_server.echo), timeout=10)
    with ThreadPoolExecutor() as pool:
        running = begun(ssh, pool, Script("echo; sleep 60"))
        ssh.close()
        with pytest.raises(LinkLost):
            running.result(30)
    assert stream.recv(1) == b""
    stream.close()
    with pytest.raises(Unreachable, match="the run has ended"):
        ssh.run(Argv(("true",)), timeout=10)


def test_a_start_up_files_noise_is_no_output(opened: Callable[..., Connection], lab: Lab) -> None:
    noise = "echo 'Welcome to h1'; echo 'Be careful' >&2\n"
    lab.h1.write(f"/srv/{sshd.USER}/.bashrc", noise)
    connection = opened(ansible_user=sshd.USER)
    finished = connection.run(Script("echo out; echo err >&2"), timeout=10)
    assert (finished.stdout.text, finished.stderr.text) == ("out\n", "err\n")
    assert connection.platform.user == sshd.USER


def test_an_account_without_a_shell_says_so(opened: Callable[..., Connection], lab: Lab) -> None:
    forced = "echo >>/srv/forced; echo not available; exit 1"
    lab.h1.sshd(2221, {"ForceCommand": forced})
    finished = opened(ansible_port=2221).run(Script("echo out"), timeout=10)
    assert (finished.status, finished.stdout.text) == (1, "not available\n")
    assert lab.h1.exec(["cat", "/srv/forced"], check=True).stdout == "\n"


def test_too_many_sessions_are_told_and_nothing_was_run(
    opened: Callable[..., Connection], lab: Lab
) -> None:
    lab.h1.sshd(2222, {"MaxSessions": "1"})
    connection = opened(ansible_port=2222)
    lab.h1.exec(["mkfifo", "/srv/go"], check=True)
    with ThreadPoolExecutor() as pool:
        running = begun(connection, pool, Script("echo; read -r _ </srv/go"))
        with pytest.raises(DeadlineExceeded, match=r"MaxSessions.*; nothing was run"):
            connection.run(Argv(("true",)), timeout=0.5)
        with pytest.raises(HostError, match=r"nothing was run: .*MaxSessions"):
            connection.run(Argv(("cat",)), stdin=b"x", timeout=10)
        lab.h1.exec(["sh", "-c", "echo >/srv/go"], check=True)
        running.result(30)


def test_a_command_over_its_deadline_is_ended_where_no_session_is_left(
    opened: Callable[..., Connection], lab: Lab
) -> None:
    lab.h1.sshd(2223, {"MaxSessions": "1"})
    connection = opened(ansible_port=2223)
    before = Resources(connection)
    for stdin in (b"", b"x"):
        with pytest.raises(DeadlineExceeded, match=r"within 0\.5 s; it was ended"):
            connection.run(Argv(("sleep", "64.25")), stdin=stdin, timeout=0.5)
        assert lab.h1.exec(["pgrep", "-f", "^sleep 64.25$"]).stdout == ""
        assert connection.run(Argv(("echo", "next")), timeout=10).stdout.text == "next\n"
    assert before.back()


def test_where_nothing_can_be_opened_its_end_is_not_known(
    opened: Callable[..., Connection], lab: Lab
) -> None:
    # No key of ours opens one more link.
    lab.h1.sshd(2225, {"MaxSessions": "1", "AuthorizedKeysFile": "/srv/ssh/once"})
    lab.h1.exec(["cp", "/srv/ssh/authorized_keys", "/srv/ssh/once"], check=True)
    connection = opened(ansible_port=2225)
    assert connection.platform.family == "linux"
    lab.h1.exec(["rm", "/srv/ssh/once"], check=True)
    with pytest.raises(DeadlineExceeded, match="whether it has ended is not known"):
        connection.run(Argv(("sleep", "2")), timeout=0.5)


def test_forbidden_forwarding_is_named(
    opened: Callable[..., Connection], lab: Lab, ssh_server: Server
) -> None:
    lab.h1.sshd(2224, {"AllowTcpForwarding": "no", "AllowStreamLocalForwarding": "no"})
    connection = opened(ansible_port=2224)
    with pytest.raises(DialRefused, match=r"localhost:80: .*AllowTcpForwarding"):
        connection.dial(Tcp("localhost", 80), timeout=10)
    with pytest.raises(DialRefused, match=r"echo\.sock: .*AllowStreamLocalForwarding"):
        connection.dial(Unix(ssh_server.path), timeout=10)


def test_why_a_unix_socket_refuses_is_looked_up(
    opened: Callable[..., Connection], lab: Lab
) -> None:
    bind = "import socket, sys; socket.socket(socket.AF_UNIX).bind(sys.argv[1])"
    lab.h1.exec(["python3", "-c", bind, "/srv/stale"], check=True)
    lab.h1.exec(["chmod", "600", "/srv/stale"], check=True)
    with pytest.raises(DialRefused, match="/srv/stale: connection refused: nothing listens there"):
        opened().dial(Unix("/srv/stale"), timeout=10)
    with pytest.raises(DialRefused, match="/srv/stale: permission denied for deploy"):
        opened(ansible_user=sshd.USER).dial(Unix("/srv/stale"), timeout=10)
    with pytest.raises(DialRefused, match="/srv/nothing: no such socket"):
        opened().dial(Unix("/srv/nothing"), timeout=10)


def test_names_are_resolved_on_the_host(ssh: Connection, ssh_server: Server) -> None:
    with ssh.dial(Tcp("db.h1", ssh_server.echo), timeout=10) as stream:
        stream.sendall(b"x")
        assert stream.recv(1) == b"x"
