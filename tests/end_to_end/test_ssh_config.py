"""The account's own SSH set-up: what `ssh` reaches, quell reaches."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pexpect
import pytest

from tests.end_to_end.quell import finish, results
from tests.lab import sshd

if TYPE_CHECKING:
    from pathlib import Path

    from tests.end_to_end.quell import Quell
    from tests.lab.lab import Lab

pytestmark = pytest.mark.lab

WHO = """\
name: Who is there
hosts: all
investigate:
  - {name: Who, command: {argv: [id, -un], probe: true}, register: who}
"""


@pytest.fixture
def playbook(tmp_path: Path) -> Path:
    path = tmp_path / "who.yml"
    path.write_text(WHO)
    return path


def write_config(quell: Quell, lab: Lab, *lines: str, key: Path | None = None) -> None:
    """An entry `gate` for the first host in the account's ssh_config."""
    directory = quell.home / ".ssh"
    directory.mkdir()
    entry = [
        "Host gate",
        f"HostName {lab.h1.address}",
        f"IdentityFile {key or lab.h1.key_path}",
        f"UserKnownHostsFile {lab.h1.known_hosts}",
        *lines,
    ]
    (directory / "config").write_text("\n".join(entry))


def who(quell: Quell) -> str:
    [task] = results(quell.events(), "Who")
    said = task.result["stdout"]
    assert isinstance(said, str)
    return said.strip()


def test_a_host_is_found_by_its_entry(quell: Quell, lab: Lab, playbook: Path) -> None:
    write_config(quell, lab, f"User {sshd.USER}")
    ended = quell("run", playbook, "-i", "gate,")
    assert ended.code == 0, ended.stderr
    assert who(quell) == sshd.USER


def test_the_command_line_says_more_than_ssh_config_and_the_inventory_more_than_both(
    quell: Quell, lab: Lab, playbook: Path, tmp_path: Path
) -> None:
    write_config(quell, lab, "User nobody")
    quell("run", playbook, "-i", "gate,", "-u", sshd.USER)
    assert who(quell) == sshd.USER
    inventory = tmp_path / "inventory.yml"
    inventory.write_text("all: {hosts: {gate: {ansible_user: root}}}")
    quell("run", playbook, "-i", inventory, "-u", sshd.USER)
    assert who(quell) == "root"


def test_what_is_not_obeyed_is_said_once(
    quell: Quell, lab: Lab, playbook: Path, tmp_path: Path
) -> None:
    write_config(quell, lab, "User root")
    inventory = tmp_path / "inventory.yml"
    args = "ansible_ssh_common_args: -o StrictHostKeyChecking=no"
    hosts = "{one: {ansible_host: gate}, two: {ansible_host: gate}}"
    inventory.write_text(f"all: {{hosts: {hosts}, vars: {{{args}}}}}")
    ended = quell("run", playbook, "-i", inventory)
    assert ended.code == 0, ended.stderr
    assert ended.stderr.count("StrictHostKeyChecking no is passed over") == 1


def test_a_wrong_line_ends_it_before_a_host_is_contacted(
    quell: Quell, lab: Lab, playbook: Path
) -> None:
    write_config(quell, lab, "Port ssh")
    ended = quell("run", playbook, "-i", "gate,")
    assert ended.code == 1
    where = quell.home / ".ssh" / "config"
    assert f"{where}:5:1: port must be a port number from 1 to 65535, not 'ssh'" in ended.stderr
    assert quell.events() == []


@pytest.fixture
def locked(lab: Lab, tmp_path: Path) -> Path:
    path = tmp_path / "locked"
    path.write_bytes(lab.h1.key_path.read_bytes())
    path.chmod(0o600)
    argv = ["ssh-keygen", "-q", "-p", "-N", "open sesame", "-f", str(path)]
    subprocess.run(argv, check=True, capture_output=True)
    return path


def test_a_passphrase_is_asked_for_at_the_terminal(
    quell: Quell, lab: Lab, playbook: Path, locked: Path
) -> None:
    write_config(quell, lab, "User root", key=locked)
    child = quell.at_terminal("run", playbook, "-i", "gate,", columns=200)
    child.expect_exact(f"Passphrase of {locked} (empty: without it): ")
    child.sendline("open sesame")
    code, text = finish(child)
    assert code == 0, text
    assert "open sesame" not in text
    assert who(quell) == "root"


def test_ctrl_c_at_the_passphrase_ends_the_run(
    quell: Quell, lab: Lab, playbook: Path, locked: Path
) -> None:
    write_config(quell, lab, "User root", key=locked)
    child = quell.at_terminal("run", playbook, "-i", "gate,", columns=200)
    child.expect_exact("Passphrase of")
    child.sendintr()
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 99
    assert quell.events() == []
    assert quell("runs").code == 0


def test_without_a_terminal_a_locked_key_is_told(
    quell: Quell, lab: Lab, playbook: Path, locked: Path
) -> None:
    write_config(quell, lab, "User root", key=locked)
    ended = quell("run", playbook, "-i", "gate,")
    assert ended.code == 4
    assert f"has a passphrase; give it to the agent: ssh-add {locked}" in ended.stderr
