"""Encrypted values and files in a run on this machine: opened when needed, and never told."""

from __future__ import annotations

import json
import textwrap
from typing import TYPE_CHECKING

import pytest

from engine.events import RunStarted, TaskEnded
from engine.journal import open_journal
from engine.vault import Key, seal
from tests.cli.commands import quell

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow
KEY = Key("default", b"open sesame")
PROD = Key("prod", b"other words")
TOKEN = "tok-83f1-{{ 7*7 }}"
LOGIN = "login-99aa"
WHOLE = "whole-55bb"
EXTRA = "extra-11cc"
SECRETS = (TOKEN, LOGIN, WHOLE, EXTRA)


def vaulted(text: str, key: Key = KEY, indent: int = 4) -> str:
    return "!vault |\n" + textwrap.indent(seal(text, key), " " * indent)


BOOK = """\
name: Book
hosts: app
inputs: {{word: {{default: none}}}}
vars:
  token: {token}
  unused: {unused}
investigate:
  - name: Say
    shell:
      probe: true
      script: 'printf "%s|" "$@"'
      args: ["{{{{ token }}}}", "{{{{ login }}}}", "{{{{ whole }}}}", "{{{{ word }}}}"]
  - name: As an argument
    shell:
      probe: true
      script: test "$1" = sealed-here
      args:
        - {sealed}
mitigate:
  - {{name: Change, shell: {{script: 'test "$1" = "$2"', args: ["{{{{ word }}}}", {extra}]}}}}
"""


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.chdir(tmp_path)
    sealed = vaulted("sealed-here", PROD, 12)
    book = BOOK.format(
        token=vaulted(TOKEN), unused=vaulted("x", Key("lost", b"?")), sealed=sealed, extra=EXTRA
    )
    (tmp_path / "book.yml").write_text(book)
    (tmp_path / "hosts.yml").write_text(
        "app:\n  hosts: {localhost: }\n"
        f"  vars:\n    ansible_connection: local\n    login: {vaulted(LOGIN, indent=6)}\n"
    )
    variables = tmp_path / "group_vars" / "app"
    variables.mkdir(parents=True)
    (variables / "vault.yml").write_text(seal(f"whole: {WHOLE}\n", KEY))
    (tmp_path / "extra.yml").write_text(f"word: {vaulted(EXTRA)}\n")
    (tmp_path / "password").write_text("open sesame\n")
    program = tmp_path / "prod-client"
    program.write_text('#!/bin/sh\ntest "$1 $2" = "--vault-id prod" && echo "other words"\n')
    program.chmod(0o755)
    return tmp_path


PASSWORDS = ("--vault-password-file", "password", "--vault-id", "prod@prod-client")


def run(*arguments: str) -> object:
    return quell("run", "book.yml", "-i", "hosts.yml", *arguments)


