"""Passwords and what is read of the environment reach no sink, whatever is said of verbosity."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.end_to_end.quell import finish
from tests.lab.sshd import PASSWORD, USER

if TYPE_CHECKING:
    from pathlib import Path

    from tests.end_to_end.quell import Quell
    from tests.lab.lab import Lab

pytestmark = pytest.mark.lab
CANARY = "tell-nobody-7f3a"
BOOK = """\
name: Leaks
hosts: app
vars:
  token: "{{ env.CANARY }}"
investigate:
  - {name: Said, shell: {probe: true, script: 'echo "$1"; echo "$1" >&2', args: ["{{ token }}"]}}
  - {name: The host says it, shell: {probe: true, script: cat /srv/leak}}
  - {name: Fails, shell: {probe: true, script: 'echo "$1" >&2; exit 3', args: ["{{ token }}"]}}
  - {name: Not a port, pg_query: {database: x, port: "{{ token }}", query: select 1}}
mitigate:
  - {name: Changes, shell: {script: 'test -n "$1"', args: ["{{ token }}"]}}
  - {name: Breaks, shell: {script: 'echo "$1"; exit 4', args: ["{{ token }}"]}}
"""


@pytest.fixture
def book(tmp_path: Path, lab: Lab) -> Path:
    lab.h1.write("/srv/leak", f"{PASSWORD} {CANARY}\n")
    path = tmp_path / "leaks.yml"
    path.write_text(BOOK)
    return path


def in_files(directory: Path, secret: str) -> list[str]:
    """The files below it that hold the secret."""
    files = [path for path in directory.rglob("*") if path.is_file()]
    return [path.name for path in files if secret.encode() in path.read_bytes()]


@pytest.mark.parametrize("flags", [["-vvv", "--diff"], ["-vvv", "--json"], ["--check", "-vvv"]])
def test_they_are_not_in_what_is_said_or_kept(
    quell: Quell, inventory: Path, book: Path, flags: list[str]
) -> None:
    text = inventory.read_text().replace("ansible_user: root", f"ansible_user: {USER}")
    by_password = f"ansible_password: {PASSWORD}\n    not_used: "
    inventory.write_text(text.replace("ansible_ssh_private_key_file: ", by_password))
    ended = quell("run", book, "-i", inventory, "--yes", *flags, CANARY=CANARY)
    assert ended.code == (0 if "--check" in flags else 2), ended.stderr
    assert "The host says it" in ended.stderr
    assert "********" in ended.stderr
    for secret in (CANARY, PASSWORD):
        assert secret not in ended.stdout
        assert secret not in ended.stderr
        assert in_files(quell.home, secret) == []
        assert secret not in quell("show", "--json").stdout
        assert secret not in quell("show").stdout


def test_the_password_of_the_prompt_is_not_shown(quell: Quell, inventory: Path, book: Path) -> None:
    text = inventory.read_text().replace("ansible_ssh_private_key_file: ", "not_used: ")
    inventory.write_text(text)
    child = quell.at_terminal(
        "run", book, "-i", inventory, "-k", "-u", USER, "-e", f"ansible_user={USER}", "-C", "-vvv",
        CANARY=CANARY,
    )  # fmt: skip
    child.expect("SSH password: ")
    child.sendline(PASSWORD)
    code, said = finish(child)
    assert code == 0, said
    assert "The host says it" in said
    for secret in (CANARY, PASSWORD):
        assert secret not in said
        assert in_files(quell.home, secret) == []
