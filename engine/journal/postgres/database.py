"""The journal's tables: recognised, made, and brought up to date."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.errors import InputError, JournalError
from engine.journal import actions
from engine.journal.postgres import claims
from engine.journal.postgres.schema import NAME, STEPS, VERSION
from engine.journal.postgres.transaction import PostgresTransaction

if TYPE_CHECKING:
    from engine.journal.postgres.address import Address
    from engine.journal.postgres.link import Database


def prepare(database: Database, address: Address, *, create: bool) -> None:
    """Make the tables if there are none, and bring older ones up to date.

    Args:
        database: a connection.
        address: where to, for the messages.
        create: make them if they are missing.

    Raises:
        InputError: they are missing, and not to be made.
        JournalError: they are not ones that we know.
        psycopg.Error: they cannot be made.
    """
    transaction = PostgresTransaction(database)
    version = _version(transaction, address)
    if version == VERSION:
        return
    if version == 0 and not create:
        raise InputError(
            f"there is no journal {address.shown}: nothing has been recorded there yet"
        )
    with database.transaction():
        claims.alone(transaction)
        version = _version(transaction, address)  # another process may have been faster
        if version < VERSION:
            _bring_up_to_date(transaction, address, version)


def _version(transaction: PostgresTransaction, address: Address) -> int:
    """Of the schema; 0 where there is none of ours."""
    [(encoding, ours, tables)] = transaction.rows(
        "SELECT current_setting('server_encoding'), to_regclass(:ours) IS NOT NULL,"
        " (SELECT count(*) FROM pg_class JOIN pg_namespace ON relnamespace = pg_namespace.oid"
        " WHERE nspname = :schema)",
        ours=f"{NAME}.journal",
        schema=NAME,
    )
    if encoding != "UTF8":
        raise JournalError(
            f"journal {address.shown}: the database's encoding is {encoding}: make one with UTF8"
        )
    if not ours and tables:
        raise JournalError(
            f"journal {address.shown} is not a journal: its schema {NAME} is another program's"
        )
    if not ours:
        return 0
    # A commit is seen a moment before this connection hears of new schemas: until then it would
    # look for tables where it did when there were none. A path that is written in another way is
    # looked up anew.
    [(version, _)] = transaction.rows(
        f"SELECT version, set_config('search_path', :path, false) FROM {NAME}.journal",  # noqa: S608
        path=f"{NAME},pg_catalog",
    )
    if version > VERSION:
        raise JournalError(
            f"journal {address.shown} was written by a newer quell (its schema is {version}, this"
            f" one knows up to {VERSION}): use that one, or another --journal"
        )
    return int(version)


def _bring_up_to_date(transaction: PostgresTransaction, address: Address, version: int) -> None:
    if version:
        _see_that_nobody_writes(transaction, address)
    elif not transaction.rows("SELECT FROM pg_namespace WHERE nspname = :name", name=NAME):
        transaction.rows(f"CREATE SCHEMA {NAME}")
    for step in STEPS[version:]:
        transaction.rows(step)
    if version == 1:
        actions.gather(transaction)
    transaction.rows("UPDATE journal SET version = :version", version=VERSION)


def _see_that_nobody_writes(transaction: PostgresTransaction, address: Address) -> None:
    # No run can be begun meanwhile: its claim would have to be alone, as we are.
    for (run,) in transaction.rows("SELECT run FROM claims WHERE NOT released"):
        if transaction.alive(run):
            raise JournalError(
                f"journal {address.shown} is of an older quell, which is still executing run {run}:"
                " it is brought up to date once that is over"
            )
