"""Files that the system does not let us look at are told in words, and are no bug of ours."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.cli.commands import quell

if TYPE_CHECKING:
    from collections.abc import Iterator

INVENTORY = "all: {vars: {ansible_connection: local}, hosts: {h1: }}"
BOOK = 'name: Book\nhosts: all\ninvestigate:\n  - {shell: {probe: true, script: "true"}}\n'


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for kind in ("STATE", "CONFIG"):
        monkeypatch.setenv(f"XDG_{kind}_HOME", str(tmp_path / kind.lower()))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "book.yml").write_text(BOOK)
    (tmp_path / "hosts.yml").write_text(INVENTORY)
    return tmp_path


def test_a_directory_that_may_not_be_listed(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (here / "group_vars").mkdir()
    listed = Path.iterdir

    def denied(path: Path) -> Iterator[Path]:
        if path.name == "group_vars":
            raise PermissionError(13, "Permission denied", str(path))
        return listed(path)

    monkeypatch.setattr(Path, "iterdir", denied)
    said = "group_vars: cannot be read: permission denied\n"
    assert quell("inventory", "-i", "hosts.yml", "--list") == 1
    assert capsys.readouterr().err == said
    assert quell("run", "book.yml", "-i", "hosts.yml") == 1
    assert capsys.readouterr().err == str(here / said)


@pytest.mark.usefixtures("here")
def test_a_name_that_no_file_can_have(capsys: pytest.CaptureFixture[str]) -> None:
    name = "x" * 5000
    assert quell("runs", "--journal", name) == 1
    assert capsys.readouterr().err == f"{name}: cannot be read: file name too long\n"
    assert quell("run", "book.yml", "-i", "hosts.yml", "--journal", name) == 1
    assert capsys.readouterr().err == f"{name}: cannot be read: file name too long\n"


def test_a_home_without_room_for_a_journal(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "state").write_text("a file where a directory is wanted")
    assert quell("run", "book.yml", "-i", "hosts.yml") == 2
    said = f"the journal's directory {here}/state/quell cannot be made: not a directory; "
    assert capsys.readouterr().err == f"{said}--journal names another\n"
