"""What a person reads when a host fails them, and what the run does about it."""

from __future__ import annotations

import json
import signal
from typing import TYPE_CHECKING

import pytest

from engine.events import Looked
from tests.end_to_end.hosts import Marks, eventually
from tests.end_to_end.quell import results
from tests.lab.faults import black_hole, kill_sshd, sshd_sessions

if TYPE_CHECKING:
    from pathlib import Path

    from tests.end_to_end.quell import Quell
    from tests.lab.lab import Lab

pytestmark = pytest.mark.lab

PORT = 2274


@pytest.fixture
def marks() -> Marks:
    return Marks()


def book(directory: Path, phase: str, *tasks: object, hosts: str = "h1") -> Path:
    """A playbook of one phase."""
    path = directory / "book.yml"
    path.write_text(f"name: Faults\nhosts: {hosts}\n{phase}: {json.dumps(tasks)}\n")
    return path


def looks(quell: Quell) -> list[Looked]:
    return [event for event in quell.events() if isinstance(event, Looked)]


def test_a_look_sees_a_host_come_back(
    quell: Quell, inventory: Path, lab: Lab, tmp_path: Path
) -> None:
    shell = {"probe": True, "script": "echo back"}
    task = {"name": "Back", "within": "1h", "every": "100ms", "shell": shell}
    path = book(tmp_path, "resolve", task)
    process = quell.start("run", path, "-i", inventory, "-e", f"ansible_port={PORT}")
    eventually(lambda: looks(quell))
    lab.h1.sshd(PORT)
    _, said = process.communicate(timeout=30)
    assert process.returncode == 0, said
    first, *_, last = looks(quell)
    refused = f"{lab.h1.address} port {PORT}: connection refused (is sshd running, and on that p"
    assert (first.holds, first.summary.startswith(refused)) == (False, True)
    assert (last.holds, last.summary) == (True, "back")
    kill_sshd(lab.h1, PORT)


def test_a_probe_whose_link_dies_has_failed(
    quell: Quell, inventory: Path, lab: Lab, marks: Marks, tmp_path: Path
) -> None:
    lab.h1.sshd(PORT)
    script = 'echo here >>"$1"; sleep 60; echo later >>"$1"'
    shell = {"probe": True, "script": script, "args": [marks.path]}
    path = book(tmp_path, "investigate", {"name": "Look", "shell": shell})
    process = quell.start("run", path, "-i", inventory, "-e", f"ansible_port={PORT}")
    eventually(lambda: marks.on(lab.h1))
    lab.h1.exec(["kill", "-KILL", *sshd_sessions(lab.h1, PORT)], check=True)
    process.communicate(timeout=30)
    [look] = results(quell.events(), "Look")
    assert look.status == "failed"
    assert look.message.startswith(f"root@{lab.h1.address}: the SSH connection broke under a comm")
    assert look.message.endswith("; whether it took effect is not known")
    assert marks.on(lab.h1) == ["here"]
    kill_sshd(lab.h1, PORT)


def test_ctrl_c_does_not_wait_for_a_host_that_is_being_connected_to(
    quell: Quell, inventory: Path, lab: Lab, marks: Marks, tmp_path: Path
) -> None:
    script = "trap '' TERM; echo here >>\"$1\"; sleep 4713 & sleep 4713"
    shell = {"probe": True, "script": script, "args": [marks.path]}
    task = {"name": "Look", "timeout": "1h", "shell": shell}
    path = book(tmp_path, "investigate", task, hosts="all")
    with black_hole(lab.h2, lab.h2.port):
        process = quell.start("run", path, "-i", inventory, "-T", "600")
        eventually(lambda: marks.on(lab.h1))
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=30)
    assert process.returncode == 99, said
    assert lab.h1.exec(["pgrep", "-f", "^sleep 4713$"]).stdout == ""
    waited = f"{lab.h2.address}: interrupted before there was a connection"
    assert [look.message for look in results(quell.events(), "Look") if look.host == "h2"] == [
        waited
    ]
    assert "\nh1  ok=" in said
    assert "\nh2  ok=" in said


def test_a_task_does_not_wait_longer_for_a_connection_than_it_may_take(
    quell: Quell, inventory: Path, lab: Lab, tmp_path: Path
) -> None:
    shell = {"probe": True, "script": "true"}
    path = book(tmp_path, "investigate", {"name": "Look", "timeout": "1s", "shell": shell})
    with black_hole(lab.h1, lab.h1.port):
        process = quell.start("run", path, "-i", inventory, "-T", "600")
        process.communicate(timeout=30)
    [look] = results(quell.events(), "Look")
    assert (look.status, look.message) == (
        "unreachable",
        f"{lab.h1.address}: no connection within 1 s",
    )
