from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from engine.errors import InputError, JournalError
from engine.journal import open_journal
from tests.journal.events import started

if TYPE_CHECKING:
    from pathlib import Path


def test_the_default_is_in_the_users_state_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))

    open_journal(None).close()

    made = tmp_path / "state" / "quell" / "journal.db"
    assert made.stat().st_mode & 0o777 == 0o600
    assert made.parent.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("url", ["{}", "sqlite:///{}", "sqlite:///kept.db", "kept.db", "~/kept.db"])
def test_a_path_or_a_url(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))

    open_journal(url.format(tmp_path / "kept.db")).close()

    assert [file.name for file in tmp_path.iterdir()] == ["kept.db"]


@pytest.mark.parametrize("url", ["", "sqlite://kept.db", "sqlite:///", "mysql://u:secret@host/db"])
def test_a_url_that_is_not_understood(url: str) -> None:
    with pytest.raises(InputError, match="give a path, sqlite:///PATH or postgresql://") as error:
        open_journal(url)
    assert "secret" not in str(error.value)


def test_nobody_else_can_see_or_change_the_files(path: Path) -> None:
    previous = os.umask(0)
    try:
        with open_journal(str(path)) as journal, journal.begin("a") as recorder:
            recorder.tell(started("a"))
            modes = {file.name: file.stat().st_mode & 0o777 for file in path.parent.rglob("*")}
    finally:
        os.umask(previous)

    assert modes.pop("journal.db-runs") == 0o700
    assert set(modes) == {"journal.db", "journal.db-wal", "journal.db-shm", "a"}
    assert set(modes.values()) == {0o600}


def test_a_file_needs_no_database_driver(path: Path) -> None:
    code = (
        "import sys\n"
        "from engine.journal import open_journal\n"
        "open_journal(sys.argv[1]).begin('a').close()\n"
        "print(*sys.modules)"
    )
    argv = [sys.executable, "-c", code, str(path)]
    done = subprocess.run(argv, capture_output=True, text=True, check=True)
    assert "sqlite3" in done.stdout.split()
    assert "psycopg" not in done.stdout.split()


def test_a_missing_file_is_not_made_by_who_only_reads(path: Path) -> None:
    with pytest.raises(InputError, match="there is no journal"):
        open_journal(str(path), create=False)
    assert not path.exists()


def test_a_missing_directory_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(JournalError, match=r"there is no directory .*typo$"):
        open_journal(str(tmp_path / "typo" / "journal.db"))


def test_a_directory_is_not_a_journal(tmp_path: Path) -> None:
    with pytest.raises(JournalError, match="is a directory: name a file in it"):
        open_journal(str(tmp_path))


def test_another_file_is_not_a_journal(path: Path) -> None:
    path.write_text("name: a playbook, perhaps\n" * 100)

    with pytest.raises(JournalError, match="not an SQLite database"):
        open_journal(str(path))


def test_another_programs_database_is_left_alone(path: Path) -> None:
    with closing(sqlite3.connect(path)) as database:
        database.execute("CREATE TABLE bookmarks (url TEXT)")
        database.execute("PRAGMA user_version = 1")
    before = path.read_bytes()

    with pytest.raises(JournalError, match="another program's database"):
        open_journal(str(path))
    assert path.read_bytes() == before


def test_a_newer_schema_is_refused(path: Path) -> None:
    open_journal(str(path)).close()
    with closing(sqlite3.connect(path)) as database:
        database.execute("PRAGMA user_version = 3")

    with pytest.raises(
        JournalError, match=r"newer quell \(its schema is 3, this one knows up to 2"
    ):
        open_journal(str(path))


def test_a_used_journal_that_is_empty_is_a_loss_and_not_a_beginning(path: Path) -> None:
    with open_journal(str(path)) as journal, journal.begin("a") as recorder:
        recorder.tell(started("a"))
    path.write_bytes(b"")

    with pytest.raises(JournalError, match="is empty, but runs were recorded in it"):
        open_journal(str(path))


def test_a_damaged_schema_is_said_in_words(path: Path) -> None:
    with open_journal(str(path)) as journal, journal.begin("a") as recorder:
        recorder.tell(started("a"))
    path.write_bytes(path.read_bytes().replace(b"NULL UNIQUE", b"NUL\xf3 UNIQUE"))

    with pytest.raises(JournalError, match="is damaged"), open_journal(str(path)) as journal:
        journal.runs()
