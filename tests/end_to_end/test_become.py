"""Playbooks whose tasks act as other accounts than the one that SSH lets in."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.end_to_end.containers import started_at, stuck_backend
from tests.end_to_end.hosts import actor, fetch
from tests.end_to_end.quell import PLAYBOOKS, finish, results
from tests.end_to_end.test_secrets import in_files
from tests.lab.accounts import OTHER, PASSWORD, passwords

if TYPE_CHECKING:
    from pathlib import Path

    from tests.end_to_end.quell import Quell
    from tests.lab.lab import Host, Lab

pytestmark = pytest.mark.lab

WHO = "shell: {probe: true, script: id -un}"
BOOK = f"""\
name: Become
hosts: app
become: true
vars:
  whom: {OTHER}
investigate:
  - {{name: root, {WHO}}}
  - {{name: other, become_user: "{{{{ whom }}}}", {WHO}}}
  - {{name: login, become: false, {WHO}}}
  - {{name: leak, shell: {{probe: true, script: cat /srv/root/leak}}}}
mitigate:
  - name: Mark
    shell: {{script: 'id -un >"$1"', args: [/srv/root/mark]}}
    verify:
      - {{shell: {{probe: true, script: cat /srv/root/mark}}, expect: "result.stdout == 'root'"}}
