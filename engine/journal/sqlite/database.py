"""The SQLite file: opened, made, recognised, and its errors in plain words."""

from __future__ import annotations

import os
import shutil
import sqlite3
import time
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

from engine.errors import JournalError
from engine.journal import actions
from engine.journal.sqlite.schema import STEPS, VERSION
from engine.journal.sqlite.transaction import SqliteTransaction, looking, writing

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

_APPLICATION = 0x7175656C
"""`quel`, in `application_id`: another program's database is not taken for a journal."""

PATIENCE = 30.0
"""Seconds to wait for another process that writes."""

_ROOM = 65536
"""Bytes: the index of the write-ahead log needs half of it to be opened."""

_WORDS = {
    sqlite3.SQLITE_FULL: "the disk is full",
    sqlite3.SQLITE_NOTADB: "is not a journal: not an SQLite database",
    sqlite3.SQLITE_CORRUPT: "is damaged",
    sqlite3.SQLITE_BUSY: f"another process has held it for {PATIENCE:.0f} s",
    sqlite3.SQLITE_READONLY: "cannot be written",
    sqlite3.SQLITE_CANTOPEN: "cannot be opened",
    sqlite3.SQLITE_IOERR: "the disk reports an error",
}


@contextmanager
def plain_errors(path: Path) -> Iterator[None]:
    """Turn what SQLite raises into a `JournalError` that names the file."""
    try:
        yield
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        if code == sqlite3.SQLITE_IOERR and _full(path):
            code = sqlite3.SQLITE_FULL  # so it says of the files beside it
        words = _WORDS.get(code)
        message = f"{words} ({error})" if words else str(error)
        raise JournalError(f"journal {path}: {message}") from error
    except UnicodeDecodeError as error:  # of a damaged file's text, or of SQLite's words about it
        raise JournalError(f"journal {path}: is damaged ({error})") from error


def _full(path: Path) -> bool:
    """Whether the disk has no room left for what stands beside the file."""
    try:
        return shutil.disk_usage(path.parent).free < _ROOM
    except OSError:
        return False


def connect(path: Path) -> sqlite3.Connection:
    """A connection that threads may share under a lock of the caller's; no implicit transactions.

    Raises:
        sqlite3.Error: it cannot be opened.
    """
    return sqlite3.connect(path, timeout=PATIENCE, isolation_level=None, check_same_thread=False)


def prepare(path: Path, claims: Path) -> None:
    """Make the journal if there is none, and bring an older one up to date.

    Args:
        path: the file.
        claims: the directory of its runs' claims.

    Raises:
        JournalError: it cannot be made or opened, or is not a journal that we know.
    """
    if path.is_dir():
        raise JournalError(f"journal {path} is a directory: name a file in it")
    if not path.parent.is_dir():
        raise JournalError(f"journal {path}: there is no directory {path.parent}")
    try:
        # SQLite would make it readable for all. An existing file is left alone: to close a
        # descriptor of it would drop the locks that SQLite holds on it in this process.
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    except FileExistsError:
        pass
    except OSError as error:
        raise JournalError(f"journal {path}: {error.strerror}") from error
    runs = [claim.name for claim in claims.iterdir()] if claims.is_dir() else []
    with plain_errors(path), closing(connect(path)) as database:
        with looking(database):  # at one moment: another process may be making it
            version = _version(path, database)
        if version == VERSION:
            return
        if version == 0 and runs:
            # Then an empty file is a loss, and not a beginning.
            raise JournalError(
                f"journal {path} is empty, but runs were recorded in it: put it back, or remove"
                f" {path}-runs too to begin a new one"
            )
        if _use_wal(database) != "wal":
            raise JournalError(f"journal {path}: its file system cannot keep a write-ahead log")
        with writing(database):
            _bring_up_to_date(path, SqliteTransaction(database, claims), runs)


def _version(path: Path, database: sqlite3.Connection) -> int:
    """Of its schema; 0 where it is empty."""
    application, version = _number(database, "application_id"), _number(database, "user_version")
    (tables,) = database.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    if application == _APPLICATION and version > VERSION:
        raise JournalError(
            f"journal {path} was written by a newer quell (its schema is {version}, this one "
            f"knows up to {VERSION}): use that one, or another --journal"
        )
    if application == _APPLICATION and version > 0:
        return version
    if tables:
        raise JournalError(f"journal {path} is not a journal: another program's database")
    return 0


def _bring_up_to_date(path: Path, transaction: SqliteTransaction, runs: Sequence[str]) -> None:
    version = _version(path, transaction.database)  # another process may have been faster
    if version == VERSION:
        return
    living = [run for run in runs if transaction.alive(run)]
    if living:
        raise JournalError(
            f"journal {path} is of an older quell, which is still executing run {living[0]}: it is"
            " brought up to date once that is over"
        )
    for step in STEPS[version:]:
        for statement in step.split(";"):
            transaction.rows(statement)
    if version == 1:
        actions.gather(transaction)
    transaction.rows(f"PRAGMA application_id = {_APPLICATION}")
    transaction.rows(f"PRAGMA user_version = {VERSION}")


def _use_wal(database: sqlite3.Connection) -> str:
    """The mode that came of it. For this alone SQLite does not wait for who makes the same file."""
    end = time.monotonic() + PATIENCE
    while True:
        try:
            return str(database.execute("PRAGMA journal_mode = WAL").fetchone()[0])
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > end:
                raise
            time.sleep(0.02)


def _number(database: sqlite3.Connection, pragma: str) -> int:
    return int(database.execute(f"PRAGMA {pragma}").fetchone()[0])
