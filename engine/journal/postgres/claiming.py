"""How a session gets the right to write a run, and gets it back after its connection was lost."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from engine.errors import GuardRefused, JournalError
from engine.journal import locks, stops
from engine.journal.postgres import claims
from engine.journal.postgres.transaction import PostgresTransaction

if TYPE_CHECKING:
    from collections.abc import Iterable

    from engine.journal.postgres.claims import Claim
    from engine.journal.postgres.link import Database
    from engine.journal.writer import Writer

_PATIENCE = 5.0
_PAUSE = 0.05
"""Seconds: for the server to end a session whose process is gone; and between two looks."""


def take(database: Database, run: str, writer: Writer) -> int:
    """The right to write a run; the epoch that begins with it.

    Raises:
        GuardRefused: another process writes it, or may still come back to it.
    """
    transaction = PostgresTransaction(database)
    claims.make(transaction, run)
    claim = _claim(transaction, run)
    end = time.monotonic() + _PATIENCE
    while not claims.lock(transaction, claim.key):
        claim = _claim(transaction, run)
        if claim.alive or time.monotonic() > end:
            raise _not_over(run, claim)
        time.sleep(_PAUSE)
    with database.transaction():
        claims.alone(transaction)
        claim = _claim(transaction, run)
        if claim.may_come_back:
            claims.unlock(transaction, claim.key)
            raise _may_not_be_over(run, claim)
        # What is left of an earlier session of the run, which is over.
        locks.release(transaction, run)
        stops.forget(transaction, run)
        return claims.begin(transaction, run, writer)


def retake(
    database: Database, run: str, epoch: int, sessions: Iterable[tuple[object, ...]]
) -> None:
    """Get the right back on a new connection.

    Args:
        database: the connection.
        run: the run's id.
        epoch: that it was written in.
        sessions: those before, which the server may not have given up yet.

    Raises:
        JournalError: the run is no longer ours.
    """
    transaction = PostgresTransaction(database)
    for session in sessions:
        claims.end_session(transaction, session)
    end = time.monotonic() + _PATIENCE
    claim = _claim(transaction, run)
    while claim.epoch == epoch and not claims.lock(transaction, claim.key):
        if time.monotonic() > end:
            break
        time.sleep(_PAUSE)
        claim = _claim(transaction, run)
    if not claims.is_current(transaction, run, epoch):
        raise lost(transaction, run)


def lost(transaction: PostgresTransaction, run: str) -> JournalError:
    """That a run is no longer ours: others took it for dead, or resumed it."""
    claim = _claim(transaction, run)
    who = "" if claim.released else f"; {claim.writer} has resumed it"
    return JournalError(
        f"run {run} was out of the journal's reach for so long that it was taken for dead{who}"
    )


def _claim(transaction: PostgresTransaction, run: str) -> Claim:
    claim = claims.read(transaction, run)
    if claim is None:
        raise JournalError(f"the journal is damaged: the claim of run {run} is missing")
    return claim


def _not_over(run: str, claim: Claim) -> GuardRefused:
    return GuardRefused(
        f"run {run} is not over: {claim.writer} is executing it {_since(claim)}", guard="lock"
    )


def _may_not_be_over(run: str, claim: Claim) -> GuardRefused:
    left = max(claims.GRACE - claim.silent, 1)
    return GuardRefused(
        f"run {run} may not be over: {claim.writer}, executing it {_since(claim)}, lost its"
        f" connection to the journal and may come back; try again in {left:.0f} s",
        guard="lock",
    )


def _since(claim: Claim) -> str:
    return f"since {claim.since.astimezone():%H:%M:%S}"
