"""Inputs that a person is asked for, and those that are secret."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from engine.events import RunStarted
from engine.execution import assemble
from tests.end_to_end.quell import Quell, finish

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.slow
SECRET = "tell-nobody-7f3a"
BOOK = """\
name: Book
hosts: localhost
inputs:
  ticket: {prompt: "Which ticket?", pattern: "^[A-Z]+-[0-9]+$"}
  why: {prompt: Why, default: no reason}
  token: {secret: true, min_length: 5, description: of the balancer}
investigate:
  - name: Say
    shell:
      probe: true
      script: 'printf "%s|" "$@"'
      args: ["{{ ticket }}", "{{ why }}", "{{ token }}"]
mitigate:
  - {name: Change, shell: {script: 'test "$1" = "$2"', args: ["{{ token }}", tell-nobody-7f3a]}}
"""


@pytest.fixture
def quell(tmp_path: Path) -> Iterator[Quell]:
    (tmp_path / "book.yml").write_text(BOOK)
    command = Quell(tmp_path)
    yield command
    command.close()


def kept(quell: Quell) -> bytes:
    """All bytes of the journal."""
    files = (quell.home / "state").rglob("*")
    return b"".join(path.read_bytes() for path in files if path.is_file())


def test_a_person_is_asked_and_a_secret_is_not_shown(quell: Quell) -> None:
    child = quell.at_terminal("run", quell.home / "book.yml", "--yes", "-vvv")
    child.expect("Which ticket\\?: ")
    child.sendline("OPS-27")
    child.expect(r"Why \[no reason\]: ")
    child.sendline("")
    child.expect("token: ")
    child.sendline(SECRET)
    code, said = finish(child)
    assert code == 0, said
    assert "OPS-27|no reason|********|" in said
    assert SECRET not in said
    assert SECRET.encode() not in kept(quell)
    started = quell.events()[0]
    assert isinstance(started, RunStarted)
    inputs = {"ticket": "OPS-27", "why": "no reason", "token": "********"}
    assert started.inputs == inputs
    assert started.options["extra"] == {"ticket": "OPS-27", "token": "********"}


def test_without_a_terminal_the_flag_is_named(quell: Quell) -> None:
    ended = quell("run", quell.home / "book.yml")
    assert ended.code == 1
    for name in ("ticket", "token"):
        assert (
            f'input "{name}" is missing — give it with -e {name}=…, or at a terminal, '
            "where it is asked for"
        ) in ended.stderr
    assert '"why"' not in ended.stderr


@pytest.mark.parametrize("secret", ["abc", SECRET[:4]])
def test_a_secret_that_does_not_fit_is_not_shown(quell: Quell, secret: str) -> None:
    ended = quell("run", quell.home / "book.yml", "-e", "ticket=A-1", "-e", f"token={secret}")
    assert ended.code == 1
    assert "-e token is not what the input takes — it is a secret, and not shown" in ended.stderr
    assert secret not in ended.stderr


def test_a_run_that_goes_on_needs_its_secrets_again(quell: Quell) -> None:
    given = ["-e", "ticket=A-1", "-e", f"token={SECRET}"]
    assert quell("run", quell.home / "book.yml", *given).code == 3
    ended = quell("resume", "--yes")
    assert ended.code == 1
    assert "-e: token was a secret and is in no journal — give it again" in ended.stderr
    ended = quell("resume", "--yes", "-e", "ticket=A-2")
    assert "-e: ticket was no secret: a run goes on with the values" in ended.stderr
    assert quell("resume", "--yes", "-e", f"token={SECRET}").code == 0
    assert SECRET.encode() not in kept(quell)


def test_or_asks_for_them(quell: Quell) -> None:
    given = ["-e", "ticket=A-1", "-e", f"token={SECRET}"]
    assert quell("run", quell.home / "book.yml", *given).code == 3
    child = quell.at_terminal("resume", "--yes")
    child.expect("token: ")
    child.sendline(SECRET)
    code, said = finish(child)
    assert code == 0, said


def test_a_bug_is_told_without_secrets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from engine.cli.main import main

    def broken(*_: object) -> None:
        raise KeyError(f"in {SECRET}")

    (tmp_path / "book.yml").write_text(BOOK)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setattr(assemble, "check_arguments", broken)
    given = ["-e", "ticket=A-1", "-e", f"token={SECRET}"]
    with pytest.raises(SystemExit) as ended:
        main(["run", str(tmp_path / "book.yml"), *given])
    said = capsys.readouterr().err
    assert ended.value.code == 250
    assert "Traceback" in said
    assert "KeyError: 'in ********'" in said
    assert SECRET not in said


def test_a_wrong_argument_is_told_without_secrets(quell: Quell) -> None:
    book = BOOK + '  - {name: Not a port, port_kill: {port: "{{ token }}"}}\n'
    (quell.home / "book.yml").write_text(book)
    ended = quell("run", quell.home / "book.yml", "-e", "ticket=A-1", "-e", f"token={SECRET}")
    assert ended.code == 1
    assert 'port must be a port number such as 8080, not "********"' in ended.stderr
