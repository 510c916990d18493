"""What psycopg raises, in plain words, with the database's name and without its password."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import psycopg
from psycopg import errors

from engine.errors import JournalError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engine.journal.postgres.address import Address

_WORDS: tuple[tuple[type[psycopg.Error], str], ...] = (
    (errors.DiskFull, "the server's disk is full"),
    (errors.OutOfMemory, "the server is out of memory"),
    (errors.ReadOnlySqlTransaction, "cannot be written: the server is a standby, or read-only"),
    (errors.InsufficientPrivilege, "this role may not do that"),
    (errors.QueryCanceled, "the server did not answer in time"),
    (errors.IndexCorrupted, "is damaged"),
    (errors.DataCorrupted, "is damaged"),
    (errors.InvalidPassword, "login refused"),
    (errors.InvalidAuthorizationSpecification, "login refused"),
    (errors.TooManyConnections, "the server has no connection left"),
)


def told(error: psycopg.Error, address: Address) -> JournalError:
    """The error in plain words."""
    words = next((said for kind, said in _WORDS if isinstance(error, kind)), "")
    if not words and error.sqlstate is None and isinstance(error, psycopg.OperationalError):
        words = "cannot be reached"
    detail = _safe(" ".join(str(error).split()), address)
    message = f"{words} ({detail})" if words else detail
    return JournalError(f"journal {address.shown}: {message}")


def _safe(text: str, address: Address) -> str:
    password = address.parameters.get("password")
    return text.replace(password, "********") if password else text


@contextmanager
def plain_errors(address: Address) -> Iterator[None]:
    """Turn what psycopg raises into a `JournalError` that names the database."""
    try:
        yield
    except psycopg.Error as error:
        raise told(error, address) from error