def test_they_are_opened_and_nobody_is_told(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(*PASSWORDS, "-e", "@extra.yml", "--yes", "-vvv") == 0
    assert "********|********|********|********|" in capsys.readouterr().err
    with open_journal(None) as journal:
        events = journal.events(journal.find("last"))
    assert [e.status for e in events if isinstance(e, TaskEnded)] == ["ok", "ok", "changed"]
    kept = b"".join(path.read_bytes() for path in (here / "state").rglob("*") if path.is_file())
    assert [secret for secret in SECRETS if secret.encode() in kept] == []


def test_a_run_that_goes_on_opens_them_again(here: Path) -> None:
    assert run(*PASSWORDS, "-e", "@extra.yml") == 3
    (here / "extra.yml").unlink()
    assert quell("resume", *PASSWORDS, "--yes") == 0
    with open_journal(None) as journal:
        started = journal.events(journal.find("last"))[0]
    assert isinstance(started, RunStarted)
    assert "$ANSIBLE_VAULT;1.1;AES256" in started.options["extra"]["word"]
    assert started.inputs == {"word": "********"}


def test_a_secret_that_was_encrypted_is_not_asked_for_again(here: Path) -> None:
    book = (here / "book.yml").read_text().replace("word: {default: none}", "word: {secret: true}")
    (here / "book.yml").write_text(book)
    assert run(*PASSWORDS, "-e", "@extra.yml") == 3
    assert quell("resume", *PASSWORDS, "--yes") == 0


def test_a_whole_file_may_be_given(here: Path) -> None:
    (here / "extra.yml").write_text(seal(json.dumps({"word": EXTRA}), KEY))
    assert run(*PASSWORDS, "-e", "@extra.yml", "--yes") == 0


def test_without_the_password_nothing_is_contacted(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run() == 1
    hint = "give its password with --vault-password-file or -J"
    whole = f"group_vars/app/vault.yml: is encrypted with a vault — {hint}\n"
    assert capsys.readouterr().err == f"{here}/{whole}"
    (here / "group_vars" / "app" / "vault.yml").write_text(f"whole: {WHOLE}\n")
    assert run() == 1
    said = capsys.readouterr().err.splitlines()
    assert said == [
        f"{here}/hosts.yml:5: is encrypted with a vault — {hint}",
        f"{here}/book.yml:5: is encrypted with a vault — {hint}",
    ]
    (here / "password").write_text("wrong")
    assert run("--vault-password-file", "password") == 1
    said = capsys.readouterr().err.splitlines()
    assert f"{here}/book.yml:5: no vault password that was given opens the value" in said
    assert not (here / "state").exists()


def test_what_can_be_known_without_a_password_is_checked(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    book = (here / "book.yml").read_text()
    (here / "book.yml").write_text(book.replace("{{ login }}", "x").replace("{{ whole }}", "x"))
    assert quell("validate", "book.yml") == 0
    (here / "book.yml").write_text(book.replace("shell:", "shel:"))
    assert quell("validate", "book.yml", "-i", "hosts.yml", *PASSWORDS) == 1
    assert 'no module "shel"' in capsys.readouterr().out


def test_a_playbook_is_not_hidden_as_a_whole(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (here / "book.yml").write_text(seal((here / "book.yml").read_text(), KEY))
    assert run(*PASSWORDS) == 1
    assert "book.yml: is encrypted as a whole, so that nobody can review it" in (
        capsys.readouterr().err
    )


@pytest.mark.usefixtures("here")
def test_the_inventory_shows_them_as_ansible_does(capsys: pytest.CaptureFixture[str]) -> None:
    assert quell("inventory", "-i", "hosts.yml", "--list", *PASSWORDS) == 0
    said = capsys.readouterr().out
    variables = json.loads(said)["_meta"]["hostvars"]["localhost"]
    assert variables["login"]["__ansible_vault"].startswith("$ANSIBLE_VAULT;1.1;AES256\n")
    assert LOGIN not in said


@pytest.mark.parametrize(
    ("text", "mode", "problem"),
    [
        (None, 0, "vault password: there is no file source"),
        ("\n", 0o600, "source: the vault password is empty"),
        ("#!/bin/sh\nexit 3\n", 0o700, "source: ended with exit status 3"),
        ("open sesame", 0o700, "source: cannot be run: "),
    ],
)
def test_a_password_that_cannot_be_had(
    here: Path, capsys: pytest.CaptureFixture[str], text: str | None, mode: int, problem: str
) -> None:
    if text is not None:
        (here / "source").write_text(text)
        (here / "source").chmod(mode)
    assert run("--vault-password-file", "source") == 1
    assert capsys.readouterr().err.startswith(problem)


@pytest.mark.usefixtures("here")
def test_a_password_may_be_typed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    typed = {"Vault password": "open sesame", "Vault password (prod)": "other words"}
    monkeypatch.setattr("click.prompt", lambda text, **_: typed[text])
    assert run("-J", "--vault-id", "prod@prompt", "--only", "investigate", "-v") == 0
    assert "********|" in capsys.readouterr().err
