"""What runs did: written as it happens, never lost once acknowledged, read back for years."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from engine.errors import InputError, JournalError, Problem

if TYPE_CHECKING:
    from engine.journal.base import Journal
    from engine.journal.store import Store

_FORMS = "give a path, sqlite:///PATH or postgresql://USER@HOST/DATABASE"
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+)://")
_POSTGRES = ("postgresql", "postgres")


def open_journal(url: str | None, *, create: bool = True) -> Journal:
    """The journal that `--journal` names.

    Args:
        url: a path, or `sqlite:///PATH` (four slashes where the path is absolute), or
            `postgresql://…` as libpq understands it; None for `journal.db` in the user's state
            directory, which is made.
        create: make it if it is missing; a file's directory, or the database, must be there.

    Raises:
        InputError: the URL is not understood, or the journal is missing and not to be made.
        JournalError: it cannot be made, read or written, or is not a journal that we know.
    """
    from engine.journal.stored import StoredJournal

    return StoredJournal(_store(url, create=create))


def _store(url: str | None, *, create: bool) -> Store:
    scheme = _SCHEME.match(url or "")
    if url and scheme and scheme[1] in _POSTGRES:
        from engine.journal.postgres.address import parse
        from engine.journal.postgres.store import PostgresStore

        return PostgresStore(parse(url), create=create)
    from engine.journal.sqlite.store import SqliteStore

    path = _default() if url is None else _path(url)
    if not create and not path.exists():
        raise InputError(f"there is no journal {path}: nothing has been recorded there yet")
    return SqliteStore(path)


def _default() -> Path:
    import platformdirs

    directory = platformdirs.user_state_path("quell")
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise JournalError(
            f"the journal's directory {directory} cannot be made: {reason}; --journal names another"
        ) from error
    return directory / "journal.db"


def _path(url: str) -> Path:
    scheme = _SCHEME.match(url)
    if scheme is None and url:
        return Path(url).expanduser()
    if scheme and scheme[1] == "sqlite" and url.startswith("sqlite:///") and url[10:]:
        return Path(url[10:])
    # The whole of it is not repeated: a database's URL may hold a password.
    kind = f"{scheme[1]}://…" if scheme else repr(url)
    raise InputError(Problem(f"no journal can be at {kind}", "--journal", hint=_FORMS))
