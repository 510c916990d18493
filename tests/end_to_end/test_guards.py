"""What no run may do: more hosts than the limit, and targets that are always protected."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.end_to_end.hosts import Marks, processes
from tests.end_to_end.quell import LOCAL, PROGRAM, intents

if TYPE_CHECKING:
    from pathlib import Path

    from tests.end_to_end.quell import Quell
    from tests.lab.lab import Lab

pytestmark = pytest.mark.lab
# Gives itself a name, listens, and ends with its input.
_LISTENER = """
import ctypes, socket, sys
ctypes.CDLL(None).prctl(15, sys.argv[1].encode())
server = socket.create_server(("127.0.0.1", int(sys.argv[2])))
print("listens", flush=True)
sys.stdin.read()
"""


def test_more_hosts_than_the_limit_are_not_changed(
    quell: Quell, inventory: Path, lab: Lab, tmp_path: Path
) -> None:
    marks = Marks()
    book = marks.playbook(tmp_path, "first", more="limits: {max_hosts: 1}\n")
    ended = quell("run", book, "-i", inventory, "--yes")
    assert ended.code == 5
    assert ended.stderr.endswith("would change 2 hosts (h1, h2); the playbook's limit is 1\n")
    assert all(marks.on(host) == ["look"] for host in lab.hosts)
    assert intents(quell.events()) == []
    fewer = quell("run", book, "-i", inventory, "--yes", "--limit", "h1")
    assert fewer.code == 0, fewer.stderr
    assert marks.on(lab.h1)[-1] == "first"
    assert marks.on(lab.h2) == ["look"]


def test_a_share_of_hosts_is_of_all_of_them_whatever_the_limit_leaves(
    quell: Quell, inventory: Path, lab: Lab, tmp_path: Path
) -> None:
    marks = Marks()
    book = marks.playbook(tmp_path, "first", more="limits: {max_percent: 49}\n")
    ended = quell("run", book, "-i", inventory, "--yes", "--limit", "h1")
    assert ended.code == 5
    assert ended.stderr.endswith(
        "would change 1 of 2 hosts, 50 % (h1); the playbook's limit is 49 %\n"
    )
    assert marks.on(lab.h1) == ["look"]


@pytest.fixture
def book(tmp_path: Path, port: int) -> Path:
    """Ends whoever listens on the port."""
    path = tmp_path / "end.yml"
    task = f"{{name: End it, port_kill: {{port: {port}}}}}"
    path.write_text(f"name: End it\nhosts: all\nmitigate:\n  - {task}\n")
    return path


@pytest.mark.parametrize("name", ["sshd", "systemd"])
def test_a_protected_process_is_left_alive(
    quell: Quell, inventory: Path, lab: Lab, book: Path, port: int, name: str
) -> None:
    argv = [sys.executable, "-c", _LISTENER, name, str(port)]
    with lab.h1.start(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as listener:
        assert listener.stdout is not None
        assert listener.stdout.readline() == b"listens\n"
        before = processes(lab.h1)
        ended = quell("run", book, "-i", inventory, "--limit", "h1", "--yes")
        assert ended.code == 5
        assert listener.poll() is None
        gone = before - processes(lab.h1)
        assert {name for _, _, name in gone} <= {"sleep"}  # of timers that others have left
    assert f"port {port} is held by {name} (pid " in ended.stderr
    assert "which is never ended" in ended.stderr
    assert intents(quell.events()) == []


def test_the_first_process_is_left_alive(quell: Quell, lab: Lab, book: Path, port: int) -> None:
    # As pid 1 of a pid namespace below the host's own, with the host's network.
    listener = lab.h1.start(
        [
            "unshare",
            "--pid",
            "--fork",
            "--mount-proc",
            sys.executable,
            "-c",
            _LISTENER,
            "app",
            str(port),
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    with listener:
        assert listener.stdout is not None
        assert listener.stdout.readline() == b"listens\n"
        inner = next(pid for pid, _, name in processes(lab.h1) if name == "app")
        argv = ["nsenter", "-t", inner, "-p", "-m", "--", "env"]
        variables = [f"{name}={value}" for name, value in quell.environment().items()]
        run = [PROGRAM, "run", str(book), "-i", str(LOCAL), "--yes"]
        done = lab.h1.exec([*argv, *variables, *run])
        assert done.returncode == 5, done.stderr
        assert inner in {pid for pid, *_ in processes(lab.h1)}
    assert f"port {port} is held by app (pid 1), the first process" in done.stderr
