"""The journal in one SQLite file, with a claim file for each run in a directory beside it."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

from engine.journal.choose import check_id
from engine.journal.sqlite.claim import Claim, kept
from engine.journal.sqlite.database import connect, plain_errors, prepare
from engine.journal.sqlite.recorder import SqliteRecorder
from engine.journal.sqlite.transaction import SqliteTransaction, looking, writing

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from engine.journal.sqlite.claim import Line


class SqliteStore:
    """A `Store` in a file."""

    def __init__(self, path: Path) -> None:
        """Open the file, or make it.

        Raises:
            JournalError: it cannot be made, opened or written, or is not a journal that we know.
        """
        self._path = path
        self._claims = path.with_name(f"{path.name}-runs")
        prepare(path, self._claims)
        self._lock = threading.Lock()
        with plain_errors(path):
            self._database = connect(path)

    def close(self) -> None:
        """As `Journal.close`."""
        self._database.close()

    def begin(self, run: str) -> SqliteRecorder:
        """As `Journal.begin`."""
        claim = Claim(self._claim(run), run)
        try:
            return SqliteRecorder(self._path, run, claim)
        except BaseException:
            claim.close()
            raise

    def kept(self, run: str) -> Line | None:
        """As `Store.kept`: what its claim says."""
        return kept(self._claim(run))

    def claimed(self) -> set[str]:
        """As `Store.claimed`: those that have a claim."""
        if not self._claims.is_dir():
            return set()
        return {path.name for path in self._claims.iterdir()}

    @contextmanager
    def reading(self) -> Iterator[SqliteTransaction]:
        """As `Store.reading`."""
        with self._lock, plain_errors(self._path), looking(self._database):
            yield SqliteTransaction(self._database, self._claims)

    @contextmanager
    def writing(self) -> Iterator[SqliteTransaction]:
        """As `Store.writing`."""
        with self._lock, plain_errors(self._path), writing(self._database):
            yield SqliteTransaction(self._database, self._claims)

    def _claim(self, run: str) -> Path:
        return self._claims / check_id(run)
