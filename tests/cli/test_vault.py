from __future__ import annotations

import io
import sys
from typing import TYPE_CHECKING

import pytest

from engine.inventory import load
from engine.vault import Key, Vault, seal
from tests.cli.commands import quell

if TYPE_CHECKING:
    from pathlib import Path

KEY = Key("default", b"open sesame")


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "password").write_bytes(KEY.password)
    return tmp_path


def vault(*arguments: str) -> object:
    return quell("vault", *arguments)


def test_a_value_goes_into_an_inventory_as_it_is_printed(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("hunter22\n"))
    assert vault("encrypt-string", "token", "--vault-id", "prod@password") == 0
    printed = capsys.readouterr().out
    assert printed.startswith("token: !vault |\n    $ANSIBLE_VAULT;1.2;AES256;prod\n    ")
    (here / "host_vars").mkdir()
    (here / "host_vars" / "h1.yml").write_text(printed)
    (here / "hosts").write_text("h1\n")
    sealed = load(["hosts"]).variables("h1")["token"]
    assert Vault([KEY]).opened(sealed) == "hunter22"


def test_it_is_encrypted_with_one_password(capsys: pytest.CaptureFixture[str]) -> None:
    assert vault("encrypt-string") == 1
    assert "with one vault password, and 0 were given" in capsys.readouterr().err


def test_an_encrypted_file_is_shown(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "vault.yml").write_text(seal("token: hunter22\n", KEY))
    assert vault("view", "vault.yml", "--vault-password-file", "password") == 0
    assert capsys.readouterr().out == "token: hunter22\n"
    assert vault("view", "password") == 1
    assert "password: is not encrypted as a whole" in capsys.readouterr().err
    assert vault("view", "none") == 1
    assert "none: cannot be read: No such file or directory" in capsys.readouterr().err
