"""Which process may write a run: an advisory lock of its session, and a row that says whose.

The server drops the lock with the session. A session may end while its process lives on, as when
the server starts anew; the process then has `GRACE` to come back, before anybody takes the run for
dead. Who writes a run is told apart by its epoch: each who begins it, and each who finds it dead,
makes it another one, and nothing more can be written in one that is over.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from msgspec import Struct

from engine.journal.chain import BEGINNING
from engine.journal.writer import Writer

if TYPE_CHECKING:
    from engine.journal.store import Transaction

_CLASS = 0x7175656C
"""`quel`: the first half of our advisory locks' keys. The second is a claim's, or `_EVERYBODY`."""

_EVERYBODY = 0
"""Held by who must be alone, for a transaction."""

GRACE = 45.0
"""Seconds after its last sign of life that a process may still come back. More than it needs to
notice that its connection is lost, and to give up."""


class Claim(Struct, frozen=True):
    """What the row of a run says.

    Args:
        key: of its advisory lock.
        epoch: how often it was begun or found dead.
        writer: the process that wrote it last.
        since: since when.
        held: whether a session has the lock.
        released: whether the writer gave it back itself.
        silent: seconds since the writer's last sign of life.
    """

    key: int
    epoch: int
    writer: Writer
    since: datetime
    held: bool
    released: bool
    silent: float

    @property
    def alive(self) -> bool:
        """Whether its writer is at work, or may still come back."""
        return not self._given_up and (self.held or self.silent < GRACE)

    @property
    def may_come_back(self) -> bool:
        """Whether it may, whoever has the lock now."""
        return not self._given_up and self.silent < GRACE

    @property
    def _given_up(self) -> bool:
        return self.released or self.writer.is_gone()


def read(transaction: Transaction, run: str) -> Claim | None:
    """A run's claim; None if it was never begun."""
    rows = transaction.rows(
        "SELECT key, epoch, who, controller, pid, machine, since, released,"
        " extract(epoch FROM clock_timestamp())::double precision - seen,"
        " EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND granted"
        " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
        " AND classid::bigint = :ours AND objid::bigint = key AND objsubid = 2)"
        " FROM claims WHERE run = :run",
        run=run,
        ours=_CLASS,
    )
    if not rows:
        return None
    key, epoch, who, controller, pid, machine, since, released, silent, held = rows[0]
    writer = Writer(who, controller, pid, machine)
    return Claim(key, epoch, writer, datetime.fromtimestamp(since, UTC), held, released, silent)


def lock(transaction: Transaction, key: int) -> bool:
    """Take a claim's lock for the session; whether it was free."""
    [(taken,)] = transaction.rows("SELECT pg_try_advisory_lock(:ours, :key)", key=key, ours=_CLASS)
    return bool(taken)


def unlock(transaction: Transaction, key: int) -> None:
    """Give it back."""
    transaction.rows("SELECT pg_advisory_unlock(:ours, :key)", key=key, ours=_CLASS)


def alone(transaction: Transaction) -> None:
    """Wait until nobody else is alone, and be it until the transaction ends."""
    transaction.rows("SELECT pg_advisory_xact_lock(:ours, :key)", ours=_CLASS, key=_EVERYBODY)


def make(transaction: Transaction, run: str) -> None:
    """Make the row of a run that was never begun."""
    transaction.rows(
        "INSERT INTO claims (run, epoch, who, controller, pid, machine, since, seen, released,"
        " durable, durable_hash, last)"
        " VALUES (:run, 0, '', '', 0, '', 0, 0, true, 0, :hash, 0) ON CONFLICT (run) DO NOTHING",
        run=run,
        hash=BEGINNING.hash,
    )


def begin(transaction: Transaction, run: str, writer: Writer) -> int:
    """Say who writes a run from now on; the new epoch."""
    [(epoch,)] = transaction.rows(
        "UPDATE claims SET epoch = epoch + 1, who = :who, controller = :controller, pid = :pid,"
        " machine = :machine, since = :now, seen = :now, released = false"
        " WHERE run = :run RETURNING epoch",
        run=run,
        who=writer.who,
        controller=writer.controller,
        pid=writer.pid,
        machine=writer.machine,
        now=transaction.moment().wall,
    )
    return int(epoch)


def session(transaction: Transaction) -> tuple[object, ...]:
    """What tells our session from all others."""
    [found] = transaction.rows(
        "SELECT pid, backend_start FROM pg_stat_activity WHERE pid = pg_backend_pid()"
    )
    return found


def end_session(transaction: Transaction, session: tuple[object, ...]) -> None:
    """End a session of ours whose connection was lost, if the server still has it."""
    pid, started = session
    transaction.rows(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE pid = :pid AND backend_start = :started",
        pid=pid,
        started=started,
    )


def is_current(transaction: Transaction, run: str, epoch: int) -> bool:
    """Give a sign of life; whether the run is still ours to write."""
    return bool(
        transaction.rows(
            "UPDATE claims SET seen = extract(epoch FROM clock_timestamp())"
            " WHERE run = :run AND epoch = :epoch RETURNING epoch",
            run=run,
            epoch=epoch,
        )
    )


def release(transaction: Transaction, run: str, epoch: int) -> None:
    """Say that a run is written no more by its own will."""
    transaction.rows(
        "UPDATE claims SET released = true WHERE run = :run AND epoch = :epoch",
        run=run,
        epoch=epoch,
    )


def end(transaction: Transaction, run: str) -> None:
    """End the epoch of a run whose writer was found dead."""
    transaction.rows(
        "UPDATE claims SET epoch = epoch + 1, released = true WHERE run = :run", run=run
    )
