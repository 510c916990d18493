"""Who says stop: to one run, or to all actions of all runs until that is lifted."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from engine.errors import GuardRefused
from engine.journal.clock import Moment, elapsed
from engine.journal.guards import Cancel, Heeded, Hold

if TYPE_CHECKING:
    from engine.journal.store import Transaction
    from engine.journal.writer import Writer


def cancel(transaction: Transaction, run: str, writer: Writer) -> None:
    """Ask a run to stop."""
    transaction.rows(
        "INSERT INTO cancels (run, who, controller, since)"
        " VALUES (:run, :who, :controller, :since)",
        run=run,
        who=writer.who,
        controller=writer.controller,
        since=transaction.moment().wall,
    )


def forget(transaction: Transaction, run: str) -> None:
    """Take back what a run was asked before it went on."""
    transaction.rows("DELETE FROM cancels WHERE run = :run", run=run)


def hold(transaction: Transaction, writer: Writer, why: str, seconds: float | None) -> Hold:
    """Hold all actions, instead of any hold before.

    Args:
        transaction: of the journal.
        writer: who says so.
        why: in their words.
        seconds: until it ends by itself; None: when it is lifted.
    """
    now = transaction.moment()
    lift(transaction)
    transaction.rows(
        "INSERT INTO holds (who, controller, why, seconds, wall, boot, up)"
        " VALUES (:who, :controller, :why, :seconds, :wall, :boot, :up)",
        who=writer.who,
        controller=writer.controller,
        why=why,
        seconds=seconds,
        wall=now.wall,
        boot=now.boot,
        up=now.up,
    )
    return _hold(writer.who, writer.controller, why, seconds, now)


def lift(transaction: Transaction) -> Hold | None:
    """End the hold; what it was, None where there was none."""
    transaction.alone()
    was = held(transaction)
    transaction.rows("DELETE FROM holds")
    return was


def held(transaction: Transaction) -> Hold | None:
    """The hold that is in force."""
    rows = transaction.rows("SELECT who, controller, why, seconds, wall, boot, up FROM holds")
    for who, controller, why, seconds, *when in rows:
        since = Moment(*when)
        if seconds is None or elapsed(since, transaction.moment()) < seconds:
            return _hold(who, controller, why, seconds, since)
    return None


def heed(transaction: Transaction, run: str) -> Heeded:
    """What others want of a run."""
    rows = transaction.rows(
        "SELECT who, controller, since FROM cancels WHERE run = :run ORDER BY number", run=run
    )
    cancels = (Cancel(who, controller, _at(since)) for who, controller, since in rows)
    return Heeded(tuple(cancels), held(transaction))


def permit(transaction: Transaction, run: str) -> None:
    """See that an action of a run may be sent.

    Raises:
        GuardRefused: all actions are on hold, or the run was asked to stop; says by whom.
    """
    wanted = heed(transaction, run)
    if wanted.cancels:
        raise GuardRefused(f"the run was asked to stop by {wanted.cancels[0]}", guard="cancel")
    if wanted.hold:
        raise GuardRefused(f"all actions are on hold by {wanted.hold}", guard="hold")


def _hold(who: str, controller: str, why: str, seconds: float | None, since: Moment) -> Hold:
    until = None if seconds is None else _at(since.wall + seconds)
    return Hold(who, controller, why, _at(since.wall), until)


def _at(wall: float) -> datetime:
    return datetime.fromtimestamp(wall, UTC)