"""


@pytest.fixture
def host(lab_accounts: Lab) -> Host:
    host = lab_accounts.h1
    host.write("/srv/root/leak", f"{PASSWORD}\n", 0o600)
    host.exec(["rm", "-f", "/srv/root/mark"])
    passwords(host)  # those of other tests do not count
    return host


@pytest.fixture
def book(tmp_path: Path) -> Path:
    path = tmp_path / "book.yml"
    path.write_text(BOOK)
    return path


def logged_in_as(inventory: Path, account: str, **variables: str) -> Path:
    """The inventory with another account, and more variables for all hosts."""
    more = "".join(f"\n    {name}: {value}" for name, value in variables.items())
    text = inventory.read_text()
    inventory.write_text(text.replace("ansible_user: root", f"ansible_user: {account}{more}"))
    return inventory


def who(quell: Quell) -> dict[str, str]:
    """What the tasks that ask say."""
    events = quell.events()
    return {
        name: result.result.get("stdout", "")
        for name in ("root", "other", "login")
        for result in results(events, name)
    }


def test_each_task_acts_as_it_says(quell: Quell, inventory: Path, book: Path, host: Host) -> None:
    password = "'{{ env.SUDO_PASSWORD }}'"
    logged_in_as(inventory, "asked", ansible_become_password=password)
    ended = quell("run", book, "-i", inventory, "--yes", SUDO_PASSWORD=PASSWORD)
    assert ended.code == 0, ended.stderr
    assert who(quell) == {"root": "root", "other": OTHER, "login": "asked"}
    assert host.exec(["cat", "/srv/root/mark"]).stdout == "root\n"


@pytest.mark.parametrize("flags", [["-vvv", "--diff"], ["-vvv", "--json"], ["--check", "-vvv"]])
def test_the_password_is_in_nothing_that_is_said_or_kept(
    quell: Quell, inventory: Path, book: Path, host: Host, flags: list[str]
) -> None:
    escaped = PASSWORD.replace("'", "''")
    logged_in_as(inventory, "asked", ansible_become_pass=f"'{escaped}'")
    ended = quell("run", book, "-i", inventory, "--yes", *flags)
    assert ended.code == 0, ended.stderr
    assert set(passwords(host)) == {"sudo asked"}
    assert "********" in ended.stderr  # the file that held it was read
    assert PASSWORD not in ended.stdout
    assert PASSWORD not in ended.stderr
    assert in_files(quell.home, PASSWORD) == []
    assert PASSWORD not in quell("show", "--json").stdout


def test_flags_ask_and_say_it_for_all_tasks(
    quell: Quell, inventory: Path, book: Path, host: Host
) -> None:
    book.write_text(BOOK.replace("become: true\n", ""))
    logged_in_as(inventory, "doasked")
    child = quell.at_terminal(
        *("run", book, "-i", inventory, "-b", "-K", "--become-method", "doas", "--yes", "-vvv")
    )
    child.expect("BECOME password: ")
    child.sendline(PASSWORD)
    code, said = finish(child)
    assert code == 0, said
    assert PASSWORD not in said
    assert who(quell) == {"root": "root", "other": OTHER, "login": "doasked"}
    assert set(passwords(host)) == {"doas doasked"}
    assert in_files(quell.home, PASSWORD) == []


def test_a_wrong_password_is_said_and_tried_once(
    quell: Quell, inventory: Path, book: Path, host: Host
) -> None:
    logged_in_as(inventory, "asked", ansible_become_password="mistyped")
    ended = quell("run", book, "-i", inventory, "--yes")
    assert ended.code == 2
    why = "sudo: the password is wrong: it takes that of the login account; it is not tried"
    assert why in ended.stderr
    assert passwords(host) == ["sudo asked"]
    assert who(quell)["login"] == "asked"


def test_a_run_that_waits_goes_on_without_knowing_the_password(
    quell: Quell, inventory: Path, book: Path, host: Host
) -> None:
    logged_in_as(inventory, "asked")
    given = ["-e", f'{{"ansible_become_password": "{PASSWORD}"}}']
    waiting = quell("run", book, "-i", inventory, *given)
    assert waiting.code == 3, waiting.stderr
    assert in_files(quell.home, PASSWORD) == []
    passwords(host)
    lost = quell("resume", "--yes")
    assert lost.code == 2
    assert "sudo to root: it wants a password: -K asks for it" in lost.stderr
    assert passwords(host) == []
    child = quell.at_terminal("resume", "--yes", "-K")
    child.expect("BECOME password: ")
    child.sendline(PASSWORD)
    code, said = finish(child)
    assert code == 0, said
    assert host.exec(["cat", "/srv/root/mark"]).stdout == "root\n"


def test_root_becomes_root_by_doing_nothing(
    quell: Quell, inventory: Path, book: Path, host: Host
) -> None:
    ended = quell("run", book, "-i", inventory, "--yes", "--become-method", "su")
    assert ended.code == 0, ended.stderr
    assert who(quell) == {"root": "root", "other": OTHER, "login": "root"}
    assert passwords(host) == []


@pytest.mark.usefixtures("lab_docker")
def test_a_container_is_restarted_by_who_may_not_speak_with_docker(
    quell: Quell, inventory: Path, host: Host, port: int
) -> None:
    path = "/api/health/ready"
    playbook = PLAYBOOKS / "backend_down.yml"
    password = "'{{ env.SUDO_PASSWORD }}'"
    logged_in_as(inventory, "asked", ansible_become_password=password)
    with stuck_backend(host, port) as name:
        before = started_at(host, name)
        said = ["-e", f"url=http://localhost:{port}{path}", "-e", f"container={name}"]
        arguments: list[str | Path] = ["run", playbook, "-i", inventory, "--yes", *said]
        arguments += ["-e", "watch=1s"]
        refused = quell(*arguments, SUDO_PASSWORD=PASSWORD)
        assert refused.code == 2
        assert "permission denied for asked: needs another account (become)" in refused.stderr
        assert started_at(host, name) == before
        ended = quell(*arguments, "-b", SUDO_PASSWORD=PASSWORD)
        assert ended.code == 0, ended.stderr
        assert started_at(host, name) > before
        assert fetch(host, port, path) == (200, "ready")


def test_a_process_of_roots_is_ended_by_who_may_not_see_it(
    quell: Quell, inventory: Path, tmp_path: Path, host: Host, port: int
) -> None:
    path = tmp_path / "port.yml"
    path.write_text(f"name: Port\nhosts: app\nmitigate: [port_kill: {port}]\n")
    logged_in_as(inventory, "free")
    with actor(host, "stale", port):
        refused = quell("run", path, "-i", inventory, "--yes")
        assert refused.code == 2
        assert f"port {port} is held by a process of uid 0 that free may not look" in refused.stderr
        assert fetch(host, port)[0] == 503
        ended = quell("run", path, "-i", inventory, "--yes", "-b")
        assert ended.code == 0, ended.stderr
        with pytest.raises(RuntimeError, match="Connection refused"):
            fetch(host, port)


@pytest.mark.usefixtures("lab_postgres")
def test_a_database_is_asked_as_its_own_account(
    quell: Quell, inventory: Path, tmp_path: Path, host: Host
) -> None:
    del host
    path = tmp_path / "pg.yml"
    path.write_text("""\
name: Ask
hosts: app
investigate:
  - name: Who
    become: true
    become_user: postgres
    pg_query: {database: insightengine, query: select current_user as name}
    expect: result.value == 'postgres'
""")
    ended = quell("run", path, "-i", logged_in_as(inventory, "free"))
    assert ended.code == 0, ended.stderr
    [asked] = results(quell.events(), "Who")
    assert (asked.status, asked.result["value"]) == ("ok", "postgres")
